"""What a file would change in a living request: planned twice from the same facts, compared notice by notice."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from activities.records.store import Store
from starter.errors import Refusal
from starter.plan.calendar import ChangeKindOfAction, Difference, compare
from starter.temporal import connection as context
from tests.activities.launch.papers import Desk
from tests.workflows.fakes import World
from tests.workflows.stage import Story, start_story

ALIKE: dict[str, Any] = {"hours": "any", "tell_requester": {"started": False}}
"""In what the policy of a file is the one of the living request."""


@pytest.fixture
async def living() -> AsyncIterator[Story]:
    async with start_story(World()) as living_story:
        await living_story.days_pass(0.1)
        yield living_story


async def compare_with_living(living: Story, folder: Path, id: str = "msa-0042", **changes: Any) -> Difference:
    papers = Desk(folder)
    prepared = await papers.prepare(**{"due": None, "policy": {"window": "30d", **ALIKE}, **changes})
    return await compare(
        context.Context(living.env.client, Store(str(folder / "store"))), prepared, papers.directory, id
    )


async def test_the_same_file_changes_nothing(living: Story, tmp_path: Path) -> None:
    difference = await compare_with_living(living, tmp_path)
    assert (difference.id, difference.changes) == ("msa-0042", ())
    assert difference.due_before == difference.due_after
    assert [change.field for change in difference.policy] == ["handoff"]


async def test_a_later_due_date_moves_what_depends_on_it(living: Story, tmp_path: Path) -> None:
    difference = await compare_with_living(living, tmp_path, policy={"window": "40d", **ALIKE})
    change_by_stage = {change.stage: change for change in difference.changes}
    assert set(change_by_stage) == {"warning-2d", "warning-1d", "expiry"}
    assert {change.what for change in difference.changes} == {ChangeKindOfAction.MOVED}
    assert (difference.due_after - difference.due_before).days == 10
    assert [change.field for change in difference.policy] == ["window", "handoff"]


async def test_fewer_reminders_and_another_warning(living: Story, tmp_path: Path) -> None:
    policy = {"window": "30d", "hours": "any", "reminders": {"most": 2}, "warnings": ["2d", "5d"]}
    difference = await compare_with_living(living, tmp_path, policy=policy)
    changed = {(change.what, change.stage) for change in difference.changes}
    assert changed == {
        (ChangeKindOfAction.REMOVED, "reminder-3"),
        (ChangeKindOfAction.REMOVED, "reminder-4"),
        (ChangeKindOfAction.REMOVED, "warning-1d"),
        (ChangeKindOfAction.ADDED, "warning-5d"),
        (ChangeKindOfAction.MOVED, "escalation"),
        (ChangeKindOfAction.MOVED, "escalated"),
    }


@pytest.mark.long
async def test_what_does_not_live_cannot_be_compared(living: Story, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="msa-9 is not a request that Temporal knows"):
        await compare_with_living(living, tmp_path, "msa-9")
    living.world.signatures.sign("customer-signer")
    living.world.signatures.sign("chief-executive")
    await living.callback()
    await living.handle.result()
    with pytest.raises(Refusal, match="msa-0042: nothing can be compared, it is nobody's turn"):
        await compare_with_living(living, tmp_path)
