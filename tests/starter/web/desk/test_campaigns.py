"""Campaigns at the desk: their list, the page of all for its owner, and for a manager their own people alone."""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from activities.people.file_directory import FileDirectory
from activities.records.audiences import MemberRow
from starter.queries import campaign as people
from starter.queries.campaign import SHOWN_AT_MOST
from starter.queries.commands import CommandRefused, NotConfirmed
from starter.temporal.connection import Context
from starter.web.desk import together
from starter.web.desk.campaigns import DEPARTMENTS_AT_MOST
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
    inside,
    office,
    text_of,
)
from tests.starter.web.desk.shelf import Shelf, audience
from tests.starter.web.desk.test_lists import titles
from workflows.model.campaign import Counts
from workflows.model.commands import Cancellation, Exemption, ReminderCommand
from workflows.model.file_faults import FileFault
from workflows.model.rejections import Rejection
from workflows.model.subject import Status
from workflows.model.timeline import EventType, TimelineEntry
from workflows.model.views import Attention, AttentionCode

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="module")]

CONDUCT, BIG = "acknowledgement-campaign:conduct", "acknowledgement-campaign:big"
MANY = 60
STRANGERS = [f"p-{number:012x}" for number in range(MANY)]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shelves(dev_server: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Context, Shelf, Shelf]:
    """A campaign of five people of three departments, one of many, and a request that is nobody's but its owner's."""
    context = await desk_at(dev_server, tmp_path_factory.mktemp("desk"))
    rows = [
        *audience(REQUESTER, manager=MANAGER, department="legal"),
        *audience(ENGINEER, manager=LEAD, department="it", begin=2),
        *audience(SIGNER, DUTCH, department="board", begin=3),
        *audience("p-00000000000a", manager=LEAD, department="it", begin=5),
    ]
    small = Shelf(context, rows, signed=(SIGNER,), opened=(ENGINEER,))
    large = Shelf(context, audience(*STRANGERS, manager=LEAD), id="big", due=(NOW - timedelta(days=1)).date())
    await small.lay_out()
    await large.lay_out()
    await open_request(context, "single", requester=OWNER, person=(SIGNER,))
    return context, small, large


@pytest_asyncio.fixture(loop_scope="module")
async def desk(tmp_path: Path, shelves: tuple[Context, Shelf, Shelf]) -> AsyncIterator[Office]:
    context, small, large = shelves
    async with office(tmp_path, context=context) as opened_office:
        opened_office.views = {CONDUCT: small.view, BIG: large.view}
        yield opened_office


async def test_the_owner_reads_how_everybody_stands_by_department_and_who_is_missing(desk: Office) -> None:
    page = await (await desk.come_in(OWNER)).get("/desk/campaigns/conduct")
    text = text_of(page)
    for phrase in (
        "1 of 5 has acknowledged.",
        "The last day is Mon, 30 Nov 2026.",
        "Late acknowledgements are accepted until Mon, 7 Dec 2026.",
        "asked 3",
        "has opened it 1",
        "has acknowledged 1",
        "it 0 of 2",
        "board 1 of 2",
        "4 still to acknowledge",
        "Engineer has opened it since Mon, 16 Nov, 15:00 Due Mon, 30 Nov, 18:00.",
        "p-00000000000a asked",
        "Stop the campaign",
    ):
        assert phrase in text, phrase
    assert '<progress max="5" value="1"' in page.text
    assert 'role="img" aria-label="The line of acknowledgements over time: 1 of 5"' in page.text


async def test_the_owner_exempts_extends_asks_again_and_has_the_report(desk: Office) -> None:
    owner = await desk.come_in(OWNER)
    page = await owner.get("/desk/campaigns/conduct")
    assert "Move the due date" in text_of(page)
    assert f'href="/people/desk/campaigns/conduct/exempt?person={ENGINEER}"' in page.text
    exemption_page = await owner.get(f"/desk/campaigns/conduct/exempt?person={ENGINEER}")
    assert "Engineer" in text_of(exemption_page)
    await owner.press(exemption_page, text="On leave")
    [(_, command, _)] = desk.commands
    assert isinstance(command, Exemption)
    assert (command.person, command.reason) == (ENGINEER, "On leave")
    report = await owner.get("/desk/campaigns/conduct/report.csv")
    assert report.headers["content-disposition"] == 'attachment; filename="conduct.csv"'
    assert len(report.text.splitlines()) == 1 + 5
    assert (await (await desk.come_in(LEAD)).get("/desk/campaigns/conduct/report.csv")).status_code == 404


async def test_a_manager_reads_of_their_own_people_and_of_nobody_else(desk: Office) -> None:
    lead = await desk.come_in(LEAD)
    page = await lead.get("/desk/campaigns/conduct")
    text = text_of(page)
    assert "0 of your 2 people have acknowledged." in text
    assert re.findall(r"<bdi>([^<]+)</bdi> <span", page.text) == ["Engineer", "p-00000000000a"]
    for foreign in ("Legal Desk", "Chair", "Finance", "board 1", "Everyone by status", "Stop the campaign", "of 5"):
        assert foreign not in text
    assert '<div class="chart"' not in page.text
    assert "What happened" not in text, "reasons and notices are for whoever asked"
    assert (await lead.get("/desk/campaigns/conduct/cancel")).status_code == 404


async def test_whoever_has_nobody_in_it_gets_the_answer_of_a_page_that_is_not_there(desk: Office) -> None:
    """Somebody of the audience is a stranger as well: theirs is the page of their own request."""
    for person in (SIGNER, DUTCH):
        browser = await desk.come_in(person)
        foreign, missing = [await browser.get(f"/desk/campaigns/{id}") for id in ("conduct", "no-such")]
        assert foreign.status_code == missing.status_code == 404
        assert text_of(foreign) == text_of(missing)


async def test_a_stranger_cannot_have_anybody_reminded(desk: Office) -> None:
    chair = await desk.come_in(SIGNER)
    [token] = re.findall(r'name="token" value="([^"]+)"', (await chair.get("/desk")).text)[:1]
    answer = await chair.post("/desk/campaigns/conduct/remind-members", {"token": token, "person": ENGINEER})
    assert (answer.status_code, desk.commands) == (404, [])
    lead = await desk.come_in(LEAD)
    form = read_reminder_form(await lead.get("/desk/campaigns/conduct"), ENGINEER)
    answer = await lead.post("/desk/campaigns/conduct/remind-members", form | {"person": REQUESTER})
    assert (answer.status_code, desk.commands) == (404, [])
    answer = await lead.post("/desk/campaigns/conduct/remind-members", form | {"token": "made.up"})
    assert (answer.status_code, desk.commands) == (403, [])


async def test_a_manager_reminds_one_and_it_is_one_command_however_often_the_form_is_sent(desk: Office) -> None:
    lead = await desk.come_in(LEAD)
    form = read_reminder_form(await lead.get("/desk/campaigns/conduct"), ENGINEER)
    answers = [await lead.post("/desk/campaigns/conduct/remind-members", form) for _ in range(2)]
    [(request, command, op), (_, _, repeated_op)] = desk.commands
    assert (request, command, op) == ("conduct.engineer", ReminderCommand(actor=LEAD, op=op), repeated_op)
    assert "1 person is being reminded." in text_of(await lead.get(inside(answers[1])))


@pytest.mark.long
async def test_all_below_are_reminded_a_page_at_a_time_and_it_is_said_how_many(desk: Office) -> None:
    lead = await desk.come_in(LEAD)
    page = await lead.get("/desk/campaigns/big")
    assert f"{MANY} still to acknowledge" in text_of(page)
    assert page.text.count(">Remind now<") == SHOWN_AT_MOST
    answer = await lead.post("/desk/campaigns/big/remind-members", read_reminder_form(page))
    assert [request for request, _, _ in desk.commands] == [f"big.{person}" for person in STRANGERS[:SHOWN_AT_MOST]]
    assert f"{SHOWN_AT_MOST} people are being reminded." in text_of(await lead.get(inside(answer)))
    [next_path] = re.findall(r'<a href="([^"]+)#missing">Show more', page.text)
    second = await lead.get(next_path)
    assert second.text.count(">Remind now<") == MANY - SHOWN_AT_MOST
    assert "Show those before" in second.text
    desk.commands.clear()
    await lead.post("/desk/campaigns/big/remind-members", read_reminder_form(second))
    assert [request for request, _, _ in desk.commands] == [f"big.{person}" for person in STRANGERS[SHOWN_AT_MOST:]]


async def test_of_more_people_than_are_looked_at_the_page_says_so(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "MINE_AT_MOST", MANY // 10)
    text = text_of(await (await desk.come_in(LEAD)).get("/desk/campaigns/big"))
    assert f"More than {MANY // 10} of your people are in it: only the first ones are counted here." in text
    assert f"{MANY // 10} still to acknowledge" in text


@pytest.mark.long
async def test_of_ten_times_the_departments_some_are_shown_and_the_others_counted(
    tmp_path: Path, shelves: tuple[Context, Shelf, Shelf]
) -> None:
    context, *_ = shelves
    rows = [MemberRow(number, f"one-{number}", f"department-{number:03}") for number in range(10 * DEPARTMENTS_AT_MOST)]
    shelf = Shelf(context, rows, id="wide", owner=REQUESTER, signed=[row.person for row in rows[5:]])
    async with office(tmp_path, context=context) as desk:
        desk.views["acknowledgement-campaign:wide"] = await shelf.lay_out()
        text = text_of(await (await desk.come_in(REQUESTER)).get("/desk/campaigns/wide"))
    assert text.count("department-") == DEPARTMENTS_AT_MOST
    assert "department-000 0 of 1" in text, "where most is missing"
    assert f"and {9 * DEPARTMENTS_AT_MOST} more" in text


async def test_not_everyone_could_be_asked_leads_to_the_rows_with_what_is_wrong(
    tmp_path: Path, shelves: tuple[Context, Shelf, Shelf]
) -> None:
    context, *_ = shelves
    unknown = FileFault.ROW_NOT_IN_DIRECTORY.to_message(person="nobody-here").model_dump_json()
    rows = [MemberRow(1, STRANGERS[0]), MemberRow(2, "nobody-here", says=unknown)]
    shelf = Shelf(context, rows, id="faulty", owner=REQUESTER)
    async with office(tmp_path, context=context) as desk:
        attention = (Attention(code=AttentionCode.NOT_ASKED, since=NOW, says=""),)
        desk.views["acknowledgement-campaign:faulty"] = (await shelf.lay_out()).replace(attention=attention)
        page = await (await desk.come_in(REQUESTER)).get("/desk/campaigns/faulty")
    assert '<a href="#not-asked">Not everyone could be asked.</a>' in page.text
    assert "line 2 · nobody-here in a wrong row Nobody in the directory has this id." in text_of(page)


async def test_what_is_overdue_says_so(desk: Office) -> None:
    lead = await desk.come_in(LEAD)
    assert text_of(await lead.get("/desk/campaigns/big")).count("Overdue since Wed, 25 Nov, 18:00.") == SHOWN_AT_MOST
    assert "Overdue" not in text_of(await lead.get("/desk/campaigns/conduct"))


async def test_a_reminder_that_is_not_taken_is_told_in_the_words_of_the_request(desk: Office) -> None:
    lead = await desk.come_in(LEAD)
    form = read_reminder_form(await lead.get("/desk/campaigns/conduct"), ENGINEER)
    desk.answer = CommandRefused(Rejection.JUST_TOLD.to_message())
    answer = await lead.post("/desk/campaigns/conduct/remind-members", form)
    assert (answer.status_code, 'role="alert"' in answer.text) == (409, True)
    assert "This was not done: they were told less than an hour ago." in text_of(answer)


async def test_where_nobody_answers_no_more_are_asked_and_the_same_form_can_be_sent_again(desk: Office) -> None:
    lead = await desk.come_in(LEAD)
    form = read_reminder_form(await lead.get("/desk/campaigns/big"))
    desk.answer = NotConfirmed("page-x")
    answer = await lead.post("/desk/campaigns/big/remind-members", form)
    assert (answer.status_code, len(desk.commands)) == (503, 10)
    assert read_reminder_form(answer)["token"] == form["token"]


async def test_reminding_all_waits_for_no_reminder_to_be_sent_and_comes_to_an_end_where_nothing_does(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = await desk.come_in(LEAD)
    form = read_reminder_form(await lead.get("/desk/campaigns/big"))
    await lead.post("/desk/campaigns/big/remind-members", form)
    assert desk.unwatched == len(desk.commands) == SHOWN_AT_MOST
    monkeypatch.setattr(together, "SECONDS_AT_MOST", 0.0)
    desk.gate = asyncio.Event()
    answer = await lead.post("/desk/campaigns/big/remind-members", form)
    assert (answer.status_code, read_reminder_form(answer)["token"]) == (503, form["token"])
    assert "We could not confirm this yet." in text_of(answer)


async def test_somebody_who_has_acknowledged_since_is_not_reminded(desk: Office) -> None:
    owner = await desk.come_in(OWNER)
    form = read_reminder_form(await owner.get("/desk/campaigns/conduct"), ENGINEER)
    answer = await owner.post("/desk/campaigns/conduct/remind-members", form | {"person": SIGNER})
    assert (answer.status_code, desk.commands) == (303, [])
    assert "0 people are being reminded." in text_of(await owner.get(inside(answer)))


async def test_the_owner_stops_it_as_other_things_are_stopped(desk: Office) -> None:
    owner = await desk.come_in(OWNER)
    asking = await owner.get("/desk/campaigns/conduct/cancel")
    assert "Nobody else is asked, and open requests end for good." in text_of(asking)
    answer = await owner.press(asking, text="Wrong document.")
    [(reference, command, op)] = desk.commands
    assert (reference, command) == (CONDUCT, Cancellation(actor=OWNER, reason="Wrong document.", op=op))
    assert "It is being stopped." in text_of(await owner.get(inside(answer)))


async def test_the_owner_reminds_everybody_by_the_command_of_the_campaign(desk: Office) -> None:
    owner = await desk.come_in(OWNER)
    asking = await owner.get("/desk/campaigns/conduct/remind")
    assert "Everybody who has not acknowledged gets a reminder at once." in text_of(asking)
    answer = await owner.press(asking, force="1")
    [(reference, command, op)] = desk.commands
    assert (reference, command) == (CONDUCT, ReminderCommand(actor=OWNER, force=True, op=op))
    assert "A reminder is on its way." in text_of(await owner.get(inside(answer)))
    assert (await (await desk.come_in(LEAD)).get("/desk/campaigns/conduct/remind")).status_code == 404


async def test_what_happened_is_told_in_words(desk: Office) -> None:
    entries = (
        TimelineEntry(at=NOW, happened=EventType.STARTED, who=OWNER),
        TimelineEntry(at=NOW, happened=EventType.FROZEN, about="5", why="07b6ac1ea4dc"),
        TimelineEntry(at=NOW, happened=EventType.WALKED_START, about="5"),
        TimelineEntry(
            at=NOW, happened=EventType.EXEMPTION_ASKED, about="engineer", who=OWNER, why="On leave.", said=True
        ),
        TimelineEntry(at=NOW, happened=EventType.EXEMPT, who=ENGINEER),
        TimelineEntry(at=NOW, happened=EventType.LATER_END_ASKED, about="2026-12-24", who=OWNER),
        TimelineEntry(at=NOW, happened=EventType.EXTENDED, about="2026-12-24"),
        TimelineEntry(at=NOW, happened=EventType.MEMBER_LATER_END_ASKED, about="2026-12-28", who=ENGINEER, by=OWNER),
        TimelineEntry(at=NOW, happened=EventType.MEMBER_EXTENDED, about="2026-12-28", who=ENGINEER),
        TimelineEntry(at=NOW, happened=EventType.MEMBER_RETRY_ASKED, who=ENGINEER, by=OWNER),
        TimelineEntry(at=NOW, happened=EventType.MEMBER_RETRY_ASKED, who=ENGINEER, by="token:crm", actor="token:crm"),
        TimelineEntry(at=NOW, happened=EventType.RETRY_ASKED, who=OWNER),
        TimelineEntry(at=NOW, happened=EventType.RETRY_REFUSED, refusal=Rejection.NOBODY_MENDED.to_message()),
        TimelineEntry(at=NOW, happened=EventType.AGAIN, about="2"),
        TimelineEntry(at=NOW, happened=EventType.JOINED, about="3"),
        TimelineEntry(at=NOW, happened=EventType.LEFT, about="1"),
        TimelineEntry(at=NOW, happened=EventType.WALKED_END, about="4"),
        TimelineEntry(at=NOW, happened=EventType.WALKED_EXTEND, about="4"),
        TimelineEntry(at=NOW, happened=EventType.WALKED_REMIND, about="4"),
    )
    desk.views[CONDUCT] = desk.views[CONDUCT].replace(timeline=entries)
    desk.pass_(minutes=1)
    text = text_of(await (await desk.come_in(OWNER)).get("/desk/campaigns/conduct"))
    for phrase in (
        "Owner asked for it",
        "People to be asked: 5",
        "Asked: 5",
        "Owner wants Engineer to be exempt On leave.",
        "Engineer need not acknowledge",
        "Owner wants it to be open until Thu, 24 Dec 2026",
        "Everybody has until Thu, 24 Dec 2026",
        "Engineer is to have until Mon, 28 Dec 2026 (by Owner)",
        "Engineer has until Mon, 28 Dec 2026",
        "Engineer is to be asked again (by Owner)",
        "Engineer is to be asked again · by a program",
        "Owner wants those asked again who could not be asked",
        "A change of the audience was not possible (what was wrong has not been corrected)",
        "Asked again: 2",
        "Joined: 3",
        "Left: 1",
        "Requests that were ended: 4",
        "Requests that are open longer: 4",
    ):
        assert phrase in text, phrase


@pytest.mark.long
async def test_a_name_that_is_for_no_locked_screen_is_not_told_a_manager(desk: Office) -> None:
    view = desk.views[CONDUCT]
    desk.views[CONDUCT] = view.replace(kind="offer-letter")
    text = text_of(await (await desk.come_in(LEAD)).get("/desk/campaigns/conduct"))
    assert "Code of conduct" not in text
    assert "A campaign" in text
    assert "Code of conduct" in text_of(await (await desk.come_in(OWNER)).get("/desk/campaigns/conduct"))


async def test_before_it_opens_and_after_its_end_the_page_says_so(desk: Office) -> None:
    view = desk.views[CONDUCT]
    owner = await desk.come_in(OWNER)
    desk.views[CONDUCT] = view.replace(frozen=None, opens_at=NOW + timedelta(days=3), counts=Counts())
    desk.pass_(minutes=1)
    assert "It opens on Sun, 29 Nov 2026, 15:00 (Amsterdam)." in text_of(await owner.get("/desk/campaigns/conduct"))
    assert (await (await desk.come_in(LEAD)).get("/desk/campaigns/conduct")).status_code == 404
    desk.pass_(minutes=1)
    desk.views[CONDUCT] = view.replace(status=Status.DONE_WITH_ERRORS)
    text = text_of(await owner.get("/desk/campaigns/conduct"))
    assert "Not everybody has acknowledged it. The report says who, and why." in text
    assert "Stop the campaign" not in text


async def test_nonsense_in_its_address_breaks_nothing(desk: Office) -> None:
    owner = await desk.come_in(OWNER)
    for query in ("from=-1", "from=x", "from=99999999999999", "reminded=<b>&of=%00", "done=<b>", "from=%F0%9D%9F%91"):
        assert (await owner.get(f"/desk/campaigns/conduct?{query}")).status_code == 200, query
    for id in ("%00", "a'b", "x" * 101):
        assert (await owner.get(f"/desk/campaigns/{id}")).status_code == 404, id


async def test_campaigns_are_listed_with_how_far_they_are_for_whom_they_concern(desk: Office) -> None:
    owner = await desk.come_in(OWNER)
    page = await owner.get("/desk/campaigns")
    assert titles(page.text) == ["Code of conduct", "Code of conduct"]
    assert 'href="/people/desk/campaigns/conduct?' in page.text
    text = text_of(page)
    assert "0 of 5 · 4 open" in text
    assert f"0 of {MANY} · {MANY} open" in text
    assert "Due in 4 days, Monday Mon, 30 Nov 2026" in text
    rows = list(csv.reader(io.StringIO((await owner.get("/desk/campaigns/csv")).text)))
    assert {row[7] for row in rows[1:]} == {"2026-11-25", "2026-11-30"}, (
        "the day, not the instant at which it is over everywhere"
    )
    assert '<progress max="5" value="0" aria-label="0 of 5">' in page.text
    assert len(titles((await (await desk.come_in(OPERATOR)).get("/desk/campaigns")).text)) >= 2
    for person, count in ((LEAD, 0), (SIGNER, 0)):
        assert len(titles((await (await desk.come_in(person)).get("/desk/campaigns")).text)) == count, person


async def test_whose_people_somebody_s_are_is_looked_up_once_for_all_rows_of_a_file(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up, reports = [], FileDirectory.reports

    async def counted(self: FileDirectory, manager: str) -> tuple[str, ...]:
        looked_up.append(manager)
        return await reports(self, manager)

    operator = await desk.come_in(OPERATOR)
    monkeypatch.setattr(FileDirectory, "reports", counted)
    file = await operator.get("/desk/campaigns/csv")
    assert len(file.text.splitlines()) > 2
    assert looked_up == [OPERATOR]


async def test_the_requests_of_a_campaign_drown_nothing_and_are_found_by_their_person_and_by_filters(
    desk: Office,
) -> None:
    owner = await desk.come_in(OWNER)
    listed_titles = titles((await owner.get("/desk/asked")).text)
    assert sorted(listed_titles) == ["Code of conduct", "Code of conduct", "The document of single"], (
        "the campaigns, once each"
    )
    by_kind = text_of(await owner.get("/desk/asked?kind=policy-acknowledgement"))
    assert f"{4 + MANY + 2} entries" in by_kind
    assert "1 entry" in text_of(await owner.get(f"/desk/asked?person={ENGINEER}"))
    assert titles((await (await desk.come_in(ENGINEER)).get("/desk")).text) == ["Code of conduct"]
    assert "1 entry" in text_of(await (await desk.come_in(LEAD)).get("/desk/people"))


@pytest.mark.parametrize("person", [OWNER, LEAD])
@pytest.mark.parametrize(
    ("locale", "phrase"),
    [
        ("nl", "nog niet bevestigd"),
        ("de", "noch nicht bestätigt"),
        ("fr", "encore à confirmer"),
        ("es", "aún sin confirmar"),
    ],
)
async def test_it_speaks_the_language_of_its_reader(desk: Office, person: str, locale: str, phrase: str) -> None:
    written = desk.people.read_text()
    desk.people.write_text(written.replace(f"{person}@example.test,", f"{person}@example.test, locale: {locale},"))
    text = text_of(await (await desk.come_in(person)).get("/desk/campaigns/conduct"))
    assert phrase in text
    assert "missing" not in text


def read_reminder_form(page: Any, person: str | None = None) -> dict[str, str]:
    """The form that reminds somebody, or everybody on the page."""
    for form in re.findall(r'<form[^>]* action="[^"]*/remind-members".*?</form>', page.text, re.DOTALL):
        fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
        if fields.get("person") == person:
            return fields
    raise AssertionError("no such form")
