"""Review before sending: rounds of versions, who is asked when, and what each answer does."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from tests.messages import english_of
from tests.workflows.fakes import World
from tests.workflows.stage import Story, a_request, start_story
from workflows.follow_up import commands
from workflows.follow_up.input import planning_of
from workflows.follow_up.notifications import announcement
from workflows.model.commands import (
    AnyCommand,
    Cancellation,
    Delegation,
    Exemption,
    Extension,
    PauseCommand,
    Question,
    Resumption,
    ReviewAnswer,
    Revision,
)
from workflows.model.notifications import DeliveryResult, NoticeAction, NotificationOutcome
from workflows.model.policy import Reviews
from workflows.model.receipts import Receipt
from workflows.model.schedule import ActionType, EscalationReason, Reason, ScheduledAction
from workflows.model.signature import Reviewer, SignerState
from workflows.model.subject import Role, Status
from workflows.model.timeline import EventType, Reassignment
from workflows.signature.review import (
    exempt,
    refuse_exempt,
    refuse_review,
    refuse_revise,
    review,
    revise,
)
from workflows.signature.state import SignatureInput, SignatureState, settled, show

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
LEGAL, EVE, SAM, DESK = "legal-counsel", "eve", "sam", "legal-desk"
REVIEWERS = (
    Reviewer(person=LEGAL, order=1),
    Reviewer(person=EVE, order=2, team="security"),
    Reviewer(person=SAM, order=2, team="security"),
)
SECOND = Revision(actor=DESK, sha256="cd" * 32, size=2_000, file_name="msa-2.pdf")
YES, NO = partial(ReviewAnswer, approve=True), partial(ReviewAnswer, changes="Clause 3 is wrong.")


def in_review(*reviewers: Reviewer, rounds_at_most: int = 5) -> SignatureInput:
    """The customer contract of other stories, reviewed first."""
    request = a_request()
    policy = request.policy.replace(review=Reviews(most=rounds_at_most))
    return request.replace(brief=request.brief.replace(reviewers=reviewers or REVIEWERS), policy=policy)


def begin_state(request: SignatureInput) -> SignatureState:
    return SignatureState.begin(request.brief, NOW)


def pending_people(state: SignatureState) -> list[str]:
    return [slot.person for slot in state.slots.pending]


def subject_of(request: SignatureInput, state: SignatureState):  # type: ignore[no-untyped-def]
    return request.subject.replace(people=state.slots.places, round=state.round)


def deliver_announcement(request: SignatureInput, state: SignatureState) -> SignatureState:
    """Everybody has heard what is to be announced."""
    lines = []
    for notice in announcement(request, subject_of(request, state), state):
        withdrawn = notice.action is NoticeAction.WITHDRAW
        outcome = NotificationOutcome.WITHDRAWN if withdrawn else NotificationOutcome.ACCEPTED
        lines.append(DeliveryResult(key=notice.key, stage=notice.stage, person=notice.person, outcome=outcome))
    return state.record_results(tuple(lines), NOW)


def test_reviewers_are_asked_in_order_and_of_a_group_the_first_decides() -> None:
    request = in_review()
    state = begin_state(request)
    assert (state.status, state.phase, pending_people(state)) == (Status.REVIEW, "reviewing", [LEGAL])
    state = review(request, state, YES(actor=LEGAL), NOW)
    assert pending_people(state) == [EVE, SAM]
    state = review(request, state, YES(actor=SAM), NOW)
    assert (state.status, state.round, pending_people(state)) == (Status.CONVERTING, 0, [])
    assert [signer.person for signer in state.slots.signers] == ["customer-signer", "chief-executive"]
    assert {line.person: line.state for line in state.review.earlier} == {
        LEGAL: SignerState.APPROVED,
        EVE: SignerState.SPARED,
        SAM: SignerState.APPROVED,
    }


def test_of_a_group_that_is_asked_as_a_whole_everybody_approves() -> None:
    request = in_review(Reviewer(person=EVE), Reviewer(person=SAM))
    state = review(request, begin_state(request), YES(actor=EVE), NOW)
    assert (state.status, pending_people(state)) == (Status.REVIEW, [SAM])
    assert review(request, state, YES(actor=SAM), NOW).status is Status.CONVERTING


def test_with_changes_asked_for_the_requester_gives_a_new_version_and_all_review_it_again() -> None:
    request = in_review()
    state = review(request, begin_state(request), YES(actor=LEGAL), NOW)
    state = review(request, state, NO(actor=EVE), NOW)
    assert pending_people(state) == [DESK]
    assert state.action_of(DESK) is NoticeAction.REVISE
    [ready] = [notice for notice in announcement(request, subject_of(request, state), state) if notice.person == DESK]
    assert (ready.stage, ready.text) == ("ready", "Master services agreement\nClause 3 is wrong.")
    state = revise(state, SECOND, NOW)
    assert (state.round, pending_people(state)) == (2, [LEGAL])
    assert [(version.number, version.sha256, version.by) for version in state.review.versions] == [
        (1, "ab" * 32, DESK),
        (2, "cd" * 32, DESK),
    ]
    view = show(request, state, NOW)
    first = [(line.person, line.state, line.reason) for line in view.reviews if line.round == 1]
    assert first == [
        (LEGAL, SignerState.APPROVED, None),
        (EVE, SignerState.CHANGES, "Clause 3 is wrong."),
        (SAM, SignerState.SPARED, None),
        (DESK, SignerState.REVISED, None),
    ]
    assert [line.person for line in view.lines] == [LEGAL, EVE, SAM]


def test_reviewers_of_a_new_version_hear_what_has_changed() -> None:
    request = in_review()
    state = review(request, begin_state(request), NO(actor=LEGAL), NOW)
    state = revise(state, SECOND.replace(changes=" The term is two years now. "), NOW)
    view = show(request, state, NOW)
    revised_lines = [
        (line.person, line.round, line.reason) for line in view.reviews if line.state is SignerState.REVISED
    ]
    assert revised_lines == [(DESK, 1, "The term is two years now.")]
    [ready] = [notice for notice in announcement(request, subject_of(request, state), state) if notice.person == LEGAL]
    assert ready.text == "Master services agreement\nThe term is two years now."
    long = refuse_revise(
        review(request, begin_state(request), NO(actor=LEGAL), NOW), SECOND.replace(changes="x" * 1_001)
    )
    assert english_of(long) == "the text of the changes is longer than 1000 characters"


def test_after_the_last_round_it_ends_declined_and_nothing_was_sent() -> None:
    request = in_review(rounds_at_most=2)
    state = revise(review(request, begin_state(request), NO(actor=LEGAL), NOW), SECOND, NOW)
    declined = review(request, state, NO(actor=LEGAL), NOW)
    assert (declined.status, declined.lifecycle.ended_by, declined.is_to_be_made) == (Status.DECLINED, LEGAL, False)
    facts = settled(request.brief, declined)
    assert [(signer.person, signer.state) for signer in facts.signers] == [
        ("customer-signer", SignerState.WAITING),
        ("chief-executive", SignerState.WAITING),
    ]
    assert [signer.role for signer in show(request, declined, NOW).signers] == [Role.SIGN, Role.SIGN]


def test_each_round_has_keys_of_its_own_and_who_shows_an_old_notice_loses_it() -> None:
    request = in_review(Reviewer(person=LEGAL), Reviewer(person="customer-signer"))
    state = deliver_announcement(request, begin_state(request))
    assert [line.key for line in state.notifications.lines] == [
        f"msa-0042:1/ready/{LEGAL}",
        "msa-0042:1/ready/customer-signer",
    ]
    state = deliver_announcement(request, review(request, state, NO(actor=LEGAL), NOW))
    state = revise(state, SECOND, NOW)
    keys = [notice.key for notice in announcement(request, subject_of(request, state), state)]
    assert keys == [
        f"msa-0042:2/ready/{LEGAL}",
        "msa-0042:2/ready/customer-signer",
        f"msa-0042:2/withdrawal-review/{DESK}",
    ]
    assert {line.stage for line in state.notifications.leaving} == {"ready", "withdrawal"}
    state = deliver_announcement(request, state)
    state = review(request, state, YES(actor=LEGAL), NOW)
    state = review(request, state, YES(actor="customer-signer"), NOW)
    assert [notice.person for notice in announcement(request, subject_of(request, state), state)] == [
        LEGAL,
        "customer-signer",
    ]


def test_a_notice_that_was_on_its_way_when_its_round_ended_goes_to_the_store() -> None:
    request = in_review(Reviewer(person=LEGAL))
    first_state = begin_state(request)
    state = review(request, first_state, YES(actor=LEGAL), NOW)
    late = DeliveryResult(key=f"{first_state.notice_id}/reminder-1/{LEGAL}", stage="reminder-1", person=LEGAL)
    final_state = state.record_results((late,), NOW)
    assert (final_state.notifications.lines, [line.key for line in final_state.notifications.leaving]) == (
        (),
        [late.key],
    )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (YES(actor=DESK), f"{DESK} asked for it, and nobody reviews their own request"),
        (YES(actor=EVE), f"{EVE} is not a reviewer whose answer is awaited: {LEGAL} (--as says who reviews)"),
        (ReviewAnswer(actor=LEGAL), "the text of the changes is empty"),
        (ReviewAnswer(actor=LEGAL, approve=True, changes="no"), "either approve it, or say what is to be changed"),
        (YES(actor=LEGAL), None),
    ],
)
def test_only_whose_review_is_awaited_answers_it(answer: ReviewAnswer, message: str | None) -> None:
    assert english_of(refuse_review(begin_state(in_review()), answer, DESK)) == message


def test_a_new_version_is_taken_once_changes_are_asked_for_and_differs_from_the_old_one() -> None:
    request = in_review()
    assert refuse_revise(begin_state(request), SECOND) is not None
    state = review(request, begin_state(request), NO(actor=LEGAL), NOW)
    same_version = SECOND.replace(sha256="ab" * 32)
    assert english_of(refuse_revise(state, same_version)) == "the new version is identical to the old one"
    assert refuse_revise(state, SECOND) is None
    assert refuse_review(state, YES(actor=LEGAL), DESK) is not None
    sent = SignatureState.begin(a_request().brief, NOW)
    assert english_of(refuse_review(sent, YES(actor=LEGAL), DESK)) == "the request is not in review: it is converting"


def test_nobody_approves_a_version_that_they_have_not_read() -> None:
    """Their page was open while somebody else asked for changes, and a new version was given."""
    request = in_review(Reviewer(person=LEGAL, order=1), Reviewer(person=EVE, order=1))
    state = revise(review(request, begin_state(request), NO(actor=EVE), NOW), SECOND, NOW)
    assert pending_people(state) == [LEGAL, EVE]
    for answer in YES(actor=LEGAL, version=1), NO(actor=LEGAL, version=1):
        assert english_of(refuse_review(state, answer, DESK)) == "there is a new version since then: read it first"
    for version in 2, 0:
        assert refuse_review(state, YES(actor=LEGAL, version=version), DESK) is None


def test_somebody_exempt_is_not_waited_for_in_this_round_or_the_next() -> None:
    request = in_review()
    state, command = begin_state(request), Exemption(actor="operator", person=LEGAL, reason="On leave")
    assert refuse_exempt(state, command, DESK) is None
    state = exempt(request, state, command, NOW)
    assert pending_people(state) == [EVE, SAM]
    next_round = revise(review(request, state, NO(actor=SAM), NOW), SECOND, NOW)
    assert [signer.person for signer in next_round.slots.signers] == [EVE, SAM]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (Exemption(actor=DESK, person=LEGAL, reason="r"), f"{DESK} asked for it, and cannot exempt its reviewers"),
        (Exemption(actor="o", person="zoe", reason="r"), "zoe is not one of the reviewers of this request"),
        (
            Exemption(actor="o", person=LEGAL, reason="r"),
            "nobody would have approved it: cancel it, and start it without reviewers",
        ),
    ],
)
def test_an_exemption_is_no_way_around_the_review(command: Exemption, message: str) -> None:
    assert english_of(refuse_exempt(begin_state(in_review(Reviewer(person=LEGAL))), command, DESK)) == message


def test_commands_on_the_round_that_is_over_are_refused_and_its_question_is_closed() -> None:
    request = in_review(Reviewer(person=LEGAL), Reviewer(person=EVE))
    state = begin_state(request)
    command = Delegation(actor=DESK, signer=EVE, to="zoe")
    state = commands.recorded(commands.delegate(state, command, NOW), "op-1", command, NOW)
    state = commands.ask(state, Question(person=EVE, text="Which law?"), NOW)
    assert english_of(commands.refuse_delegate(state, Delegation(actor=EVE, signer=EVE, to=DESK), DESK)) == (
        f"{DESK} asked for the review and cannot give it"
    )
    state = review(request, state, NO(actor=LEGAL), NOW)
    state = revise(state, SECOND, NOW)
    assert [entry.detail for entry in state.commands.entries] == ["too late: it is the turn of others"]
    assert (state.clock.stops, state.questions.open(state.slots), state.escalations.wanted) == ((), None, ())
    assert [entry.text for entry in state.questions.entries] == ["Which law?"]


def test_who_took_a_place_over_reviews_the_next_version() -> None:
    request = in_review()
    reassignment = Reassignment(from_=LEGAL, to="zoe", reason=EscalationReason.MANUAL, who=DESK)
    state = begin_state(request).reassigned(reassignment, NOW)
    state = revise(review(request, state, NO(actor="zoe"), NOW), SECOND, NOW)
    assert [signer.person for signer in state.slots.signers] == ["zoe", EVE, SAM]
    assert state.escalated and not state.present_escalations


def test_a_version_to_give_is_not_handed_over_by_the_policy() -> None:
    request = in_review()
    state = review(request, begin_state(request), NO(actor=LEGAL), NOW)
    silent = ScheduledAction(
        at=NOW, kind=ActionType.ESCALATE, stage="escalation", person=DESK, to="chair", action="reassign"
    )
    assert not state.hands_over(silent)


def test_a_review_is_planned_with_its_own_due_date_and_goes_on_being_asked_for() -> None:
    request = in_review()
    state = begin_state(request)
    planning = planning_of(request, subject_of(request, state), state, NOW)
    assert (planning.within, planning.policy.overdue is not None, planning.policy.grace) == ("25%", True, "0d")
    sent = SignatureState.begin(a_request().brief, NOW)
    assert planning_of(a_request(), a_request().subject, sent, NOW).within == ""


def test_a_fresh_run_goes_on_with_the_round_that_it_is_in() -> None:
    request = in_review()
    state = revise(review(request, begin_state(request), NO(actor=LEGAL), NOW), SECOND, NOW)
    carried = request.replace(carried=state.carried_over())
    read = SignatureInput.model_validate_json(carried.model_dump_json(by_alias=True))
    assert read.carried == carried.carried
    assert (read.carried.round, pending_people(read.carried)) == (2, [LEGAL]) if read.carried else False


def test_a_request_without_reviewers_says_nothing_of_a_review() -> None:
    request = a_request()
    state = SignatureState.begin(request.brief, NOW)
    written = request.replace(carried=state).model_dump_json(by_alias=True, exclude_defaults=True)
    assert "review" not in written and '"round"' not in written and "team" not in written
    assert not show(request, state, NOW).versions


async def send_at_rest(story: Story, command: AnyCommand) -> Receipt:
    """At rest before and after: the server strands a run whose task cancels what has just ended."""
    await story.at_rest()
    receipt = await story.send_command(command)
    await story.at_rest()
    return receipt


@pytest.mark.long
async def test_one_round_of_changes_then_it_is_approved_sent_and_signed() -> None:
    world, request = World(), in_review()
    async with start_story(world, request, record="reviewed") as story:
        await story.days_pass(3.5)
        assert world.push.stages() == [("ready", LEGAL), ("reminder-1", LEGAL)]
        assert (await story.read_view()).status is Status.REVIEW
        assert not world.signatures.created

        receipt = await send_at_rest(story, NO(actor=LEGAL))
        assert (receipt.status, receipt.detail) == (Status.REVIEW, "changes asked for")
        left_out = [entry for entry in (await story.read_view()).timeline if Reason.REVIEWED in str(entry.why)]
        assert not left_out, "reminders that are not needed any more are no news"
        await story.days_pass(3.5)
        assert world.push.stages()[2:] == [("ready", DESK), ("withdrawal", LEGAL), ("reminder-1", DESK)]

        await send_at_rest(story, SECOND)
        await send_at_rest(story, Delegation(actor=DESK, signer=LEGAL, to="zoe"))
        await send_at_rest(story, PauseCommand(actor=DESK))
        await story.days_pass(5)
        await send_at_rest(story, Resumption(actor=DESK))
        await send_at_rest(story, YES(actor="zoe"))
        await send_at_rest(story, Extension(actor=DESK, due=datetime.now(UTC) + timedelta(days=200)))
        await story.days_pass(0.1)
        assert {waiting.person for waiting in (await story.read_view()).waiting_for} == {EVE, SAM}

        await send_at_rest(story, YES(actor=SAM))
        await story.days_pass(0.1)
        [created] = world.signatures.created
        assert created.brief.document.sha256 == SECOND.sha256
        assert [participant.person for participant in created.brief.people] == ["customer-signer", "chief-executive"]
        withdrawn_from = {person for stage, person in world.push.stages() if stage == "withdrawal-review"}
        assert withdrawn_from == {DESK, EVE, SAM}

        for person in ("customer-signer", "chief-executive"):
            world.signatures.sign(person)
        world.signatures.status = Status.SIGNED
        await story.callback("signed")
        settlement = await story.handle.result()
        view = await story.read_view()

    assert (settlement.outcome, settlement.document_sha256) == (Status.SIGNED, SECOND.sha256)
    happened = [entry.happened for entry in view.timeline]
    expected_events = (EventType.CHANGES_ASKED, EventType.REVISED, EventType.REVIEWED, EventType.SENT)
    assert [event for event in happened if event in expected_events] == list(expected_events)
    assert set(world.evidence.orders[-1].people) >= {LEGAL, "zoe", EVE, SAM}


@pytest.mark.long
async def test_a_review_that_nobody_gives_is_escalated_and_expires_unsent_and_one_is_cancelled() -> None:
    world, request = World(), in_review(Reviewer(person=LEGAL))
    async with start_story(world, request, record="review-expired") as story:
        settlement = await story.handle.result()
        view = await story.read_view()
    assert (settlement.outcome, world.signatures.created, world.signatures.cancelled) == (Status.EXPIRED, [], [])
    assert [(escalation.from_, escalation.to) for escalation in view.escalations] == [(LEGAL, "chair")]
    assert "it was never sent: its review was not over" in (view.timeline[-1].why or view.timeline[-2].why or "")

    world = World()
    async with start_story(world, request) as story:
        await story.send_command(Cancellation(actor=DESK, reason="Not needed"))
        assert (await story.handle.result()).outcome is Status.CANCELLED
        assert ("settled", LEGAL) in world.push.stages() or any(
            call.target.person == LEGAL for call in world.handoff.batches[0].calls
        )
