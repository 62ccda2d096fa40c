"""The arithmetic of the bench of web push; the race itself is run by `make bench BENCH=web`."""

import pytest

from tests.bench.web_push import WebPushComparison


@pytest.mark.parametrize(("web", "is_met"), [(5.2, True), (5.3, False)])
def test_the_aim_is_a_ratio_and_the_line_says_whether_it_was_met(web: float, is_met: bool) -> None:
    comparison = WebPushComparison(web, app=4.0)
    assert (comparison.is_met, comparison.as_json()["notice.cpu_ms"]["ratio"]) == (is_met, round(web / 4, 2))
    assert comparison.in_words().plain.startswith(f"a notice to a browser {web:.2f} ms of CPU, to an app 4.00 ms")
