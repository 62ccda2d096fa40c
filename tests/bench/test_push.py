"""The arithmetic of the push bench; the race itself is run by `make bench BENCH=push`."""

import pytest

from tests.bench.push import PushComparison


@pytest.mark.parametrize(("product", "floor", "is_met"), [(52.0, 40.0, True), (53.0, 40.0, False), (60.0, 50.0, False)])
def test_the_aims_are_a_ratio_and_a_time_and_the_line_says_whether_they_were_met(
    product: float, floor: float, is_met: bool
) -> None:
    comparison = PushComparison(product, floor)
    assert (comparison.is_met, comparison.as_json()["start.to_push_ms"]["ratio"]) == (is_met, round(product / floor, 2))
    assert comparison.in_words().plain.startswith(f"start to push {product:.0f} ms")
    assert f"the floor {floor:.0f} ms: {product / floor:.2f} ×" in comparison.in_words().plain
