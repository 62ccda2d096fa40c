"""The rate of record and its shares: kept when something cannot be read, never more in all than it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import temporalio.api.common.v1
from structlog.testing import capture_logs
from structlog.typing import EventDict
from temporalio import activity, workflow
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.workflowservice.v1 import UpdateTaskQueueConfigRequest
from temporalio.client import Client
from temporalio.worker import Worker

from activities.http.rate_limit import CALLER, RateLimiter, Urgency
from activities.records.processes import KEPT, LEASE, Process, ProcessRole
from activities.records.store import Store
from activities.temporal.interceptors import PaceInterceptor, priority
from starter.temporal import rates as pace
from starter.temporal.rates import Keeper, RateRecord, RateShare
from tests.activities.http.test_pacing import call, call_together, lived
from tests.faults.town import eventually
from tests.servers import own_namespace, real_server
from tests.storage import altered, count, take_table_away
from workflows.names import SIGNATURE_QUEUE

HALF_A_MINUTE = 30.0


@pytest.mark.parametrize("rate", [5.0, 20.0])
@pytest.mark.parametrize("workers", [1, 2, 6])
def test_under_load_every_half_minute_has_its_calls_however_many_workers_share(rate: float, workers: int) -> None:
    """Before, 1.6 a second of a setting of 5: the server's rate was split over partitions and charged four calls."""
    part = RateShare.for_role(ProcessRole.WORKER, rate, {ProcessRole.WORKER: workers})

    async def story() -> list[float]:
        calls_each = int(rate * 60 / workers)
        call_times_by_worker = await asyncio.gather(
            *(call_together(RateLimiter(part.rate, part.burst), calls_each) for _ in range(workers))
        )
        return sorted(called_at for call_times in call_times_by_worker for called_at in call_times)

    call_times = lived(story())
    windows = range(int(call_times[-1] - HALF_A_MINUTE))
    counts = [
        sum(begin <= called_at < begin + HALF_A_MINUTE for called_at in call_times) / (rate * HALF_A_MINUTE)
        for begin in windows
    ]
    assert len(counts) > 20
    assert all(0.8 <= share <= 1.1 for share in counts)


def test_the_shares_of_all_are_the_whole_however_many_web_processes_there_are() -> None:
    assert RateShare.for_role(ProcessRole.WORKER, 5, {ProcessRole.WORKER: 2}) == RateShare(2.25, 5)
    assert RateShare.for_role(ProcessRole.WEB, 5, {ProcessRole.WEB: 1}) == RateShare(0.5, 5)
    assert RateShare.for_role(ProcessRole.WORKER, 5, {ProcessRole.WORKER: 15}).burst == 2, (
        "not five at once each of fifteen"
    )
    assert RateShare.for_role(ProcessRole.WEB, 5, {ProcessRole.WEB: 4}).burst == 1.25, "nor of web processes"
    assert pace.new_identity(ProcessRole.WORKER) != pace.new_identity(ProcessRole.WORKER)


@pytest.mark.parametrize(("workers", "pools", "web"), [(1, 0, 1), (2, 0, 3), (15, 0, 7), (2, 2, 1), (1, 3, 2)])
def test_the_shares_of_every_split_are_the_whole(workers: int, pools: int, web: int) -> None:
    running = {ProcessRole.WORKER: workers, ProcessRole.POOL: pools, ProcessRole.WEB: web}
    assert sum(
        RateShare.for_role(role, 5, running).rate * process_count for role, process_count in running.items()
    ) == pytest.approx(5)


class WorkerCrowd:
    """Who has a row, and what each of them calls while there is always more to do."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.rows: set[str] = set()
        self.call_times: list[float] = []

    async def work(self, me: str, listed_after: float) -> None:
        """One worker that begins now."""
        keeper = Keeper(pacer := RateLimiter(self.rate), ProcessRole.WORKER, self.rate)
        for _ in range(1000):
            asyncio.ensure_future(call(pacer, self.call_times)).add_done_callback(lambda _: None)
        await asyncio.sleep(listed_after)
        self.rows.add(me)
        while True:
            keeper.adjust(running={ProcessRole.WORKER: len(self.rows)})
            await asyncio.sleep(pace.COUNTED_EVERY)

    def windows(self) -> list[float]:
        """What each five seconds had of the rate, after the first five."""
        begins = range(5, int(max(self.call_times)) - 5)
        return [
            sum(start <= called_at < start + 5 for called_at in self.call_times) / (5 * self.rate) for start in begins
        ]


@pytest.mark.parametrize("begin_at", [[0], [0, 0.4], [0, 0, 0.3, 0.9], [0, 8.3], [0, 20.5, 20.7, 40]])
def test_workers_that_begin_together_or_later_make_no_more_calls_in_all_than_the_rate_nor_much_fewer(
    begin_at: list[float],
) -> None:
    """Before, two that began together made seven calls a second of five for ten seconds."""
    crowd = WorkerCrowd(5)

    async def begins(number: int, begins_at: float) -> None:
        await asyncio.sleep(begins_at)
        await crowd.work(f"worker-{number}", listed_after=0.3 * (number + 1))

    async def story() -> None:
        work = [asyncio.ensure_future(begins(number, begins_at)) for number, begins_at in enumerate(begin_at)]
        await asyncio.sleep(70)
        for task in work:
            task.cancel()
        for remaining_task in asyncio.all_tasks() - {asyncio.current_task()}:
            remaining_task.cancel()

    lived(story())
    assert sum(called_at < 5 for called_at in crowd.call_times) <= 1.1 * 5 * crowd.rate
    assert len(crowd.windows()) > 50
    assert all(0.8 <= share <= 1.1 for share in crowd.windows()), crowd.windows()


def test_a_newcomer_that_cannot_tell_of_itself_begins_after_all() -> None:
    async def story() -> float:
        keeper = Keeper(pacer := RateLimiter(5), ProcessRole.WORKER, 5)
        call_times: list[float] = []
        waiting = asyncio.ensure_future(call(pacer, call_times))
        while not call_times:
            keeper.begin_calls()
            await asyncio.sleep(1)
        await waiting
        return call_times[0]

    assert lived(story()) == pace.UNLISTED_AT_MOST


@pytest.mark.parametrize(("other_count", "begins"), [(0, 0), (1, pace.COUNTED_EVERY)])
def test_a_newcomer_begins_at_once_if_it_is_alone_else_when_the_others_have_counted_it(
    other_count: int, begins: float
) -> None:
    async def story() -> float:
        keeper = Keeper(pacer := RateLimiter(5), ProcessRole.WORKER, 5)
        call_times: list[float] = []
        waiting = asyncio.ensure_future(call(pacer, call_times))
        while not call_times:
            keeper.adjust(running={ProcessRole.WORKER: other_count + 1})
            await asyncio.sleep(0.5)
        await waiting
        return call_times[0]

    assert lived(story()) == begins


def test_a_rest_earns_one_call_until_the_share_was_the_same_for_ten_seconds() -> None:
    async def story() -> tuple[int, int]:
        keeper = Keeper(pacer := RateLimiter(5), ProcessRole.WORKER, 5)
        keeper.adjust(running={ProcessRole.WORKER: 1})
        await asyncio.sleep(9)
        keeper.adjust(running={ProcessRole.WORKER: 1})
        early = await at_once(pacer)
        await asyncio.sleep(9)
        keeper.adjust(running={ProcessRole.WORKER: 1})
        await asyncio.sleep(2)
        return early, await at_once(pacer)

    assert lived(story()) == (1, 5)


async def at_once(pacer: RateLimiter) -> int:
    """How many of ten calls go without waiting."""
    call_times: list[float] = []
    calls = [asyncio.ensure_future(call(pacer, call_times)) for _ in range(10)]
    await asyncio.sleep(0.01)
    for pending_call in calls:
        pending_call.cancel()
    return len(call_times)


@pytest.mark.real_server
async def test_the_rate_set_at_the_queue_is_in_force(tmp_path: Path) -> None:
    async with real_server() as env:
        assert await pace.read(env.client, 5) == RateRecord(5, set_live=False)
        await set_queue_limit(env.client, 7)
        assert await pace.read(env.client, 5) == RateRecord(7, set_live=True)
        async with paced_process(env.client, Store(str(tmp_path)), ProcessRole.WEB) as calls:
            assert calls.rate == 0.5, "at once, as if the setting were it"
            await eventually(lambda: _is(calls, 0.7))


@pytest.mark.real_server
async def test_all_that_run_share_the_rate_and_one_that_stops_leaves_its_share_to_the_others(
    dev_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "COUNTED_EVERY", 0.01)
    client = await own_namespace(dev_server)
    stores = [Store(str(tmp_path)) for _ in range(2)]
    async with AsyncExitStack() as first:
        worker = await first.enter_async_context(paced_process(client, stores[0], ProcessRole.WORKER))
        web = await first.enter_async_context(paced_process(client, stores[0], ProcessRole.WEB))
        await eventually(lambda: _is(worker, 4.5))
        async with (
            paced_process(client, stores[1], ProcessRole.WORKER) as second_worker,
            paced_process(client, stores[1], ProcessRole.WEB) as other_web,
        ):
            for limiter, rate in ((worker, 2.25), (second_worker, 2.25), (web, 0.25), (other_web, 0.25)):
                await eventually(partial(_is, limiter, rate))
        assert (await stores[1].processes.count())[ProcessRole.WORKER] == 1
        await eventually(lambda: _is(worker, 4.5))
        await eventually(lambda: _is(web, 0.5))
    assert count(stores[0], "processes") == 0


@pytest.mark.real_server
async def test_one_two_and_one_workers_of_pools_make_no_more_calls_than_one_worker_would(
    dev_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One on requests, two on the calls, one on reconciliation, beside a web process."""
    monkeypatch.setattr(pace, "COUNTED_EVERY", 0.01)
    client, store = await own_namespace(dev_server), Store(str(tmp_path))
    async with AsyncExitStack() as split:
        roles = (ProcessRole.WORKER, ProcessRole.WORKER, ProcessRole.WEB)
        calls = [await split.enter_async_context(paced_process(client, store, role)) for role in roles]
        for limiter, rate in zip(calls, (2.25, 2.25, 0.5), strict=True):
            await eventually(partial(_is, limiter, rate))
        async with (
            paced_process(client, store, ProcessRole.POOL) as requests,
            paced_process(client, store, ProcessRole.POOL) as sweeps,
        ):
            for limiter, rate in zip((*calls, requests, sweeps), (2, 2, 0.5, 0.25, 0.25), strict=True):
                await eventually(partial(_is, limiter, rate))
            await sweeps.turn()
        await eventually(lambda: _is(calls[0], 2.25))


def test_a_worker_of_a_pool_calls_once_those_on_the_calls_have_counted_it() -> None:
    async def story() -> float:
        keeper = Keeper(pacer := RateLimiter(5), ProcessRole.POOL, 5)
        call_times: list[float] = []
        waiting = asyncio.ensure_future(call(pacer, call_times))
        while not call_times:
            keeper.adjust(running={ProcessRole.WORKER: 1, ProcessRole.POOL: 1})
            await asyncio.sleep(0.5)
        await waiting
        return call_times[0]

    assert lived(story()) == pace.COUNTED_EVERY


@pytest.mark.real_server
async def test_one_that_was_killed_shares_until_its_lease_is_over_and_no_longer(
    dev_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "COUNTED_EVERY", 0.01)
    client, store = await own_namespace(dev_server), Store(str(tmp_path))
    await store.processes.renew(Process("killed", ProcessRole.WORKER, "machine-1", "1"))
    async with paced_process(client, store, ProcessRole.WORKER) as worker:
        await eventually(lambda: _is(worker, 2.25))
        expired_at = (datetime.now(UTC) - LEASE).isoformat(timespec="microseconds")
        altered(store, "UPDATE processes SET seen_at = ? WHERE identity = 'killed'", expired_at)
        await eventually(lambda: _is(worker, 4.5))
    await store.processes.drop(datetime.now(UTC))
    assert count(store, "processes") == 1
    await store.processes.drop(datetime.now(UTC) + KEPT)
    assert count(store, "processes") == 0


@pytest.mark.real_server
async def test_while_the_database_is_away_the_share_stays_what_it_was(
    dev_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "COUNTED_EVERY", 0.01)
    client, store = await own_namespace(dev_server), Store(str(tmp_path))
    await store.processes.renew(Process("other", ProcessRole.WORKER, "machine-1", "1"))
    async with paced_process(client, store, ProcessRole.WORKER) as worker:
        await eventually(lambda: _is(worker, 2.25))
        with capture_logs() as logs, take_table_away(store, "processes"):
            await eventually(lambda: _is_told(logs, "who shares the rate cannot be read"))
            assert (worker.rate, logs[-1]["goes_on_at"]) == (2.25, 2.25)
            await worker.turn()


@pytest.mark.real_server
async def test_a_rate_that_cannot_be_read_stays_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "READ_EVERY", 0.01)
    async with AsyncExitStack() as closing:
        server = AsyncExitStack()
        env = await server.enter_async_context(real_server())
        closing.push_async_callback(server.aclose)
        await set_queue_limit(env.client, 20)
        async with paced_process(env.client, Store(str(tmp_path)), ProcessRole.WEB) as calls:
            await eventually(lambda: _is(calls, 2))
            await server.aclose()
            with capture_logs() as logs:
                await eventually(lambda: _is_told(logs, "the rate of record cannot be read"))
            assert (calls.rate, logs[-1]["goes_on_at"]) == (2, 2)
            await calls.turn()


@workflow.defn(sandboxed=False)
class AskingWorkflow:
    """Asks one activity how urgent it is."""

    @workflow.run
    async def run(self, is_second_run: bool = False) -> int:
        """Its answer, in the run after this one."""
        if not is_second_run:
            workflow.continue_as_new(True)
        urgency: int = await workflow.execute_activity(
            "urgency", start_to_close_timeout=timedelta(seconds=30), priority=workflow.info().priority
        )
        return urgency


@pytest.mark.long
@pytest.mark.real_server
async def test_the_urgency_of_a_request_reaches_the_line_and_so_does_the_end_of_the_attempt(dev_server: str) -> None:
    seconds_left: list[float] = []

    @activity.defn
    async def urgency() -> int:
        caller = CALLER.get()
        assert caller is not None
        assert caller.gives_up_at is not None
        seconds_left.append(caller.gives_up_at - asyncio.get_running_loop().time())
        return int(caller.urgency)

    client = await own_namespace(dev_server)
    interceptors = [PaceInterceptor()]
    async with Worker(
        client, task_queue="q", workflows=[AskingWorkflow], activities=[urgency], interceptors=interceptors
    ):
        urgent = priority("executive-approval", urgent=True)
        first = await client.execute_workflow(AskingWorkflow.run, id="urgent", task_queue="q", priority=urgent)
        second = await client.execute_workflow(AskingWorkflow.run, id="ordinary", task_queue="q")
        requested_priority = await _asked_for(client, "urgent")
    assert (first, second) == (Urgency.URGENT, Urgency.ORDINARY)
    assert (requested_priority.priority_key, requested_priority.fairness_key) == (
        urgent.priority_key,
        urgent.fairness_key,
    ), "shares as well"
    assert all(19 < seconds <= 20 for seconds in seconds_left)


async def _asked_for(client: Client, id: str) -> temporalio.api.common.v1.Priority:
    """The priority of the activity that the newest run has asked for."""
    history = await client.get_workflow_handle(id).fetch_history()
    scheduled = [event for event in history.events if event.HasField("activity_task_scheduled_event_attributes")]
    return scheduled[0].activity_task_scheduled_event_attributes.priority


@asynccontextmanager
async def paced_process(client: Client, store: Store, role: ProcessRole) -> AsyncIterator[RateLimiter]:
    """The pace of one more process; the setting is 5."""
    me = Process(pace.new_identity(role), role, "machine-1", "1")
    calls = RateLimiter(1)
    async with pace.keep_share(client, store.processes, calls, 5, lambda: me):
        yield calls


async def set_queue_limit(client: Client, rate: float) -> None:
    """What `temporal task-queue config set --queue-rps-limit` does."""
    request = UpdateTaskQueueConfigRequest(
        namespace=client.namespace, task_queue=SIGNATURE_QUEUE, task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    )
    request.update_queue_rate_limit.rate_limit.requests_per_second = rate
    await client.workflow_service.update_task_queue_config(request)


async def _is_told(logs: Sequence[EventDict], event: str) -> bool:
    return any(entry["event"] == event for entry in logs)


async def _is(calls: RateLimiter, rate: float) -> bool:
    return calls.rate == pytest.approx(rate)
