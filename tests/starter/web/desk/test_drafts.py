"""What is begun at the desk, before anything is sent: steps, refusals at their field, drafts of others."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from activities.files.pdf import MEGABYTE
from activities.people.file_directory import FileDirectory
from activities.people.language import Language
from activities.people.mailbox import MailboxSubstitutes
from activities.people.reader import Reader
from activities.records.drafts import DRAFTS_AT_MOST, Draft, DraftFile
from starter.plan.calendar import PlanLine
from starter.plan.task import TaskPlan
from starter.web.desk.document_field import size_of
from starter.web.desk.fixed_screens import DeskScreenName
from starter.web.desk.plan_view import PlanView
from starter.web.desk.responses import PeopleNames
from starter.web.desk.sessions import Visitor
from tests.starter.web.desk.drafting import PDF, File, continue_draft, read_draft_form, send_form
from tests.starter.web.desk.office import (
    DUTCH,
    MANAGER,
    NOW,
    OPERATOR,
    OWNER,
    REQUESTER,
    Browser,
    Office,
    office,
    text_of,
)
from workflows.model.messages import Message

NEW = "/desk/new/request"
AN_OFFER: File = ("offer.pdf", PDF, "application/pdf")
LOCKED = b"%PDF-1.7\ntrailer\n<< /Root 1 0 R /Encrypt 5 0 R >>\n%%EOF\n"
A_CONTRACT = {"kind": "sales-contract"}
FIVE_SCRIPTS = "Zoë Παπαδοπούλου Ольга 山田太郎 علي"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as opened_office:
        yield opened_office


async def signers_page(browser: Browser) -> httpx.Response:
    fields = {"kind": "sales-contract", "document.name": "An offer"}
    return await continue_draft(browser, await browser.get(NEW), fields=fields, pdf=AN_OFFER)


async def test_only_who_may_start_a_kind_begins_it_and_searches_the_directory(desk: Office) -> None:
    ada, ops = await desk.come_in(REQUESTER), await desk.come_in(OPERATOR)
    kinds = re.findall(r'<option value="([a-z-]+)"', (await ada.get(NEW)).text)
    assert "sales-contract" in kinds and "team-task" not in kinds
    assert {"team-task"} == set(re.findall(r'<option value="([a-z-]+)"', (await ada.get("/desk/new/task")).text))
    for path in (NEW, "/desk/new/task", "/desk/find/people?words=chair", f"/desk/drafts/request/{'a' * 12}/document"):
        assert (await ops.get(path)).status_code == 404, path
    assert (await ada.get("/desk/new/letter")).status_code == 404
    assert (await desk.browser().get(NEW)).text.count("Sign in")


async def test_the_form_says_where_a_number_is_enough(desk: Office) -> None:
    ada = await desk.come_in(REQUESTER)
    page = await continue_draft(ada, await signers_page(ada), "full")
    assert "one of the two is enough" not in page.text and "(not needed)" in page.text
    desk.directory.substitutes = MailboxSubstitutes(has_messaging=True, relay="*@relay.example")
    page = await continue_draft(ada, page, "full")
    assert "Or a phone number: one of the two is enough." in page.text and "(not needed)" not in page.text


async def test_a_request_is_written_step_by_step_and_what_would_happen_is_a_calendar(desk: Office) -> None:
    ada = await desk.come_in(REQUESTER)
    page = await signers_page(ada)
    page = await continue_draft(ada, page, "find", {"find": "chair"})
    page = await continue_draft(ada, page, "full")
    page = await continue_draft(
        ada, page, fields={"signers[1].name": FIVE_SCRIPTS, "signers[1].email": "zoe@customer.test"}
    )
    page = await continue_draft(ada, page)
    page = await continue_draft(ada, page, fields={"due": "2026-12-18", "message": "Before the kick-off,\r\nplease."})
    text = text_of(page)
    for phrase in (
        "If nobody acts",
        "If the others sign two days after they are asked",
        f"Asked {FIVE_SCRIPTS}",
        "Chair 23:00 (Tokyo) it is their turn",
        "reminder 1 of 4, 3 days after the request arrived",
        "Last warning Chair",
        "Due",
        "moved from Sun, 29 Nov, 15:00; not a working day",
    ):
        assert phrase in text, phrase
    assert "send" in read_draft_form(page).buttons
    [draft] = await desk.store.drafts.list_drafts(REQUESTER)
    assert draft.content["message"] == "Before the kick-off,\nplease."
    assert draft.content["signers"][1]["name"] == FIVE_SCRIPTS
    assert [signer["order"] for signer in draft.content["signers"]] == [1, 2]


async def test_refusals_stand_at_their_fields_and_what_was_typed_stays(desk: Office) -> None:
    ada = await desk.come_in(REQUESTER)
    page = await send_form(ada, await ada.get(NEW), fields={"document.name": "An offer"})
    assert page.status_code == 422
    assert "2 things are still missing or wrong." in text_of(page)
    assert re.search(r'id="f-kind-e">This is needed\.<.*?aria-describedby="f-kind-e"', page.text, re.DOTALL)
    assert re.search(r'id="f-document-file-e">A PDF or a template is needed\.', page.text)
    assert read_draft_form(page).fields["document.name"] == "An offer"
    page = await continue_draft(
        ada, page, fields={"kind": "sales-contract", "document.template": "https://core.example/templates/1"}
    )
    page = await send_form(ada, page)
    assert "This is needed." in text_of(page) and page.status_code == 422
    page = await continue_draft(ada, page, "full")
    page = await send_form(
        ada, page, fields={"signers[0].name": "Eve", "signers[0].email": "eve", "signers[0].zone": "Mars"}
    )
    assert re.search(r'id="f-signers-0-email-e">This is no email address\.', page.text)
    assert re.search(r'id="f-signers-0-zone-e">A time zone such as', page.text)
    page = await send_form(ada, page, fields={"signers[0].email": "", "signers[0].zone": "UTC"})
    assert re.search(r'id="f-signers-0-email-e">This is needed\.', page.text)
    page = await continue_draft(ada, page, "remove:0")
    page = await continue_draft(ada, await continue_draft(ada, page, "add:chair"))
    page = await send_form(ada, await continue_draft(ada, page), fields={"due": "2026-11-01"})
    assert re.search(r'id="f-due-e">This day has passed\.', page.text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LOCKED, "This PDF is protected by a password, so that nobody could sign in it"),
        (b"PK\x03\x04", "This is no PDF file."),
        (b"", "This file is empty."),
        (PDF + b"x" * (21 * MEGABYTE - len(PDF)), "It is 21.0 MB large: at most 20 MB can be sent."),
    ],
)
async def test_a_document_that_cannot_be_sent_is_refused_at_its_field(
    desk: Office, content: bytes, message: str
) -> None:
    ada = await desk.come_in(REQUESTER)
    page = await send_form(ada, await ada.get(NEW), "next", A_CONTRACT, ("x.pdf", content, "application/pdf"))
    assert page.status_code == 422
    assert re.search(rf'id="f-document-file-e">{message}', page.text)
    assert read_draft_form(page).fields["kind"] == "sales-contract"


@pytest.mark.long
async def test_a_document_of_the_largest_size_is_taken_and_ten_times_that_is_dropped_unread(desk: Office) -> None:
    ada = await desk.come_in(REQUESTER)
    largest = PDF + b"x" * (20 * MEGABYTE - len(PDF))
    page = await continue_draft(ada, await ada.get(NEW), "next", A_CONTRACT, ("a.pdf", largest, "application/pdf"))
    assert "draft-signers" in page.text
    huge = ("b.pdf", PDF + b"x" * 200 * MEGABYTE, "application/pdf")
    page = await continue_draft(ada, await ada.get(NEW), "next", A_CONTRACT, huge)
    assert "It is too large: at most 20 MB can be sent." in text_of(page)


async def test_signers_are_ordered_by_buttons_and_asked_together_by_a_box(desk: Office) -> None:
    ada = await desk.come_in(REQUESTER)
    page = await signers_page(ada)
    for person in ("chair", "lead", "engineer"):
        page = await continue_draft(ada, page, f"add:{person}")
    page = await continue_draft(ada, page, "down:0")
    assert re.search(r'value="down:1"[^>]* autofocus', page.text), "the button that was pressed has the focus"
    page = await continue_draft(ada, page, "move:2:0", {"signers[1].together": "1"})
    [draft] = await desk.store.drafts.list_drafts(REQUESTER)
    assert [signer["person"] for signer in draft.content["signers"]] == ["engineer", "lead", "chair"]
    assert [signer["order"] for signer in draft.content["signers"]] == [1, 1, 2]
    for nonsense in ("up:0", "up:99", "move:0:99", "move:x", "remove:", "add:nobody", "dance"):
        page = await continue_draft(ada, page, nonsense)
    assert (await send_form(ada, page, "add:chair")).status_code == 422
    [draft] = await desk.store.drafts.list_drafts(REQUESTER)
    assert len(draft.content["signers"]) == 3


async def test_people_are_found_by_parts_of_names_without_accents(desk: Office) -> None:
    desk.people.write_text(
        desk.people.read_text() + f'  - {{id: zoe, name: "{FIVE_SCRIPTS}", email: z@example.test, zone: UTC}}\n'
    )
    ada = await desk.come_in(REQUESTER)
    for search_text in ("zoe", "ΠΑΠΑΔΟΠΟΥΛΟΥ", "ольга", "太郎", "علي", "z@example"):
        matches = (await ada.http.get("/people/desk/find/people", params={"words": search_text})).json()
        assert matches == {"people": [{"id": "zoe", "name": FIVE_SCRIPTS, "about": ""}], "groups": []}, search_text
    page = await send_form(ada, await signers_page(ada), "find", {"find": "desk"})
    assert set(re.findall(r'value="add:([a-z-]+)"', page.text)) == {"legal-desk", "finance-desk"}
    page = await send_form(ada, page, "enter", {"find": "nobody at all"})
    assert "Nobody is found." in text_of(page)


async def reviewers_page(browser: Browser) -> httpx.Response:
    return await continue_draft(browser, await continue_draft(browser, await signers_page(browser), "add:chair"))


async def test_reviewers_are_people_and_groups_in_their_order_and_the_calendar_has_their_review(desk: Office) -> None:
    ada = await desk.come_in(REQUESTER)
    page = await reviewers_page(ada)
    assert "If changes are asked for in 5 rounds, it ends." in text_of(page)
    page = await continue_draft(ada, page, "find", {"find": MANAGER})
    page = await continue_draft(ada, page, "find", {"find": "all-staff"})
    assert (await send_form(ada, page, "group:all-staff")).status_code == 422
    page = await ada.get(page.url.path)
    page = await continue_draft(ada, page, fields={"reviewers[1].rule": "all", "reviewers[1].together": "1"})
    text = text_of(await continue_draft(ada, page)).partition("use strict")[0]
    for phrase in (
        "If nobody reviews it",
        "If it is approved when its review is due, and nobody signs",
        "Approves Head of Legal when its review is due",
        "Asked Owner it is their turn",
    ):
        assert phrase in text, phrase
    [draft] = await desk.store.drafts.list_drafts(REQUESTER)
    assert draft.content["reviewers"] == [
        {"person": MANAGER, "order": 1},
        {"group": "all-staff", "rule": "all", "order": 1},
    ]


async def test_whoever_cannot_review_is_refused_at_their_row(desk: Office) -> None:
    ada = await desk.come_in(REQUESTER)
    desk.people.write_text(desk.people.read_text().replace("  - {id: chair,", "  - {id: chair, groups: [board],"))
    page = await reviewers_page(ada)
    for act in (f"add:{REQUESTER}", "group:board", "group:nobody", "full", "add:nobody"):
        page = await continue_draft(ada, page, act)
    page = await send_form(ada, page)
    assert re.search(r'id="f-reviewers-0-person-e">Nobody reviews what they ask for themselves\.', page.text)
    assert re.search(r'id="f-reviewers-2-group-e">There is no such group any more\.', page.text)
    page = await continue_draft(ada, await continue_draft(ada, page, "remove:2"), "remove:0")
    template = {"document.template": "https://core.example/templates/1"}
    page = await continue_draft(ada, await ada.get(page.url.path.replace("review", "document")), fields=template)
    page = await send_form(ada, await ada.get(page.url.path.replace("signers", "review")))
    assert re.search(r"Only a PDF can be reviewed", page.text) and page.status_code == 422
    page = await continue_draft(ada, page, "remove:0")
    assert "of a template there is no document" in text_of(page)


async def test_something_is_asked_for_in_the_name_of_a_group_of_theirs_and_of_no_other(desk: Office) -> None:
    ada = await desk.come_in(REQUESTER)
    page = await ada.get(NEW)
    assert "all-staff: one sees to it" in text_of(page)
    for asks, refused in (("group:operations", True), (OWNER, True), ("group:all-staff:all", False)):
        fields = {**A_CONTRACT, "requester": asks}
        answer = await send_form(ada, page, fields=fields, pdf=AN_OFFER)
        assert (answer.status_code == 422) is refused
        if refused:
            assert re.search(r'id="f-requester-e">You are not in this group any more\.', answer.text)
            page = answer
    [draft] = await desk.store.drafts.list_drafts(REQUESTER)
    assert draft.content["requester"] == "group:all-staff:all"
    page = await continue_draft(ada, await ada.http.get(answer.headers["location"]), "add:chair")
    for _ in range(3):
        page = await continue_draft(ada, page)
    assert "Information all-staff" in text_of(page)


@pytest.mark.parametrize("kind", ["task", "campaign"])
async def test_a_group_may_own_what_is_begun(desk: Office, kind: str) -> None:
    owner = await desk.come_in(OWNER)
    page = await owner.get(f"/desk/new/{kind}")
    page = await send_form(owner, page, fields={"owner": "group:operations"})
    assert page.status_code == 422
    answer = await send_form(owner, page, "save", {"owner": "group:all-staff"})
    assert answer.status_code == 303
    [draft] = await desk.store.drafts.list_drafts(OWNER)
    assert draft.content["owner"] == "group:all-staff"


async def test_a_draft_is_nobody_elses_and_two_windows_do_not_overwrite_each_other(desk: Office) -> None:
    ada, bob = await desk.come_in(REQUESTER), await desk.come_in(OWNER)
    page = await signers_page(ada)
    assert "Name of the document" in (await bob.get(page.url.path.replace("signers", "document"))).text
    assert "An offer" not in (await bob.get(page.url.path)).text
    await continue_draft(ada, page, "add:chair")
    late = await continue_draft(ada, page, "add:lead")
    assert "It was changed in another window meanwhile" in text_of(late)
    [draft] = await desk.store.drafts.list_drafts(REQUESTER)
    assert [signer["person"] for signer in draft.content["signers"]] == ["chair"]
    form = read_draft_form(late)
    foreign = await ada.http.post(form.action, files=[("token", (None, "x")), ("do", (None, "next"))])
    assert foreign.status_code == 403
    assert DeskScreenName.FOREIGN_FORM in foreign.text


async def test_of_somebody_who_left_the_draft_goes_with_the_daily_sweep(desk: Office) -> None:
    ada = await desk.come_in(REQUESTER)
    page = await signers_page(ada)
    desk.people.write_text("people:\n  - {id: chair, name: Chair, email: chair@example.test, zone: Asia/Tokyo}\n")
    assert "Sign in" in (await ada.get(page.url.path)).text
    [draft] = await desk.store.drafts.list_drafts(REQUESTER)

    async def has_left(author: str) -> bool:
        return author == REQUESTER

    assert await desk.store.drafts.drop(desk.now, has_left) == 1
    assert await desk.store.drafts.read(draft.id, REQUESTER) is None


async def test_a_kind_that_may_not_be_started_any_more_and_people_who_left_are_said_at_the_end(desk: Office) -> None:
    ada = await desk.come_in(REQUESTER)
    page = await continue_draft(ada, await signers_page(ada), "add:finance-desk")
    desk.people.write_text("\n".join(line for line in desk.people.read_text().splitlines() if DUTCH not in line))
    page = await send_form(ada, page)
    assert re.search(r"This person is not in the directory any more\.", page.text)
    desk.people.write_text(desk.people.read_text().replace("groups: [all-staff]", "groups: [others]"))
    assert (await ada.get(page.url.path)).status_code == 404


async def test_what_is_wrong_and_has_no_field_is_said_on_the_last_page(desk: Office) -> None:
    ada = await desk.come_in(REQUESTER)
    page = await continue_draft(ada, await signers_page(ada), "add:chair")
    [listed] = await desk.store.drafts.list_drafts(REQUESTER)
    draft = await desk.store.drafts.read(listed.id, REQUESTER)
    assert draft is not None
    await desk.store.drafts.save(draft._replace(content={**draft.content, "odd": "x"}), desk.now)
    page = await ada.get(page.url.path.replace("signers", "plan"))
    assert (page.status_code, "odd" in text_of(page)) == (200, True)


async def test_drafts_are_kept_and_discarded_and_there_are_not_endlessly_many(desk: Office) -> None:
    ada = await desk.come_in(REQUESTER)
    answer = await send_form(ada, await ada.get(NEW), "save", {**A_CONTRACT, "document.name": "An offer"})
    assert answer.headers["location"] == "/people/desk"
    [draft] = await desk.store.drafts.list_drafts(REQUESTER)
    page = await ada.get(f"/desk/drafts/request/{draft.id}/document")
    assert read_draft_form(page).fields["document.name"] == "An offer"
    discard = await ada.http.post(
        f"/people/desk/drafts/request/{draft.id}/discard",
        files=[("token", (None, read_draft_form(page).fields["token"]))],
        headers={"origin": "null", "sec-fetch-site": "same-origin"},
    )
    assert discard.status_code == 303 and await desk.store.drafts.list_drafts(REQUESTER) == ()
    for number in range(DRAFTS_AT_MOST):
        await desk.store.drafts.begin(Draft(f"{number:012x}", REQUESTER, "request", {}, 0, desk.now))
    refused = await send_form(ada, await ada.get(NEW), fields=A_CONTRACT)
    assert (refused.status_code, "You have too many drafts" in refused.text) == (409, True)


async def test_a_task_is_written_with_people_or_a_group_and_an_answer(desk: Office) -> None:
    owner = await desk.come_in(OWNER)
    page = await send_form(owner, await owner.get("/desk/new/task"), fields={"kind": "team-task"})
    assert re.search(r'id="f-title-e">This is needed\.', page.text)
    page = await continue_draft(
        owner, page, fields={"title": "Hand out the keys", "answer.label": "How many?", "answer.lines": "2"}
    )
    page = await continue_draft(owner, page, fields={"find": "all-staff", "due": "2026-12-18"})
    text = text_of(page)
    assert "Legal Desk it is their turn" in text and "overdue since" in text
    [draft] = await desk.store.drafts.list_drafts(OWNER)
    assert draft.content == {
        "kind": "team-task",
        "title": "Hand out the keys",
        "answer": {"label": "How many?", "required": True, "lines": 2},
        "who": {"group": "all-staff"},
        "due": "2026-12-18",
    }
    page = await continue_draft(owner, page, "back")
    page = await continue_draft(owner, page, "remove")
    page = await continue_draft(owner, page, "find", {"find": OWNER})
    page = await send_form(owner, page)
    assert re.search(r'id="f-who-person-e">You ask for it: somebody else has to do it\.', page.text)


async def test_what_is_overdue_every_some_days_is_one_row_and_more_than_five_rows_are_folded(desk: Office) -> None:
    owner = await desk.come_in(OWNER)
    page = await continue_draft(owner, await owner.get("/desk/new/task"), fields={"kind": "team-task", "title": "Keys"})
    page = await continue_draft(owner, page, fields={"find": "chair", "due": "2026-12-18"})
    first, _, folded = page.text.partition('<dl class="planned">')[2].partition("<details>")
    assert first.count("<dd") == 5
    assert len(re.findall(r'mark overdue">Overdue</span>', first + folded)) == 1
    assert re.search(r"Overdue every 2 days until \w+, \d+ \w+ 20\d\d Chair", text_of(page))


async def test_a_reader_in_another_language_reads_all_of_it_in_theirs(desk: Office) -> None:
    desk.people.write_text(desk.people.read_text().replace("locale: nl}", "locale: nl, groups: [all-staff]}"))
    dutch = await desk.come_in(DUTCH)
    page = await continue_draft(dutch, await signers_page(dutch), "add:chair")
    for _ in range(3):
        page = await continue_draft(dutch, page)
    text = text_of(page).partition("use strict")[0]
    assert "reminder" not in text and "Herinnering" in text


@pytest.mark.long
async def test_edits_are_bounded(desk: Office) -> None:
    ada = await desk.come_in(REQUESTER)
    page = await signers_page(ada)
    for _ in range(1_200):
        answer = await send_form(ada, page, "save")
        if answer.status_code == 429:
            break
    assert answer.status_code == 429
    desk.now += timedelta(minutes=2)
    assert (await send_form(ada, page, "save")).status_code == 303


async def test_a_form_of_many_fields_or_files_is_nobodys(desk: Office) -> None:
    ada = await desk.come_in(REQUESTER)
    page = await ada.get(NEW)
    fields = {f"x{number}": "y" for number in range(20_000)}
    assert (await send_form(ada, page, "next", fields)).status_code == 403
    files = [("document.file", AN_OFFER)] * 50
    headers = {"origin": "null", "sec-fetch-site": "same-origin"}
    assert (await ada.http.post(read_draft_form(page).action, files=files, headers=headers)).status_code == 403
    assert await desk.store.drafts.list_drafts(REQUESTER) == ()


async def test_of_many_people_the_first_are_offered(desk: Office) -> None:
    entries = [f'  - {{id: many-{n}, name: "Many {n}", email: m{n}@example.test, zone: UTC}}\n' for n in range(80)]
    desk.people.write_text(desk.people.read_text() + "".join(entries))
    ada = await desk.come_in(REQUESTER)
    page = await send_form(ada, await signers_page(ada), "find", {"find": "many " + " " * 2_000})
    assert len(re.findall(r'value="add:many-', page.text)) == 8
    assert "There are more: type more letters of the name." in text_of(page)


@pytest.mark.parametrize("name", ["C:\\papers\\" + "x" * 2_000 + ".pdf", "../../" + "x" * 2_000 + ".pdf"])
async def test_the_name_of_a_file_is_cut_and_has_no_folder(desk: Office, name: str) -> None:
    ada = await desk.come_in(REQUESTER)
    await continue_draft(ada, await ada.get(NEW), "next", A_CONTRACT, (name, PDF, "application/pdf"))
    [draft] = await desk.store.drafts.list_drafts(REQUESTER)
    assert draft.content["document"]["file"] == "x" * 196 + ".pdf"


async def test_a_name_that_turns_around_is_refused_at_its_field(desk: Office) -> None:
    ada = await desk.come_in(REQUESTER)
    page = await send_form(ada, await ada.get(NEW), "next", {**A_CONTRACT, "document.name": "tfar\u202ed"}, AN_OFFER)
    assert re.search(r'id="f-document-name-e">It has U\+202E RIGHT-TO-LEFT OVERRIDE in it', page.text)


async def test_a_plan_of_two_years_is_cut_and_says_so(desk: Office) -> None:
    directory = FileDirectory(desk.people, desk.store)
    chair = await directory.person("chair")
    days = [NOW + timedelta(days=number) for number in range(1_500)]
    reminder = PlanLine(
        at=NOW, local="", zone="UTC", stage="reminder-1", person="chair", to="chair", reasons=(Message(code="x"),)
    )
    lines = tuple(reminder.replace(at=instant) for instant in days)
    plan = TaskPlan(id="keys", kind="team-task", title="Keys", at=NOW, due_at=NOW, lines=lines)
    view = PlanView(Visitor(chair, Reader.from_person(chair), "chair"), PeopleNames(directory))
    [calendar] = (await view.of_task(plan, None))["calendars"]
    assert len(calendar.weeks) <= 30 and calendar.hidden_count == 1_350
    assert sum(len(notices) for _, notices in (*calendar.days, *calendar.folded)) == 151


@pytest.mark.parametrize(
    ("size", "size_text"), [(1, "1 kB"), (80_000, "78 kB"), (300_000, "0,3 MB"), (20 * MEGABYTE, "20,0 MB")]
)
def test_a_small_file_has_its_size_in_kilobytes(size: int, size_text: str) -> None:
    assert size_of(DraftFile("0" * 64, size), Language.from_tag("nl")) == size_text
