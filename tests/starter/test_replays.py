"""`countersign request replay`: to what lives, and from the record of what is closed, before a real server."""

import pytest

from activities.store import Home
from starter import wishes
from starter.context import Context
from starter.exits import Refusal
from starter.wishes import Refused
from tests.starter.living import MSA, begin, shown_to_signer, shown_with
from tests.workflows.fakes import World
from tests.workflows.stage import workers
from tests.workflows.test_hand_off import line, recorded
from tests.workflows.test_replays import AT
from workflows.kinds import Kind
from workflows.model.operations import OperationState
from workflows.model.provider import ProviderEvent
from workflows.model.records import SettledRecord
from workflows.model.settlement import HandoffState
from workflows.model.subject import Status
from workflows.model.wishes import Replay
from workflows.names import PROVIDER_EVENT, hand_off_workflow_id

pytestmark = pytest.mark.real_server


async def signed(context: Context, world: World) -> None:
    """A request that has ended, whose run is closed, and whose record is in the store."""
    await begin(context)
    await shown_to_signer(context)
    world.signatures.status = Status.SIGNED
    handle = context.client.get_workflow_handle(Kind.REQUEST.workflow_id(MSA))
    await handle.signal(PROVIDER_EVENT, ProviderEvent(id="e", type="signed", at=AT))
    await handle.result()
    shown = await shown_with(context, Status.SIGNED)
    record = SettledRecord(fingerprint="f", run_id="r", show=shown)
    await context.store.write_record(Home.of_request(MSA), record.model_dump_json(by_alias=True).encode())
    world.handoff.record = recorded(line("finance", HandoffState.DEAD), line("hr", HandoffState.DONE, 1))


async def test_what_is_closed_is_handed_off_from_its_record_once_for_each_op(context: Context) -> None:
    world = World()
    async with workers(context.client, world):
        await signed(context, world)
        before = world.handoff.calls["finance"]
        receipt = await wishes.make(context, MSA, Replay(actor="ops", target="finance", op="once"))
        assert (receipt.state, receipt.detail) == (OperationState.DONE, "told finance")
        world.handoff.record = recorded(line("finance", HandoffState.DONE, 1))
        with pytest.raises(Refused, match="insist with --again"):
            await wishes.make(context, MSA, Replay(actor="ops", target="finance"))
        with pytest.raises(Refused, match="msa-0042: crm is none of its targets"):
            await wishes.make(context, MSA, Replay(actor="ops", target="crm"))
        assert world.handoff.calls["finance"] == before + 1
        closed = await context.client.get_workflow_handle(hand_off_workflow_id(MSA)).describe()
        assert closed.close_time is not None


async def test_what_nobody_knows_and_what_has_no_record_are_refused_in_words(context: Context) -> None:
    with pytest.raises(Refusal, match="no request nobody"):
        await wishes.make(context, "nobody", Replay(actor="ops", target="finance"))
    async with workers(context.client, World()):
        await begin(context)
        await shown_to_signer(context)
        with pytest.raises(Refused, match="nothing is handed off before the end: the request is sent"):
            await wishes.make(context, MSA, Replay(actor="ops", target="finance"))
        await context.client.get_workflow_handle(Kind.REQUEST.workflow_id(MSA)).terminate()
        with pytest.raises(Refusal, match="it has no record of an ending: The workflow was terminated"):
            await wishes.make(context, MSA, Replay(actor="ops", target="finance"))
