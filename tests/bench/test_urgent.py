"""The arithmetic of the urgent bench; the race itself is run by `make bench BENCH=urgent`."""

import pytest

from tests.bench.urgent import Course, UrgentFigures


@pytest.mark.parametrize(("slow", "p95", "is_met"), [(0, 2, True), (1, 2, True), (2, 11, False)])
def test_one_in_twenty_may_be_slow_and_not_two(slow: int, p95: float, is_met: bool) -> None:
    run = UrgentFigures(partitions=4, waiting=2_000, seconds=(*[2.0] * (20 - slow), *[11.0] * slow))
    assert (run.p95, run.is_met) == (p95, is_met)


def test_each_number_of_partitions_has_its_figure_and_its_line() -> None:
    course = Course((UrgentFigures(1, 1_990, (3.0,)), UrgentFigures(4, 1_980, (12.0,))))
    assert course.as_json() == {
        "urgent.start_to_push_p95_s.1": {"ours": 3.0, "aim": 10.0, "waiting": 1_990},
        "urgent.start_to_push_p95_s.4": {"ours": 12.0, "aim": 10.0, "waiting": 1_980},
    }
    line_of_one, line_of_four = course.in_words().plain.splitlines()
    assert line_of_one == "1 partition, 1,990 still waiting: 1 urgent, start to push p95 3.0 s (aim < 10 s)"
    assert line_of_four.startswith("4 partitions, 1,980 still waiting")
