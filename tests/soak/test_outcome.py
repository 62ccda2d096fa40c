"""What is judged of the samples of a run."""

from collections.abc import Callable, Sequence

from tests.soak.growth import Growth
from tests.soak.lateness import Lateness
from tests.soak.outcome import (
    find_lateness,
    find_process_growth,
    find_request_growth,
    measure_histories,
    measure_processes,
    measure_rises,
)
from tests.soak.samples import HistoryReading, ProcessReading, Sample


def make_samples(
    memory: Callable[[int], float] = lambda _: 200.0,
    rows: Callable[[int], int] = lambda ended: 3 * ended,
    events: Callable[[int], float] = lambda _: 40.0,
    killed_each: int = 5,
) -> Sequence[Sample]:
    """Forty samples of a worker that lives, and of one that is killed each so many samples."""
    return [
        Sample(
            seconds=10.0 * number,
            phase="steady",
            started=60 + number,
            ended=number,
            open_requests=60,
            running=60,
            processes={
                "worker-1": ProcessReading(100 + number // killed_each, 10.0 * number, 40),
                "worker-2": ProcessReading(7, memory(number), 40),
            },
            rows={"records": rows(number)} if number % 7 else None,
            files=2 * number if number % 6 == 0 else None,
            histories=HistoryReading(50, events(number), 20_000, 15_000),
        )
        for number in range(40)
    ]


def test_a_process_that_lives_as_long_as_the_run_must_not_grow() -> None:
    assert [*find_process_growth(measure_processes(make_samples()))] == []
    leak = measure_processes(make_samples(memory=lambda number: 200.0 + 3 * number))
    assert [*find_process_growth(leak)] == [
        "worker-2 grew from 244 to 304 MB, at most 284 are allowed"  # its second and last quarter
    ]


def test_a_process_that_is_killed_soon_is_shown_and_not_judged() -> None:
    judged = {process.name: process.is_judged for process in measure_processes(make_samples(killed_each=15))}
    assert judged == {"worker-1": False, "worker-2": True}


def test_rows_files_and_histories_stay_the_same_for_each_request() -> None:
    samples = make_samples()
    rises = measure_rises(samples)
    assert rises == {"records": (3, 3), "(files of the store)": (2, 2)}
    assert [*find_request_growth(measure_histories(samples), rises)] == []


def test_a_table_that_grows_faster_and_histories_that_get_longer_are_violations() -> None:
    samples = make_samples(rows=lambda ended: ended**2, events=lambda number: 40 + number)
    names = [reason.split()[0] for reason in find_request_growth(measure_histories(samples), measure_rises(samples))]
    assert names == ["histories", "records"]


def test_lateness_is_a_violation_beyond_five_seconds_and_where_nothing_was_measured() -> None:
    assert [*find_lateness(Lateness(100, 1, 5, 9))] == []
    assert len([*find_lateness(Lateness(100, 1, 5.1, 9))]) == len([*find_lateness(None)]) == 1


def test_no_sample_is_no_growth() -> None:
    assert measure_processes([]) == []
    assert measure_rises([]) == {}
    assert [*find_request_growth(Growth(60, 40, 41), {})] == []
