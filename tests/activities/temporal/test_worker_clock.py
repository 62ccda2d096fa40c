"""A worker whose clock is off says so once a minute, and `doctor` has it; a rehearsal is no clock that is off."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.records.store import Store
from activities.temporal.clock import LOOKED_AT_EVERY, ClockSkewInterceptor, WorkerClockSkew, make_moved_clock_check
from starter.cli.doctor import own
from starter.cli.doctor.health import PartHealth
from tests.servers import own_namespace

GIVEN_OUT = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)


@dataclass
class Machine:
    """A worker's machine, which is so far ahead of the server."""

    folder: Path
    ahead: timedelta = timedelta()
    was_moved: bool = False
    passed: float = 0
    clock: ClockSkewInterceptor = field(init=False)

    def __post_init__(self) -> None:
        self.clock = ClockSkewInterceptor(
            "w-1",
            Store(str(self.folder)),
            self._was_moved,
            clock=lambda: GIVEN_OUT + self.ahead,
            monotonic_clock=lambda: self.passed,
        )

    async def _was_moved(self, _: str) -> bool:
        return self.was_moved

    async def works(self, *, late: float = 0) -> None:
        """An activity is given out, and begun so many seconds later."""
        await self.clock.compare(GIVEN_OUT - timedelta(seconds=late), "a")


@pytest.mark.parametrize("seconds", [600, -600, 6, -6])
async def test_it_is_said_once_a_minute(tmp_path: Path, seconds: int) -> None:
    machine = Machine(tmp_path, timedelta(seconds=seconds))
    with capture_logs() as log:
        for _ in range(3):
            for _ in range(100):
                await machine.works()
            machine.passed += LOOKED_AT_EVERY
        await machine.works()
    assert [line["seconds_ahead"] for line in log] == [seconds] * 3
    clock_reading = await WorkerClockSkew.latest(Store(str(tmp_path)))
    assert clock_reading == WorkerClockSkew(worker="w-1", ahead=seconds, at=GIVEN_OUT)


async def test_what_begins_late_or_in_a_rehearsal_is_no_clock_that_is_off(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with capture_logs() as log:
        for late in (60, 4, 60):
            machine.passed += LOOKED_AT_EVERY / 2
            await machine.works(late=late)
        machine.ahead, machine.was_moved = -timedelta(days=9), True
        machine.passed += LOOKED_AT_EVERY
        await machine.works()
    assert log == []
    assert await WorkerClockSkew.latest(Store(str(tmp_path))) is None


@pytest.mark.parametrize(("seconds", "message"), [(600, "600 s ahead of"), (-600, "600 s behind")])
async def test_doctor_names_the_worker_until_it_is_well_for_ten_minutes(
    tmp_path: Path, seconds: int, message: str
) -> None:
    store, now = Store(str(tmp_path)), datetime.now(UTC)
    assert (await own.worker_clock(store)).state is PartHealth.OK
    for ago, state in ((timedelta(minutes=1), PartHealth.WRONG), (timedelta(minutes=11), PartHealth.OK)):
        clock_reading = WorkerClockSkew(worker="7@host", ahead=seconds, at=now - ago)
        await store.notes.note_worker_clock(clock_reading.model_dump_json().encode())
        part = await own.worker_clock(store)
        assert part.state is state
        assert (f"worker 7@host is {message}" in part.says) is (state is PartHealth.WRONG)


@activity.defn
async def nothing() -> None:
    """Be given out."""


@workflow.defn
class Works:
    @workflow.run
    async def run(self) -> None:
        """Give it out."""
        await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=9))


@pytest.mark.real_server
@pytest.mark.parametrize(("ahead", "expected_seconds"), [(0, []), (600, [600])])
async def test_a_real_server_s_time_is_the_one_that_counts(
    dev_server: str, tmp_path: Path, ahead: int, expected_seconds: list[int]
) -> None:
    client: Client = await own_namespace(dev_server)
    minutes = iter(range(0, 6000, 60))
    clock = ClockSkewInterceptor(
        "w-1",
        Store(str(tmp_path)),
        make_moved_clock_check(client),
        clock=lambda: datetime.now(UTC) + timedelta(seconds=ahead),
        monotonic_clock=lambda: next(minutes),
    )
    worker = Worker(
        client,
        task_queue="q",
        workflows=[Works],
        activities=[nothing],
        interceptors=[clock],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    with capture_logs() as log:
        async with worker:
            await client.execute_workflow(Works.run, id="works", task_queue="q")
    assert [round(line["seconds_ahead"], -1) for line in log] == expected_seconds
