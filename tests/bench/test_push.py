"""The arithmetic of the push bench; the race itself is run by `make bench BENCH=push`."""

import pytest

from tests.bench.push import Beside


@pytest.mark.parametrize(("ours", "met"), [(130.0, True), (131.0, False)])
def test_the_aim_is_a_ratio_and_the_line_says_whether_it_was_met(ours: float, met: bool) -> None:
    beside = Beside(ours, 110.0, 100.0)
    assert (beside.met, beside.as_json()["start.to_push_ms"]["ratio"]) == (met, ours / 100)
    assert beside.in_words().plain.endswith(f"the smallest workflow 110 ms: {ours / 110:.2f} ×")
    assert beside.in_words().plain.startswith(f"start to push {ours:.0f} ms, by hand 100 ms: {ours / 100:.2f} ×")
