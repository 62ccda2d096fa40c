"""What stands in the lists of the desk: for whom, in which order, how narrowed, and the same as a file."""

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.people.person import Reachable, SignersFile
from activities.people.pushed import derive
from activities.records.directory import MANY_LEAVE, ImportedPeople
from activities.records.ended import ListFilter
from activities.records.starts import Start
from starter.queries import lists as pages
from starter.temporal.connection import Context
from starter.web.desk.lists import PAGE_SIZE
from tests.faults.town import eventually
from tests.starter.queries.living import desk_at
from tests.starter.queries.test_listing import open_request
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
    form_of,
    office,
    text_of,
)
from tests.storage import altered
from workflows.kinds import Kind, kinds
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="module")]

MANY: Final = 55
KNOWN: Final[dict[str, dict[str, Any]]] = {
    "overdue": {"due": NOW - timedelta(days=2), "person": (SIGNER,), "requester": REQUESTER},
    "soon": {
        "due": NOW + timedelta(days=3),
        "person": (SIGNER, "signer-2"),
        "requester": REQUESTER,
        "kind": "offer-letter",
    },
    "mine": {"due": NOW + timedelta(days=4), "person": (REQUESTER,), "requester": "sales"},
    "signed": {"requester": REQUESTER, "status": Status.SIGNED, "stage": "settled"},
}
TASKS: Final[dict[str, dict[str, Any]]] = {
    "keys": {"due": NOW + timedelta(days=1), "person": ("engineer",), "requester": "owner", "status": Status.OPEN},
    "desk": {"person": ("engineer",), "requester": "owner", "status": Status.OPEN, "kind": "offer-letter"},
    "badge": {"requester": "owner", "status": Status.DONE, "stage": "settled"},
    "accounts": {
        "person": ("group:operations", "operator", "ops-2"),
        "requester": "sales",
        "status": Status.OPEN,
        "teams": ("group:operations",),
    },
}
ONBOARDINGS: Final[dict[str, dict[str, Any]]] = {
    "acme": {"person": ("operations-desk",), "requester": ENGINEER, "status": Status.OPEN, "stage": "your <details>"},
    "umbrella": {"person": ("legal-desk",), "requester": "sales", "status": Status.OPEN, "kind": "offer-letter"},
    "globex": {"person": (MANAGER,), "requester": "sales", "status": Status.OPEN, "stage": "live"},
    "initech": {"requester": ENGINEER, "status": Status.DONE, "stage": "settled"},
    "stark": {
        "person": ("operations-desk",),
        "requester": "sales",
        "status": Status.OPEN,
        "kind": "offer-letter",
        "teams": (DUTCH, "group:all-staff"),
    },
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def context(dev_server: str, tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Requests of some people, and many of one."""
    bulk_requests: dict[str, dict[str, Any]] = {f"bulk-{n}": {"requester": "finance-desk"} for n in range(MANY)}
    desk_context = await desk_at(dev_server, tmp_path_factory.mktemp("desk"))
    await asyncio.gather(
        *(open_request(desk_context, name, **attributes) for name, attributes in {**KNOWN, **bulk_requests}.items()),
        *(
            open_request(desk_context, name, follow_up_kind=Kind.TASK, **attributes)
            for name, attributes in TASKS.items()
        ),
        *(
            open_request(desk_context, name, follow_up_kind=Kind.ONBOARDING, **attributes)
            for name, attributes in ONBOARDINGS.items()
        ),
        open_request(desk_context, "order", person=("engineer",), requester="owner", due=NOW - timedelta(days=1)),
    )

    async def are_all_visible() -> bool:
        everything = ListFilter(types=tuple(kind.spec.prefix for kind in kinds()))
        return (await pages.page(desk_context, everything, now=NOW, size=1)).total == len(KNOWN) + MANY + len(
            TASKS
        ) + len(ONBOARDINGS) + 1

    assert await eventually(are_all_visible)
    return desk_context


@pytest_asyncio.fixture(loop_scope="module")
async def desk(tmp_path: Path, context: Context) -> AsyncIterator[Office]:
    async with office(tmp_path, context=context) as opened_office:
        yield opened_office


async def test_whose_turn_it_is_sees_what_waits_for_them_overdue_first(desk: Office) -> None:
    chair = await desk.come_in(SIGNER)
    page = await chair.get("/desk")
    text = text_of(page)
    assert titles(page.text) == ["The document of overdue", "The document of soon"]
    assert "2 entries" in text
    assert "Asked by Legal Desk" in text
    assert "Asked by Legal Desk since Mon, 23 Nov, 23:00" in text
    assert "2 days ago, Tuesday Tue, 24 Nov 2026, 23:00 (Tokyo)" in text
    assert "in 3 days" in text


@pytest.mark.long
async def test_whoever_stands_in_full_in_a_file_is_named_in_its_line_and_in_the_file(desk: Office) -> None:
    buyer = Reachable(name="Buyer", email="buyer@example.org", zone="Asia/Tokyo")
    signers = SignersFile.dump_signers([None, buyer], [None, "signer-2"]) or b""
    await desk.store.people.keep(Kind.REQUEST.workflow_id("soon"), "f" * 64, signers)
    legal = await desk.come_in(REQUESTER)
    assert "Waiting for Chair and Buyer since" in text_of(await legal.get("/desk/asked"))
    rows = {row[0]: row for row in csv.reader(io.StringIO((await legal.get("/desk/asked/csv")).text))}
    assert rows["soon"][5] == "Chair and Buyer"


async def test_no_row_repeats_the_title_of_its_list(desk: Office) -> None:
    waiting = text_of(await (await desk.come_in(SIGNER)).get("/desk")).partition("2 entries")[2]
    assert "Since" in waiting and "Waiting for" not in waiting
    asked_text = text_of(await (await desk.come_in(REQUESTER)).get("/desk/asked")).partition("entries")[2]
    assert "Waiting for" in asked_text and "Asked by" not in asked_text and "Legal Desk" not in asked_text


async def test_who_asked_sees_what_is_open_and_with_a_filter_the_rest(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    assert titles((await legal.get("/desk/asked")).text) == ["The document of overdue", "The document of soon"]
    assert titles((await legal.get("/desk/asked?status=signed")).text) == ["The document of signed"]
    assert len(titles((await legal.get("/desk/asked?status=any")).text)) == 3
    assert titles((await legal.get("/desk/asked?kind=offer-letter")).text) == ["The document of soon"]
    assert titles((await legal.get("/desk/asked?overdue=1")).text) == ["The document of overdue"]
    assert titles((await legal.get("/desk/asked?person=signer-2")).text) == ["The document of soon"]
    assert titles((await legal.get("/desk/asked?person=chair@example.test&kind=offer-letter")).text) != []
    assert 'value="chair"' in (await legal.get("/desk/asked?person=Chai")).text


@pytest.mark.long
async def test_what_runs_is_sorted_by_a_head_either_way_and_what_may_be_acted_on_can_be_ticked(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    page = await legal.get("/desk/asked?status=any&sort=-due")
    assert titles(page.text) == ["The document of soon", "The document of overdue", "The document of signed"]
    assert re.findall(r'name="ticked" value="([^"]+)"', page.text) == ["requests/soon", "requests/overdue"]
    assert 'sort=due" aria-label="Due: in reverse">Due ↓</a>' in page.text
    assert titles((await legal.get("/desk/asked?sort=title")).text) == [
        "The document of overdue",
        "The document of soon",
    ]
    assert titles((await legal.get("/desk/asked?sort=nonsense")).text)[0] == "The document of overdue"
    assert 'name="ticked"' not in (await legal.get("/desk/waiting")).text, "others ask for it"


async def test_my_teams_lists_what_waits_for_one_of_my_groups_and_names_the_group(desk: Office) -> None:
    operator = await desk.come_in(OPERATOR)
    page = await operator.get("/desk/teams")
    assert titles(page.text) == ["The document of accounts"]
    text = text_of(page)
    assert '<h2 class="group"><bdi>operations</bdi></h2>' in page.text
    assert "Waiting for operations since" in text and "ops-2" not in text
    assert "Filter" not in text, "of one row there is nothing to narrow"
    assert "The document of accounts" in titles((await operator.get("/desk")).text), "it waits for each of them as well"


@pytest.mark.long
async def test_tasks_stand_beside_requests_in_one_order_and_lead_to_pages_of_their_own(desk: Office) -> None:
    engineer = await desk.come_in(ENGINEER)
    page = await engineer.get("/desk")
    assert titles(page.text) == ["The document of order", "The document of keys", "The document of desk"]
    assert re.findall(r'class="what">\s*<a href="/people/desk/([^"?]+)', page.text) == [
        "requests/order",
        "tasks/keys",
        "tasks/desk",
    ]
    assert "3 entries" in text_of(page)
    assert titles((await engineer.get("/desk/waiting?what=task&kind=offer-letter")).text) == ["The document of desk"]
    rows = list(csv.reader(io.StringIO((await engineer.get("/desk/waiting/csv")).text)))
    assert [row[0] for row in rows[1:]] == ["order", "task:keys", "task:desk"]
    assert [row[3] for row in rows[1:]] == ["sent", "to be done", "to be done"]


async def test_kinds_are_called_by_their_labels_in_rows_filters_and_spreadsheet(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    page = await legal.get("/desk/asked?kind=offer-letter")
    assert '<option value="offer-letter" selected>Offer letter</option>' in page.text
    assert "The document of soon sent Offer letter" in text_of(page)
    rows = {row[0]: row for row in csv.reader(io.StringIO((await legal.get("/desk/asked/csv")).text))}
    assert rows["soon"][2] == "Offer letter"
    page = await (await desk.come_in(DUTCH)).get("/desk/asked")
    assert '<option value="offer-letter">Aanbiedingsbrief</option>' in page.text


async def test_a_view_has_the_numbers_of_the_lists_of_requests_and_of_tasks(desk: Office, context: Context) -> None:
    owner = await desk.come_in(OWNER)
    for kind in kinds():
        counted = (
            await pages.page(context, ListFilter(requester=OWNER, types=(kind.spec.prefix,)), now=NOW, size=1)
        ).total
        assert len(titles((await owner.get(f"/desk/asked?status=any&what={kind}")).text)) == counted
    assert len(titles((await owner.get("/desk/asked?status=any")).text)) == len(TASKS), (
        "without the task of another group, and with the order"
    )
    assert titles((await owner.get("/desk/asked?status=done")).text) == ["The document of badge"]


async def test_a_manager_reads_no_title_of_a_task_either_that_is_for_no_locked_screen(desk: Office) -> None:
    lead = await desk.come_in(LEAD)
    assert titles((await lead.get("/desk/people?what=task")).text) == [
        "The document of keys",
        "A task of kind Offer letter",
    ]


@pytest.mark.parametrize("nonsense", ["person=a'b", "kind=%00", "from=x", f"person={'x' * 101}"])
async def test_nonsense_in_an_address_is_told_and_nothing_breaks(desk: Office, nonsense: str) -> None:
    legal = await desk.come_in(REQUESTER)
    page = await legal.get(f"/desk/asked?{nonsense}")
    assert (page.status_code, 'role="alert"' in page.text) == (400, True)


async def test_a_manager_sees_what_waits_for_or_was_asked_by_their_people_and_no_title_that_is_for_no_locked_screen(
    desk: Office,
) -> None:
    head = await desk.come_in(MANAGER)
    page = await head.get("/desk/people?what=request")
    everything = ["The document of mine", "The document of overdue", "The document of soon"]
    assert titles(page.text) == everything, "all is asked by their people"
    assert titles((await head.get("/desk/asked")).text) == []
    assert (await head.get("/desk/attention")).status_code == 404


async def test_only_operators_see_what_needs_attention(desk: Office) -> None:
    assert (await (await desk.come_in(REQUESTER)).get("/desk/attention")).status_code == 404
    page = await (await desk.come_in(OPERATOR)).get("/desk/attention")
    assert "Nothing needs attention." in text_of(page)


async def test_onboardings_are_listed_with_their_stage_for_whom_they_concern(desk: Office) -> None:
    engineer = await desk.come_in(ENGINEER)
    page = await engineer.get("/desk/onboardings")
    assert titles(page.text) == ["The document of acme"]
    assert "under way Customer contract · your <details>" in text_of(page)
    assert "Waiting for operations-desk since Mon, 23 Nov, 15:00" in text_of(page)
    assert 'href="/people/desk/onboardings/acme?' in page.text
    assert "An onboarding" in titles((await (await desk.come_in(MANAGER)).get("/desk/onboardings")).text)
    assert len(titles((await engineer.get("/desk/onboardings?status=any")).text)) == 2
    for person, names in (
        (LEAD, ["acme"]),
        (REQUESTER, ["stark", "umbrella"]),
        (OWNER, ["stark"]),
        (DUTCH, ["stark"]),
        (OPERATOR, ["acme", "globex", "stark", "umbrella"]),
        (SIGNER, []),
    ):
        listed_titles = titles((await (await desk.come_in(person)).get("/desk/onboardings")).text)
        assert sorted(listed_titles) == [f"The document of {name}" for name in names], person


@pytest.mark.long
async def test_a_team_finds_its_onboardings_page_by_page_and_what_has_ended_as_well(
    desk: Office, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(PAGE_SIZE + 2):
        teams = ["group:all-staff"] if number else [DUTCH, DUTCH]
        show = {"kind": "offer-letter", "title": f"Customer {number}", "requester": "sales", "status": "done"}
        ended_at = (NOW - timedelta(days=number)).isoformat()
        record = json.dumps({"show": {**show, "teams": teams}, "settled": {"at": ended_at}}).encode()
        await context.store.records.write(Kind.ONBOARDING.workflow_id(f"c-{number}"), record)
    try:
        owner = await desk.come_in(OWNER)
        for sorted_at_most in (1_000, 0):
            monkeypatch.setattr(pages, "SORTED_AT_MOST", sorted_at_most or 2)
            first = await owner.get("/desk/onboardings?status=any")
            [next_path] = re.findall(r'class="again more" href="([^"]+)"', first.text) or [""]
            listed_titles = titles(first.text) + (
                titles((await owner.get(next_path.replace("&amp;", "&"))).text) if next_path else []
            )
            assert listed_titles == [
                "The document of stark",
                *(f"Customer {number}" for number in range(1, PAGE_SIZE + 2)),
            ]
        assert titles((await owner.get("/desk/onboardings?status=done")).text)[0] == "Customer 1"
        assert titles((await owner.get("/desk/onboardings?status=any&person=operations-desk")).text) == [
            "The document of stark"
        ]
        rows = list(csv.reader(io.StringIO((await owner.get("/desk/onboardings/csv?status=done")).text)))
        assert len(rows) == PAGE_SIZE + 2
        dutch = await desk.come_in(DUTCH)
        assert titles((await dutch.get("/desk/onboardings?status=done")).text) == ["Customer 0"]
    finally:
        for table in ("record_lists", "records", "start_words", "follow_ups"):
            altered(context.store, f"DELETE FROM {table}")  # noqa: S608  names of ours


async def test_an_address_that_is_none_is_our_page_with_a_way_back(desk: Office) -> None:
    page = await (await desk.come_in(REQUESTER)).get("/desk/nope")
    assert page.status_code == 404 and "There is no such page" in page.text and "To the desk" in page.text
    assert "Sign in" in (await desk.browser().get("/desk/nope")).text


async def test_a_long_list_goes_on_where_it_ended_and_its_file_has_the_same(desk: Office) -> None:
    finance = await desk.come_in("finance-desk")
    first = await finance.get("/desk/asked")
    assert len(titles(first.text)) == 50
    [next_path] = re.findall(r'class="again more" href="([^"]+)"', first.text)
    second = await finance.get(next_path.replace("&amp;", "&"))
    assert len({*titles(first.text), *titles(second.text)}) == MANY
    file = await finance.get("/desk/asked/csv")
    rows = list(csv.reader(io.StringIO(file.text.removeprefix("\ufeff"))))
    assert {row[0] for row in rows[1:]} == {f"bulk-{n}" for n in range(MANY)}
    assert file.headers["content-disposition"] == 'attachment; filename="countersign-asked-2026-11-26.csv"'


async def test_more_rows_than_are_sorted_come_all_the_same_and_the_page_says_how(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SORTED_AT_MOST", MANY // 10)
    finance = await desk.come_in("finance-desk")
    assert f"meer dan {MANY // 10}: nieuwste eerst, na wat te laat is" in text_of(await finance.get("/desk/asked"))
    file = await finance.get("/desk/asked/csv")
    rows = list(csv.reader(io.StringIO(file.text.removeprefix("\ufeff"))))
    assert {row[0] for row in rows[1:]} == {f"bulk-{n}" for n in range(MANY)}


async def test_a_server_that_is_away_is_a_page_that_says_so(tmp_path: Path, context: Context) -> None:
    nowhere = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    async with office(tmp_path, context=replace(context, client=nowhere)) as desk:
        legal = await desk.come_in(REQUESTER)
        answers = [await legal.get(path) for path in ("/desk", "/desk/asked", "/desk/asked/csv")]
    for answer in answers:
        assert (answer.status_code, "Temporal" in text_of(answer)) == (503, True)


def titles(page: str) -> list[str]:
    """The documents of a list, in its order."""
    return re.findall(r'<div class="what">\s*<(?:a|b)[^>]*>(?:<bdi>)?(.*?)</', page)


async def test_what_waits_for_a_manager_s_people_stands_together_by_person(desk: Office) -> None:
    desk.people.write_text(desk.people.read_text().replace("zone: Asia/Tokyo}", "zone: Asia/Tokyo, manager: lead}"))
    page = await (await desk.come_in(LEAD)).get("/desk/people")
    headings = re.findall(r'<h2 class="group"><bdi>([^<]+)</bdi></h2>', page.text)
    assert headings == ["Chair", "Engineer", "Asked by your people"], "the most urgent row of each decides"
    groups = [part.partition("</ul>")[0] for part in page.text.split('<h2 class="group">')[1:]]
    assert titles(groups[0]) == ["The document of overdue", "A document of kind Offer letter"]
    for name, group in zip(headings[:2], groups, strict=False):
        assert all(name in waiting_name for waiting_name in re.findall(r"Waiting for</span> <bdi>([^<]+)", group))


async def test_a_search_finds_what_runs_and_what_has_ended_by_words(desk: Office, context: Context) -> None:
    for name, title in (("soon", "Lease of the annex"), ("leased-before", "Lease of the hall")):
        start = Start("nda", title, (SIGNER,), REQUESTER, None, NOW)
        await context.store.starts.begin(Kind.REQUEST.workflow_id(name), start)
    show = {"kind": "nda", "document": "Lease of the hall", "requester": REQUESTER, "status": "signed"}
    content = json.dumps({"show": show | {"signers": [{"person": SIGNER, "state": "signed"}]}})
    await context.store.records.write(Kind.REQUEST.workflow_id("leased-before"), content.encode())
    try:
        legal = await desk.come_in(REQUESTER)
        page = await legal.get("/desk/asked?search=leas+ch")
        assert titles(page.text) == ["The document of soon", "Lease of the hall"]
        assert 'value="leas ch"' in page.text and "2 entries" in text_of(page)
        open_alone = await legal.get("/desk/asked?search=lease&status=open")
        assert titles(open_alone.text) == ["The document of soon"]
        [past_query] = re.findall(r'/desk/(asked[^"]+)">Show what has ended as well', open_alone.text)
        as_well = await legal.get(f"/desk/{unescape(past_query)}")
        assert titles(as_well.text) == ["The document of soon", "Lease of the hall"]
        assert "Show what has ended as well" not in as_well.text
        assert titles((await legal.get("/desk/asked?search=hall")).text) == ["Lease of the hall"]
        assert "There is nothing to show." in text_of(await legal.get("/desk/asked?search=nothing"))
        rows = list(csv.reader(io.StringIO((await legal.get("/desk/asked/csv?search=lease")).text)))
        assert [row[0] for row in rows[1:]] == ["soon", "leased-before"]
        assert (await legal.get(f"/desk/asked?search={'%25' * 300}")).status_code == 200
    finally:
        for table in ("record_lists", "records", "start_words", "follow_ups"):
            altered(context.store, f"DELETE FROM {table}")  # noqa: S608  names of ours


async def test_a_manager_neither_searches_nor_sorts_by_titles_that_they_may_not_know(
    desk: Office, context: Context
) -> None:
    """`soon` runs, `let-go` has ended; both are of a kind whose titles are for no locked screen."""
    desk.people.write_text(desk.people.read_text().replace("zone: Asia/Tokyo}", "zone: Asia/Tokyo, manager: lead}"))
    for id in ("soon", "let-go", "shown"):
        start = Start(
            "customer-contract" if id == "shown" else "offer-letter", "Dismissal", (SIGNER,), REQUESTER, None, NOW
        )
        await context.store.starts.begin(Kind.REQUEST.workflow_id(id), start)
    for id, kind in (("let-go", "offer-letter"), ("shown", "customer-contract")):
        show = {"kind": kind, "document": "Dismissal", "requester": REQUESTER, "status": "signed"}
        content = json.dumps({"show": show | {"signers": [{"person": SIGNER, "state": "signed"}]}})
        await context.store.records.write(Kind.REQUEST.workflow_id(id), content.encode())
    try:
        lead, head = await desk.come_in(LEAD), await desk.come_in(MANAGER)
        page = await lead.get("/desk/people?search=chair")
        assert titles(page.text) == ["Dismissal"] and "1 entry" in text_of(page)
        assert len(titles((await head.get("/desk/people?search=chair")).text)) == 3
        assert "soon" not in (await lead.get("/desk/people/csv?search=chair")).text
        for order in ("title", "-title"):
            page = await lead.get(f"/desk/people?what=request&status=open&sort={order}")
            of_chair = [title for title in titles(page.text) if title != "The document of order"]
            assert of_chair == ["The document of overdue", "A document of kind Offer letter"]
    finally:
        for table in ("record_lists", "records", "start_words", "follow_ups"):
            altered(context.store, f"DELETE FROM {table}")  # noqa: S608  names of ours


async def test_an_operator_alone_confirms_that_many_have_left(desk: Office, context: Context) -> None:
    directory, held = context.store.directory, "left the directory at once"
    entries = {f"p{number}": {"name": "N", "email": f"p{number}@company.example"} for number in range(MANY_LEAVE)}
    for people in (entries, {}):
        await directory.keep_imported(ImportedPeople(people), derive, NOW)
    assert (await directory.hold_exodus(NOW)).held == MANY_LEAVE
    operator, requester = await desk.come_in(OPERATOR), await desk.come_in(REQUESTER)
    overview = (await operator.get("/desk")).text
    assert held in overview
    assert held not in (await requester.get("/desk")).text
    _, form = form_of((await requester.get("/desk/away")).text)
    assert (await requester.post("/desk/leavers", form)).status_code == 404
    assert (await directory.exodus()).held == MANY_LEAVE
    [token] = re.findall(r'/desk/leavers">\s*<input type="hidden" name="token" value="([^"]+)"', overview)
    await operator.post("/desk/leavers", {"token": token})
    assert (await directory.exodus()).held == 0
