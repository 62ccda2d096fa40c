"""A group's place: any one of it signs, the first to press *Sign* takes it, and nobody else of it is asked any more."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from tests.workflows.fakes import World, refusal
from tests.workflows.stage import Story, a_request, start_story
from workflows.model.commands import Cancellation, Delegation, PlaceTaking
from workflows.model.messages import Message
from workflows.model.receipts import OperationState, Receipt
from workflows.model.rejections import Rejection
from workflows.model.schedule import EscalationReason, Reason
from workflows.model.signature import FOR_THE_GROUP, ReportedDocument, ReportedSigner, SignerState
from workflows.model.subject import Code, Participant, Status
from workflows.model.timeline import EventType, Reassignment
from workflows.signature.group_place import refuse_take_place, take_place
from workflows.signature.state import SignatureInput, SignatureState, SignerSlots

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
EVE, SAM, KIM, CHAIR = "eve", "sam", "kim", "chief-executive"
GROUP = tuple(Participant(person=person, order=1, team="legal", beside=person != EVE) for person in (EVE, SAM, KIM))
LAST = Participant(person=CHAIR, order=2)


def for_the_group() -> SignatureInput:
    """Of legal anyone signs, then the chief executive."""
    return a_request(*GROUP, LAST)


def sent() -> SignatureState:
    document = ReportedDocument(document="d", status=Status.SENT, raw="se")
    return SignatureState.begin(for_the_group().brief, NOW).observe(document, NOW)


def states(slots: SignerSlots) -> dict[str, SignerState]:
    return {slot.person: slot.state for slot in slots.signers}


def read(state: SignatureState, person: str, signer_state: SignerState) -> SignatureState:
    report = ReportedDocument(
        document="d", status=Status.SENT, raw="se", signers=(ReportedSigner(person=person, state=signer_state),)
    )
    return state.observe(report, NOW)


async def take(story: Story, person: str) -> Receipt:
    return await story.send_command(PlaceTaking(person=person))


def refused(error: WorkflowUpdateFailedError) -> Message:
    assert isinstance(error.cause, ApplicationError)
    return Message.model_validate(error.cause.details[0])


async def test_the_first_to_sign_takes_the_place_and_the_others_notices_are_withdrawn() -> None:
    world = World()
    async with start_story(world, for_the_group(), record="group-signs") as story:
        await story.days_pass(0.1)
        assert world.push.stages() == [("ready", EVE), ("ready", SAM), ("ready", KIM)]
        assert [signer.person for signer in world.signatures.created[0].brief.people] == [EVE, CHAIR]

        receipt = await take(story, SAM)
        assert receipt.state is OperationState.DONE
        order = world.signatures.forwarded[0]
        assert (order.from_, order.to, order.reason) == (EVE, SAM, FOR_THE_GROUP)
        assert [signer.person for signer in order.subject.people] == [EVE, CHAIR]
        await story.days_pass(0.1)
        assert world.push.stages()[3:] == [("withdrawal", EVE), ("withdrawal", KIM)]
        view = await story.read_view()
        assert [waiting.person for waiting in view.waiting_for] == [SAM]
        taker = view.signer_for("legal")
        assert taker is not None
        assert (taker.person, taker.team) == (SAM, "legal")

        await story.days_pass(4)
        assert world.push.stages()[5:] == [("reminder-1", SAM)], "reminders are the taker's alone"

        for person in (SAM, CHAIR):
            world.signatures.sign(person)
            await story.callback("signer_signed")
            await story.days_pass(0.1)
        assert [signer.person for signer in world.signatures.observations[-1].roster.people] == [SAM, CHAIR]
        world.signatures.status = Status.SIGNED
        await story.callback("signed")
        settled = await story.handle.result()
        view = await story.read_view()
    assert [(signer.person, signer.state) for signer in settled.signers] == [
        (SAM, SignerState.SIGNED),
        (CHAIR, SignerState.SIGNED),
    ]
    assert ("signs for the group legal", SAM) in [(entry.what, entry.who) for entry in view.timeline]
    assert {call.target.person for call in world.handoff.batches[0].calls}.isdisjoint({EVE, KIM})


async def test_whom_core_signature_asks_takes_it_without_a_forward() -> None:
    world = World()
    async with start_story(world, for_the_group()) as story:
        await story.days_pass(0.1)
        assert (await take(story, EVE)).state is OperationState.DONE
        await story.days_pass(0.1)
        assert world.push.stages()[3:] == [("withdrawal", SAM), ("withdrawal", KIM)]
        assert (await take(story, EVE)).state is OperationState.DONE
    assert world.signatures.forwarded == []


async def test_of_two_who_press_at_once_one_gets_it_and_the_other_is_told_who_has_it() -> None:
    world = World()
    async with start_story(world, for_the_group()) as story:
        await story.days_pass(0.1)
        results = await asyncio.gather(take(story, SAM), take(story, KIM), return_exceptions=True)
    taken = [result for result in results if isinstance(result, Receipt)]
    errors = [result for result in results if isinstance(result, WorkflowUpdateFailedError)]
    assert len(taken) == len(errors) == 1
    assert len(world.signatures.forwarded) == 1
    winner = world.signatures.forwarded[0].to
    assert refused(errors[0]) == Rejection.PLACE_TAKEN.to_message(person=winner)


async def test_a_place_that_core_signature_does_not_give_is_open_again() -> None:
    world = World()
    world.signatures.forward_refusals.append(Rejection.REFUSED_THERE.to_message(says="no"))
    async with start_story(world, for_the_group()) as story:
        await story.days_pass(0.1)
        assert (await take(story, SAM)).state is OperationState.REFUSED
        await story.days_pass(0.1)
        view = await story.read_view()
        assert view.signer_for("legal") is None
        assert [waiting.person for waiting in view.waiting_for] == [EVE, SAM, KIM]
        assert world.push.stages()[3:] == [], "nothing was withdrawn"
        assert (await take(story, KIM)).state is OperationState.DONE
    assert [order.to for order in world.signatures.forwarded] == [SAM, KIM]


async def test_while_core_signature_is_away_the_place_is_kept_for_whoever_took_it() -> None:
    world = World()
    async with start_story(world, for_the_group()) as story:
        await story.days_pass(0.1)
        world.signatures.failures = [refusal(Code.UNREACHABLE)] * 3
        taking = PlaceTaking(person=SAM)
        receipt: Receipt = await story.handle.execute_update("take_place", taking, id="op", result_type=Receipt)
        assert receipt.state is OperationState.OPEN
        with pytest.raises(WorkflowUpdateFailedError) as error:
            await take(story, EVE)
        assert refused(error.value) == Rejection.PLACE_TAKEN.to_message(person=SAM)
        await story.days_pass(0.1)
        view = await story.read_view()
    assert [line.person for line in view.signers if line.state is SignerState.TURN] == [SAM]


async def test_cancelled_while_the_place_is_taken() -> None:
    world = World()
    async with start_story(world, for_the_group()) as story:
        await story.days_pass(0.1)
        world.signatures.failures = [refusal(Code.UNREACHABLE)]
        taking = PlaceTaking(person=SAM)
        await story.handle.execute_update("take_place", taking, id="op", result_type=Receipt)
        await story.at_rest()
        await story.send_command(Cancellation(reason="wrong version", actor="legal-desk"))
        assert (await story.handle.result()).outcome is Status.CANCELLED
        operation = await story.handle.query("operation", "op", result_type=Receipt)
    assert operation.state is OperationState.REFUSED


async def test_a_next_history_goes_on_with_the_place_that_was_taken() -> None:
    world = World()
    request = for_the_group()
    taken = take_place(sent(), PlaceTaking(person=SAM), NOW)
    async with start_story(world, request.replace(carried=taken.carried_over())) as story:
        await story.at_rest()
        view = await story.read_view()
    assert [order.to for order in world.signatures.forwarded] == [SAM]
    assert [line.person for line in view.signers if line.state is SignerState.SPARED] == [EVE, KIM]


async def test_the_owner_gives_the_place_to_somebody_outside_the_group() -> None:
    world = World()
    async with start_story(world, for_the_group()) as story:
        await story.days_pass(0.1)
        receipt = await story.send_command(Delegation(actor="legal-desk", signer=KIM, to="counsel"))
        assert receipt.state is OperationState.DONE
        await story.days_pass(0.1)
        view = await story.read_view()
    assert [(order.from_, order.to) for order in world.signatures.forwarded] == [(EVE, "counsel")]
    assert [waiting.person for waiting in view.waiting_for] == ["counsel"]
    assert sorted(world.push.stages()[3:]) == [
        ("ready", "counsel"),
        ("reassigned", KIM),
        ("withdrawal", EVE),
        ("withdrawal", SAM),
    ]


def test_who_signs_at_core_signature_without_our_button_spares_the_others() -> None:
    signed = read(sent(), EVE, SignerState.SIGNED)
    assert states(signed.slots) == {
        EVE: SignerState.SIGNED,
        SAM: SignerState.SPARED,
        KIM: SignerState.SPARED,
        CHAIR: SignerState.TURN,
    }
    assert Rejection.PLACE_TAKEN.to_message(person=EVE) == refuse_take_place(signed, PlaceTaking(person=SAM))


def test_a_signature_that_comes_before_the_forward_keeps_the_place() -> None:
    taken = take_place(sent(), PlaceTaking(person=SAM), NOW)
    assert taken.to_be_placed == (SAM,)
    signed = read(taken, EVE, SignerState.SIGNED)
    assert signed.to_be_placed == ()
    assert states(signed.slots)[SAM] is SignerState.SPARED


def test_planned_notices_of_the_others_say_why_they_are_left_out() -> None:
    placed = take_place(sent(), PlaceTaking(person=EVE), NOW)
    assert [entry.happened for entry in placed.timeline.entries][-1] is EventType.PLACE_TAKEN
    assert placed.timeline.entries[-1].about == "legal"
    assert Reason.PLACE_TAKEN.english == "somebody else of their group signs it"


def test_an_escalation_moves_the_place_and_not_the_slot_of_one_member() -> None:
    escalation = Reassignment(from_=SAM, to=CHAIR + "-2", reason=EscalationReason.ESCALATION, who="countersign")
    moved = sent().reassigned(escalation, NOW)
    assert [slot.person for slot in moved.slots.pending] == [CHAIR + "-2"]
    assert states(moved.slots)[SAM] is SignerState.REASSIGNED
    assert [signer.person for signer in moved.slots.places if not signer.beside] == [CHAIR + "-2", CHAIR]


@pytest.mark.parametrize(
    ("person", "rejection"),
    [("stranger", Rejection.NO_PLACE), (CHAIR, Rejection.NO_PLACE), ("", Rejection.NO_PLACE)],
)
def test_nobody_else_takes_a_group_s_place(person: str, rejection: Rejection) -> None:
    refusal_message = refuse_take_place(sent(), PlaceTaking(person=person))
    assert refusal_message is not None
    assert refusal_message.code == rejection


def test_it_is_taken_only_in_its_turn() -> None:
    later = tuple(signer.replace(order=2) for signer in GROUP)
    state = SignatureState.begin(a_request(LAST.replace(order=1), *later).brief, NOW)
    state = state.observe(ReportedDocument(document="d", status=Status.SENT, raw="se"), NOW)
    assert refuse_take_place(state, PlaceTaking(person=SAM)) == Rejection.NOT_THEIR_TURN.to_message(person=SAM)


def test_five_hundred_members_take_one_place() -> None:
    """Ten times the bound: one settles it for all, and nobody is asked twice."""
    crowd = tuple(Participant(person=f"m{number}", order=1, team="all", beside=number > 0) for number in range(500))
    state = SignatureState.begin(a_request(*crowd).brief, NOW)
    state = state.observe(ReportedDocument(document="d", status=Status.SENT, raw="se"), NOW)
    placed = take_place(state, PlaceTaking(person="m0"), NOW + timedelta(hours=1))
    assert [slot.person for slot in placed.slots.pending] == ["m0"]
    assert sum(slot.spared for slot in placed.slots.signers) == 499
