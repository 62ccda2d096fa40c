"""Lists of what has ended: the same as reading every record, page by page, each once."""

import itertools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from activities.records import ended as module
from activities.records.ended import EndedRow, ListFilter, PagePosition
from activities.records.starts import Start
from activities.records.store import Store
from tests.storage import altered
from workflows.kinds import Kind
from workflows.model.subject import Status

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
TYPES = (Kind.REQUEST.spec.prefix, Kind.TASK.spec.prefix)
PEOPLE = ("ada", "bo", "cy")
TEAMS = ("group:sales", "dora")
MANY = 60


async def write(store: Store, number: int) -> None:
    """One of many: every third is of a campaign, two end at the same instant."""
    kind = (Kind.REQUEST, Kind.TASK)[number % 5 == 0]
    campaign = number % 3 == 0
    workflow_id = kind.workflow_id(f"conduct.{number:02}" if campaign else f"r-{number:02}")
    parent, started_at = Kind.CAMPAIGN.workflow_id("conduct") if campaign else None, NOW - timedelta(days=90)
    await store.starts.begin(workflow_id, Start("nda", "Terms", (), "", parent, started_at))
    show = {
        "kind": ("nda", "msa")[number % 2],
        "document": f"Terms {number}",
        "requester": "hr" if campaign else PEOPLE[number % 3],
        "status": ("signed", "signed", "declined", "expired")[number % 4],
        "signers": [{"person": PEOPLE[number % 2], "state": "signed"}],
        "teams": TEAMS if number % 4 == 1 and not campaign else (),
    }
    ended_at = (NOW - timedelta(hours=number // 2)).isoformat()
    await store.records.write(workflow_id, json.dumps({"show": show, "settled": {"at": ended_at}}).encode())


@pytest_asyncio.fixture
async def store(tmp_path: Path, database_url: str) -> AsyncIterator[Store]:
    filled_store = Store(str(tmp_path), database_url)
    for number in range(MANY):
        await write(filled_store, number)
    yield filled_store
    filled_store.close()


def matches(row: EndedRow, ended_filter: ListFilter) -> bool:
    """By the row alone, as anybody would say it."""
    number = int(row.workflow_id[-2:])
    signer, campaign = PEOPLE[number % 2], "conduct." in row.workflow_id
    looks_at = number % 4 == 1 and not campaign and not {*TEAMS}.isdisjoint(ended_filter.teams)
    concerns = (
        looks_at
        or signer in ended_filter.people
        or (row.requester in ended_filter.people and (ended_filter.of_campaigns or not campaign))
    )
    return (
        row.workflow_id.partition(":")[0] in ended_filter.types
        and (not ended_filter.statuses or row.status in ended_filter.statuses)
        and ended_filter.kind in (None, row.kind)
        and ended_filter.requester in (None, row.requester)
        and ended_filter.person in (None, signer)
        and (not ended_filter.people or concerns)
        and (ended_filter.of_campaigns or bool(ended_filter.people) or ended_filter.person is not None or not campaign)
        and (ended_filter.ids is None or row.workflow_id in ended_filter.ids)
    )


IDS = tuple(Kind.REQUEST.workflow_id(f"r-{number:02}") for number in range(0, 40, 2))
FILTERS = [
    ListFilter(
        types,
        statuses,
        kind,
        person=person,
        requester=requester,
        people=people,
        teams=teams,
        of_campaigns=of_campaigns,
        ids=ids,
    )
    for (types, statuses), kind, person, requester, (people, teams), of_campaigns, ids in itertools.product(
        ((TYPES, ()), (TYPES[:1], (Status.DECLINED, Status.EXPIRED))),
        (None, "nda"),
        (None, "ada"),
        (None, "hr", "bo"),
        (((), ()), (("bo", "hr"), ()), (("cy",), TEAMS[:1])),
        (True, False),
        (None, IDS),
    )
]


@pytest.mark.long
async def test_every_filter_lists_what_matches_newest_first_once_and_counts_it(store: Store) -> None:
    everything = await store.ended_follow_ups.page(ListFilter(TYPES), MANY)
    assert len(everything) == MANY
    assert [row.page_position for row in everything] == sorted((row.page_position for row in everything), reverse=True)
    for ended_filter in FILTERS:
        expected = [row for row in everything if matches(row, ended_filter)]
        assert await store.ended_follow_ups.page(ended_filter, MANY) == expected, ended_filter
        assert await store.ended_follow_ups.count(ended_filter) == len(expected), ended_filter


@pytest.mark.parametrize("people", [(), ("bo", "hr")])
async def test_a_page_goes_on_where_the_one_before_it_ended(store: Store, people: tuple[str, ...]) -> None:
    ended_filter, listed, last_place = ListFilter(TYPES, people=people), list[EndedRow](), None
    while page := await store.ended_follow_ups.page(ended_filter, 7, last_place):
        listed += page
        last_place = PagePosition(page[-1].ended_at, page[-1].workflow_id)
    assert listed == await store.ended_follow_ups.page(ended_filter, MANY)


async def test_more_than_are_counted_are_one_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COUNTED_AT_MOST", 10)
    assert await store.ended_follow_ups.count(ListFilter(TYPES)) == 11


NOTHING = (False, False)
"""Neither is a target dead, nor a signed document missing."""


async def test_a_row_says_what_a_list_shows(store: Store) -> None:
    altered(store, "DELETE FROM record_lists")
    altered(store, "DELETE FROM records")
    show = {"kind": "nda", "document": "Terms", "requester": "hr", "status": "failed", "due_at": NOW.isoformat()}
    content = {"show": show | {"problem": {"code": "document_deleted"}}, "settled": {"at": NOW.isoformat()}}
    await store.records.write("signature-request:r", json.dumps(content).encode())
    assert await store.ended_follow_ups.page(ListFilter(TYPES), 2) == [
        EndedRow(
            "signature-request:r", "nda", "failed", "document_deleted", "Terms", "hr", NOW, NOW, None, False, False
        )
    ]
