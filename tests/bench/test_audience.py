"""The steps over a large audience go through, with few people here and a hundred thousand in the bench."""

from tests.bench import audience
from tests.bench.audience import Took, Walked


async def test_every_step_over_an_audience_is_measured_with_its_seconds_and_megabytes() -> None:
    found = await audience.measure(people=20, step=audience.here)
    assert list(found.steps) == [
        "plan",
        "freeze",
        "status",
        "look",
        "settle",
        "report.csv",
        "report.json",
        "report.html",
    ]
    assert all(took.seconds > 0 and took.megabytes > 0 for took in found.steps.values())
    assert found.as_json()["audience.settle"]["people"] == 20


def test_a_step_is_green_within_both_aims() -> None:
    walked = Walked(100_000, {"plan": Took(16, 338), "settle": Took(61, 100), "report": Took(1, 501)})
    colours = [
        (span.style, walked.in_words().plain[span.start : span.end].partition(":")[0])
        for span in walked.in_words().spans
    ]
    assert colours[:3] == [("green", "audience.plan"), ("red", "audience.settle"), ("red", "audience.report")]
