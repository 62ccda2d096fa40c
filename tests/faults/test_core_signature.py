"""A rude Core Signature, felt by a whole request: it waits, says why, and goes on when the service is itself again."""

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from starter.queries import lookup
from tests.faults.evidence import gather
from tests.faults.oracle import judge
from tests.faults.population import colleague
from tests.faults.town import WORKER, Town
from tests.faults.vendor import DOCUMENTS, Entry, Vendor, instant
from tests.storage import altered
from workflows.kinds import Kind, referred
from workflows.model.signature import SignerState
from workflows.model.subject import Code, Status

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]


async def test_refused_for_ever_is_a_problem_probed_by_two_calls_and_mends_itself(shared: Town) -> None:
    """B4, B5: 401 for ever is `unauthorised`, at most two calls a probe, and resumes one probe after it is mended."""
    await shared.vendor.arm("401", DOCUMENTS, method="POST", contains='"refused"', times=4)
    await shared.ask("refused", colleague(1))
    view = await shared.until_shown("refused", lambda view: view.problem)
    assert view.problem and view.problem.code is Code.UNAUTHORISED
    assert len(await _creations(shared.vendor, "refused")) == 2
    await shared.forward("refused", timedelta(seconds=31))
    assert len(await _creations(shared.vendor, "refused")) == 4
    assert (await shared.read_view("refused")).problem == view.problem
    await shared.forward("refused", timedelta(seconds=61))
    view = await shared.until_shown("refused", lambda view: view.status is Status.SENT)
    assert view.problem is None
    assert len(await _creations(shared.vendor, "refused")) == 5


async def test_not_one_call_before_the_time_a_throttling_service_names(shared: Town) -> None:
    """B9: 429 with `Retry-After` in seconds and as an HTTP date."""
    await asyncio.gather(
        _is_throttled(shared, 2, named=lambda named_seconds: named_seconds), _is_throttled(shared, "date", math.floor)
    )


async def _is_throttled(town: Town, form: int | str, named: Callable[[float], float]) -> None:
    """The clock of an HTTP date has no fractions; the seconds after the answer are meant as they are."""
    id = f"throttled-{form}"
    await town.vendor.arm("429", DOCUMENTS, method="POST", contains=f'"{id}"', retry_after=form, delay=2)
    await town.ask(id, colleague(2))
    await town.until_shown(id, lambda view: view.status is Status.SENT)
    calls = [call for call in await _calls_about(town.vendor, id) if call["path"] == DOCUMENTS]
    throttled = next(call for call in calls if call["status"] == 429)
    later = [instant(call).timestamp() for call in calls if call["n"] > throttled["n"]]
    assert later
    assert min(later) >= named(instant(throttled).timestamp() + 2) - 0.01


@pytest.mark.long
async def test_an_answer_that_is_none_is_asked_for_again_and_stops_no_request(shared: Town) -> None:
    """B10, B12, B14, B17: no crash, no stuck workflow task, no false status; one call for each attempt, no more."""

    async def suffers(fault: str) -> None:
        id = f"answered-{fault}"
        document, last_entry = await _sent(shared, id)
        await shared.vendor.arm(fault, f"{DOCUMENTS}{document}/", method="GET")
        await shared.sign(id)
        view = await shared.until_shown(id, lambda view: view.status is Status.SIGNED)
        assert view.problem is None
        first_fault, second_fault, *later = [
            call["fault"] for call in await _reads(shared.vendor, document, last_entry)
        ]
        assert (first_fault, second_fault) == (fault, None)
        assert later in ([], [None]), "the evidence renews its links by one further reading"
        assert max(await _attempts(shared, id)) == 2

    await asyncio.gather(*map(suffers, ("html", "truncate", "500", "502", "refuse")))


async def test_a_huge_answer_costs_the_worker_no_memory_to_speak_of(shared: Town) -> None:
    """B15: twelve megabytes of JSON are cut at ten: the worker grows by less than 30 MB."""
    document, _ = await _sent(shared, "huge")
    worker = shared.running[WORKER].pid
    peak_before = _reset_peak(worker)
    await shared.vendor.arm("huge", f"{DOCUMENTS}{document}/", method="GET")
    await shared.sign("huge")
    await shared.until_shown("huge", lambda view: view.status is Status.SIGNED)
    assert await shared.vendor.ledger("request", path=f"{DOCUMENTS}{document}/", fault="huge")
    assert _peak(worker) - peak_before < 30


async def test_a_redirect_is_a_problem_and_nobody_is_called_where_it_leads(shared: Town) -> None:
    """B13: refused without a retry; the request resumes with the next probe."""
    document, last_entry = await _sent(shared, "redirected")
    trap = f"{shared.vendor.url}/_sandbox/targets/trap"
    await shared.vendor.arm("302", f"{DOCUMENTS}{document}/", method="GET", location=trap)
    await shared.sign("redirected")
    view = await shared.until_shown("redirected", lambda view: view.problem)
    assert view.problem and view.problem.code is Code.UNREACHABLE
    assert len(await _reads(shared.vendor, document, last_entry)) == 1
    await shared.forward("redirected", timedelta(seconds=31))
    await shared.until_shown("redirected", lambda view: view.status is Status.SIGNED)
    assert await shared.vendor.ledger("downstream", target="trap") == []


async def test_an_ended_document_whose_signers_nobody_can_match_settles_nothing_until_they_can_be(
    shared: Town,
) -> None:
    """B20: signed there, yet nobody is told and nothing is on record while it is not known who has signed."""
    await shared.ask("unmatched", colleague(21), colleague(22), at_once=True)
    await shared.until_shown("unmatched", lambda view: len(view.notifications) == 3)
    await shared.until_idle("unmatched")
    with _who_was_asked_is_lost(shared, "unmatched"):
        for signer in await shared.vendor.waiting("unmatched"):
            assert await shared.vendor.sign(signer)
        view = await shared.until_shown("unmatched", lambda view: view.problem)
        assert view.problem and view.problem.code is Code.PROVIDER_UNSURE
        await shared.forward("unmatched", timedelta(seconds=31))
        view = await shared.read_view("unmatched")
        assert (view.status, view.handoffs) == (Status.SENT, ())
        assert view.problem and view.problem.code is Code.PROVIDER_UNSURE
        assert await lookup.recorded(shared.context.store, referred("unmatched")) is None
        assert await shared.vendor.pushes("unmatched", "settled") == []
    await shared.forward("unmatched", timedelta(seconds=61))
    view = await shared.until_shown("unmatched", lambda view: view.status is Status.SIGNED)
    assert [(line.person, line.state) for line in view.signers] == [
        (colleague(21), SignerState.SIGNED),
        (colleague(22), SignerState.SIGNED),
    ]
    await shared.handle("unmatched").result()
    assert await lookup.recorded(shared.context.store, referred("unmatched")) is not None
    assert judge(await gather(shared, {}, "unmatched")) == []


@contextmanager
def _who_was_asked_is_lost(town: Town, id: str) -> Iterator[None]:
    """The store does not find who was asked while the block runs: of two with one order it cannot be told."""
    workflow_id = Kind.REQUEST.workflow_id(id)
    renamed = "UPDATE people_asked SET workflow_id = ? WHERE workflow_id = ?"
    assert altered(town.context.store, renamed, f"{workflow_id}-away", workflow_id)
    try:
        yield
    finally:
        altered(town.context.store, renamed, workflow_id, f"{workflow_id}-away")


async def _sent(town: Town, id: str) -> tuple[str, int]:
    """A request whose signer has been told and that waits: the uuid of its document, the ledger's last number."""
    await town.ask(id, colleague(3))
    await town.until_shown(id, lambda view: view.notifications)
    await town.until_idle(id)
    [document] = await town.vendor.documents(id)
    return str(document["uuid"]), await town.vendor.last()


async def _attempts(town: Town, id: str) -> list[int]:
    events = [event async for event in town.handle(id).fetch_history_events()]
    return [event.activity_task_started_event_attributes.attempt for event in events]


async def _calls_about(vendor: Vendor, id: str) -> list[Entry]:
    calls = await vendor.ledger("request")
    return [
        call
        for call in calls
        if f"external_id={id}&" in f"{call['query']}&" or (call["body"] or {}).get("external_id") == id
    ]


async def _creations(vendor: Vendor, id: str) -> list[Entry]:
    return [call for call in await _calls_about(vendor, id) if (call["method"], call["path"]) == ("POST", DOCUMENTS)]


async def _reads(vendor: Vendor, document: str, after_entry: int) -> list[Entry]:
    return await vendor.ledger("request", after_entry, method="GET", path=f"{DOCUMENTS}{document}/")


def _reset_peak(pid: int) -> float:
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return _peak(pid)


def _peak(pid: int) -> float:
    """Megabytes at most resident since the last reset."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
