"""The steps over a large audience go through, with few people here and a hundred thousand in the bench."""

from tests.bench import audience
from tests.bench.audience import AudienceFigures, StepCost


async def test_every_step_over_an_audience_is_measured_with_its_seconds_and_megabytes() -> None:
    audience_figures = await audience.measure(people=20, step=audience.run_in_process)
    assert list(audience_figures.steps) == [
        "plan",
        "freeze",
        "status",
        "look",
        "settle",
        "report.csv",
        "report.json",
        "report.html",
    ]
    assert all(took.seconds > 0 and took.megabytes > 0 for took in audience_figures.steps.values())
    assert audience_figures.as_json()["audience.settle"]["people"] == 20


def test_a_step_is_green_within_both_aims() -> None:
    walked = AudienceFigures(
        100_000, {"plan": StepCost(16, 338), "settle": StepCost(61, 100), "report": StepCost(1, 501)}
    )
    colours = [
        (span.style, walked.in_words().plain[span.start : span.end].partition(":")[0])
        for span in walked.in_words().spans
    ]
    assert colours[:3] == [("green", "audience.plan"), ("red", "audience.settle"), ("red", "audience.report")]
