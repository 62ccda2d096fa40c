"""The rate of record and its parts: read from a real server, kept when it cannot be read, never more in all than it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

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
from activities.temporal.interceptors import PaceInterceptor, priority
from starter.temporal import rates as pace
from starter.temporal.rates import Keeper, RateRecord, RateShare
from tests.activities.http.test_pacing import call, called, lived
from tests.faults.town import eventually
from tests.servers import own_namespace, real_server
from workflows.names import SIGNATURE_QUEUE

HALF_A_MINUTE = 30.0


@pytest.mark.parametrize("rate", [5.0, 20.0])
@pytest.mark.parametrize("workers", [1, 2, 6])
def test_under_load_every_half_minute_has_its_calls_however_many_workers_share(rate: float, workers: int) -> None:
    """Before, 1.6 a second of a setting of 5: the server's rate was split over partitions and charged four calls."""
    names = frozenset(f"worker-{number}" for number in range(workers))
    part = RateRecord(rate, set_live=False, workers=names).of_worker("worker-0")

    async def story() -> list[float]:
        each = int(rate * 60 / workers)
        went = await asyncio.gather(*(called(RateLimiter(part.rate, part.burst), each) for _ in range(workers)))
        return sorted(at for one in went for at in one)

    went = lived(story())
    windows = range(int(went[-1] - HALF_A_MINUTE))
    counts = [sum(begin <= at < begin + HALF_A_MINUTE for at in went) / (rate * HALF_A_MINUTE) for begin in windows]
    assert len(counts) > 20
    assert all(0.8 <= one <= 1.1 for one in counts)


def test_the_parts_of_all_are_the_whole_and_a_worker_that_is_not_listed_yet_counts_itself() -> None:
    record = RateRecord(5, set_live=True, workers=frozenset({"a", "b"}))
    assert record.of_worker("a") == record.of_worker("b") == RateShare(2.25, 5)
    assert record.of_worker("new").rate == pytest.approx(1.5)
    assert record.of_receiver().rate + 2 * record.of_worker("a").rate == pytest.approx(5)
    crowd = RateRecord(5, set_live=True, workers=frozenset(map(str, range(15))))
    assert crowd.of_worker("1").burst == 2, "not five at once each of fifteen"
    assert pace.identity_of_worker() != pace.identity_of_worker()


class Queue:
    """Who polls, as the server would list them, and what each of them calls while there is always more to do."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.polling: set[str] = set()
        self.went: list[float] = []

    async def work(self, me: str, listed_after: float) -> None:
        """One worker that begins now."""
        keeper = Keeper(pacer := RateLimiter(self.rate), lambda record: record.of_worker(me), me)
        for _ in range(1000):
            asyncio.ensure_future(call(pacer, self.went)).add_done_callback(lambda _: None)
        listed_at = asyncio.get_running_loop().time() + listed_after
        while True:
            if asyncio.get_running_loop().time() >= listed_at:
                self.polling.add(me)
            keeper.adjust(RateRecord(self.rate, set_live=False, workers=frozenset(self.polling)))
            await asyncio.sleep(pace.READ_EVERY_AT_FIRST)

    def windows(self) -> list[float]:
        """What each five seconds had of the rate, after the first five."""
        begins = range(5, int(max(self.went)) - 5)
        return [sum(one <= at < one + 5 for at in self.went) / (5 * self.rate) for one in begins]


@pytest.mark.parametrize("begin_at", [[0], [0, 0.4], [0, 0, 0.3, 0.9], [0, 8.3], [0, 20.5, 20.7, 40]])
def test_workers_that_begin_together_or_later_make_no_more_calls_in_all_than_the_rate_nor_much_fewer(
    begin_at: list[float],
) -> None:
    """Before, two that began together made seven calls a second of five for ten seconds."""
    queue = Queue(5)

    async def begins(number: int, at: float) -> None:
        await asyncio.sleep(at)
        await queue.work(f"worker-{number}", listed_after=0.3 * (number + 1))

    async def story() -> None:
        work = [asyncio.ensure_future(begins(number, at)) for number, at in enumerate(begin_at)]
        await asyncio.sleep(70)
        for one in work:
            one.cancel()
        for left in asyncio.all_tasks() - {asyncio.current_task()}:
            left.cancel()

    lived(story())
    assert sum(at < 5 for at in queue.went) <= 1.1 * 5 * queue.rate
    assert len(queue.windows()) > 50
    assert all(0.8 <= one <= 1.1 for one in queue.windows()), queue.windows()


def test_a_newcomer_that_is_never_listed_begins_after_all() -> None:
    async def story() -> float:
        keeper = Keeper(pacer := RateLimiter(5), RateRecord.of_receiver, "me")
        went: list[float] = []
        waiting = asyncio.ensure_future(call(pacer, went))
        while not went:
            keeper.adjust(RateRecord(5, set_live=False, workers=frozenset()))
            await asyncio.sleep(1)
        await waiting
        return went[0]

    assert lived(story()) == pace.UNLISTED_AT_MOST


def test_a_rest_earns_one_call_until_the_part_was_the_same_for_ten_seconds_and_who_rests_reads_seldom() -> None:
    async def story() -> tuple[int, int, bool, bool]:
        keeper = Keeper(pacer := RateLimiter(5), lambda record: record.of_worker("me"))
        alone = RateRecord(5, set_live=False, workers=frozenset({"me"}))
        keeper.adjust(alone)
        await asyncio.sleep(9)
        keeper.adjust(alone)
        early = await at_once(pacer)
        await asyncio.sleep(9)
        keeper.adjust(alone)
        await asyncio.sleep(2)
        seldom = keeper.is_due
        late = await at_once(pacer)
        return early, late, seldom, keeper.is_due

    assert lived(story()) == (1, 5, False, True)


async def at_once(pacer: RateLimiter) -> int:
    """How many of ten calls go without waiting."""
    went: list[float] = []
    calls = [asyncio.ensure_future(call(pacer, went)) for _ in range(10)]
    await asyncio.sleep(0.01)
    for one in calls:
        one.cancel()
    return len(went)


@pytest.mark.real_server
async def test_the_rate_set_at_the_queue_is_in_force_and_each_process_that_polls_counts_once() -> None:
    async with real_server() as env:
        assert await pace.read(env.client, 5) == RateRecord(5, set_live=False, workers=frozenset())
        async with polling(env.client, "one"), polling(env.client, "two"):
            both = RateRecord(5, set_live=False, workers=frozenset({"one", "two"}))
            await eventually(lambda: _reads(env.client, both), 60)
            await limit(env.client, 7)
            await eventually(
                lambda: _reads(env.client, RateRecord(7, set_live=True, workers=frozenset({"one", "two"})))
            )
            later = datetime.now(UTC) + timedelta(minutes=3)
            assert (await pace.read(env.client, 5, now=later)).workers == frozenset(), "they have not polled since"
            async with pace.kept(env.client, calls := RateLimiter(1), 5, RateRecord.of_receiver):
                assert calls.rate == 0.5, "at once, as if the setting were it"
                await eventually(lambda: _is(calls, 0.7))


@pytest.mark.real_server
async def test_a_rate_that_cannot_be_read_stays_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "READ_EVERY_AT_FIRST", 0.01)
    async with AsyncExitStack() as closing:
        server = AsyncExitStack()
        env = await server.enter_async_context(real_server())
        closing.push_async_callback(server.aclose)
        await limit(env.client, 20)
        async with pace.kept(env.client, calls := RateLimiter(1), 5, RateRecord.of_receiver):
            await eventually(lambda: _is(calls, 2))
            await server.aclose()
            with capture_logs() as logs:
                await eventually(lambda: _is_told(logs, "the rate of record cannot be read"))
            assert (calls.rate, logs[-1]["goes_on_at"]) == (2, 2)
            await calls.turn()


@workflow.defn(sandboxed=False)
class Asking:
    """Asks one activity how urgent it is."""

    @workflow.run
    async def run(self, again: bool = False) -> int:
        """Its answer, in the run after this one."""
        if not again:
            workflow.continue_as_new(True)
        urgency: int = await workflow.execute_activity(
            "urgency", start_to_close_timeout=timedelta(seconds=30), priority=workflow.info().priority
        )
        return urgency


@pytest.mark.real_server
async def test_the_urgency_of_a_request_reaches_the_line_and_so_does_the_end_of_the_attempt(dev_server: str) -> None:
    left: list[float] = []

    @activity.defn
    async def urgency() -> int:
        caller = CALLER.get()
        assert caller is not None
        assert caller.gives_up_at is not None
        left.append(caller.gives_up_at - asyncio.get_running_loop().time())
        return int(caller.urgency)

    client = await own_namespace(dev_server)
    interceptors = [PaceInterceptor()]
    async with Worker(client, task_queue="q", workflows=[Asking], activities=[urgency], interceptors=interceptors):
        urgent = priority("executive-approval", urgent=True)
        first = await client.execute_workflow(Asking.run, id="urgent", task_queue="q", priority=urgent)
        second = await client.execute_workflow(Asking.run, id="ordinary", task_queue="q")
        asked = await _asked_for(client, "urgent")
    assert (first, second) == (Urgency.URGENT, Urgency.ORDINARY)
    assert (asked.priority_key, asked.fairness_key) == (urgent.priority_key, urgent.fairness_key), "shares as well"
    assert all(19 < one <= 20 for one in left)


async def _asked_for(client: Client, id: str) -> temporalio.api.common.v1.Priority:
    """The priority of the activity that the newest run has asked for."""
    history = await client.get_workflow_handle(id).fetch_history()
    scheduled = [event for event in history.events if event.HasField("activity_task_scheduled_event_attributes")]
    return scheduled[0].activity_task_scheduled_event_attributes.priority


@asynccontextmanager
async def polling(client: Client, identity: str) -> AsyncIterator[None]:
    """Somebody who polls the queue, with several pollers and a connection of their own."""

    @activity.defn
    async def nothing() -> None:
        """Nothing."""

    own = await Client.connect(client.service_client.config.target_host, identity=identity)
    async with Worker(own, task_queue=SIGNATURE_QUEUE, activities=[nothing]):
        yield


async def limit(client: Client, rate: float) -> None:
    """What `temporal task-queue config set --queue-rps-limit` does."""
    request = UpdateTaskQueueConfigRequest(
        namespace=client.namespace, task_queue=SIGNATURE_QUEUE, task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    )
    request.update_queue_rate_limit.rate_limit.requests_per_second = rate
    await client.workflow_service.update_task_queue_config(request)


async def _reads(client: Client, record: RateRecord) -> bool:
    return await pace.read(client, 5) == record


async def _is_told(logs: Sequence[EventDict], says: str) -> bool:
    return any(one["event"] == says for one in logs)


async def _is(calls: RateLimiter, rate: float) -> bool:
    return calls.rate == pytest.approx(rate)
