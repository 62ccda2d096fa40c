"""Review before sending: rounds of versions, who is asked when, and what each answer does."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from tests.messages import english_of
from tests.workflows.fakes import World
from tests.workflows.stage import Story, a_request, story
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
from workflows.model.notifications import Delivered, NoticeAction, NotificationOutcome
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


def in_review(*reviewers: Reviewer, most: int = 5) -> SignatureInput:
    """The customer contract of other stories, reviewed first."""
    request = a_request()
    policy = request.policy.replace(review=Reviews(most=most))
    return request.replace(brief=request.brief.replace(reviewers=reviewers or REVIEWERS), policy=policy)


def begun(request: SignatureInput) -> SignatureState:
    return SignatureState.begin(request.brief, NOW)


def asked(state: SignatureState) -> list[str]:
    return [one.person for one in state.slots.pending]


def subject_of(request: SignatureInput, state: SignatureState):  # type: ignore[no-untyped-def]
    return request.subject.replace(people=state.slots.places, round=state.round)


def told(request: SignatureInput, state: SignatureState) -> SignatureState:
    """Everybody has heard what is to be announced."""
    lines = []
    for one in announcement(request, subject_of(request, state), state):
        withdrawn = one.action is NoticeAction.WITHDRAW
        outcome = NotificationOutcome.WITHDRAWN if withdrawn else NotificationOutcome.ACCEPTED
        lines.append(Delivered(key=one.key, stage=one.stage, person=one.person, outcome=outcome))
    return state.told(tuple(lines), NOW)


def test_reviewers_are_asked_in_order_and_of_a_group_the_first_decides() -> None:
    request = in_review()
    state = begun(request)
    assert (state.status, state.phase, asked(state)) == (Status.REVIEW, "reviewing", [LEGAL])
    state = review(request, state, YES(actor=LEGAL), NOW)
    assert asked(state) == [EVE, SAM]
    state = review(request, state, YES(actor=SAM), NOW)
    assert (state.status, state.round, asked(state)) == (Status.CONVERTING, 0, [])
    assert [one.person for one in state.slots.signers] == ["customer-signer", "chief-executive"]
    assert {one.person: one.state for one in state.review.earlier} == {
        LEGAL: SignerState.APPROVED,
        EVE: SignerState.SPARED,
        SAM: SignerState.APPROVED,
    }


def test_of_a_group_that_is_asked_as_a_whole_everybody_approves() -> None:
    request = in_review(Reviewer(person=EVE), Reviewer(person=SAM))
    state = review(request, begun(request), YES(actor=EVE), NOW)
    assert (state.status, asked(state)) == (Status.REVIEW, [SAM])
    assert review(request, state, YES(actor=SAM), NOW).status is Status.CONVERTING


def test_with_changes_asked_for_the_requester_gives_a_new_version_and_all_review_it_again() -> None:
    request = in_review()
    state = review(request, begun(request), YES(actor=LEGAL), NOW)
    state = review(request, state, NO(actor=EVE), NOW)
    assert asked(state) == [DESK]
    assert state.action_of(DESK) is NoticeAction.REVISE
    [ready] = [one for one in announcement(request, subject_of(request, state), state) if one.person == DESK]
    assert (ready.stage, ready.text) == ("ready", "Master services agreement\nClause 3 is wrong.")
    state = revise(state, SECOND, NOW)
    assert (state.round, asked(state)) == (2, [LEGAL])
    assert [(one.number, one.sha256, one.by) for one in state.review.versions] == [
        (1, "ab" * 32, DESK),
        (2, "cd" * 32, DESK),
    ]
    shown = show(request, state, NOW)
    first = [(one.person, one.state, one.reason) for one in shown.reviews if one.round == 1]
    assert first == [
        (LEGAL, SignerState.APPROVED, None),
        (EVE, SignerState.CHANGES, "Clause 3 is wrong."),
        (SAM, SignerState.SPARED, None),
        (DESK, SignerState.REVISED, None),
    ]
    assert [line.person for line in shown.lines] == [LEGAL, EVE, SAM]


def test_reviewers_of_a_new_version_hear_what_has_changed() -> None:
    request = in_review()
    state = review(request, begun(request), NO(actor=LEGAL), NOW)
    state = revise(state, SECOND.replace(changes=" The term is two years now. "), NOW)
    shown = show(request, state, NOW)
    given = [(one.person, one.round, one.reason) for one in shown.reviews if one.state is SignerState.REVISED]
    assert given == [(DESK, 1, "The term is two years now.")]
    [ready] = [one for one in announcement(request, subject_of(request, state), state) if one.person == LEGAL]
    assert ready.text == "Master services agreement\nThe term is two years now."
    long = refuse_revise(review(request, begun(request), NO(actor=LEGAL), NOW), SECOND.replace(changes="x" * 1_001))
    assert english_of(long) == "the text of the changes is longer than 1000 characters"


def test_after_the_last_round_it_ends_declined_and_nothing_was_sent() -> None:
    request = in_review(most=2)
    state = revise(review(request, begun(request), NO(actor=LEGAL), NOW), SECOND, NOW)
    ended = review(request, state, NO(actor=LEGAL), NOW)
    assert (ended.status, ended.lifecycle.ended_by, ended.is_to_be_made) == (Status.DECLINED, LEGAL, False)
    facts = settled(request.brief, ended)
    assert [(one.person, one.state) for one in facts.signers] == [
        ("customer-signer", SignerState.WAITING),
        ("chief-executive", SignerState.WAITING),
    ]
    assert [one.role for one in show(request, ended, NOW).signers] == [Role.SIGN, Role.SIGN]


def test_each_round_has_keys_of_its_own_and_who_shows_an_old_notice_loses_it() -> None:
    request = in_review(Reviewer(person=LEGAL), Reviewer(person="customer-signer"))
    state = told(request, begun(request))
    assert [line.key for line in state.notifications.lines] == [
        f"msa-0042:1/ready/{LEGAL}",
        "msa-0042:1/ready/customer-signer",
    ]
    state = told(request, review(request, state, NO(actor=LEGAL), NOW))
    state = revise(state, SECOND, NOW)
    keys = [one.key for one in announcement(request, subject_of(request, state), state)]
    assert keys == [
        f"msa-0042:2/ready/{LEGAL}",
        "msa-0042:2/ready/customer-signer",
        f"msa-0042:2/withdrawal-review/{DESK}",
    ]
    assert {line.stage for line in state.notifications.leaving} == {"ready", "withdrawal"}
    state = told(request, state)
    state = review(request, state, YES(actor=LEGAL), NOW)
    state = review(request, state, YES(actor="customer-signer"), NOW)
    assert [one.person for one in announcement(request, subject_of(request, state), state)] == [
        LEGAL,
        "customer-signer",
    ]


def test_a_notice_that_was_on_its_way_when_its_round_ended_goes_to_the_store() -> None:
    request = in_review(Reviewer(person=LEGAL))
    before = begun(request)
    state = review(request, before, YES(actor=LEGAL), NOW)
    late = Delivered(key=f"{before.notice_id}/reminder-1/{LEGAL}", stage="reminder-1", person=LEGAL)
    after = state.told((late,), NOW)
    assert (after.notifications.lines, [one.key for one in after.notifications.leaving]) == ((), [late.key])


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (YES(actor=DESK), f"{DESK} asked for it, and nobody reviews their own request"),
        (YES(actor=EVE), f"{EVE} is not a reviewer whose answer is awaited: {LEGAL} (--as says who reviews)"),
        (ReviewAnswer(actor=LEGAL), "the text of the changes is empty"),
        (ReviewAnswer(actor=LEGAL, approve=True, changes="no"), "either approve it, or say what is to be changed"),
        (YES(actor=LEGAL), None),
    ],
)
def test_only_whose_review_is_awaited_answers_it(answer: ReviewAnswer, says: str | None) -> None:
    assert english_of(refuse_review(begun(in_review()), answer, DESK)) == says


def test_a_new_version_is_taken_once_changes_are_asked_for_and_differs_from_the_old_one() -> None:
    request = in_review()
    assert refuse_revise(begun(request), SECOND) is not None
    state = review(request, begun(request), NO(actor=LEGAL), NOW)
    same = SECOND.replace(sha256="ab" * 32)
    assert english_of(refuse_revise(state, same)) == "the new version is identical to the old one"
    assert refuse_revise(state, SECOND) is None
    assert refuse_review(state, YES(actor=LEGAL), DESK) is not None
    sent = SignatureState.begin(a_request().brief, NOW)
    assert english_of(refuse_review(sent, YES(actor=LEGAL), DESK)) == "the request is not in review: it is converting"


def test_nobody_approves_a_version_that_they_have_not_read() -> None:
    """Their page was open while somebody else asked for changes, and a new version was given."""
    request = in_review(Reviewer(person=LEGAL, order=1), Reviewer(person=EVE, order=1))
    state = revise(review(request, begun(request), NO(actor=EVE), NOW), SECOND, NOW)
    assert asked(state) == [LEGAL, EVE]
    for answer in YES(actor=LEGAL, version=1), NO(actor=LEGAL, version=1):
        assert english_of(refuse_review(state, answer, DESK)) == "there is a new version since then: read it first"
    for version in 2, 0:
        assert refuse_review(state, YES(actor=LEGAL, version=version), DESK) is None


def test_somebody_exempt_is_not_waited_for_in_this_round_or_the_next() -> None:
    request = in_review()
    state, wish = begun(request), Exemption(actor="operator", person=LEGAL, reason="On leave")
    assert refuse_exempt(state, wish, DESK) is None
    state = exempt(request, state, wish, NOW)
    assert asked(state) == [EVE, SAM]
    again = revise(review(request, state, NO(actor=SAM), NOW), SECOND, NOW)
    assert [one.person for one in again.slots.signers] == [EVE, SAM]


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (Exemption(actor=DESK, person=LEGAL, reason="r"), f"{DESK} asked for it, and cannot exempt its reviewers"),
        (Exemption(actor="o", person="zoe", reason="r"), "zoe is not one of the reviewers of this request"),
        (
            Exemption(actor="o", person=LEGAL, reason="r"),
            "nobody would have approved it: cancel it, and start it without reviewers",
        ),
    ],
)
def test_an_exemption_is_no_way_around_the_review(wish: Exemption, says: str) -> None:
    assert english_of(refuse_exempt(begun(in_review(Reviewer(person=LEGAL))), wish, DESK)) == says


def test_commands_on_the_round_that_is_over_are_refused_and_its_question_is_closed() -> None:
    request = in_review(Reviewer(person=LEGAL), Reviewer(person=EVE))
    state = begun(request)
    wish = Delegation(actor=DESK, signer=EVE, to="zoe")
    state = commands.recorded(commands.delegate(state, wish, NOW), "op-1", wish, NOW)
    state = commands.ask(state, Question(person=EVE, text="Which law?"), NOW)
    assert english_of(commands.refuse_delegate(state, Delegation(actor=EVE, signer=EVE, to=DESK), DESK)) == (
        f"{DESK} asked for the review and cannot give it"
    )
    state = review(request, state, NO(actor=LEGAL), NOW)
    state = revise(state, SECOND, NOW)
    assert [entry.detail for entry in state.commands.entries] == ["too late: it is the turn of others"]
    assert (state.clock.stops, state.questions.open(state.slots), state.escalations.wanted) == ((), None, ())
    assert [one.text for one in state.questions.entries] == ["Which law?"]


def test_who_took_a_place_over_reviews_the_next_version() -> None:
    request = in_review()
    given = Reassignment(from_=LEGAL, to="zoe", reason=EscalationReason.MANUAL, who=DESK)
    state = begun(request).reassigned(given, NOW)
    state = revise(review(request, state, NO(actor="zoe"), NOW), SECOND, NOW)
    assert [one.person for one in state.slots.signers] == ["zoe", EVE, SAM]
    assert state.escalated and not state.present_escalations


def test_a_version_to_give_is_not_handed_over_by_the_policy() -> None:
    request = in_review()
    state = review(request, begun(request), NO(actor=LEGAL), NOW)
    silent = ScheduledAction(
        at=NOW, kind=ActionType.ESCALATE, stage="escalation", person=DESK, to="chair", action="reassign"
    )
    assert not state.hands_over(silent)


def test_a_review_is_planned_with_its_own_due_date_and_goes_on_being_asked_for() -> None:
    request = in_review()
    state = begun(request)
    planning = planning_of(request, subject_of(request, state), state, NOW)
    assert (planning.within, planning.policy.overdue is not None, planning.policy.grace) == ("25%", True, "0d")
    sent = SignatureState.begin(a_request().brief, NOW)
    assert planning_of(a_request(), a_request().subject, sent, NOW).within == ""


def test_a_fresh_run_goes_on_with_the_round_that_it_is_in() -> None:
    request = in_review()
    state = revise(review(request, begun(request), NO(actor=LEGAL), NOW), SECOND, NOW)
    carried = request.replace(carried=state.carried_over())
    read = SignatureInput.model_validate_json(carried.model_dump_json(by_alias=True))
    assert read.carried == carried.carried
    assert (read.carried.round, asked(read.carried)) == (2, [LEGAL]) if read.carried else False


def test_a_request_without_reviewers_says_nothing_of_a_review() -> None:
    request = a_request()
    state = SignatureState.begin(request.brief, NOW)
    written = request.replace(carried=state).model_dump_json(by_alias=True, exclude_defaults=True)
    assert "review" not in written and '"round"' not in written and "team" not in written
    assert not show(request, state, NOW).versions


async def wished(it: Story, command: AnyCommand) -> Receipt:
    """At rest before and after: the server strands a run whose task cancels what has just ended."""
    await it.at_rest()
    receipt = await it.wish(command)
    await it.at_rest()
    return receipt


async def test_one_round_of_changes_then_it_is_approved_sent_and_signed() -> None:
    world, request = World(), in_review()
    async with story(world, request, record="reviewed") as it:
        await it.days_pass(3.5)
        assert world.push.stages() == [("ready", LEGAL), ("reminder-1", LEGAL)]
        assert (await it.shown()).status is Status.REVIEW
        assert not world.signatures.created

        receipt = await wished(it, NO(actor=LEGAL))
        assert (receipt.status, receipt.detail) == (Status.REVIEW, "changes asked for")
        left_out = [one for one in (await it.shown()).timeline if Reason.REVIEWED in str(one.why)]
        assert not left_out, "reminders that are not needed any more are no news"
        await it.days_pass(3.5)
        assert world.push.stages()[2:] == [("ready", DESK), ("withdrawal", LEGAL), ("reminder-1", DESK)]

        await wished(it, SECOND)
        await wished(it, Delegation(actor=DESK, signer=LEGAL, to="zoe"))
        await wished(it, PauseCommand(actor=DESK))
        await it.days_pass(5)
        await wished(it, Resumption(actor=DESK))
        await wished(it, YES(actor="zoe"))
        await wished(it, Extension(actor=DESK, due=datetime.now(UTC) + timedelta(days=200)))
        await it.days_pass(0.1)
        assert {one.person for one in (await it.shown()).waiting_for} == {EVE, SAM}

        await wished(it, YES(actor=SAM))
        await it.days_pass(0.1)
        [created] = world.signatures.created
        assert created.brief.document.sha256 == SECOND.sha256
        assert [one.person for one in created.brief.people] == ["customer-signer", "chief-executive"]
        gone = {person for stage, person in world.push.stages() if stage == "withdrawal-review"}
        assert gone == {DESK, EVE, SAM}

        for person in ("customer-signer", "chief-executive"):
            world.signatures.sign(person)
        world.signatures.status = Status.SIGNED
        await it.callback("signed")
        ended = await it.handle.result()
        shown = await it.shown()

    assert (ended.outcome, ended.document_sha256) == (Status.SIGNED, SECOND.sha256)
    happened = [one.happened for one in shown.timeline]
    wanted = (EventType.CHANGES_ASKED, EventType.REVISED, EventType.REVIEWED, EventType.SENT)
    assert [one for one in happened if one in wanted] == list(wanted)
    assert set(world.evidence.orders[-1].people) >= {LEGAL, "zoe", EVE, SAM}


async def test_a_review_that_nobody_gives_is_escalated_and_expires_unsent_and_one_is_cancelled() -> None:
    world, request = World(), in_review(Reviewer(person=LEGAL))
    async with story(world, request, record="review-expired") as it:
        ended = await it.handle.result()
        shown = await it.shown()
    assert (ended.outcome, world.signatures.created, world.signatures.cancelled) == (Status.EXPIRED, [], [])
    assert [(one.from_, one.to) for one in shown.escalations] == [(LEGAL, "chair")]
    assert "it was never sent: its review was not over" in (shown.timeline[-1].why or shown.timeline[-2].why or "")

    world = World()
    async with story(world, request) as it:
        await it.wish(Cancellation(actor=DESK, reason="Not needed"))
        assert (await it.handle.result()).outcome is Status.CANCELLED
        assert ("settled", LEGAL) in world.push.stages() or any(
            call.target.person == LEGAL for call in world.handoff.batches[0].calls
        )
