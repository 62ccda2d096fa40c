"""What a task costs in the server's books: a rule of the engine, not of this machine."""

import pytest

from tests.bench import task


@pytest.mark.long
async def test_a_task_writes_at_most_a_fifth_more_than_the_least_workflow() -> None:
    comparison = await task.measure()
    assert {name: figure["ratio"] <= task.AIM for name, figure in comparison.as_json().items()} == {
        "task.actions": True,
        "task.events": True,
    }, comparison
