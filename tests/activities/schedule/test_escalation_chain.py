"""Who an escalation reaches, and why the others are skipped."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from activities.people.person import Absence, EnteredAbsence
from activities.schedule.escalation import Chain
from activities.schedule.planner import PolicyPlanner
from activities.schedule.turn import SilentTurn, Span
from tests.activities.book import AMSTERDAM, BOOK, SINCE, Book, make_person, plan, planning
from tests.messages import english_of
from workflows.model.messages import join_english
from workflows.model.policy import Escalation, EscalationAction, Policy
from workflows.model.schedule import ActionType, EscalationReason, PlanningInput, StandIn, Turn
from workflows.names import alert_key

DEFAULT = Escalation()
AWAY = (Absence.model_validate({"from": "2026-11-01", "until": "2026-12-31"}),)


async def find_alert(book: Book = BOOK, escalation: Escalation = DEFAULT, **overrides: Any) -> tuple[str, str]:
    agenda = await plan(Policy(escalation=escalation), book, **overrides)
    moment = next(moment for moment in agenda.actions if moment.kind is ActionType.ESCALATE)
    return moment.to, moment.reason_text.split("; ", 1)[1]


async def test_alternates_come_first() -> None:
    person, reason = await find_alert(escalation=Escalation(alternates=("signer", "alternate")))
    assert person == "alternate"
    assert reason == "to alternate, the named alternate; not to signer, who is the silent signer"


async def test_the_order_of_the_chain_is_the_policys() -> None:
    escalation = Escalation(to=("manager", "alternates"), alternates=("alternate",))
    assert (await find_alert(escalation=escalation))[0] == "manager"


async def test_other_signers_and_the_requester_are_skipped_upward() -> None:
    person, reason = await find_alert(signers=("signer", "manager"))
    assert person == "director"
    assert reason == "to director, the manager of manager; not to manager, who is asked too"
    assert (await find_alert(requester="manager"))[0] == "director"


async def test_a_review_goes_to_nobody_of_the_group_that_asks() -> None:
    manager = make_person("manager", manager="director", groups=("sales",))
    book = Book(make_person("signer", manager="manager"), manager, make_person("director"))
    for time_limit, person in ((None, "manager"), ("20d", "director")):
        planning_input = planning(Policy(escalation=DEFAULT), requester="group:sales").replace(within=time_limit)
        agenda = await PolicyPlanner(book).plan(planning_input)
        assert next(action for action in agenda.actions if action.kind is ActionType.ESCALATE).to == person


@pytest.mark.parametrize(("delegate", "person"), [("alternate", "alternate"), ("requester", "manager")])
async def test_a_reviewer_who_is_away_has_their_deputy_unless_that_one_asks_for_it(delegate: str, person: str) -> None:
    signer = make_person("signer", delegate=delegate, manager="manager", absent=AWAY)
    book = Book(signer, make_person("requester"), make_person("alternate"), make_person("manager"))
    reassign = Policy(escalation=Escalation(action=EscalationAction.REASSIGN))
    agenda = await PolicyPlanner(book).plan(planning(reassign).replace(within="20d"))
    first = next(action for action in agenda.actions if action.kind is ActionType.ESCALATE)
    assert first.to == person


async def test_nobody_of_the_group_that_asks_takes_a_review_over() -> None:
    planner = PolicyPlanner(Book(make_person("manager", groups=("sales",))))
    order = StandIn(person="manager", at=SINCE, force=True)
    assert (await planner.check(order)).refused is None
    refused = (await planner.check(order.replace(reviewed_for="group:sales"))).refused
    assert english_of(refused) == "manager asked for it, and nobody reviews their own request"


async def test_the_chain_ends_at_its_depth_then_comes_the_fallback() -> None:
    signers = ("signer", "manager")
    assert (await find_alert(escalation=Escalation(depth=1, fallback="fallback"), signers=signers))[0] == "fallback"


async def test_when_nobody_is_left_the_requester_hears_it() -> None:
    person, reason = await find_alert(signers=("signer", "manager", "director"))
    assert person == "requester"
    assert reason.startswith("nobody is left to act, so the requester is told; not to manager, who is asked too")


async def test_the_delegate_stands_in_for_the_absent_only() -> None:
    def book(day: str) -> Book:
        absence = Absence.model_validate({"from": day, "until": day})
        signer = make_person("signer", delegate="alternate", manager="manager", absent=(absence,))
        return Book(make_person("requester"), make_person("alternate"), make_person("manager"), signer)

    assert (await find_alert(book("2026-11-17")))[0] == "alternate"
    assert (await find_alert(book("2026-11-16")))[0] == "manager"


def make_chain(planned: PlanningInput, book: Book, escalation: Escalation, signer: str = "signer") -> Chain:
    turn, span = Turn(person=signer, since=SINCE), Span(SINCE, SINCE)
    silence = SilentTurn.for_turn(planned, book, turn, span, calendar_owner=make_person(signer))
    return Chain(silence, escalation, SINCE)


async def read_next_reason(
    chain: PlanningInput, book: Book = BOOK, escalation: Escalation = DEFAULT, signer: str = "signer"
) -> str:
    next_step = await make_chain(chain, book, escalation, signer).next()
    return join_english(next_step.reasons)


async def test_who_has_acted_already_is_skipped() -> None:
    acted = planning().replace(acted=("manager",))
    assert await read_next_reason(acted) == "to director, the manager of manager; not to manager, who has acted already"


async def test_whom_no_notice_of_it_has_reached_is_skipped_upward_and_in_the_end_the_requester_hears_it() -> None:
    lost_keys = tuple(
        alert_key(planning().subject.id, "escalation", manager, "signer") for manager in ("manager", "director")
    )
    once_unheard = planning().replace(unheard=lost_keys[:1])
    assert (
        await read_next_reason(once_unheard)
        == "to director, the manager of manager; not to manager, whom no notice has reached"
    )
    assert (await make_chain(planning().replace(unheard=lost_keys), BOOK, DEFAULT).next()).person == "requester"
    other_keys = tuple(key.replace("/signer", "/another") for key in lost_keys)
    assert await read_next_reason(planning().replace(unheard=other_keys)) == "to manager, the manager of signer"


async def test_who_is_absent_is_skipped_for_their_delegate() -> None:
    book = Book(
        make_person("requester"),
        make_person("signer", manager="manager"),
        make_person("manager", absent=AWAY, delegate="deputy", manager="director"),
        make_person("deputy"),
        make_person("director"),
    )
    assert await read_next_reason(planning(), book) == (
        "to deputy, the delegate of manager, who is absent; not to manager, who is absent"
    )
    only_managers = Escalation(to=("manager",))
    assert (await read_next_reason(planning(), book, only_managers)).startswith("to director, the manager of manager")


async def test_delegates_that_go_round_in_a_circle_end() -> None:
    book = Book(
        make_person("requester"),
        make_person("signer", absent=AWAY, delegate="deputy"),
        make_person("deputy", absent=AWAY, delegate="signer"),
    )
    assert await read_next_reason(planning(), book) == (
        "nobody is left to act, so the requester is told; not to deputy, who is absent; "
        "not to signer, who is the silent signer"
    )


async def test_places_that_were_handed_over_use_up_the_depth() -> None:
    book = Book(
        make_person("requester"),
        make_person("signer", manager="manager"),
        make_person("manager", manager="director"),
        make_person("director", manager="chair"),
        make_person("chair"),
        make_person("fallback"),
    )
    twice = planning(signers=("signer", "manager", "director")).replace(acted=("signer", "manager"), escalated=2)
    assert await read_next_reason(twice, book, signer="director") == "to chair, the manager of director"
    escalation = Escalation(depth=2, alternates=("chair",), fallback="fallback")
    assert (
        await read_next_reason(twice, book, escalation, signer="director") == "to fallback, the fallback of this kind"
    )


async def test_the_steps_of_other_places_do_not_count() -> None:
    brief = planning(signers=("second", "signer")).subject
    after_other_signer = planning().replace(subject=brief, acted=("second",), escalated=0)
    assert (
        await read_next_reason(after_other_signer, escalation=Escalation(depth=1))
        == "to manager, the manager of signer"
    )
    in_parallel = planning(signers=("second", "signer")).replace(escalated=3)
    assert await read_next_reason(in_parallel, escalation=Escalation(depth=1)) == "to manager, the manager of signer"


async def test_who_has_left_the_directory_is_skipped_with_the_reason() -> None:
    book = Book(
        make_person("requester"),
        make_person("signer", absent=AWAY, delegate="gone-delegate", manager="gone-manager"),
        make_person("fallback"),
    )
    escalation = Escalation(alternates=("gone-alternate",), fallback="fallback")
    assert await read_next_reason(planning(), book, escalation) == (
        "to fallback, the fallback of this kind; not to gone-alternate, who is not in the directory; "
        "not to gone-delegate, who is not in the directory; not to gone-manager, who is not in the directory"
    )
    assert not await make_chain(planning(), book, escalation).has_stand_in()


async def test_a_fallback_who_has_left_is_no_end_of_the_plan() -> None:
    book = Book(make_person("requester"), make_person("signer"))
    person, reason = await find_alert(book, Escalation(fallback="gone"))
    assert person == "requester"
    assert reason == "nobody is left to act, so the requester is told; not to gone, who is not in the directory"


async def test_a_requester_who_has_left_is_planned_for_in_the_hours_of_the_signer() -> None:
    night_shift = Book(make_person("signer", hours="20:00-23:00"))
    agenda = await plan(Policy(hours="working", escalation=DEFAULT), night_shift)
    moment = next(moment for moment in agenda.actions if moment.kind is ActionType.ESCALATE)
    assert (moment.to, moment.at.hour) == ("requester", 19)
    assert moment.reason_text.endswith("; requester is not in the directory, so the hours are those of signer")


def make_entered_absence(acts: str | None, first: str, last: str, *kinds: str) -> EnteredAbsence:
    return EnteredAbsence.model_validate({"from": first, "until": last, "id": "a1", "acts": acts, "kinds": kinds})


def make_book_with_absence(*absences: EnteredAbsence, delegate: str | None = "manager") -> Book:
    people = (make_person("requester"), make_person("alternate"), make_person("manager"))
    return Book(*people, make_person("signer", delegate=delegate).with_absences(absences))


async def test_an_entered_absence_names_who_acts() -> None:
    book = make_book_with_absence(make_entered_absence("alternate", "2026-11-01", "2026-11-20"))
    assert await find_alert(book) == ("alternate", "to alternate, the delegate of signer, who is absent")
    assert (await find_alert(make_book_with_absence(make_entered_absence(None, "2026-11-01", "2026-11-20"))))[
        0
    ] == "manager"


async def test_an_absence_of_another_kind_changes_nothing() -> None:
    elsewhere = make_entered_absence("alternate", "2026-11-01", "2026-11-20", "another-kind")
    assert await plan(Policy(), make_book_with_absence(elsewhere)) == await plan(Policy(), make_book_with_absence())


async def test_nobody_approves_what_they_asked_for() -> None:
    """Whoever acts is the requester: skipped, in the words of the chain."""
    person, reason = await find_alert(
        make_book_with_absence(make_entered_absence("requester", "2026-11-01", "2026-11-20"), delegate=None)
    )
    assert person == "requester"
    assert "nobody is left to act" in reason
    assert "not to requester, who is the requester" in reason


async def test_an_absence_that_comes_hands_over_when_it_begins() -> None:
    book = make_book_with_absence(make_entered_absence("alternate", "2026-11-04", "2026-11-20"))
    agenda = await plan(Policy(escalation=Escalation(action=EscalationAction.REASSIGN)), book)
    moment = next(moment for moment in agenda.actions if moment.kind is ActionType.ESCALATE)
    assert (moment.to, moment.reason) == ("alternate", EscalationReason.ABSENCE)
    assert moment.at.astimezone(ZoneInfo(AMSTERDAM)).date().isoformat() == "2026-11-04"
    assert moment.hands_over


async def test_a_silence_that_is_over_before_an_absence_begins_counts_first() -> None:
    late = make_book_with_absence(make_entered_absence("alternate", "2026-11-25", "2026-11-30"))
    quick = Policy(escalation=Escalation(after="4d", or_=None))
    agenda = await plan(quick, late)
    moment = next(moment for moment in agenda.actions if moment.kind is ActionType.ESCALATE)
    assert moment.reason is EscalationReason.ESCALATION


async def test_a_substitute_who_has_left_is_skipped() -> None:
    book = Book(
        make_person("requester"),
        make_person("manager"),
        make_person("signer", manager="manager").with_absences(
            (make_entered_absence("gone", "2026-11-01", "2026-11-20"),)
        ),
    )
    person, reason = await find_alert(book)
    assert person == "manager"
    assert "not to gone, who is not in the directory" in reason
