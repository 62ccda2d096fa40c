"""Figures by the API: of whom a caller sees them, and what is refused. No server is asked."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.records.facts import OutcomeFacts
from starter.web.api.api import FIGURES_AT_ONCE
from tests.activities.records.test_figures import EndedFacts, write
from tests.starter.web.api.program import Program, program
from workflows.kinds import Kind
from workflows.model.subject import Status

NOWHERE: Any = None


def make_ended_request(kind: str, requester: str) -> EndedFacts:
    ended_at = datetime.now(UTC) - timedelta(minutes=1)
    return EndedFacts(
        OutcomeFacts(Kind.REQUEST.spec.prefix, kind, Status.SIGNED, ended_at, late=False, seconds=60.0),
        requester,
        "bob",
    )


@pytest.fixture
async def crm(tmp_path: Path) -> AsyncIterator[Program]:
    async with program(tmp_path, NOWHERE) as running_program:
        for number, ended_request in enumerate(
            (
                make_ended_request("nda", "ada"),
                make_ended_request("nda", "zoe"),
                make_ended_request("offer-letter", "ada"),
            )
        ):
            await write(running_program.context.store, number, ended_request)
        yield running_program


async def count_figures(crm: Program, token: str, path: str = "/figures") -> tuple[int, int, int]:
    """The status, how many ended, of how many departments the reach is told."""
    status, figures = await crm.calls("GET", path, token=token)
    return (
        status,
        sum(type_figures["total"]["now"]["ended"] for type_figures in figures.get("types", ())),
        len(figures.get("reach", ())),
    )


async def test_a_token_sees_the_figures_of_what_it_may_read(crm: Program) -> None:
    assert await count_figures(crm, crm.token) == (200, 3, 1)
    assert await count_figures(crm, crm.token, "/figures?kind=nda&by=month") == (200, 2, 1)
    assert await count_figures(crm, await crm.make_token("ndas", "read:nda")) == (200, 2, 0)
    assert await count_figures(crm, await crm.make_token("adas", "read:nda@ada")) == (200, 1, 0)
    assert (await count_figures(crm, await crm.make_token("starter", "start")))[0] == 403
    assert (await count_figures(crm, "cst_unknown"))[0] == 401


@pytest.mark.parametrize(
    "query", ["by=person", "since=yesterday", "since=2026-02-02&until=2026-02-01", "kind=a%20b", "more=1"]
)
async def test_what_cannot_be_counted_is_a_problem(crm: Program, query: str) -> None:
    status, problem = await crm.calls("GET", f"/figures?{query}")
    assert status == 422 and problem["type"] == "urn:countersign:invalid"


@pytest.mark.long
async def test_ten_times_as_many_calls_as_are_counted_at_once_are_all_answered(crm: Program) -> None:
    answers = await asyncio.gather(*(count_figures(crm, crm.token) for _ in range(10 * FIGURES_AT_ONCE)))
    assert set(answers) == {(200, 3, 1)}
