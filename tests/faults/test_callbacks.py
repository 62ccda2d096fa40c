"""Callbacks as rude networks and forgers send them, through the real receiver: hints, of which none is believed."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from starter.web.receivers.callbacks import TemporalSignals
from tests.faults.evidence import gather
from tests.faults.oracle import judge
from tests.faults.population import colleague
from tests.faults.races import wait_for_ends
from tests.faults.town import Town, eventually
from tests.faults.vendor import CALLBACK, Entry
from tests.starter.web.receiving import JSON, encode_body, format_epoch, make_callback, receiver
from workflows.model.signature import WITHOUT_EFFECT
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]


async def test_repeated_reordered_and_late_callbacks_end_alike(shared: Town) -> None:
    """A2, A3: two signers in order; each callback comes twice, or after the next one, or a second late."""

    async def suffers(fault: str) -> str:
        id = f"called-{fault}"
        await shared.vendor.arm(fault, "*", method=CALLBACK, contains=id, times=None if fault == "duplicate" else 2)
        await shared.ask(id, colleague(50), colleague(51), finance=f"{shared.vendor.url}/_sandbox/targets/finance")
        await shared.sign(id, times=2)
        return id

    names = await asyncio.gather(*map(suffers, ("duplicate", "reorder", "delay")))
    for view in await wait_for_ends(shared, names):
        assert view.status is Status.SIGNED
        assert len(await shared.vendor.ledger("downstream", target="finance")) >= 3
    assert judge(await gather(shared, {}, "called-")) == []


async def test_a_forged_callback_is_refused_and_the_truth_is_read_before_the_next_nudge(shared: Town) -> None:
    """A1, A4: 401 and no signal; as the genuine one never comes, the reminder's own look finds the signature."""
    await _waits(shared, "forged")
    count_before = await _signals(shared, "forged")
    await shared.vendor.arm("forge", "*", method=CALLBACK, contains="forged", times=None)
    await shared.sign("forged")
    callbacks = await eventually(lambda: _answered(shared, "forged", 2))
    assert [callback["status"] for callback in callbacks] == [401, 401]
    assert await _signals(shared, "forged") == count_before
    await shared.forward("forged", timedelta(days=4))
    [view] = await wait_for_ends(shared, ["forged"])
    assert view.status is Status.SIGNED
    assert [push["data"]["stage"] for push in await shared.vendor.pushes("forged")].count("reminder-1") == 0
    await shared.vendor.disarm()


async def test_a_genuine_hash_over_a_body_that_lies_changes_nothing(shared: Town) -> None:
    """A5: `signed` stands in the callback's body, but not at Core Signature, which is asked."""
    await _waits(shared, "swapped")
    await shared.vendor.arm("swap", "*", method=CALLBACK, contains="swapped", status="si", times=None)
    [signer] = await shared.vendor.waiting("swapped")
    await shared.vendor.view(signer)
    callbacks = await eventually(lambda: _answered(shared, "swapped", 2))
    assert {(callback["fault"], callback["status"]) for callback in callbacks} == {("swap", 200)}
    await shared.until_shown("swapped", lambda view: view.status is Status.VIEWED)
    await shared.until_idle("swapped")
    assert (await shared.read_view("swapped")).status is Status.VIEWED


async def test_an_old_callback_that_is_replayed_changes_nothing_and_is_refused_after_a_day(shared: Town) -> None:
    """A6: after 0 s, 1 h and 25 h, as it was and under a number of its own, while the request waits."""
    await _waits(shared, "replayed")
    view_before = await shared.read_view("replayed")
    began, pushed = datetime.now(UTC), await shared.vendor.pushes("replayed")
    genuine = [
        make_callback(
            uuid=number, event_type=event["event_type"], event_time=format_epoch(began), document=_document(event)
        )
        for event in await shared.vendor.ledger("event", external_id="replayed")
        for number in (event["event"], str(uuid4()))
    ]
    for age, status in ((timedelta(), 200), (timedelta(hours=1), 200), (timedelta(hours=25), 401)):
        replayed = receiver(TemporalSignals(shared.context.client), clock=lambda: began + age)  # noqa: B023  called below
        answers = [await replayed.receive(JSON, encode_body(callback)) for callback in genuine]
        assert [answer.status for answer in answers] == [status] * len(genuine)
        await shared.until_idle("replayed")
        assert await shared.read_view("replayed") == view_before
    heard = sum(callback["event_type"] not in WITHOUT_EFFECT for callback in genuine)
    assert heard > 0
    assert await _signals(shared, "replayed") == 2 * heard + heard // 2
    assert await shared.vendor.pushes("replayed") == pushed


def _document(event: Entry) -> Entry:
    return {"uuid": event["document"], "external_id": event["external_id"], "status": "se"}


async def test_a_callback_after_the_end_starts_nothing(shared: Town) -> None:
    """A6, A10: late by seconds: 200, and the closed workflow stays the only one."""
    await _waits(shared, "late")
    await shared.vendor.arm("delay", "signer_signed", method=CALLBACK, contains="late", delay=1.5)
    await shared.sign("late")
    await wait_for_ends(shared, ["late"])
    late = await eventually(lambda: shared.vendor.ledger("callback", external_id="late", fault="delay"))
    assert [callback["status"] for callback in late] == [200]
    runs = [run.run_id async for run in shared.context.client.list_workflows("WorkflowId = 'signature-request:late'")]
    assert len(runs) == 1


async def test_stalled_callers_do_not_hold_up_a_genuine_one(shared: Town) -> None:
    """A13: a hundred bodies that never come, and a request is signed meanwhile as quickly as ever."""
    await _waits(shared, "stalled")
    address, segment = httpx.URL(shared.receiver), shared.folder_state.secrets.segment
    lines = (f"POST /callbacks/core-signature/{segment} HTTP/1.1", "host: x", "content-length: 9", "", "{")
    opened = await asyncio.gather(*(asyncio.open_connection(address.host, address.port) for _ in range(100)))
    for _, writer in opened:
        writer.write("\r\n".join(lines).encode())
    began = time.monotonic()
    await shared.sign("stalled")
    await wait_for_ends(shared, ["stalled"])
    assert time.monotonic() - began < 5
    for _, writer in opened:
        writer.close()


async def _waits(town: Town, id: str) -> None:
    await town.ask(id, colleague(52))
    await town.until_shown(id, lambda view: view.notifications)
    await town.until_idle(id)
    assert len(await town.vendor.ledger("callback", external_id=id)) == 2


async def _answered(town: Town, id: str, count: int) -> list[Entry] | None:
    """The callbacks beyond the two that tell of the conversion and the sending, once there are so many."""
    callbacks = (await town.vendor.ledger("callback", external_id=id))[2:]
    return callbacks if len(callbacks) >= count else None


async def _signals(town: Town, id: str) -> int:
    events = town.handle(id).fetch_history_events()
    return sum([event.HasField("workflow_execution_signaled_event_attributes") async for event in events])
