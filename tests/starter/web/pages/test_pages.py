"""What a signer finds behind a link: shown by a GET that changes nothing, done by a POST from our own page."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activities.notifications.links import LinkUse
from activities.records.cover_sheet import CoverSheet
from starter.web.http.bodies import LONGEST
from tests.starter.web.paging import CHAIR, DOCUMENT, DUTCH, FIRST, NOW, REQUEST, SECOND, Phone, form_of, phone, text_of
from tests.storage import altered, take_table_away
from workflows.kinds import Kind
from workflows.model.hand_off import HandoffLine, HandoffState
from workflows.model.notifications import Notification
from workflows.model.schedule import ActionType
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status
from workflows.model.timeline import EventType, TimelineEntry
from workflows.model.views import Attention, AttentionCode, NextAction, RequestShow, SignerLine, WaitingFor

REQUESTER = "legal-desk"
DUE = datetime(2026, 12, 11, 17, 0, tzinfo=UTC)


@pytest.fixture
async def signer(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone(tmp_path) as opened_phone:
        yield opened_phone


def make_view(first: SignerState = SignerState.SIGNED, role: Role = Role.SIGN, **changes: Any) -> RequestShow:
    """What our own side knows of the request: whose turn it is depends on where the first signer stands."""
    second = SignerState.TURN if first is SignerState.SIGNED else SignerState.WAITING
    signers = (
        SignerLine(person=FIRST, order=1, role=role, state=first),
        SignerLine(person=SECOND, order=2, role=Role.SIGN, state=second),
    )
    sentence = "Waiting for chief-executive until Fri 11 Dec 2026 17:00 UTC"
    view = RequestShow(id=REQUEST, kind="customer-contract", document=DOCUMENT, status=Status.SENT, says=sentence)
    return view.replace(**{"due_at": DUE, "signers": signers} | changes)


def make_view_signed_by_first(second: SignerState = SignerState.TURN, **changes: Any) -> RequestShow:
    first, second_line = (view := make_view(**changes)).signers
    return view.replace(signers=(first.replace(at=NOW), second_line.replace(state=second)))


async def test_the_page_says_what_is_asked_of_what_by_when(signer: Phone) -> None:
    await signer.create()
    signer.views[REQUEST] = make_view(SignerState.TURN)
    answer = await signer.open(signer.link())
    assert answer.status_code == 200
    text = text_of(answer.text)
    assert "Your signature is needed" in text
    assert DOCUMENT in text
    assert "Due in 15 days, Fri, 11 Dec Fri, 11 Dec 2026, 12:00 (New York)" in text
    assert "Read and sign" in text


async def test_the_page_works_while_nobody_knows_the_due_date(signer: Phone) -> None:
    await signer.create()
    answer = await signer.open(signer.link())
    assert (answer.status_code, "Due" in text_of(answer.text)) == (200, False)


async def test_a_get_changes_nothing(signer: Phone) -> None:
    await signer.create()
    signers_before = await signer.signers()
    for _ in range(3):
        assert (await signer.open(signer.link())).status_code == 200
    assert (await signer.browser.head(signer.link())).status_code == 200
    assert await signer.signers() == signers_before
    changing = [
        entry for entry in signer.entries("request") if entry["method"] != "GET" and "/oauth2/" not in entry["path"]
    ]
    assert [entry["path"] for entry in changing] == ["/api/v1/documents/", "/api/v1/signature-requests/"]


async def test_the_button_leads_to_the_live_signing_page(signer: Phone) -> None:
    await signer.create()
    answer = await signer.press(signer.link())
    own_signer = next(candidate for candidate in await signer.signers() if candidate["email"] == "customer@acme.test")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{signer.sandbox.url}/sign/{own_signer['uuid']}"
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")


async def test_who_presses_the_button_has_opened_it_and_who_only_looks_has_not(signer: Phone) -> None:
    await signer.create()
    await signer.open(signer.link())
    workflow_id, person = Kind.REQUEST.workflow_id(REQUEST), FIRST
    assert await signer.store.log_pages.opened(workflow_id, [person]) == {}
    with take_table_away(signer.store, "opened"):
        assert (await signer.press(signer.link())).status_code == 303
    assert await signer.store.log_pages.opened(workflow_id, [person]) == {}
    assert (await signer.press(signer.link())).status_code == 303
    [first] = (await signer.store.log_pages.opened(workflow_id, [person])).values()
    await signer.press(signer.link())
    assert await signer.store.log_pages.opened(workflow_id, [person]) == {person: first}


async def test_the_signing_page_is_nowhere_on_ours(signer: Phone) -> None:
    await signer.create()
    page = (await signer.open(signer.link())).text
    assert "/sign/" not in page


async def test_an_approver_is_asked_to_approve(signer: Phone) -> None:
    await signer.create(approve_only=True)
    signer.views[REQUEST] = make_view(SignerState.TURN, Role.APPROVE)
    text = text_of((await signer.open(signer.link())).text)
    assert "Your approval is needed" in text
    assert "Read and approve" in text


async def test_the_name_of_a_document_is_text_and_no_markup(signer: Phone) -> None:
    signer.views[REQUEST] = make_view()
    page = (await signer.open(signer.link())).text
    assert "<b>2026" not in page
    assert "&lt;b&gt;2026" in page


async def test_who_signs_later_waits_for_the_others(signer: Phone) -> None:
    await signer.create()
    assert "It is not your turn yet" in text_of((await signer.press(signer.link(SECOND))).text)
    signer.views[REQUEST] = make_view(SignerState.TURN)
    early = await signer.open(signer.link(SECOND))
    assert "It is not your turn yet" in text_of(early.text)
    assert form_of(early.text) == {}
    signer.views[REQUEST] = make_view(SignerState.SIGNED)
    assert "Your signature is needed" in text_of((await signer.open(signer.link(SECOND))).text)


async def test_who_has_signed_is_thanked(signer: Phone) -> None:
    waiting = (WaitingFor(person=SECOND, since=DUE),)
    signer.views[REQUEST] = make_view_signed_by_first(waiting_for=waiting)
    answer = await signer.open(signer.link())
    text = text_of(answer.text)
    for phrase in (
        "You have signed",
        f"You have signed {DOCUMENT} on Thu, 26 Nov 2026, 09:00 (New York).",
        "Now it is the turn of Chief Executive.",
        "You will be told when it is complete.",
    ):
        assert phrase in text
    assert 'class="tick"' in answer.text
    assert form_of(answer.text) == {}


async def test_behind_the_notice_of_the_ending_is_the_same_receipt(signer: Phone) -> None:
    signer.views[REQUEST] = make_view_signed_by_first(SignerState.SIGNED, status=Status.SIGNED)
    for use in (LinkUse.SIGN, LinkUse.VIEW):
        answer = await signer.open(signer.link(use=use))
        text = text_of(answer.text)
        assert answer.status_code == 200
        assert f"You have signed {DOCUMENT} on Thu, 26 Nov 2026, 09:00 (New York)." in text
        assert "Everyone has signed." in text


async def test_who_has_acknowledged_alone_does_not_read_that_everyone_has(signer: Phone) -> None:
    alone = make_view_signed_by_first(status=Status.SIGNED)
    signer.views[REQUEST] = alone.replace(signers=alone.signers[:1], requester=REQUESTER)
    cover = CoverSheet(kind="nda", document=DOCUMENT, requester=REQUESTER, signers=(), version="2026.1")
    await signer.store.starts.keep_cover(
        Kind.REQUEST.workflow_id(REQUEST), cover.model_dump_json(by_alias=True).encode()
    )
    text = text_of((await signer.open(signer.link())).text)
    assert f"You have acknowledged {DOCUMENT} on Thu, 26 Nov 2026" in text
    assert "It is complete." in text
    requester = text_of((await signer.open(signer.link(REQUESTER, LinkUse.VIEW))).text)
    assert "It has been signed." in requester
    assert "veryone" not in text + requester


def make_declined_view(**changes: Any) -> RequestShow:
    """The request as the first signer has declined it."""
    view = make_view(SignerState.DECLINED, status=Status.DECLINED, requester=REQUESTER)
    first = view.signers[0].replace(at=NOW, reason="Annex B is <missing>")
    return view.replace(signers=(first, *view.signers[1:]), **changes)


async def test_who_has_declined_reads_that_they_did_why_and_who_was_told(signer: Phone) -> None:
    notification = Notification(key="k", stage="settled", person=REQUESTER, at=DUE)
    for view, heard in (
        (make_declined_view(), "Legal desk will be told."),
        (make_declined_view(notifications=(notification,)), "has been told."),
    ):
        signer.views[REQUEST] = view
        for use in (LinkUse.SIGN, LinkUse.VIEW):
            answer = await signer.open(signer.link(use=use))
            text = text_of(answer.text)
            assert (answer.status_code, "A signer" in text, "a signer" in text) == (200, False, False)
            assert "You declined" in text
            assert f"You declined {DOCUMENT} on Thu, 26 Nov 2026, 09:00 (New York)." in text
            assert "Annex B is <missing>" in text and "&lt;missing&gt;" in answer.text
            assert heard in text


async def test_a_refusal_of_another_signer_names_document_reason_and_who(signer: Phone) -> None:
    signer.views[REQUEST] = make_declined_view()
    for use in (LinkUse.SIGN, LinkUse.VIEW):
        text = text_of((await signer.open(signer.link(SECOND, use))).text)
        assert f"Customer declined {DOCUMENT} on Thu, 26 Nov 2026, 15:00 (Amsterdam)." in text
        assert "Annex B is <missing>" in text
    requester = text_of((await signer.open(signer.link(REQUESTER, LinkUse.VIEW))).text)
    assert "Customer declined it. Annex B is <missing>" in requester
    stranger = text_of((await signer.open(signer.link(CHAIR, LinkUse.VIEW))).text)
    assert "Annex B" not in stranger


async def test_a_form_that_was_open_too_long_shows_what_is_true_now(signer: Phone) -> None:
    await signer.create()
    fields = form_of((await signer.open(signer.link())).text)
    await signer.act("customer@acme.test", "sign")
    answer = await signer.browser.post(signer.link(), data=fields)
    assert f"You have signed {DOCUMENT} on" in text_of(answer.text)
    assert form_of(answer.text) == {}


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        ("decline", "It was declined by a signer."),
        ("cancel", "It was cancelled; nothing is left to do."),
    ],
)
async def test_a_link_dies_with_its_request_even_if_only_core_signature_knows(
    signer: Phone, action: str, sentence: str
) -> None:
    await signer.create()
    await (signer.cancel() if action == "cancel" else signer.act("customer@acme.test", action, reason="no"))
    answer = await signer.press(signer.link(SECOND))
    text = text_of(answer.text)
    assert answer.status_code == 410
    assert "This request has ended" in text
    assert sentence in text
    assert DOCUMENT not in text
    assert form_of(answer.text) == {}


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        ("decline", f"You declined {DOCUMENT} on"),
        ("sign", f"You have signed {DOCUMENT} on"),
    ],
)
async def test_who_has_just_acted_gets_their_receipt_even_if_only_core_signature_knows(
    signer: Phone, action: str, sentence: str
) -> None:
    await signer.create(("customer@acme.test", 1))
    await signer.act("customer@acme.test", action, reason="no <annex>")
    text = text_of((await signer.press(signer.link())).text)
    assert sentence in text
    assert ("no <annex>" in text) is (action == "decline")
    assert "a signer" not in text and "veryone" not in text


async def test_a_link_is_dead_as_soon_as_our_own_side_has_ended(signer: Phone) -> None:
    await signer.create()
    signer.views[REQUEST] = make_view(SignerState.TURN, status=Status.EXPIRED)
    answer = await signer.open(signer.link())
    assert (answer.status_code, "It was not signed in time." in text_of(answer.text)) == (410, True)


async def test_a_forwarded_signer_finds_their_link_in_the_mail_and_may_have_it_again(signer: Phone) -> None:
    await signer.create()
    await signer.forward("customer@acme.test", "chair@example.test")
    assert "It was handed over" in text_of((await signer.press(signer.link())).text)
    page = await signer.press(signer.link(CHAIR))
    assert "Check your email" in text_of(page.text)
    mails = len(signer.entries("mail"))
    answer = await signer.post(signer.link(CHAIR), form_of(page.text))
    assert (answer.status_code, len(signer.entries("mail"))) == (303, mails + 1)
    mail_page = await signer.browser.get(
        str(signer.browser.base_url.join(signer.link(CHAIR)).join(answer.headers["location"]))
    )
    assert "The email is on its way" in text_of(mail_page.text)


async def test_a_second_click_is_no_second_mail(signer: Phone) -> None:
    await signer.create()
    await signer.forward("customer@acme.test", "chair@example.test")
    mails = len(signer.entries("mail"))
    fields = form_of((await signer.press(signer.link(CHAIR))).text)
    first, second = await asyncio.gather(*(signer.post(signer.link(CHAIR), fields) for _ in range(2)))
    assert len(signer.entries("mail")) == mails + 1
    assert (
        first.headers["location"] == second.headers["location"] == f"{signer.link(CHAIR).rpartition('/')[2]}?mail=sent"
    )


async def test_a_mail_that_was_not_sent_may_be_asked_for_again_at_once(signer: Phone) -> None:
    await signer.create()
    await signer.forward("customer@acme.test", "chair@example.test")
    mails = len(signer.entries("mail"))
    fields = form_of((await signer.press(signer.link(CHAIR))).text)
    signer.arm(path="*resend*", fault="503")
    assert (await signer.post(signer.link(CHAIR), fields)).status_code == 503
    assert (await signer.post(signer.link(CHAIR), fields)).status_code == 303
    assert len(signer.entries("mail")) == mails + 1


async def test_nobody_has_the_mail_sent_to_others(signer: Phone) -> None:
    await signer.create(("customer@acme.test", 1), ("ceo@example.test", 1))
    await signer.forward("customer@acme.test", "chair@example.test")
    mails = signer.entries("mail")
    page = await signer.press(signer.link(CHAIR))
    assert "Check your email" in text_of(page.text)
    assert "because others whose turn it is would get theirs, too" in text_of(page.text)
    assert form_of(page.text) == {}
    token = form_of((await signer.open(signer.link(CHAIR))).text)["token"]
    await signer.post(signer.link(CHAIR), {"token": token, "act": "resend"})
    assert signer.entries("mail") == mails
    await signer.act("ceo@example.test", "sign")
    assert form_of((await signer.press(signer.link(CHAIR))).text)["act"] == "resend"


async def test_nobody_has_mails_sent_who_can_sign_right_here(signer: Phone) -> None:
    await signer.create()
    mails = signer.entries("mail")
    answer = await signer.press(signer.link(), act="resend")
    assert (form_of(answer.text)["act"], signer.entries("mail")) == ("sign", mails)


@pytest.mark.parametrize("ref", ["x", "A" * 64, "A" * 600, "%C3%A9", "..%2F..%2Fetc"])
async def test_a_link_that_is_not_ours_does_not_work(signer: Phone, ref: str) -> None:
    for answer in (await signer.open(f"/open/{ref}"), await signer.browser.post(f"/open/{ref}", data={"act": "sign"})):
        assert answer.status_code == 404
    assert signer.entries("request") == []


async def test_a_link_with_one_letter_changed_does_not_work(signer: Phone) -> None:
    await signer.create()
    link = signer.link()
    for index in range(len("/open/"), len(link), 7):
        changed = link[:index] + ("A" if link[index] != "A" else "B") + link[index + 1 :]
        assert (await signer.open(changed)).status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"token": ""},
        {"token": "A" * 43},
        {"token": "é"},
        {"headers": {"sec-fetch-site": "cross-site"}},
        {"headers": {"sec-fetch-site": "same-site"}},
        {"headers": {"origin": "https://evil.example"}},
        {"token": "x.y"},
    ],
)
async def test_a_form_that_is_not_ours_is_refused(signer: Phone, changes: dict[str, Any]) -> None:
    await signer.create()
    answer = await signer.press(signer.link(), **changes)
    assert (answer.status_code, "location" in answer.headers) == (403, False)
    assert '<a class="again" href="">Look again</a>' in answer.text


async def test_a_form_that_does_not_arrive_whole_is_said_to_and_not_called_somebody_else_s(signer: Phone) -> None:
    await signer.create()
    answer = await signer.press(signer.link(), padding="x" * 10 * LONGEST)
    assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert "What you sent did not arrive whole. Nothing was changed." in text_of(answer.text)
    assert '<a class="again" href="">Look again</a>' in answer.text


async def test_the_form_of_one_link_is_not_that_of_another(signer: Phone) -> None:
    await signer.create(("customer@acme.test", 1), ("ceo@example.test", 1))
    fields = form_of((await signer.open(signer.link())).text)
    assert (await signer.browser.post(signer.link(SECOND), data=fields)).status_code == 403


async def test_an_onlooker_sees_where_it_stands_and_no_button(signer: Phone) -> None:
    signer.views[REQUEST] = make_view(waiting_for=(WaitingFor(person=SECOND, since=DUE),))
    answer = await signer.open(signer.link(CHAIR, LinkUse.VIEW))
    text = text_of(answer.text)
    assert answer.status_code == 200
    assert "Waiting for Chief Executive." in text
    assert "Due in 16 days, Sat, 12 Dec Sat, 12 Dec 2026, 02:00 (Tokyo)" in text
    assert "Customer has signed Chief Executive asked" in text
    assert form_of(answer.text) == {}


async def test_an_onlookers_link_never_leads_to_a_signing_page(signer: Phone) -> None:
    await signer.create()
    signer.views[REQUEST] = make_view()
    fields = form_of((await signer.open(signer.link())).text)
    view = signer.link(FIRST, LinkUse.VIEW)
    assert (await signer.browser.post(view, data=fields)).status_code == 403


async def test_only_the_requester_sees_whom_of_ours_we_tell_of_the_ending(signer: Phone) -> None:
    handoffs = (HandoffLine(target="finance", state=HandoffState.PENDING, attempts=0, at=DUE),)
    signer.views[REQUEST] = make_view(status=Status.SIGNED, handoffs=handoffs, requester=REQUESTER)
    requester = text_of((await signer.open(signer.link(REQUESTER, LinkUse.VIEW))).text)
    assert "Still to be told: finance." in requester
    for onlooker, sentence in ((CHAIR, "It has been signed by everyone."), (FIRST, "Everyone has signed.")):
        text = text_of((await signer.open(signer.link(onlooker, LinkUse.VIEW))).text)
        assert "finance" not in text
        assert sentence in text


async def test_who_was_replaced_does_not_read_why_the_request_stands(signer: Phone) -> None:
    sentence = f"Waiting for {SECOND}; reminders are paused: paused by {REQUESTER}: perhaps insolvent"
    standing = NextAction(what="wait", at=None, why=f"paused by {REQUESTER}: perhaps insolvent")
    paused: dict[str, Any] = {
        "attention": (Attention(code=AttentionCode.PAUSED, since=DUE, says=standing.why),),
        "timeline": (TimelineEntry(at=DUE, happened=EventType.PAUSED, who=REQUESTER, why="Insolvent?", said=True),),
    }
    waiting = (WaitingFor(person=SECOND, since=DUE),)
    reassigned = SignerState.REASSIGNED
    signer.views[REQUEST] = make_view(
        reassigned, says=sentence, next=standing, waiting_for=waiting, requester=REQUESTER, **paused
    )
    replaced = text_of((await signer.open(signer.link(FIRST, LinkUse.VIEW))).text)
    assert "Waiting for Chief Executive." in replaced
    assert "insolvent" not in replaced and REQUESTER not in replaced
    theirs = text_of((await signer.open(signer.link(REQUESTER, LinkUse.VIEW))).text)
    assert "nobody is reminded until it is resumed at the desk. Insolvent?" in theirs


async def test_an_onlooker_is_told_when_nobody_knows(signer: Phone) -> None:
    answer = await signer.open(signer.link(CHAIR, LinkUse.VIEW))
    assert answer.status_code == 503
    assert "Core Signature" not in text_of(answer.text)


@pytest.mark.parametrize("fault", ["refuse", "500", "429", "401", "502", "truncate", "302"])
async def test_without_core_signature_the_button_asks_for_a_minute(signer: Phone, fault: str) -> None:
    await signer.create()
    signer.arm(method="GET", path="/api/v1/documents/*", fault=fault, times=None)
    answer = await signer.press(signer.link())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert "Please try again in a minute" in text_of(answer.text)


async def test_the_button_works_while_a_restarted_receiver_finds_a_faulty_people_file(
    signer: Phone, tmp_path: Path
) -> None:
    await signer.create()
    (tmp_path / "people.yaml").write_text("people: [{id: a}]")
    answer = await signer.press(signer.link())
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{signer.sandbox.url}/sign/")


async def test_whose_address_was_corrected_still_signs_where_they_were_asked(signer: Phone, tmp_path: Path) -> None:
    await signer.create()
    people = (tmp_path / "people.yaml").read_text()
    (tmp_path / "people.yaml").write_text(people.replace("customer@acme.test", "c.signer@acme.test"))
    answer = await signer.press(signer.link())
    assert answer.headers["location"].startswith(f"{signer.sandbox.url}/sign/")


async def test_a_store_that_cannot_be_read_is_not_said_of_core_signature(signer: Phone) -> None:
    await signer.create()
    assert altered(signer.store, "UPDATE people_asked SET content = '?'")
    answer = await signer.press(signer.link(CHAIR))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert "Core Signature" not in text_of(answer.text)
    assert "Please try again in a minute" in text_of(answer.text)


async def test_what_is_not_listed_yet_is_being_prepared(signer: Phone) -> None:
    assert (await signer.press(signer.link())).status_code == 404
    signer.views[REQUEST] = make_view(SignerState.TURN)
    answer = await signer.press(signer.link())
    assert (answer.status_code, "It is being prepared" in text_of(answer.text)) == (503, True)


async def test_who_is_not_asked_is_told_so(signer: Phone) -> None:
    await signer.create()
    assert (await signer.press(signer.link(CHAIR))).status_code == 404
    assert (await signer.press(signer.link("who-has-left"))).status_code == 404
    signer.views[REQUEST] = make_view()
    assert (await signer.open(signer.link(CHAIR))).status_code == 404


async def test_a_page_speaks_the_language_of_its_person(signer: Phone) -> None:
    dutch = SignerLine(person=DUTCH, order=1, role=Role.SIGN, state=SignerState.TURN)
    signer.views[REQUEST] = make_view(signers=(dutch,))
    answer = await signer.open(signer.link(DUTCH), accept_language="fr")
    text = text_of(answer.text)
    assert '<html lang="nl">' in answer.text
    assert "Uw handtekening is nodig" in text
    assert "Uiterlijk over 15 dagen, vr 11 dec vr 11 dec 2026, 18:00 (Amsterdam)" in text
    assert "Lezen en ondertekenen" in text
    assert "Geef de link niet door." in text


async def test_an_onlooker_reads_in_their_language_where_it_stands(signer: Phone) -> None:
    signer.views[REQUEST] = make_view(
        waiting_for=(WaitingFor(person=SECOND, since=DUE),),
        next=NextAction(what=ActionType.WARN, at=DUE, why="two days"),
    )
    text = text_of((await signer.open(signer.link(DUTCH, LinkUse.VIEW))).text)
    assert "Wacht op Chief Executive. Op vr 11 dec 2026, 18:00 (Amsterdam) volgt een laatste waarschuwing." in text
    assert "Ondertekenaars Customer heeft ondertekend Chief Executive gevraagd" in text


async def test_who_is_not_known_is_spoken_to_as_their_browser_asks(signer: Phone) -> None:
    for path in ("/open/x", signer.link("who-has-left", LinkUse.VIEW)):
        answer = await signer.open(path, accept_language="pt-BR, de-CH;q=0.8, en;q=0.5")
        assert '<html lang="de">' in answer.text
        assert '<html lang="en">' in (await signer.open(path)).text
    answer = await signer.browser.post("/open/x", headers={"accept-language": "es"})
    assert "Este enlace no funciona" in text_of(answer.text)


async def test_a_refused_form_speaks_the_language_of_its_person(signer: Phone) -> None:
    await signer.create(("finance@example.test", 1))
    answer = await signer.press(signer.link(DUTCH), token="")
    assert "Dit formulier kwam niet van de pagina achter uw link." in text_of(answer.text)


async def test_pages_keep_to_themselves(signer: Phone) -> None:
    await signer.create()
    for path in (signer.link(), "/open/x"):
        answer = await signer.open(path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert f"form-action 'self' {signer.sandbox.url};" in policy
        assert not {"http:", "https:"} & set(answer.text.replace("/", " ").split('"'))
        assert "<script" not in answer.text
        assert "server" not in answer.headers


async def test_other_methods_are_not_allowed(signer: Phone) -> None:
    assert (await signer.browser.put(signer.link())).status_code == 405


async def test_nothing_of_the_desk_is_taken_for_a_link(signer: Phone) -> None:
    """The page of a campaign is at the desk, whose addresses are not ours to answer."""
    answer = await signer.post("/desk/sign-in", {"who": "chair"})
    assert (answer.status_code, "data-screen" in answer.text) == (404, False)
