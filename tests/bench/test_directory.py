"""The steps of a pushed directory go through, with few people here and ten thousand in the bench."""

import pytest

from tests.bench import directory
from tests.bench.directory import DirectoryFigures


@pytest.mark.long
async def test_a_directory_is_pushed_looked_up_and_emptied() -> None:
    figures = await directory.measure_in_process(people=50)
    assert (figures.people, figures.members, figures.held) == (50, 50, 20)
    assert list(figures.pushed) == ["entra.add", "entra.change", "okta.add", "okta.change"]
    assert all(seconds > 0 for seconds in (*figures.pushed.values(), figures.look_up_ms, figures.audience))


def test_a_figure_is_green_within_its_aim() -> None:
    words = DirectoryFigures(10_000, {"entra.add": 31, "okta.add": 29}, 1.5, 10_000, 3.1, 1_001, 200).in_words()
    coloured = [(span.style, words.plain[span.start : span.end].partition(":")[0]) for span in words.spans]
    assert coloured[:5] == [
        ("red", "directory.entra.add"),
        ("green", "directory.okta.add"),
        ("green", "directory.look_up"),
        ("red", "directory.audience"),
        ("green", "directory.memory"),
    ]
