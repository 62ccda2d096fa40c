"""How it runs, at the desk: for whom, of whom, in their language, and as a file."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.metrics import Brought, Holder
from activities.records.app_pushes import AppPush, ReportedEvent
from activities.records.devices import InvalidMark, StoredDevice
from activities.records.facts import OutcomeFacts
from activities.records.figures import Scope
from starter.web.figures import FiguresAccess
from starter.web.rights import ReaderRole
from tests.activities.records.test_figures import EndedFacts, write
from tests.starter.web.desk.office import (
    DUTCH,
    ENGINEER,
    LEAD,
    MANAGER,
    NOW,
    OPERATOR,
    OWNER,
    REQUESTER,
    SIGNER,
    Office,
    office,
    text_of,
)
from workflows.kinds import Kind
from workflows.model.notifications import AppEventType
from workflows.model.subject import Status

DAY = 86_400.0
ASKED: dict[str, tuple[str, str]] = {REQUESTER: (REQUESTER, SIGNER), OWNER: (OWNER, ENGINEER)}


def make_signed_facts(days: float, ago: float = 1, kind: str = "nda", **overrides: Any) -> OutcomeFacts:
    plain: dict[str, Any] = {"notice": "reminder-2", "waited": {Holder.SIGNER: days * DAY}, "department": "Legal"}
    return OutcomeFacts(
        type=Kind.REQUEST.spec.prefix,
        kind=kind,
        status=Status.SIGNED,
        ended_at=NOW - timedelta(days=ago),
        late=False,
        seconds=days * DAY,
        turn_seconds=DAY,
        **{**plain, **overrides},
    )


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    """Two that the legal desk asked the chair, one of them escalated, and one of the owner for the engineer."""
    async with office(tmp_path) as opened_office:
        escalated: dict[str, Any] = {"brought": Brought.ALTERNATE, "brought_seconds": 3 * DAY}
        ended_requests = [
            EndedFacts(make_signed_facts(4), *ASKED[REQUESTER]),
            EndedFacts(make_signed_facts(8, **escalated), *ASKED[REQUESTER]),
            EndedFacts(make_signed_facts(2, ago=100), *ASKED[REQUESTER]),
            EndedFacts(make_signed_facts(1, kind="offer-letter"), *ASKED[OWNER]),
        ]
        for number, ended_request in enumerate(ended_requests):
            await write(opened_office.store, number, ended_request)
        yield opened_office


async def test_an_owner_sees_how_what_they_asked_for_went(desk: Office) -> None:
    page = await (await desk.come_in(REQUESTER)).get("/desk/figures")
    text = text_of(page)
    assert page.status_code == 200 and "<svg" in page.text
    for phrase in (
        "Requests",
        "2 ended · before: 1",
        "100 % before: 100 %",
        "Typical time 6 days before: 2 days",
        "whoever is asked 100 %",
        "reminder 2 2 before: 1",
        "1 was escalated (before: 0). The alternate acted in 1, the silent person after all in 0, nobody in 0.",
    ):
        assert phrase in text, text
    assert "UTC" not in text
    assert "Offer letter 1 ended" not in text, "of others they see nothing"


@pytest.mark.parametrize(
    ("person", "ended_count"), [(OPERATOR, 3), (MANAGER, 2), (OWNER, 1), (LEAD, 1), (SIGNER, None), (ENGINEER, None)]
)
async def test_operators_see_all_managers_their_people_and_others_nothing(
    desk: Office, person: str, ended_count: int | None
) -> None:
    browser = await desk.come_in(person)
    page = await browser.get("/desk/figures")
    assert ("Nothing of yours ended in these days." in text_of(page)) is (ended_count is None)
    assert ended_count is None or f"All {ended_count} ended" in text_of(page)
    assert ('/desk/figures" aria-current="page"' in page.text) is (ended_count is not None), "the tab"


@pytest.mark.long
async def test_an_operator_sees_who_was_reached_by_week_and_whom_to_give_a_device(desk: Office) -> None:
    push = AppPush("chair", "k" * 22, "ready", "signature-request:r", "Legal")
    for person in ("chair", OWNER):
        await desk.store.app_pushes.note(push._replace(person=person), ["d" * 12], NOW)
    event = ReportedEvent(AppEventType.RECEIVED, "k" * 22, "ready", "d" * 12, NOW)
    await desk.store.app_pushes.report("chair", [event], NOW)
    phone = StoredDevice("old-phone", "token", "android")
    await desk.store.devices.register(OWNER, phone, NOW)
    await desk.store.devices.mark(OWNER, "old-phone", InvalidMark("unregistered", NOW))
    text = text_of(await (await desk.come_in(OPERATOR)).get("/desk/figures"))
    assert "People whom a push reached, by week" in text and "1 of 2" in text
    assert "no device yet" in text and "the last device is invalid since" in text
    requester = text_of(await (await desk.come_in(REQUESTER)).get("/desk/figures"))
    assert "by week" not in requester and "without a working device" not in requester


async def test_by_department_few_have_no_time(desk: Office) -> None:
    operator = await desk.come_in(OPERATOR)
    text = text_of(await operator.get("/desk/figures?by=department"))
    assert "Legal 3 ended · before: 1" in text and "Typical time 24 hours before: fewer than 3" in text
    few = text_of(await operator.get("/desk/figures?by=department&kind=nda"))
    assert "Typical time fewer than 3" in few and "it would be about one person" in few


async def test_a_dutch_page_is_dutch(desk: Office) -> None:
    browser = await desk.come_in(DUTCH)
    for number, ended_request in enumerate((EndedFacts(make_signed_facts(3), DUTCH, SIGNER),), start=10):
        await write(desk.store, number, ended_request)
    text = text_of(await browser.get("/desk/figures"))
    assert "Zo loopt het" in text and "How it runs" not in text and "before" not in text


@pytest.mark.parametrize("query", ["since=yesterday", "since=2026-02-02&until=2026-02-01", "since=1990-01-01"])
async def test_days_that_cannot_be_counted_are_refused_with_the_form(desk: Office, query: str) -> None:
    browser = await desk.come_in(REQUESTER)
    page = await browser.get(f"/desk/figures?{query}")
    assert page.status_code == 400 and "These days cannot be counted" in text_of(page)
    assert (await browser.get(f"/desk/figures/csv?{query}")).status_code == 303


async def test_the_file_has_the_same_figures(desk: Office) -> None:
    browser = await desk.come_in(REQUESTER)
    answer = await browser.get("/desk/figures/csv?by=kind")
    assert answer.headers["content-disposition"].endswith('figures-2026-08-29-2026-11-26.csv"')
    rows = list(csv.reader(io.StringIO(answer.text.lstrip("\ufeff"))))
    assert ["request", "kind", "nda", "median_seconds", str(6 * DAY), str(2 * DAY)] in rows


def test_what_their_team_asked_for_counts_as_their_own() -> None:
    role = ReaderRole("ada", ("bo",), groups=frozenset({"sales"}))
    assert FiguresAccess.of_role(role) == FiguresAccess(Scope(("ada", "group:sales", "bo"), ("bo",)), ("bo",))
    assert FiguresAccess.of_role(replace(role, operator=True)) == FiguresAccess(None, None)
