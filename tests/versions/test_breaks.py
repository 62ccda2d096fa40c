"""Deliberate breaks: the replay corpus must turn red for other code, and stay green for a change made with care."""

import pytest
from temporalio.workflow import NondeterminismError

from tests.versions.changed import (
    Unchanged,
    WithOneMoreActivity,
    WithOneMoreActivityBehindAPatch,
    WithoutATimer,
    WorkflowCode,
)
from tests.versions.replaying import refused_by

pytestmark = pytest.mark.long


@pytest.mark.parametrize("code", [WithOneMoreActivity, WithoutATimer])
async def test_an_activity_more_or_a_timer_less_turns_the_corpus_red(code: WorkflowCode) -> None:
    failures = await refused_by(code)
    assert len(failures) >= 4
    assert {type(failure) for failure in failures} == {NondeterminismError}


@pytest.mark.parametrize("code", [Unchanged, WithOneMoreActivityBehindAPatch])
async def test_the_same_change_behind_a_patch_breaks_nothing(code: WorkflowCode) -> None:
    assert await refused_by(code) == []
