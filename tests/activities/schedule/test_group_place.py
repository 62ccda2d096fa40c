"""The plan of a place that a group shares: all of it are reminded, and its silence is escalated once."""

from collections.abc import Mapping
from types import MappingProxyType

from activities.people.person import Platform, PushDevice
from activities.schedule.planner import PolicyPlanner
from tests.activities.book import SINCE, Book, make_person, planning
from workflows.model.policy import Policy, Reminders
from workflows.model.schedule import ActionType, Schedule, Turn
from workflows.model.subject import Participant

MEMBERS = ("eve", "sam", "kim")


async def plan_for_group(
    absent_from: Mapping[str, str] = MappingProxyType({}), *, policy: Policy | None = None, mailed: bool = False
) -> Schedule:
    book = Book(
        make_person("requester"),
        make_person("manager"),
        *(
            make_person(
                member,
                manager="manager",
                absent=[{"from": absent_from[member], "until": "2027-01-09"}] if member in absent_from else (),
                devices=() if mailed else (PushDevice(token=member, platform=Platform.IOS),),
            )
            for member in MEMBERS
        ),
    )
    asked = planning(policy or Policy(), signers=MEMBERS, turns=dict.fromkeys(MEMBERS, SINCE))
    people = tuple(Participant(person=member, order=1, team="legal", beside=member != "eve") for member in MEMBERS)
    return await PolicyPlanner(book).plan(asked.replace(subject=asked.subject.replace(people=people)))


def people_of(agenda: Schedule, kind: ActionType) -> list[str]:
    return sorted({action.person for action in agenda.actions if action.kind is kind})


async def test_all_are_reminded_and_the_silence_of_the_place_is_escalated_once() -> None:
    agenda = await plan_for_group()
    assert people_of(agenda, ActionType.REMIND) == sorted(MEMBERS)
    assert people_of(agenda, ActionType.WARN) == sorted(MEMBERS)
    assert people_of(agenda, ActionType.ESCALATE) == ["eve"]


async def test_the_silence_is_of_a_member_who_is_there() -> None:
    assert people_of(await plan_for_group({"eve": "2026-11-01"}), ActionType.ESCALATE) == ["sam"]


async def test_the_silence_is_of_whoever_is_there_longest() -> None:
    """An absence that comes is not escalated while others of the group are there."""
    absent_from = {"eve": "2026-11-12", "sam": "2026-11-20", "kim": "2026-11-01"}
    assert people_of(await plan_for_group(absent_from), ActionType.ESCALATE) == ["sam"]


async def test_core_signature_mails_nobody_of_a_group_along() -> None:
    """Our own mails go to each, so that one to another is not counted as theirs."""
    agenda = await plan_for_group(policy=Policy(reminders=Reminders(first="3d")), mailed=True)
    assert people_of(agenda, ActionType.REMIND) == sorted(MEMBERS)


async def test_after_one_has_taken_it_the_others_have_no_turn_and_no_plan() -> None:
    asked = planning(signers=MEMBERS)
    people = tuple(Participant(person=member, order=1, team="legal", beside=member != "sam") for member in MEMBERS)
    book = Book(make_person("requester"), *(make_person(member) for member in MEMBERS))
    turns = (Turn(person="sam", since=SINCE),)
    agenda = await PolicyPlanner(book).plan(asked.replace(subject=asked.subject.replace(people=people), turns=turns))
    assert people_of(agenda, ActionType.REMIND) == ["sam"]
