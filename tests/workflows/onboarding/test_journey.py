"""What an onboarding remembers and shows, without a server."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from tests.messages import english_of
from workflows.model.commands import Decision, PartOutcome
from workflows.model.onboarding import Onboarding, PartKind, PartPlan, PartSnapshot, StagePlan
from workflows.model.policy import Policy
from workflows.model.subject import Participant, Role, Status
from workflows.model.views import PartTurn, WaitingFor
from workflows.onboarding.state import (
    ASKED_AT_MOST,
    TURNS_AT_MOST,
    OnboardingInput,
    OnboardingState,
    decided_onboarding,
)
from workflows.onboarding.view import SHOWN_AT_MOST, details, show
from workflows.onboarding.workflow import TRIES_AT_MOST, decide, refuse_decide, to_start
from workflows.onboarding.workflow import record_start as part_begun

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
WHO = Participant(person="customer-signer", role=Role.DO)


def an_input(parts: int = 1) -> OnboardingInput:
    plans = (PartPlan(id=f"part-{n}", what=PartKind.AGREEMENT, number=n, title="Terms") for n in range(1, parts + 1))
    stages = (StagePlan(name="agreements", parts=tuple(plans)),)
    onboarding = Onboarding(id="acme", kind="customer-onboarding", title="Acme", requester="owner", people=(WHO,))
    return OnboardingInput(onboarding=onboarding, policy=Policy(), stages=stages)


def begin_all_parts(onboarding_input: OnboardingInput) -> OnboardingState:
    journey = OnboardingState.begin(onboarding_input.onboarding, onboarding_input.stages, NOW).enter(NOW)
    for part in journey.parts:
        journey = journey.begin_part(part, NOW)
    return journey


def end_first_part(journey: OnboardingState, status: Status) -> OnboardingState:
    return journey.merge_report(PartSnapshot(id=journey.parts[0].run, status=status, at=NOW), NOW)


def resend() -> Decision:
    return Decision(actor="owner", part="part-1", choice=PartOutcome.RESEND)


def test_a_part_is_tried_and_asked_about_only_so_often() -> None:
    onboarding_input = an_input()
    [stage], journey, tries = onboarding_input.stages, begin_all_parts(onboarding_input), 0
    while (journey := end_first_part(journey, Status.DECLINED)) and refuse_decide(journey, resend()) is None:
        journey, tries = decide(journey, resend(), NOW), tries + 1
        journey = journey.begin_part(journey.parts[0], NOW)
    assert (tries, journey.parts[0].run) == (TRIES_AT_MOST - 1, f"acme.1.1.r{TRIES_AT_MOST}")
    assert english_of(refuse_decide(journey, resend())) == f"part-1 was started {TRIES_AT_MOST} times already"

    decision_ids = []
    for _ in range(ASKED_AT_MOST * 10):
        for order in to_start(journey, stage):
            decision_ids.append(order.id)
            journey = journey.asked_about(journey.parts[0])
        journey = journey.merge_report(PartSnapshot(id=journey.parts[0].decision, status=Status.DONE, at=NOW), NOW)
    assert len(decision_ids) == len({*decision_ids}) == ASKED_AT_MOST
    assert {decided_onboarding(task) for task in decision_ids} == {"acme"}
    other_ids = (
        "acme.1.1",
        "acme",
        "decide",
        ".decide",
        "1.1.decide",
        "acme.1.1.decided",
        "acme.1.1.decide.2",
        "a.b.decide",
    )
    assert [id for id in other_ids if decided_onboarding(id)] == []
    waive = Decision(actor="owner", part="part-1", choice=PartOutcome.WAIVE, reason="Not needed.")
    assert refuse_decide(journey, waive) is None


@pytest.mark.parametrize(
    ("status", "state"),
    [(Status.WAIVED, "waived"), (Status.SIGNED, "done"), (Status.EXPIRED, "undecided"), (None, "undecided")],
)
def test_of_a_part_that_waits_for_a_decision_a_good_end_still_counts(status: Status | None, state: str) -> None:
    onboarding_input = an_input()
    declined = end_first_part(begin_all_parts(onboarding_input), Status.DECLINED)
    answered = declined.merge_report(
        PartSnapshot(id=declined.parts[0].run, status=status, broken=status is None, at=NOW), NOW
    )
    assert answered.parts[0].state == state


def test_a_part_that_is_sent_again_has_the_content_that_replaced_its_first_one() -> None:
    declined = end_first_part(begin_all_parts(an_input()), Status.DECLINED)
    replaced = decide(declined, Decision(actor="owner", part="part-1", choice=PartOutcome.REPLACE, content="c2"), NOW)
    assert replaced.parts[0].content == "c2"
    resent = decide(end_first_part(replaced.begin_part(replaced.parts[0], NOW), Status.DECLINED), resend(), NOW)
    assert (resent.parts[0].content, resent.parts[0].run) == ("c2", "acme.1.1.r3")


def turn(id: str, minute: int, *people: str) -> PartTurn:
    turn_at = NOW + timedelta(minutes=minute)
    return PartTurn(id=id, at=turn_at, waiting_for=tuple(WaitingFor(person=person, since=turn_at) for person in people))


def waiting_people(onboarding_input: OnboardingInput, journey: OnboardingState) -> list[tuple[str, str, datetime]]:
    return [
        (waiting.person, waiting.who, waiting.since) for waiting in show(onboarding_input, journey, NOW).waiting_for
    ]


def test_of_a_part_of_many_turns_the_last_are_remembered_and_an_older_word_changes_nothing() -> None:
    onboarding_input = an_input()
    journey = begin_all_parts(onboarding_input)
    for minute in range(1, TURNS_AT_MOST * 10):
        journey = journey.heard(turn("acme.1.1", minute, f"signer-of-{minute}"))
    last = f"signer-of-{TURNS_AT_MOST * 10 - 1}"
    assert len(journey.parts[0].turns) == TURNS_AT_MOST
    for stale in (turn("acme.1.1", 3, "signer-of-3"), turn("acme.1.1.r2", 9_000, "nobody"), turn("x", 9_000, "nobody")):
        assert journey.heard(stale) is journey
    turn_at = NOW + timedelta(minutes=TURNS_AT_MOST * 10 - 1)
    assert waiting_people(onboarding_input, journey) == [(last, last, turn_at)]
    assert [line.people for line in show(onboarding_input, journey, NOW).stages[0].agreements[0].turns][-1] == (last,)


def test_what_a_part_says_before_its_start_was_answered_is_not_forgotten() -> None:
    onboarding_input = an_input()
    journey = OnboardingState.begin(onboarding_input.onboarding, onboarding_input.stages, NOW).enter(NOW)
    journey = journey.heard(turn("acme.1.1", 1, "chief-executive"))
    journey = journey.begin_part(journey.parts[0], NOW, first_people=("customer-signer",))
    assert [person for person, *_ in waiting_people(onboarding_input, journey)] == ["chief-executive"]


def test_who_was_given_a_decision_is_waited_for_instead_of_the_owner() -> None:
    onboarding_input = an_input()
    journey = end_first_part(begin_all_parts(onboarding_input), Status.DECLINED)
    assert [person for person, *_ in waiting_people(onboarding_input, journey)] == ["owner"]
    journey = journey.heard(turn(journey.parts[0].next_decision, 5, "chair")).asked_about(journey.parts[0])
    assert waiting_people(onboarding_input, journey) == [("chair", "chair", NOW + timedelta(minutes=5))]


def test_what_somebody_terminated_is_taken_up_as_it_was_and_other_content_gets_an_id_of_its_own() -> None:
    onboarding_input = an_input()
    [stage], [part] = onboarding_input.stages, begin_all_parts(onboarding_input).parts
    journey = begin_all_parts(onboarding_input).merge_report(
        PartSnapshot(id=part.run, broken=True, resumable=True), NOW
    )
    [order] = to_start(decide(journey, resend(), NOW), stage)
    assert (order.id, order.again) == ("acme.1.1", True)
    [order] = to_start(decide(journey, resend().replace(content="other-signer"), NOW), stage)
    assert (order.id, order.again) == ("acme.1.1.r2", False)
    waived = resend().replace(choice=PartOutcome.WAIVE, reason="On paper.")
    decided = [decide(journey, choice, NOW) for choice in (resend(), resend().replace(content="other-signer"), waived)]
    assert [decided_journey.to_end.abandoned for decided_journey in decided] == [
        (),
        *[("signature-request:acme.1.1",)] * 2,
    ]
    failed = begin_all_parts(onboarding_input).merge_report(PartSnapshot(id=part.run, broken=True), NOW)
    [order] = to_start(decide(failed, resend(), NOW), stage)
    assert (order.id, order.again) == ("acme.1.1.r2", False)


def test_an_owner_who_cannot_be_asked_is_asked_again_after_a_look_and_not_before() -> None:
    onboarding_input = an_input()
    [stage], journey = onboarding_input.stages, end_first_part(begin_all_parts(onboarding_input), Status.DECLINED)
    [order] = to_start(journey, stage)
    journey = journey.asked_about(journey.parts[0])
    journey = journey.merge_report(PartSnapshot(id=order.id, says="owner is not in people.yaml"), NOW)
    assert to_start(journey, stage) == ()
    assert [order.id for order in to_start(journey.looked(NOW), stage)] == ["acme.1.1.decide.r2"]


@pytest.mark.parametrize("choice", [PartOutcome.WAIVE, PartOutcome.RESEND])
def test_a_task_to_decide_that_begins_after_the_decision_is_ended(choice: PartOutcome) -> None:
    onboarding_input = an_input()
    [stage], journey = onboarding_input.stages, end_first_part(begin_all_parts(onboarding_input), Status.DECLINED)
    [order] = to_start(journey, stage)
    journey = decide(journey, Decision(actor="owner", part="part-1", choice=choice, reason="So."), NOW)
    assert journey.to_end.decided == (order.id,), "of a start that did not answer nobody knows how far it came"
    journey = part_begun(journey, order, refused=False, now=NOW)
    assert (journey.to_end.decided, journey.parts[0].deciding) == ((order.id,), False)


def test_a_task_to_decide_that_begins_although_its_part_is_signed_after_all_is_ended() -> None:
    [stage], journey = (
        (onboarding_input := an_input()).stages,
        end_first_part(begin_all_parts(onboarding_input), Status.EXPIRED),
    )
    [order] = to_start(journey, stage)
    assert end_first_part(journey, Status.SIGNED).to_end.decided == (order.id,)


def test_a_task_that_could_not_be_ended_is_to_be_ended_again_after_a_look_and_not_before() -> None:
    journey = decide(end_first_part(begin_all_parts(an_input()), Status.DECLINED), resend(), NOW)
    journey = journey.looked(NOW).looked(NOW).tried_to_end(journey.to_end.decided, is_ended=False, now=NOW)
    assert (journey.to_end.decided, journey.stages.next_look) == ((), NOW + timedelta(days=1))
    journey = journey.looked(NOW)
    assert journey.to_end.decided == ("acme.1.1.decide",)
    assert journey.tried_to_end(journey.to_end.decided, is_ended=True, now=NOW).looked(NOW).to_end.decided == ()


def test_of_many_parts_the_web_ui_shows_some_and_counts_the_rest() -> None:
    onboarding_input = an_input(SHOWN_AT_MOST * 10)
    text = details(show(onboarding_input, begin_all_parts(onboarding_input), NOW), "default")
    assert text.count("signature-request%3Aacme") == SHOWN_AT_MOST
    assert f"and {SHOWN_AT_MOST * 9} more" in text


def test_an_ending_is_heard_once_and_a_stranger_or_a_late_one_changes_nothing() -> None:
    journey = end_first_part(begin_all_parts(an_input(2)), Status.SIGNED)
    assert end_first_part(journey, Status.DECLINED) is journey
    assert journey.merge_report(PartSnapshot(id="acme.9.9", status=Status.SIGNED), NOW) is journey
    assert [part.state for part in journey.parts] == ["done", "open"]


def test_an_agreement_that_was_signed_meanwhile_is_not_decided_about() -> None:
    journey = end_first_part(begin_all_parts(an_input(2)), Status.SIGNED)
    assert english_of(refuse_decide(journey, resend())) == "part-1 is signed: there is nothing to decide about it"
    assert "no part is called other: it has part-1, part-2" in str(
        refuse_decide(journey, resend().replace(part="other"))
    )


def instant_after(number: int) -> datetime:
    return NOW + timedelta(minutes=number)


def end_after_five_minutes(onboarding_input: OnboardingInput, status: Status | None) -> OnboardingState:
    """The customer is asked from the start and ends the agreement after 5 minutes; None: it was terminated."""
    journey = begin_all_parts(onboarding_input).heard(turn("acme.1.1", 0, "customer-signer"))
    run = journey.parts[0].run
    ended_at = instant_after(5)
    return journey.merge_report(
        PartSnapshot(id=run, status=status, broken=status is None, resumable=status is None, at=ended_at), ended_at
    )


def decide_part(journey: OnboardingState, choice: PartOutcome) -> OnboardingState:
    """By the owner, 3 minutes after the end."""
    return decide(
        journey, Decision(actor="owner", part="part-1", choice=choice, reason="So.", content="c2"), instant_after(8)
    )


def signed_again(journey: OnboardingState) -> OnboardingState:
    """By the customer, 2 minutes after the decision."""
    [part] = journey.parts
    journey = journey.begin_part(part, instant_after(8)).heard(turn(part.run, 8, "customer-signer"))
    return journey.merge_report(
        PartSnapshot(id=part.run, status=Status.SIGNED, at=instant_after(10)), instant_after(10)
    )


_FAILED: Final = (Status.DECLINED, Status.EXPIRED, Status.CANCELLED, Status.FAILED, None)


@pytest.mark.parametrize(
    ("status", "choice", "minutes"),
    [
        (Status.SIGNED, None, 5),
        (Status.WAIVED, None, 5),
        *((status, PartOutcome.WAIVE, 8) for status in _FAILED),
        *((status, PartOutcome.RESEND, 10) for status in _FAILED),
        *((status, PartOutcome.REPLACE, 10) for status in _FAILED),
    ],
)
def test_the_waits_of_a_stage_add_up_to_its_time_however_its_part_ended(
    status: Status | None, choice: PartOutcome | None, minutes: int
) -> None:
    onboarding_input = an_input()
    journey = end_after_five_minutes(onboarding_input, status)
    if choice:
        journey = decide_part(journey, choice)
        journey = signed_again(journey) if choice.is_restart else journey
    left_at = instant_after(minutes)
    view = show(onboarding_input, journey.leave(left_at), left_at)
    assert (view.stages[0].since, view.stages[0].at) == (NOW, left_at)
    [part] = view.stages[0].parts
    assert (part.turns[0].since if part.turns else part.since, part.at) == (NOW, left_at)
    assert choice is None or instant_after(5) in [line.since for line in part.turns]
