"""What is remembered of a command and told of it: little, whatever people write, and never more than fits."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.contrib.pydantic import pydantic_data_converter

from tests.messages import english_of
from tests.workflows.fakes import World
from tests.workflows.stage import a_request, start_story
from workflows.follow_up import commands as operations
from workflows.follow_up.command_log import OPERATIONS_REMEMBERED, CommandLog
from workflows.follow_up.commands import REASSIGNMENTS_AT_MOST, receipt, recorded, refused
from workflows.model.commands import (
    UPDATES,
    AnyCommand,
    Cancellation,
    Delegation,
    Extension,
    KnownBy,
    PartOutcome,
    PauseCommand,
    Question,
    ReminderCommand,
)
from workflows.model.receipts import (
    ID_AT_MOST,
    OTHER_CONTENT,
    RECEIPT_BYTES_AT_MOST,
    Operation,
    OperationState,
    digest_of,
)
from workflows.model.rejections import NAME_AT_MOST, NAMES_AT_MOST, TEXT_AT_MOST, Rejection, cleaned, clipped
from workflows.model.signature import ReportedDocument
from workflows.model.subject import Code, Participant, Status
from workflows.signature.state import SignatureState, show

NOW = datetime(2026, 11, 2, 9, 30, 15, 123456, tzinfo=UTC)
LONGEST_ID = "i" * 100
"""As long as an id of a request or a person may be."""
WORST = '"' * TEXT_AT_MOST
FOUR_BYTES = "🖋" * TEXT_AT_MOST


def person(number: int) -> str:
    return f"{number:03}-".ljust(100, "p")


def count_bytes(value: object) -> int:
    return len(pydantic_data_converter.payload_converter.to_payload(value).data)


def with_everything_pending(text: str) -> SignatureState:
    """A request of the longest ids and texts, in trouble, with every kind of command outstanding many times."""
    brief = a_request(*(Participant(person=person(n), order=1) for n in range(100)), name=LONGEST_ID).brief
    sent = ReportedDocument(document="d", status=Status.SENT, raw="se")
    state = SignatureState.begin(brief, NOW).observe(sent, NOW).report_problem(Code.UNREACHABLE, text, NOW, NOW)
    actor, recipient = "a" * NAME_AT_MOST, person(777)
    for number in range(30):
        for command_word, effect, command in (
            ("delegate", operations.delegate, Delegation(actor=actor, signer=person(1), to=recipient)),
            ("extend", operations.extend, Extension(actor=actor, due=NOW + timedelta(days=number))),
            ("remind", operations.remind, ReminderCommand(actor=actor)),
            ("cancel", operations.cancel, Cancellation(actor=actor, reason=text)),
        ):
            id = f"{command_word}-{number:03}".ljust(ID_AT_MOST, "x")
            state = recorded(effect(state, command, NOW), id, command, NOW)  # type: ignore[arg-type]
    return state


@pytest.mark.parametrize("text", [WORST, FOUR_BYTES, "\\" * TEXT_AT_MOST])
def test_a_receipt_is_below_a_kilobyte_with_the_longest_texts(text: str) -> None:
    state = with_everything_pending(text)
    refused_state = state.not_reassigned(
        state.escalations.wanted[0], Rejection.REFUSED_THERE.to_message(says=text), NOW
    )
    request = a_request(name=LONGEST_ID)
    receipts = [
        receipt(progress, show(request, progress, NOW), operation)
        for progress in (state, refused_state, state.end_unseen(NOW))
        for operation in progress.commands.entries
    ]
    assert max(map(count_bytes, receipts)) < RECEIPT_BYTES_AT_MOST
    assert receipts[0].further == OPERATIONS_REMEMBERED - 3


def test_the_ledger_keeps_the_latest_and_forgets_what_is_open_last() -> None:
    ledger = CommandLog()
    for number in range(10 * OPERATIONS_REMEMBERED):
        state = OperationState.OPEN if number == 0 else OperationState.DONE
        ledger = ledger.record(Operation(id=str(number), what="pause", digest="", at=NOW, by="x", state=state))
    assert len(ledger.entries) == OPERATIONS_REMEMBERED
    assert [receipt.id for receipt in ledger.open] == ["0"]
    assert ledger.entries[-1].id == str(10 * OPERATIONS_REMEMBERED - 1)


def test_a_ledger_full_of_what_is_open_still_takes_one_more() -> None:
    ledger = CommandLog()
    for number in range(OPERATIONS_REMEMBERED):
        ledger = ledger.record(Operation(id=str(number), what="extend", digest="", at=NOW, by="x"))
    one_more = Operation(id="more", what="pause", digest="", at=NOW, by="x", state=OperationState.DONE)
    assert ledger.record(one_more).find_operation("more") is not None


def test_a_digest_is_of_what_is_wanted_and_not_of_who_wants_it() -> None:
    command = PauseCommand(actor="a", reason="prices", op="1")
    assert digest_of(command) == digest_of(command.replace(actor="b", op=None))
    assert digest_of(command) != digest_of(command.replace(reason="holidays"))
    assert digest_of(PauseCommand(actor="a")) != digest_of(ReminderCommand(actor="a"))


@pytest.mark.parametrize("text", [WORST, FOUR_BYTES, "abc", "", "é" * 300])
@pytest.mark.parametrize("bytes_at_most", [10, 60, 240])
def test_what_is_clipped_fits_and_keeps_its_beginning(text: str, bytes_at_most: int) -> None:
    short = clipped(text, bytes_at_most)
    assert len(json.dumps(short, ensure_ascii=False).encode()) - 2 <= bytes_at_most
    assert text.startswith(short.removesuffix("…"))
    assert short == text or len(short) > bytes_at_most // 8


def test_what_nobody_looked_at_is_cleaned() -> None:
    assert cleaned("a\x1b[31mred\u202e\x07\u0000b\r\n") == "a[31mredb"
    assert cleaned("e\u0301\ud800") == "é"
    assert len(cleaned("x" * 1_200_000)) == TEXT_AT_MOST


async def test_a_cancellation_from_the_web_ui_leaves_no_escapes_and_no_megabyte_in_the_memory() -> None:
    world = World()
    async with start_story(world) as story:
        await story.days_pass(0.01)
        await story.handle.cancel(reason="\x1b[2J\u202eno longer needed " + "x" * 1_200_000)
        assert (await story.handle.result()).outcome is Status.CANCELLED
        [cancellation] = [
            entry for entry in (await story.read_view()).timeline if entry.what == "cancellation asked for"
        ]
    assert cancellation.why is not None
    assert cancellation.why.startswith("[2Jno longer needed xxx")
    assert len(cancellation.why) == TEXT_AT_MOST


async def test_an_operation_is_known_by_its_content_also_in_a_later_run() -> None:
    """The server knows the ids of this run only; the memory is carried."""
    request = a_request()
    recorded_state = recorded(
        SignatureState.begin(request.brief, NOW), "pause-op-1", PauseCommand(actor="x", reason="prices"), NOW
    )
    async with start_story(World(), request.replace(carried=recorded_state)) as story:
        with pytest.raises(Exception, match="Workflow update failed") as refused:
            await story.send_command(PauseCommand(actor="x", reason="holidays"), op="pause-op-1")
        repeated_receipt = await story.send_command(PauseCommand(actor="y", reason="prices"), op="pause-op-1")
        assert (repeated_receipt.state, "reminders are paused" in (await story.read_view()).says) == (
            OperationState.DONE,
            False,
        )
    assert str(refused.value.__cause__) == f"refused: {OTHER_CONTENT}"


async def test_an_operation_with_a_name_too_long_is_refused_and_an_unknown_one_has_no_receipt() -> None:
    async with start_story(World()) as story:
        await story.days_pass(0.01)
        with pytest.raises(Exception, match="Workflow update failed") as refused:
            await story.send_command(Question(person="customer-signer", text="?"), op="x" * (ID_AT_MOST + 1))
        assert await story.handle.query("operation", "never") is None
    assert str(refused.value.__cause__).endswith("… is too long a name")


async def test_a_command_from_before_the_end_is_refused_as_too_late() -> None:
    world = World()
    async with start_story(world) as story:
        await story.days_pass(1)
        world.signatures.gate, read_count = asyncio.Event(), len(world.signatures.observations)
        world.signatures.observing.clear()
        world.signatures.status = Status.SIGNED
        await story.callback()
        await world.signatures.observing.wait()
        assert len(world.signatures.observations) > read_count
        pending = await story.handle.execute_update("cancel", Cancellation(actor="x", reason="no"), id="cancel-1")
        assert pending["state"] == OperationState.OPEN
        world.signatures.gate.set()
        await story.handle.result()
        receipt = await story.handle.query("operation", "cancel-1")
    assert (receipt["state"], receipt["detail"]) == (OperationState.REFUSED, "too late: the request is signed")


@pytest.mark.parametrize("command", UPDATES)
def test_no_text_of_any_command_is_kept_that_is_too_long(command: type[AnyCommand]) -> None:
    for name, field in command.model_fields.items():
        if field.annotation in (str, str | None):
            text: dict[str, Any] = {name: "x" * 10 * TEXT_AT_MOST}
            long_command = command.model_construct(None, **text)
            assert (
                english_of(refused(CommandLog(), "an-id", long_command, None))
                == f"{name} is longer than {TEXT_AT_MOST} characters"
            )
        elif field.annotation == tuple[str, ...]:
            names: dict[str, Any] = {name: ("x",) * 10 * NAMES_AT_MOST}
            crowd = command.model_construct(None, **names)
            assert (
                english_of(refused(CommandLog(), "an-id", crowd, None))
                == f"{name} names more than {NAMES_AT_MOST} people"
            )
            names = {name: ("x" * 10 * NAME_AT_MOST,)}
            long_command = command.model_construct(None, **names)
            assert (
                english_of(refused(CommandLog(), "an-id", long_command, None))
                == f"{name} is longer than {NAME_AT_MOST} characters"
            )
        else:
            assert field.annotation in (bool, int, PartOutcome, KnownBy | None) or name in ("due", "until"), (
                f"what bounds {name}?"
            )


@pytest.mark.parametrize("recipient", ["d" * 10 * NAME_AT_MOST, "\x1b[2J"])
def test_whom_to_hand_over_to_is_a_name(recipient: str) -> None:
    document = ReportedDocument(document="d", status=Status.SENT, raw="se")
    state = SignatureState.begin(a_request().brief, NOW).observe(document, NOW)
    command = Delegation(actor="legal-desk", signer="customer-signer", to=recipient)
    assert (english_of(operations.refuse_delegate(state, command, "legal-desk")) or "").startswith("--to ")


def test_hand_overs_that_are_pending_count_as_well() -> None:
    """Each of them is a call of Core Signature that an outage keeps in the memory."""
    state = SignatureState.begin(a_request().brief, NOW).observe(
        ReportedDocument(document="d", status=Status.SENT, raw="se"), NOW
    )
    for number in range(10 * REASSIGNMENTS_AT_MOST):
        command = Delegation(actor="x", signer="customer-signer", to=f"deputy-{number}")
        if operations.refuse_delegate(state, command, "legal-desk") is None:
            state = operations.delegate(state, command, NOW)
    assert len(state.escalations.wanted) == REASSIGNMENTS_AT_MOST
    assert (
        english_of(operations.refuse_delegate(state, command, "legal-desk"))
        == "the request was handed over too often already"
    )
