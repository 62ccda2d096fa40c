"""Lists of requests as visibility tells them: whom each waits for, what is overdue first, page by page.

Nobody works here, so whatever is told is told without asking a workflow.
"""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from activities.records.ended import ListFilter
from activities.records.starts import Start
from starter.errors import Refusal
from starter.queries import lists as pages
from starter.queries.filters import LIVING
from starter.queries.lists import RequestLine
from starter.temporal.connection import Context
from tests.faults.town import eventually
from tests.starter.queries.living import desk_at
from workflows import names
from workflows.kinds import Kind
from workflows.model.subject import Status

pytestmark = pytest.mark.real_server

NOW: Final = datetime(2026, 11, 26, 14, tzinfo=UTC)
OPEN: Final[dict[str, dict[str, Any]]] = {
    "next-week": {"due": NOW + timedelta(days=7), "person": ("customer-signer", "chair"), "kind": "nda"},
    "long-overdue": {"due": NOW - timedelta(days=9), "person": ("chair",)},
    "undated": {"status": Status.CONVERTING},
    "just-overdue": {"due": NOW - timedelta(hours=1), "person": ("chief-executive",), "requester": "sales"},
    "tomorrow": {"due": NOW + timedelta(days=1), "person": ("customer-signer",), "status": Status.VIEWED},
    "late-but-signed": {"due": NOW - timedelta(days=1), "status": Status.SIGNED, "stage": "settled"},
}
BY_URGENCY: Final = ["long-overdue", "just-overdue", "late-but-signed", "tomorrow", "next-week", "undated"]


async def open_request(
    context: Context,
    name: str,
    *,
    due: datetime | None = None,
    person: tuple[str, ...] = (),
    kind: str = "customer-contract",
    requester: str = "legal-desk",
    status: Status = Status.SENT,
    stage: str = "signing",
    follow_up_kind: Kind = Kind.REQUEST,
    teams: tuple[str, ...] = (),
) -> None:
    """A workflow with the attributes that a request, or what else it is, would have by now."""
    attributes: list[SearchAttributePair[Any]] = [
        SearchAttributePair(names.STATUS, status.value),
        SearchAttributePair(names.KIND, kind),
        SearchAttributePair(names.STAGE, stage),
        SearchAttributePair(names.REQUESTER, requester),
    ]
    if due:
        attributes.append(SearchAttributePair(names.DUE_AT, due))
    if person:
        turn_attribute = SearchAttributePair(names.TURN_AT, NOW - timedelta(days=3))
        attributes += [SearchAttributePair(names.WAITING_FOR, list(person)), turn_attribute]
    if teams:
        attributes.append(SearchAttributePair(names.TEAMS, list(teams)))
    await context.client.start_workflow(
        follow_up_kind.spec.workflow,
        id=follow_up_kind.workflow_id(name),
        task_queue=names.WORKFLOW_QUEUE,
        memo={names.MEMO_DOCUMENT: f"The document of {name}"},
        search_attributes=TypedSearchAttributes(attributes),
    )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def desk(dev_server: str, tmp_path_factory: pytest.TempPathFactory) -> Context:
    """A desk before six open requests."""
    folder: Path = tmp_path_factory.mktemp("desk")
    context = await desk_at(dev_server, folder)
    for name, attributes in OPEN.items():
        await open_request(context, name, **attributes)

    async def are_all_visible() -> bool:
        return (await pages.page(context, ListFilter(), now=NOW, size=1)).total == len(OPEN)

    assert await eventually(are_all_visible)
    return context


async def ids(desk: Context, list_filter: ListFilter) -> list[str]:
    return [line.id async for line in pages.everything(desk, list_filter, now=NOW)]


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_overdue_stands_first_then_what_is_due_next(desk: Context) -> None:
    page = await pages.page(desk, ListFilter(), now=NOW)
    assert [line.id for line in page.lines] == BY_URGENCY
    assert [line.id for line in page.lines if line.overdue] == ["long-overdue", "just-overdue"]
    assert (page.total, page.in_order, page.cursor) == (6, True, None)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_line_says_what_it_is_about_and_whom_it_waits_for_since_when(desk: Context) -> None:
    [line] = (await pages.page(desk, ListFilter(kind="nda"), now=NOW)).lines
    assert (line.id, line.document) == ("next-week", "The document of next-week")
    assert (line.waiting_for, line.since) == (("customer-signer", "chair"), NOW - timedelta(days=3))
    assert (line.requester, line.status, line.open) == ("legal-desk", "sent", True)
    assert line.workflow_id == "signature-request:next-week"


@pytest.mark.parametrize(
    ("list_filter", "expected_ids"),
    [
        (ListFilter(overdue=True), ["long-overdue", "just-overdue"]),
        (ListFilter(person="customer-signer"), ["tomorrow", "next-week"]),
        (ListFilter(person="chair", overdue=True), ["long-overdue"]),
        (ListFilter(requester="sales"), ["just-overdue"]),
        (ListFilter(kind="nda"), ["next-week"]),
        (ListFilter(statuses=(Status.VIEWED, Status.CONVERTING)), ["tomorrow", "undated"]),
        (ListFilter(attention=True), []),
        (ListFilter(person="nobody"), []),
    ],
    ids=str,
)
@pytest.mark.asyncio(loop_scope="module")
async def test_each_filter_narrows_the_list(desk: Context, list_filter: ListFilter, expected_ids: list[str]) -> None:
    assert await ids(desk, list_filter) == expected_ids


@pytest.mark.parametrize("bound", [2, 1_000], ids=["larger than what is sorted", "sorted"])
@pytest.mark.asyncio(loop_scope="module")
async def test_more_than_are_sorted_come_page_by_page_once_each_with_what_is_overdue_first(
    desk: Context, bound: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SORTED_AT_MOST", bound)
    ids_by_page, cursor = [], None
    while True:
        page = await pages.page(desk, ListFilter(), size=2, cursor=cursor, now=NOW)
        ids_by_page.append([line.id for line in page.lines])
        assert len(page.lines) <= 2
        if (cursor := page.cursor) is None:
            break
    assert page.in_order is (bound == 1_000)
    assert sorted(id for ids in ids_by_page for id in ids) == sorted(OPEN)
    assert set(ids_by_page[0]) == {"long-overdue", "just-overdue"}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_page_goes_on_where_it_ended_although_time_passes(desk: Context) -> None:
    """What becomes overdue between two pages is not lost between the parts."""
    first = await pages.page(desk, ListFilter(), size=4, now=NOW)
    second_page = await pages.page(desk, ListFilter(), size=4, cursor=first.cursor, now=NOW + timedelta(days=30))
    assert [line.id for line in (*first.lines, *second_page.lines)] == BY_URGENCY


NO_INSTANT = base64.urlsafe_b64encode(b'{"at":"0001-01-01T00:00:00+14:00","part":"overdue"}').decode()


@pytest.mark.parametrize(
    "cursor", ["x", "e30=", "A" * 100_000, "eyJhdCI6IjIwMjYtMTEtMjZUMTQ6MDA6MDBaIiwicGFydCI6MX0=", NO_INSTANT]
)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_no_cursor_is_refused(desk: Context, cursor: str) -> None:
    with pytest.raises(Refusal, match="begin at its first page"):
        await pages.page(desk, ListFilter(), cursor=cursor)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_cursor_with_another_server_s_token_is_refused(desk: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SORTED_AT_MOST", 1)
    first = await pages.page(desk, ListFilter(), size=1, now=NOW)
    forged = pages._Cursor.read(first.cursor or "").replace(token="bm8gdG9rZW4=")
    with pytest.raises(Refusal, match="begin at its first page"):
        await pages.page(desk, ListFilter(), cursor=forged.written())


@pytest.mark.parametrize("id", ["x' OR 'a' = 'a", "", "a b", "a" * 101])
@pytest.mark.parametrize("field", ["kind", "person", "requester"])
@pytest.mark.asyncio(loop_scope="module")
async def test_what_cannot_be_an_id_reaches_no_query(desk: Context, field: str, id: str) -> None:
    with pytest.raises(Refusal, match=f"{field}: .* cannot be an id"):
        await pages.page(desk, ListFilter(**{field: id}))  # type: ignore[arg-type]


@pytest.mark.asyncio(loop_scope="module")
async def test_lists_are_read_at_the_same_time(desk: Context) -> None:
    counted = await asyncio.gather(*(ids(desk, ListFilter(person="chair")) for _ in range(5)))
    assert {tuple(listed_ids) for listed_ids in counted} == {("long-overdue", "next-week")}


async def record_ended_request(context: Context, number: int) -> str:
    """One that ended so many days ago."""
    id, ended_at = f"ended-{number}", (NOW - timedelta(days=number)).isoformat()
    show = {"kind": "nda", "document": f"Terms {number}", "requester": "office", "status": "signed"}
    content = json.dumps({"show": show | {"signers": [{"person": "chair"}]}, "settled": {"at": ended_at}})
    await context.store.records.write(Kind.REQUEST.workflow_id(id), content.encode())
    return id


@pytest.mark.parametrize("bound", [2, 1_000], ids=["larger than what is sorted", "sorted"])
@pytest.mark.parametrize("size", [3, 100])
async def test_what_has_ended_comes_last_newest_first_whatever_temporal_has_forgotten(
    context: Context, bound: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    names_of = [await record_ended_request(context, number) for number in range(1, 6)]
    for name in ("next-week", "long-overdue", "tomorrow"):
        await open_request(context, name, **OPEN[name])
    # What is signed and still tells its targets has a record already.
    await open_request(context, names_of[1], status=Status.SIGNED, stage="settled", kind="nda")

    async def are_all_visible() -> bool:
        return (await pages.page(context, ListFilter(), now=NOW)).total == 8

    assert await eventually(are_all_visible)
    monkeypatch.setattr(pages, "SORTED_AT_MOST", bound)
    lines, cursor = list[RequestLine](), None
    while True:
        page = await pages.page(context, ListFilter(), size=size, cursor=cursor, now=NOW)
        lines += page.lines
        assert len(page.lines) == size or page.cursor is None
        if (cursor := page.cursor) is None:
            break
    ids_of = [line.id for line in lines]
    assert ids_of[0] == "long-overdue" and sorted(ids_of[1:4]) == ["ended-2", "next-week", "tomorrow"]
    assert ids_of[4:] == ["ended-1", "ended-3", "ended-4", "ended-5"]
    assert {line.open for line in lines[:4]} == {True} and {line.open for line in lines[4:]} == {False}
    assert (lines[4].document, lines[4].status, lines[4].requester) == ("Terms 1", "signed", "office")
    assert await ids(context, ListFilter(person="chair")) == ["long-overdue", "next-week", *ids_of[4:5], *names_of[2:]]
    assert await ids(context, ListFilter(person="chair", statuses=LIVING)) == ["long-overdue", "next-week"]
    assert await ids(context, ListFilter(statuses=(Status.DECLINED,))) == []


async def test_a_search_finds_what_runs_and_what_has_ended_by_words_that_begin_theirs(context: Context) -> None:
    for name, kind in (("msa-1", Kind.REQUEST), ("msa-2", Kind.REQUEST), ("other", Kind.REQUEST), ("t", Kind.TASK)):
        start = Start("nda", f"Terms of {name}", ("chair",), "office", None, NOW)
        await context.store.starts.begin(kind.workflow_id(name), start)
    await open_request(context, "msa-1", kind="nda", person=("chair",))
    await open_request(context, "other", kind="nda")
    content = {"show": {"kind": "nda", "document": "Terms of msa-2", "requester": "office", "status": "signed"}}
    await context.store.records.write(Kind.REQUEST.workflow_id("msa-2"), json.dumps(content).encode())

    async def are_all_visible() -> bool:
        return (await pages.page(context, ListFilter(), now=NOW)).total == 3

    assert await eventually(are_all_visible)
    assert await ids(context, ListFilter(search="ms")) == ["msa-1", "msa-2"]
    assert await ids(context, ListFilter(search="chai term")) == ["msa-1", "other", "msa-2"]
    assert await ids(context, ListFilter(search="msa", person="chair")) == ["msa-1"]
    assert await ids(context, ListFilter(search="msa", statuses=(Status.SIGNED,))) == ["msa-2"]
    assert await ids(context, ListFilter(search="terms", requester="office")) == ["msa-2"]
    first_page = await pages.page(context, ListFilter(search="terms"), size=2)
    second_page = await pages.page(context, ListFilter(search="terms"), size=2, cursor=first_page.cursor)
    assert (first_page.total, [line.id for line in second_page.lines]) == (3, ["msa-2"])
    assert await ids(context, ListFilter(search="nothing")) == []


async def in_pages(desk: Context, list_filter: ListFilter, size: int, sorting: pages.Sorting) -> list[str]:
    names_of, cursor = list[str](), None
    while True:
        page = await pages.page(desk, list_filter, size=size, cursor=cursor, now=NOW, sorting=sorting)
        names_of += [line.id for line in page.lines]
        if (cursor := page.cursor) is None:
            return names_of


GROUPED: Final = ListFilter(people=("chair", "chief-executive", "customer-signer", "legal-desk"), by_person=True)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("order", pages.ListOrder)
@pytest.mark.parametrize("list_filter", [ListFilter(), GROUPED], ids=["all", "grouped"])
@pytest.mark.asyncio(loop_scope="module")
async def test_pages_of_one_row_have_the_order_of_one_page(
    desk: Context, list_filter: ListFilter, order: pages.ListOrder, descending: bool
) -> None:
    all_at_once, single = [
        await in_pages(desk, list_filter, size, pages.Sorting(order, descending)) for size in (100, 1)
    ]
    assert single == all_at_once and sorted(all_at_once) == sorted(OPEN)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_list_that_grows_beyond_what_is_sorted_goes_on_up_to_twice_of_it(
    desk: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await pages.page(desk, ListFilter(), size=2, now=NOW)
    monkeypatch.setattr(pages, "SORTED_AT_MOST", 4)
    second_page = await pages.page(desk, ListFilter(), size=4, cursor=first.cursor, now=NOW)
    assert [line.id for line in (*first.lines, *second_page.lines)] == BY_URGENCY
    monkeypatch.setattr(pages, "SORTED_AT_MOST", 2)
    with pytest.raises(Refusal, match="begin at its first page"):
        await pages.page(desk, ListFilter(), size=2, cursor=first.cursor, now=NOW)
