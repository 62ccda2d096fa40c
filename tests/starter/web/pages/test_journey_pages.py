"""What the customer and their colleagues find behind the link of an onboarding, and what they do not."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.notifications.links import FIRST_SERIAL, LinkUse, Through, serial_of
from activities.people.ids import position_word
from activities.people.person import Reachable, SignersFile
from starter.queries.onboarding import PartHeard, joined
from starter.web.acting.actions import Action
from starter.web.http.bodies import LONGEST
from starter.web.pages.journey import PARTS_SHOWN_AT_MOST, PEOPLE_LOOKED_UP_AT_MOST
from starter.web.screens.rendering import TEMPLATES
from tests.starter.web.paging import DUTCH, FIRST, NOW, PUBLIC, SECOND, Phone, form_of, phone, text_of
from tests.storage import take_table_away
from workflows.kinds import named
from workflows.model.commands import NewLink, Problem
from workflows.model.signature import SignerState
from workflows.model.subject import Code, Role, Status
from workflows.model.views import (
    AssigneeLine,
    NoticeLine,
    OnboardingShow,
    PartLine,
    RequestShow,
    SignerLine,
    StageLine,
    TaskShow,
    WaitingFor,
    WaitingPart,
)

ACME, OWNER, COLLEAGUE = "customer-onboarding:acme", "legal-desk", "customer-deputy"
TITLE = "Acme <b>Ltd</b>"
MSA, DPA, DETAILS = "Master services agreement <i>", "Data processing agreement", "Where do the invoices go?"
BEFORE = NOW - timedelta(days=2)
DUE = NOW + timedelta(days=1)


def part(id: str, title: str, state: str = "open", **overrides: Any) -> PartLine:
    fields: dict[str, Any] = {"team": "customer", "told": True, "since": BEFORE}
    return PartLine(id=id, title=title, state=state, **fields | overrides)


def agreement(number: int, title: str, **overrides: Any) -> PartLine:
    return part(f"agreement-{number}", title, **overrides | {"workflow": f"signature-request:acme.1.{number}"})


def step(id: str = "billing", title: str = DETAILS, **overrides: Any) -> PartLine:
    return part(id, title, **overrides | {"workflow": "task:acme.1.3"})


def make_own_part(id: str, title: str, is_told: bool, **overrides: Any) -> PartLine:
    return part(id, title, **overrides | {"team": "operations", "told": is_told, "workflow": f"task:acme.1.{id}"})


def make_onboarding_view(*stages: StageLine, **changes: Any) -> OnboardingShow:
    view = OnboardingShow(
        id="acme",
        kind="customer-onboarding",
        title=TITLE,
        customer=FIRST,
        colleagues=(COLLEAGUE,),
        status=Status.OPEN,
        requester=OWNER,
        stage="agreements",
        stages=stages
        or (
            StageLine(
                name="agreements",
                state="open",
                since=BEFORE,
                agreements=(
                    agreement(1, MSA),
                    agreement(2, DPA, state="done", status=Status.SIGNED, at=NOW - timedelta(hours=3)),
                ),
                tasks=(
                    make_own_part("8", "Create the account", is_told=True),
                    make_own_part("9", "Check their credit", is_told=False),
                ),
                steps=(step(),),
            ),
            StageLine(
                name="live",
                state="coming",
                tasks=(make_own_part("20", "Switch it on", is_told=True, state="coming"),),
                notices=(NoticeLine(id="notice-1", to="customer", title="Welcome", state="coming"),),
            ),
        ),
    )
    return view.replace(**changes)


def request(number: int, person: str, **changes: Any) -> RequestShow:
    view = RequestShow(
        id=f"acme.1.{number}",
        kind="contract",
        document=MSA,
        status=Status.SENT,
        signers=(SignerLine(person=person, order=1, role=Role.SIGN, state=SignerState.TURN),),
        waiting_for=(WaitingFor(person=person, since=BEFORE),),
        due_at=DUE,
    )
    return view.replace(**changes)


def task(person: str, id: str = "acme.1.3") -> TaskShow:
    return TaskShow(
        id=id,
        kind="customer-step",
        title=DETAILS,
        status=Status.OPEN,
        people=(AssigneeLine(person=person, state="asked"),),
        waiting_for=(WaitingFor(person=person, since=BEFORE),),
    )


def set_views(customer: Phone, show: OnboardingShow, *parts: RequestShow | TaskShow) -> None:
    """Our own side knows the onboarding, with what these parts say of themselves."""
    heard_by_id = {part.id: PartHeard.from_view(part, NOW) for part in parts}
    heard = {
        part.id: heard_by_id[workflow_name.id]
        for stage in show.stages
        for part in stage.parts
        if part.state == "open" and (workflow_name := named(part.workflow or "")) and workflow_name.id in heard_by_id
    }
    waiting = tuple(
        WaitingPart(person=FIRST, since=BEFORE, who="customer", what=part.title, part=part.id)
        for stage in show.stages
        for part in stage.parts
        if part.state == "open"
    )
    customer.views[ACME] = joined(show.replace(waiting_for=waiting), heard)


@pytest.fixture
async def customer(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone(tmp_path) as opened_phone:
        set_views(opened_phone, make_onboarding_view(), request(1, FIRST), task(COLLEAGUE))
        yield opened_phone


def link(customer: Phone, person: str = FIRST, use: LinkUse = LinkUse.VIEW, **overrides: Any) -> str:
    return customer.links.link(ACME, person, use, **overrides).removeprefix(PUBLIC)


def make_part_link(
    customer: Phone, person: str, use: LinkUse, part: str, serial: str = FIRST_SERIAL, page_person: str | None = None
) -> str:
    """The path of the link to a part that the page of `page_person` gives to whom the part calls `person`."""
    through = Through(ACME, page_person or person)
    return customer.links.link(part, person, use, serial, through=through).removeprefix(PUBLIC)


def sections(page: str) -> dict[str, str]:
    """What stands in each part of the page, as it is read."""
    classes = re.findall(r'<section class="part ([a-z]+)".*?</section>', page, re.DOTALL)
    texts = re.findall(r"<section.*?</section>", page, re.DOTALL)
    return dict(zip(classes, map(text_of, texts), strict=True))


def list_part_links(page: str) -> list[str]:
    return re.findall(r'<a class="again(?: calm)?" href="([^"]*)"', page)


async def test_the_page_says_what_is_done_what_is_yours_what_is_with_us_and_what_comes(customer: Phone) -> None:
    answer = await customer.open(link(customer))
    assert answer.status_code == 200
    assert text_of(answer.text).count("1 thing waits for you") == 2, "in the title, too"
    steps = re.search(r'<ol class="steps few" aria-label="([^"]*)">(.*?)</ol>', answer.text, re.DOTALL)
    assert steps
    assert steps[1].replace("\u2068", "").replace("\u2069", "") == "Stage 1 of 2: agreements"
    assert text_of(steps[2]) == "1 agreements under way 2 live comes later"
    assert re.findall(r'aria-current="step".*?<bdi>([^<]*)', steps[2]) == ["agreements"]
    section_texts = sections(answer.text)
    assert [*section_texts] == ["yours", "colleague", "ours", "next", "done"]
    assert MSA in section_texts["yours"]
    assert "Waiting for you since Tue, 24 Nov, 09:00." in section_texts["yours"]
    assert "Due tomorrow 09:00 Fri, 27 Nov 2026, 09:00 (New York)" in section_texts["yours"]
    assert section_texts["colleague"].endswith("With a colleague of yours since Tue, 24 Nov, 09:00.")
    assert "Create the account With our team since" in section_texts["ours"]
    assert "live Switch it on" in section_texts["next"]
    assert DPA in section_texts["done"]
    assert "Acme &lt;b&gt;Ltd&lt;/b&gt;" in answer.text


async def test_a_last_stage_in_which_nobody_does_anything_says_where_it_leads_and_one_between_is_left_out(
    customer: Phone,
) -> None:
    stages = (
        StageLine(name="agreements", state="open", since=BEFORE, agreements=(agreement(1, MSA),)),
        StageLine(name="a pause", state="coming"),
        StageLine(
            name="live",
            state="coming",
            notices=(NoticeLine(id="notice-1", to="customer", title="Welcome", state="coming"),),
        ),
    )
    set_views(customer, make_onboarding_view(*stages), request(1, FIRST))
    section_texts = sections((await customer.open(link(customer))).text)
    assert section_texts["next"].endswith("live Then everything is done.")
    assert "a pause" not in section_texts["next"]


async def test_the_button_leads_to_the_reader_s_own_page_of_that_part(customer: Phone) -> None:
    page = (await customer.open(link(customer))).text
    [way] = list_part_links(page)
    assert way == ".." + make_part_link(customer, FIRST, LinkUse.SIGN, "acme.1.1")
    colleague = (await customer.open(link(customer, COLLEAGUE))).text
    assert list_part_links(colleague) == [".." + make_part_link(customer, COLLEAGUE, LinkUse.DO, "task:acme.1.3")]
    assert sections(colleague)["colleague"].count(MSA) == 1, "the agreement is the customer's, not theirs"


async def test_who_stands_in_full_is_found_in_each_part_by_whom_they_are(customer: Phone) -> None:
    """`signer-1` of the onboarding is `signer-2` of an agreement that somebody of ours signs first."""
    her = Reachable(name="Ada Ng", email="Ada@customer.example", zone="Europe/Amsterdam")
    for workflow, people in ((ACME, [her]), ("signature-request:acme.1.1", [None, her]), ("task:acme.1.3", [her])):
        ids = map(position_word, range(1, len(people) + 1))
        await customer.store.people.keep(workflow, "f", SignersFile.dump_signers(people, ids) or b"")
        await customer.store.people.choose(workflow, "f")
    set_views(
        customer, make_onboarding_view(customer="signer-1", colleagues=()), request(1, "signer-2"), task("signer-1")
    )
    page = (await customer.open(link(customer, "signer-1"))).text
    assert list_part_links(page) == [
        ".." + make_part_link(customer, "signer-2", LinkUse.SIGN, "acme.1.1", page_person="signer-1"),
        ".." + make_part_link(customer, "signer-1", LinkUse.DO, "task:acme.1.3"),
    ]
    assert "2 things wait for you" in text_of(page)


async def test_the_page_names_nobody_and_says_nothing_that_is_ours(customer: Phone) -> None:
    late = request(1, SECOND, status=Status.SENT, says="Waiting for chief-executive because")
    undecided = agreement(2, DPA, state="undecided", status=Status.DECLINED, at=NOW, says="the price is too high")
    stage = make_onboarding_view().stages[0].replace(agreements=(agreement(1, MSA), undecided))
    trouble = Problem(code=Code.UNREACHABLE, since=BEFORE, says="the host files.internal refuses")
    set_views(customer, make_onboarding_view(stage, problem=trouble, says="Stage 1 of 1, waiting for legal-desk"), late)
    page = (await customer.open(link(customer))).text
    text = text_of(page)
    for secret in (
        *("Chief Executive", "Legal desk", "Customer Deputy", SECOND, OWNER, COLLEAGUE, "operations", "example.test"),
        *("Check their credit", "price", "files.internal", "declined", "because", "Stage 1 of 1, waiting"),
    ):
        assert secret not in page, secret
    assert "Since Tue, 24 Nov 2026, 09:00 (New York) something is in the way. Nothing is lost." in text
    assert {MSA, DPA} == {title for title in (MSA, DPA) if title in sections(page)["ours"]}
    assert "and 1 more" in sections(page)["ours"], "what the customer does not hear of is counted"


async def test_a_get_changes_nothing_and_shows_no_form(customer: Phone) -> None:
    page = (await customer.open(link(customer))).text
    assert "<form" not in page
    assert customer.recorder.commands == []


async def test_only_the_customer_s_people_have_a_page_and_an_onboarding_has_no_other(customer: Phone) -> None:
    for path in (
        link(customer, SECOND),
        link(customer, OWNER),
        link(customer, use=LinkUse.SIGN),
        link(customer, use=LinkUse.PREVIEW),
        link(customer).replace("/journey/", "/open/"),
        link(customer).replace("/journey/", "/task/"),
        customer.link().replace("/open/", "/journey/"),
        "/journey/nonsense",
    ):
        answer = await customer.open(path)
        assert (answer.status_code, "acme" in answer.text.lower().replace("acme</bdi>", "")) == (404, False), path


async def test_while_nobody_knows_the_page_says_so(customer: Phone) -> None:
    for unknown in ({}, {ACME: make_onboarding_view(partial=True)}):
        customer.views.clear()
        customer.views.update(unknown)
        answer = await customer.open(link(customer))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")


async def test_what_a_part_does_not_say_is_told_without_a_button(customer: Phone) -> None:
    set_views(customer, make_onboarding_view(), task(COLLEAGUE))
    page = (await customer.open(link(customer))).text
    assert MSA in sections(page)["yours"]
    assert list_part_links(page) == []


@pytest.mark.parametrize(("status", "phrase"), [(Status.DONE, "Onboarding completed"), (Status.CANCELLED, "cancelled")])
async def test_an_onboarding_that_has_ended_says_how_and_asks_no_more(
    customer: Phone, status: Status, phrase: str
) -> None:
    stages = tuple(stage.replace(state="done") for stage in make_onboarding_view().stages[:1])
    set_views(customer, make_onboarding_view(*stages, status=status))
    answer = await customer.open(link(customer))
    assert answer.status_code == 200
    assert phrase in text_of(answer.text)
    assert "<script" not in answer.text
    assert "data-version" not in answer.text


async def test_the_script_asks_with_the_version_and_hears_whether_there_is_news(customer: Phone) -> None:
    path = link(customer)
    first = await customer.open(path)
    [version] = re.findall(r'data-version="(\w+)"', first.text)
    unchanged = await customer.open(f"{path}?since={version}")
    assert (unchanged.status_code, unchanged.content) == (204, b"")
    set_views(
        customer, make_onboarding_view(), request(1, FIRST, waiting_for=(), status=Status.CONVERTING), task(COLLEAGUE)
    )
    news = await customer.open(f"{path}?since={version}")
    assert news.status_code == 200
    assert "yours" not in sections(news.text)
    policy = first.headers["content-security-policy"]
    assert policy.count("script-src") == policy.count("connect-src 'self'") == 1
    assert "unsafe" not in policy
    signing_policy = (await customer.open(customer.link())).headers["content-security-policy"]
    assert "script-src" not in signing_policy


async def test_one_look_serves_everybody_for_two_seconds(customer: Phone) -> None:
    for person in (FIRST, COLLEAGUE) * 3:
        await customer.browser.get(link(customer, person))
    assert customer.looks.count(ACME) == 1
    customer.watch.now += 2
    await customer.browser.get(link(customer))
    assert customer.looks.count(ACME) == 2


@pytest.mark.long
async def test_a_page_that_looks_by_itself_for_an_hour_is_never_told_to_wait(customer: Phone) -> None:
    path, interval_seconds = (
        link(customer),
        int(re.findall(r"every = (\d+)", (TEMPLATES / "journey.js").read_text())[0]) / 1000,
    )
    [version] = re.findall(r'data-version="(\w+)"', (await customer.open(path)).text)
    answers = set()
    for _ in range(int(3600 / interval_seconds)):
        customer.watch.now += interval_seconds
        answers.add((await customer.browser.get(f"{path}?since={version}")).status_code)
    assert answers == {204}


async def test_of_ten_times_the_parts_some_are_shown_and_the_others_counted(customer: Phone) -> None:
    agreements = tuple(agreement(number, f"Terms {number}") for number in range(1, PARTS_SHOWN_AT_MOST * 10 + 1))
    stage = StageLine(name="agreements", state="open", agreements=agreements)
    set_views(
        customer, make_onboarding_view(stage), *(request(number, FIRST) for number in range(1, len(agreements) + 1))
    )
    page = (await customer.open(link(customer))).text
    assert page.count("<li>") == 2 * PARTS_SHOWN_AT_MOST, "what is beyond the people that are looked up is with us"
    assert f"{PEOPLE_LOOKED_UP_AT_MOST} things wait for you" in text_of(page)
    remaining_count = len(agreements) - PEOPLE_LOOKED_UP_AT_MOST
    assert f"and {PEOPLE_LOOKED_UP_AT_MOST - PARTS_SHOWN_AT_MOST} more" in sections(page)["yours"]
    assert f"and {remaining_count - PARTS_SHOWN_AT_MOST} more" in sections(page)["ours"]


async def test_news_that_the_customer_got_is_no_row_under_a_name_of_ours(customer: Phone) -> None:
    got = NoticeLine(id="notice-1", to="customer", title="Notice to customer", state="done", at=NOW)
    set_views(customer, make_onboarding_view(make_onboarding_view().stages[0].replace(notices=(got,))))
    assert "Notice to" not in text_of((await customer.open(link(customer))).text)


async def test_of_ten_times_what_is_done_the_newest_is_shown_first(customer: Phone) -> None:
    count = PARTS_SHOWN_AT_MOST * 10
    agreements = tuple(
        agreement(number, f"Terms {number}.", state="done", status=Status.SIGNED, at=BEFORE + timedelta(minutes=number))
        for number in range(1, count + 1)
    )
    set_views(customer, make_onboarding_view(StageLine(name="agreements", state="open", agreements=agreements)))
    done_text = sections((await customer.open(link(customer))).text)["done"]
    newest = range(count, count - PARTS_SHOWN_AT_MOST, -1)
    assert re.findall(r"Terms (\d+)\.", done_text) == [str(number) for number in newest]
    assert f"and {count - PARTS_SHOWN_AT_MOST} more" in done_text


async def test_every_reader_reads_it_in_their_language(customer: Phone) -> None:
    set_views(customer, make_onboarding_view(colleagues=(DUTCH,)))
    text = text_of((await customer.open(link(customer, DUTCH))).text)
    assert "Wat er nu komt" in text
    assert "What comes next" not in text


async def test_a_link_that_was_made_anew_kills_the_old_one_which_offers_to_send_the_new_one(customer: Phone) -> None:
    old_link, serial_key = link(customer), serial_of(ACME, FIRST)
    await customer.store.one_use.replace_serial(serial_key, "b7")
    dead = await customer.open(old_link)
    assert (dead.status_code, MSA in dead.text) == (410, False)
    assert (await customer.open(link(customer, serial="b7"))).status_code == 200
    assert (await customer.open(link(customer, COLLEAGUE))).status_code == 200, "of one person alone"
    for _ in range(2):
        sent = await customer.press(old_link)
        assert sent.status_code == 303
    [(command, _)] = customer.recorder.commands
    assert command == NewLink(actor=FIRST), "once an hour, and a double click is one"
    page_after = await customer.open(f"/journey/{sent.headers['location']}")
    assert "The link is on its way" in text_of(page_after.text)
    assert "b7" not in page_after.text
    assert form_of(dead.text)["act"] == Action.RESEND


async def open_part_links(customer: Phone, serial: str = FIRST_SERIAL) -> list[str]:
    """Where the customer's page leads: to an agreement of theirs and to a step, both of which they may act on."""
    set_views(customer, make_onboarding_view(), request(1, FIRST), task(FIRST))
    customer.views.update({"acme.1.1": request(1, FIRST), "task:acme.1.3": task(FIRST)})
    return [
        way.removeprefix("..") for way in list_part_links((await customer.open(link(customer, serial=serial))).text)
    ]


async def test_what_the_old_link_gave_is_no_longer_good_either(customer: Phone) -> None:
    agreement, step = old_links = await open_part_links(customer)
    assert (agreement.split("/")[1], step.split("/")[1]) == ("open", "task")
    forms = [form_of((await customer.open(way)).text) for way in old_links]
    await customer.store.one_use.replace_serial(serial_of(ACME, FIRST), "b7")
    for way, form in zip(old_links, forms, strict=True):
        for answer in (await customer.open(way), await customer.post(way, form)):
            assert (answer.status_code, MSA in answer.text, DETAILS in answer.text) == (410, False, False)
            assert "This link is no longer valid" in text_of(answer.text)
    assert (await customer.open(f"{agreement}/first-page")).status_code == 410
    assert customer.recorder.commands == []
    new = await open_part_links(customer, "b7")
    assert not {*new} & {*old_links}
    assert [(await customer.open(way)).status_code for way in new] == [200, 200]


async def test_from_a_part_the_new_link_is_sent_as_from_the_page_itself(customer: Phone) -> None:
    old_links = await open_part_links(customer)
    await customer.store.one_use.replace_serial(serial_of(ACME, FIRST), "b7")
    for way in old_links:
        dead = (await customer.open(way)).text
        [action] = re.findall(r'<form method="post" action="\.\.([^"]*)"', dead)
        sent = await customer.post(action, form_of(dead))
        assert (action, sent.status_code) == (link(customer), 303)
    [(command, _)] = customer.recorder.commands
    assert command == NewLink(actor=FIRST), "once an hour, wherever it is asked for"
    page_after = await customer.open(f"/journey/{sent.headers['location']}")
    assert "The link is on its way" in text_of(page_after.text)


async def test_a_notice_s_own_link_to_a_part_and_a_colleague_s_stay_good(customer: Phone) -> None:
    await open_part_links(customer)
    await customer.store.one_use.replace_serial(serial_of(ACME, FIRST), "b7")
    for way in (
        customer.link(FIRST, LinkUse.SIGN, "acme.1.1"),
        customer.link(FIRST, LinkUse.DO, "task:acme.1.3"),
        make_part_link(customer, FIRST, LinkUse.SIGN, "acme.1.1", page_person=COLLEAGUE),
    ):
        assert (await customer.open(way)).status_code == 200


async def test_somebody_whom_a_part_calls_otherwise_loses_it_by_their_name_in_the_onboarding(customer: Phone) -> None:
    customer.views["acme.1.1"] = request(1, "signer-2")
    way = make_part_link(customer, "signer-2", LinkUse.SIGN, "acme.1.1", page_person="signer-1")
    await customer.store.one_use.replace_serial(serial_of("signature-request:acme.1.1", "signer-2"), "c9")
    await customer.store.one_use.replace_serial(serial_of(ACME, "signer-2"), "c9")
    assert (await customer.open(way)).status_code == 200
    await customer.store.one_use.replace_serial(serial_of(ACME, "signer-1"), "b7")
    assert (await customer.open(way)).status_code == 410


async def test_while_the_store_does_not_say_whether_it_is_good_it_opens_nothing(
    customer: Phone,
) -> None:
    ways = await open_part_links(customer)
    with take_table_away(customer.store, "serials"):
        for way in (*ways, link(customer)):
            answer = await customer.open(way)
            assert (answer.status_code, MSA in answer.text) == (503, False)


async def test_a_good_link_and_a_foreign_form_send_nothing(customer: Phone) -> None:
    path = link(customer)
    await customer.store.one_use.replace_serial(serial_of(ACME, FIRST), "b7")
    form = form_of((await customer.open(path)).text)
    foreign = await customer.browser.post(path, data=form | {"token": "x.y"})
    good = await customer.post(link(customer, serial="b7"), form)
    torn = await customer.post(path, form | {"padding": "x" * 2 * LONGEST})
    assert (foreign.status_code, good.status_code, torn.status_code) == (403, 403, 400)
    assert customer.recorder.commands == []


async def test_a_preview_shows_the_page_as_it_is_without_a_way_to_act_and_closes(customer: Phone) -> None:
    path = link(customer, use=LinkUse.PREVIEW, expires_at=NOW + timedelta(minutes=10))
    page = (await customer.open(path)).text
    assert "A preview of what the customer sees." in text_of(page)
    assert MSA in sections(page)["yours"]
    assert list_part_links(page) == []
    expired = await customer.open(link(customer, use=LinkUse.PREVIEW, expires_at=NOW))
    assert expired.status_code == 410
    assert "This preview is over" in text_of(expired.text)
