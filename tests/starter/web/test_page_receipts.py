"""What pages and desk have sent is answered the same for 30 days, also when the follow-up is gone."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.records.receipts import KeptReceipt
from activities.records.store import Store
from starter.queries.commands import CommandRefused, _named_update_id
from starter.temporal.connection import Context
from starter.web.app import carry_out
from workflows.kinds import Kind
from workflows.model.commands import KnownBy, ReminderCommand
from workflows.model.receipts import OTHER_CONTENT, OperationState, Receipt, digest_of
from workflows.model.subject import Status

OP = "page-of-a-form"
REMIND = ReminderCommand(actor="ada", op=OP, known_by=KnownBy.SIGN_IN)
KEPT = Receipt(id="msa", status=Status.SENT, op=OP, says="sent", state=OperationState.DONE, digest=digest_of(REMIND))


async def test_a_form_sent_again_has_the_kept_answer_without_temporal_and_no_other_one(tmp_path: Path) -> None:
    context = Context(await Client.connect("127.0.0.1:1", lazy=True), Store(tmp_path.as_uri()))
    kept_receipt = KeptReceipt(digest_of(REMIND), KEPT.model_dump_json())
    workflow_id = Kind.REQUEST.workflow_id("msa")
    await context.store.receipts.keep(workflow_id, _named_update_id(REMIND, OP), kept_receipt, datetime.now(UTC))
    repeated_receipt = await carry_out(context, KnownBy.SIGN_IN, "msa", ReminderCommand(actor="ada", op=OP), OP)
    assert repeated_receipt == KEPT
    with pytest.raises(CommandRefused) as refused:
        await carry_out(context, KnownBy.SIGN_IN, "msa", ReminderCommand(actor="ada", op=OP, force=True), OP)
    assert refused.value.message == OTHER_CONTENT
