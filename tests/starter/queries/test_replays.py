"""`countersign request replay`: to what lives, and from the record of what is closed, before a real server."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from activities.hand_off.target_health import TargetState, address_of, becoming, find_topic, state_of
from starter.errors import Refusal
from starter.queries import commands
from starter.queries import targets as replays
from starter.queries import targets as target_status
from starter.queries.commands import CommandRefused
from starter.temporal.connection import Context
from tests.starter.queries.dying import dead_lines
from tests.starter.queries.living import MSA, SOON, begin, wait_for_status, wait_until_signer_told
from tests.starter.terminal import type_
from tests.storage import altered
from tests.workflows.fakes import World
from tests.workflows.follow_up.test_replays import AT
from tests.workflows.hand_off.test_hand_off import line, make_record
from tests.workflows.stage import workers
from workflows.follow_up.outbox import subscriber
from workflows.kinds import Kind
from workflows.model.commands import Replay
from workflows.model.hand_off import HandoffState
from workflows.model.policy import Target
from workflows.model.receipts import OperationState
from workflows.model.records import SettledRecord
from workflows.model.signature import ProviderEvent
from workflows.model.subject import Status
from workflows.model.views import RequestShow
from workflows.names import BULK, PROVIDER_EVENT, hand_off_workflow_id

pytestmark = pytest.mark.real_server


async def sign_request(context: Context, world: World, *, ends: bool = True) -> None:
    """A request that has ended, whose run is closed, and whose record is in the store."""
    await begin(context)
    await wait_until_signer_told(context)
    world.signatures.status = Status.SIGNED
    handle = context.client.get_workflow_handle(Kind.REQUEST.workflow_id(MSA))
    await handle.signal(PROVIDER_EVENT, ProviderEvent(id="e", type="signed", at=AT))
    if not ends:
        hand_off_record = make_record(line("archive", HandoffState.DEAD))
        assert hand_off_record.order is not None
        world.handoff.record = hand_off_record.replace(
            order=hand_off_record.order.replace(targets=(subscriber("archive"),))
        )
        return
    await handle.result()
    view = await wait_for_status(context, Status.SIGNED)
    record = SettledRecord(fingerprint="f", run_id="r", show=view)
    await context.store.records.write(Kind.REQUEST.workflow_id(MSA), record.model_dump_json(by_alias=True).encode())
    world.handoff.record = make_record(line("finance", HandoffState.DEAD), line("hr", HandoffState.DONE, 1))


@pytest.mark.long
async def test_what_is_closed_is_handed_off_from_its_record_once_for_each_op(context: Context) -> None:
    world = World()
    async with workers(context.client, world):
        await sign_request(context, world)
        calls_before = world.handoff.calls["finance"]
        receipt = await commands.make(context, MSA, Replay(actor="ops", target="finance", op="once"))
        assert (receipt.state, receipt.detail) == (OperationState.DONE, "told finance")
        repeated = await commands.make(context, MSA, Replay(actor="ops", target="finance", op="once"))
        assert (repeated.state, repeated.detail) == (OperationState.DONE, "told finance")
        world.handoff.record = make_record(line("finance", HandoffState.DONE, 1))
        with pytest.raises(CommandRefused, match="insist with --again"):
            await commands.make(context, MSA, Replay(actor="ops", target="finance"))
        with pytest.raises(CommandRefused, match="msa-0042: crm is none of those who are told of this end"):
            await commands.make(context, MSA, Replay(actor="ops", target="crm"))
        assert world.handoff.calls["finance"] == calls_before + 1
        closed = await context.client.get_workflow_handle(hand_off_workflow_id(MSA)).describe()
        assert closed.close_time is not None


async def test_what_nobody_knows_and_what_has_no_record_are_refused_in_words(context: Context) -> None:
    with pytest.raises(Refusal, match="no request nobody"):
        await commands.make(context, "nobody", Replay(actor="ops", target="finance"))
    async with workers(context.client, World()):
        await begin(context)
        await wait_until_signer_told(context)
        with pytest.raises(CommandRefused, match="nothing is handed off before the end: the request is sent"):
            await commands.make(context, MSA, Replay(actor="ops", target="finance"))
        await context.client.get_workflow_handle(Kind.REQUEST.workflow_id(MSA)).terminate()
        with pytest.raises(Refusal, match="it has no record of an ending: The workflow was terminated"):
            await commands.make(context, MSA, Replay(actor="ops", target="finance"))


@pytest.mark.long
async def test_targets_are_listed_tried_at_once_and_the_dead_replayed(context: Context, tmp_path: Path) -> None:
    world = World()
    world.handoff.down = {"finance", "hr"}
    async with workers(context.client, world):
        await sign_request(context, world, ends=False)
        await record_dead_target(context, "gone-1", "archive")
        targets = await eventually(context)
        rows = {row.target: (row.waiting, row.dead) for row in targets.targets}
        assert rows == {"finance": (1, 0), "hr": (1, 0), "archive": (0, 1)}
        assert {row.why for row in targets.targets if row.waiting} == {"no answer"}
        await check_unknown_targets(context, tmp_path)
        calls_before = world.handoff.calls["finance"]
        world.handoff.down = set()
        assert await target_status.hurry(context, "finance") == 1
        assert await target_status.hurry(context, None) == 1
        handle = context.client.get_workflow_handle(Kind.REQUEST.workflow_id(MSA))
        await handle.result()
        assert world.handoff.calls["finance"] == calls_before + 1
        await spoil_record(context, await record_dead_target(context, "gone-2", "archive"))
        outcome = await replays.replay_each(
            replays.the_dead(context.store),
            lambda dead_target: replays.replay(context, dead_target, Replay(actor="ops", target="")),
            lambda _: None,
        )
        assert (outcome.told, outcome.refused, outcome.total_count) == (1, 1, 2)
        assert world.handoff.calls["archive"] == 1
        hand_off_run = await context.client.get_workflow_handle(hand_off_workflow_id("gone-1")).describe()
        assert hand_off_run.raw_description.workflow_execution_info.priority.priority_key == BULK


async def test_an_address_that_the_catalogue_has_no_more_says_nothing_of_a_target(context: Context) -> None:
    finance = Target(target="finance", url="https://erp.example/hooks")
    moved_target = finance.replace(url="https://moved.example/hooks")
    incidents = context.store.incidents
    await incidents.change(
        find_topic(finance), lambda incident: becoming(incident, TargetState.DISABLED, AT, "HTTP 410")
    )
    now, addresses_before = ({"finance": {address_of(target)}} for target in (moved_target, finance))
    assert (await target_status.standing(context, now)).targets == ()
    for of_catalogue in ({}, addresses_before):
        (row,) = (await target_status.standing(context, of_catalogue)).targets
        assert (row.target, row.state, row.why) == ("finance", TargetState.DISABLED, "HTTP 410")
    await target_status.hurry(context, "finance")
    assert state_of(await incidents.read(find_topic(finance))) is TargetState.FAILING, (
        "called again wherever it wanted no calls"
    )


@pytest.mark.long
async def test_what_open_requests_could_not_tell_of_an_escalation_is_listed_tried_at_once_and_replayed(
    context: Context,
) -> None:
    world = World()
    world.planner.escalate_after = timedelta(seconds=0.1)
    world.handoff.down, world.handoff.closed_targets = {"crm/escalated-1"}, {"erp/escalated-1"}
    targets = tuple(Target(target=name, url=f"https://{name}.example", on=("escalated",)) for name in ("crm", "erp"))
    async with workers(context.client, world):
        await begin(context, handoff=targets)
        await begin(context, "msa-0043")
        rows = await wait_for_targets(context, {"crm": (1, 0), "erp": (0, 1)})
        assert rows["crm"].why == "no answer"
        assert list(rows) == ["erp", "crm"], "those that never heard of something first"
        world.handoff.down = set()
        assert await target_status.hurry(context, "crm") == 1
        await wait_for_targets(context, {"erp": (0, 1)})
        world.handoff.closed_targets = set()
        for told_of, seen_count in ((1, 1), (0, 0)):
            outcome = await replays.replay_each(
                replays.all_dead(context, target="erp"),
                lambda dead_target: replays.replay(context, dead_target, Replay(actor="ops", target="")),
                lambda _: None,
            )
            assert (outcome.told, outcome.total_count) == (told_of, seen_count)
            await wait_for_targets(context, {})
        assert not (await wait_until_signer_told(context)).status.has_ended


async def wait_for_targets(
    context: Context, expected: dict[str, tuple[int, int]]
) -> dict[str, target_status.TargetLine]:
    """The rows of the targets once so many wait and are dead, as visibility comes to know of them."""
    async with asyncio.timeout(SOON.total_seconds()):
        while True:
            rows = {row.target: row for row in (await target_status.standing(context, {})).targets}
            if {name: (row.waiting, row.dead) for name, row in rows.items()} == expected:
                return rows
            await asyncio.sleep(0.05)


async def check_unknown_targets(context: Context, folder: Path) -> None:
    """A target that nobody knows is refused by its name, with what was meant; one of the catalogue is only idle."""
    (folder / "policies.yaml").write_text("kinds: {nda: {handoff: [{target: crm, person: hr-desk}]}}\n")
    environment = {
        "TEMPORAL_ADDRESS": context.client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": context.client.namespace,
        "COUNTERSIGN_STORE": folder.as_uri(),
        "COUNTERSIGN_DATABASE": f"sqlite:///{folder}/countersign.sqlite3",
        "COUNTERSIGN_POLICIES": str(folder / "policies.yaml"),
    }
    for target, message in (
        ("finanse", "no target is called finanse, did you mean finance?\n"),
        ("nope", "no target is called nope; there are archive, crm, finance, hr\n"),
        ("crm", ""),
    ):
        process = await asyncio.to_thread(type_, "handoff", "retry", "--now", "--target", target, **environment)
        assert (process.returncode, process.stderr) == (1 if message else 0, message)
    assert process.stdout == "Nothing waits to be tried\n", "the run that tells others was not told"


async def record_dead_target(context: Context, id: str, target: str) -> str:
    """Something that ended long ago, of which one target never heard."""
    home = Kind.REQUEST.workflow_id(id)
    view = RequestShow(id=id, kind="nda", status=Status.SIGNED, says="Signed")
    record = SettledRecord(fingerprint="f", run_id="r", show=view)
    await context.store.records.write(home, record.model_dump_json(by_alias=True).encode())
    await context.store.records.amend(home, 1, b"{}", dead_lines(target))
    return home


async def spoil_record(context: Context, home: str) -> None:
    """What the store has as the record is none."""
    altered(context.store, "UPDATE records SET content = ? WHERE workflow_id = ?", b"{}", home)


async def eventually(context: Context) -> target_status.Targets:
    """How the targets stand once visibility knows of two that wait."""
    async with asyncio.timeout(SOON.total_seconds()):
        while True:
            targets = await target_status.standing(context, {})
            if sum(row.waiting for row in targets.targets) == 2:
                return targets
            await asyncio.sleep(0.05)
