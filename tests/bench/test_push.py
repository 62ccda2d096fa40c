"""The arithmetic of the push bench; the race itself is run by `make bench BENCH=push`."""

import pytest

from tests.bench.push import Beside


@pytest.mark.parametrize(("ours", "met"), [(200.0, True), (201.0, False)])
def test_the_aim_is_a_ratio_and_the_line_says_whether_it_was_met(ours: float, met: bool) -> None:
    beside = Beside(ours, smallest=100.0, by_hand=90.0)
    assert (beside.met, beside.as_json()["start.to_push_ms"]["ratio"]) == (met, ours / 100)
    assert beside.in_words().plain.endswith(f"by hand 90 ms: {ours / 90:.2f} ×")
    begins = f"start to push {ours:.0f} ms, the smallest workflow 100 ms: {ours / 100:.2f} ×"
    assert beside.in_words().plain.startswith(begins)
