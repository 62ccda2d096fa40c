"""The arithmetic of the push bench; the race itself is run by `make bench BENCH=push`."""

import pytest

from tests.bench.push import PushComparison


@pytest.mark.parametrize(("product", "is_met"), [(200.0, True), (201.0, False)])
def test_the_aim_is_a_ratio_and_the_line_says_whether_it_was_met(product: float, is_met: bool) -> None:
    comparison = PushComparison(product, smallest=100.0, by_hand=90.0)
    assert (comparison.is_met, comparison.as_json()["start.to_push_ms"]["ratio"]) == (is_met, product / 100)
    assert comparison.in_words().plain.endswith(f"by hand 90 ms: {product / 90:.2f} ×")
    begins = f"start to push {product:.0f} ms, the smallest workflow 100 ms: {product / 100:.2f} ×"
    assert comparison.in_words().plain.startswith(begins)
