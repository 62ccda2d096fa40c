"""Messages: the words a person reads, the identity on the screen, and a size that no service refuses."""

import hashlib
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest
import regex  # type: ignore[import-untyped]
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from activities.keys import KeyRing
from activities.notifications.links import LinkUse, SigningLinks
from activities.notifications.message import (
    NotificationMessage,
    compose,
    fitted,
    screen_key,
    shorten,
    speaking_for,
    wire_size,
)
from activities.people.language import LANGUAGES
from activities.people.reader import Reader
from tests.activities.reading import reading
from workflows.kinds import Kind
from workflows.model.notifications import Delivery, NoticeAction, NotificationOrder
from workflows.model.signature import Document, SignatureBrief
from workflows.model.subject import Identity, LockScreen, Participant, Role, Status, Subject
from workflows.names import notice_key

LINKS = SigningLinks("https://sign.example", KeyRing([SecretStr("s" * 32)]))
AMSTERDAM = reading()
STAGES = (
    "ready",
    "reminder-1",
    "reminder-manual-1",
    "warning-1d",
    "warning-2d.2",
    "overdue-1",
    "overdue-2.3",
    "snooze-1",
    "question-1",
    "answer-1",
    "escalation",
    "escalated",
    "reassigned",
    "settled",
    "something-new",
)
DUE = datetime(2026, 12, 11, 17, 0, tzinfo=UTC)


def composed(
    stage: str = "ready",
    action: NoticeAction = NoticeAction.SIGN,
    *,
    name: str = "Master services agreement",
    reader: Reader = AMSTERDAM,
    due_at: datetime | None = DUE,
    outcome: Status | None = None,
    urgent: bool = False,
    now: datetime | None = None,
    person: str = "chief-executive",
    company: str = "",
    lock_screen: LockScreen = LockScreen.FULL,
    round: int = 0,
    people: tuple[Participant, ...] = (Participant(person="chief-executive", order=1, role=Role.SIGN),),
) -> NotificationMessage:
    brief = SignatureBrief(
        id="msa-0042",
        kind="customer-contract",
        title=name,
        document=Document(),
        requester="legal-desk",
        people=people,
        urgent=urgent,
        lock_screen=lock_screen,
        round=round,
    )
    notice = NotificationOrder(key=notice_key("msa-0042", stage, person), stage=stage, person=person, action=action)
    delivery = Delivery(subject=brief, notices=(notice,), due_at=due_at, outcome=outcome, now=now)
    return compose(delivery, notice, reader, LINKS, company)


@pytest.mark.parametrize("lock_screen", LockScreen)
def test_the_notice_of_a_new_version_to_review_differs_from_the_first(lock_screen: LockScreen) -> None:
    first, second = (composed("ready", NoticeAction.REVIEW, round=round, lock_screen=lock_screen) for round in (1, 2))
    assert first.title != second.title
    assert second.title.startswith(
        "New version to review" if lock_screen is LockScreen.FULL else "A new version is ready"
    )


@pytest.mark.parametrize(
    ("stage", "action", "title", "body"),
    [
        ("ready", "sign", "Sign: Master services agreement", ""),
        ("ready", "approve", "Approve: Master services agreement", ""),
        ("reminder-2", "sign", "Reminder: sign Master services agreement", "It still waits for you. "),
        ("warning-1d", "approve", "Last day: approve Master services agreement", "Little time is left. "),
        ("snooze-1", "sign", "As you asked: sign Master services agreement", "You asked to be reminded now. "),
        (
            "escalation",
            "open",
            "Signature missing: Master services agreement",
            "It still waits for a signer, and you can act. Please see to it. ",
        ),
    ],
)
def test_the_title_is_action_and_document_the_body_who_asks_and_until_when(
    stage: str, action: str, title: str, body: str
) -> None:
    message = composed(stage, NoticeAction(action), now=DUE - timedelta(days=1), company="Acme")
    assert (message.title, message.body) == (title, f"Acme · {body}Due tomorrow: Fri, 11 Dec, 18:00.")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("action", [NoticeAction.SIGN, NoticeAction.APPROVE, NoticeAction.OPEN])
def test_each_type_has_its_own_first_words_in_every_language(action: NoticeAction, language: str) -> None:
    ahead = {"warning-2d": 2, "warning-1d": 1, "overdue-1": -1}
    stages = ("ready", "reminder-1", "snooze-1", *ahead, "answer-1", "escalated")
    titles = {
        composed(stage, action, reader=reading(language), now=DUE - timedelta(days=ahead.get(stage, 3))).title
        for stage in stages
    }
    assert len({title.partition(":")[0] for title in titles}) == len(stages)


def test_twenty_six_notices_on_one_phone_are_told_apart_by_their_titles() -> None:
    assert len({composed("reminder-1", name=f"Support renewal {year}").title for year in range(2027, 2053)}) == 26


def test_the_year_stands_in_a_notice_only_where_it_is_another_one() -> None:
    assert composed(now=DUE - timedelta(days=30)).body == "Due Fri, 11 Dec, 18:00."
    assert composed(now=DUE - timedelta(days=360)).body == "Due Fri, 11 Dec 2026, 18:00."
    assert composed().body == "Due Fri, 11 Dec 2026, 18:00."


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("action", [NoticeAction.SIGN, NoticeAction.APPROVE, NoticeAction.OPEN])
def test_a_locked_screen_learns_nothing_of_a_document_that_is_nobody_s_business(
    action: NoticeAction, language: str
) -> None:
    reader = reading(language)
    for stage in STAGES:
        message = composed(stage, action, reader=reader, lock_screen=LockScreen.GENERIC, company="Acme")
        assert message.title, stage
        assert "Master services agreement" not in message.title + message.body + "".join(message.data.values()), stage


def test_a_generic_notice_still_says_what_is_asked_for_by_whom_and_until_when() -> None:
    message = composed(lock_screen=LockScreen.GENERIC, company="Acme", now=DUE - timedelta(hours=2))
    assert (message.title, message.body) == ("Your signature is needed", "Acme · Due today: Fri, 11 Dec, 18:00.")


@pytest.mark.parametrize("stage", ["overdue-1", "overdue-2.2", "warning-1d"])
@pytest.mark.parametrize(
    ("locale", "title", "body"),
    [
        ("en", "Overdue: sign X", "It still waits for you. Overdue since Fri, 11 Dec, 18:00."),
        ("nl", "Te laat: onderteken X", "Het wacht nog op u. Te laat sinds vr 11 dec, 18:00."),
        (
            "de",
            "Überfällig: Unterschrift für X",
            "Das Dokument wartet noch auf Sie. Überfällig seit Fr., 11. Dez., 18:00.",
        ),
        ("fr", "En retard\u00a0: signer X", "Il vous attend toujours. En retard depuis le ven. 11 déc., 18:00."),
        ("es", "Vencido: firmar X", "Sigue a la espera de usted. Vencido desde el vie, 11 dic, 18:00."),
    ],
)
def test_after_the_due_date_nothing_is_due_soon_it_is_overdue_since(
    stage: str, locale: str, title: str, body: str
) -> None:
    message = composed(stage, name="X", reader=reading(locale), now=DUE + timedelta(hours=1))
    assert (message.title, message.body) == (title, body)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("action", [NoticeAction.SIGN, NoticeAction.APPROVE, NoticeAction.OPEN])
def test_every_stage_and_action_has_words_in_every_language(action: NoticeAction, language: str) -> None:
    reader = reading(language)
    for stage in STAGES:
        message = composed(stage, action, reader=reader, now=DUE - timedelta(hours=1))
        assert "Master services agreement" in message.title, stage
        assert message.body, stage
        assert not {"{", "}"} & set(message.title + message.body), stage


@pytest.mark.parametrize(
    ("stage", "title"),
    [
        ("reminder-manual-2", "Reminder: your signature is needed"),
        ("warning-2d.2", "Due soon: your signature is needed"),
        ("snooze-1", "As you asked: your signature is needed"),
        ("answer-3", "Your question was answered"),
        ("escalated", "Escalated: your signature is still missing"),
        ("digest", "Your signature is needed"),
    ],
)
def test_a_stage_is_known_by_its_first_word(stage: str, title: str) -> None:
    assert composed(stage, lock_screen=LockScreen.GENERIC).title == title


def test_who_was_replaced_has_nothing_left_to_do_and_so_no_due_date() -> None:
    message = composed("reassigned", NoticeAction.OPEN, urgent=True)
    assert message.title == "Passed on: Master services agreement"
    assert message.body == "Somebody else is asked now. Nothing is left for you to do."


def test_an_escalation_that_comes_back_to_the_requester_says_that_nobody_is_left() -> None:
    assert composed("escalation", NoticeAction.OPEN, person="legal-desk").title.startswith("Nobody left to ask: ")
    assert composed("escalation", NoticeAction.OPEN, person="chair").title.startswith("Signature missing: ")
    assert composed("ready", person="legal-desk").title.startswith("Sign: ")


@pytest.mark.parametrize(
    ("locale", "title", "body"),
    [
        ("nl", "Dringend · Herinnering: onderteken X", "Het wacht nog op u. Uiterlijk morgen: vr 11 dec, 18:00."),
        (
            "de-AT",
            "Dringend · Erinnerung: Unterschrift für X",
            "Das Dokument wartet noch auf Sie. Frist morgen: Fr., 11. Dez., 18:00.",
        ),
        (
            "fr",
            "Urgent · Rappel\u00a0: signer X",
            "Il vous attend toujours. Échéance demain\u00a0: ven. 11 déc., 18:00.",
        ),
        ("es", "Urgente · Recordatorio: firmar X", "Sigue a la espera de usted. Vence mañana: vie, 11 dic, 18:00."),
    ],
)
def test_a_notice_speaks_the_language_of_its_reader(locale: str, title: str, body: str) -> None:
    message = composed("reminder-1", name="X", reader=reading(locale), urgent=True, now=DUE - timedelta(days=1))
    assert (message.title, message.body) == (title, body)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nobody_is_named(language: str) -> None:
    """Of people neither who asks nor who has not acted: a notice lies open on the screen of a locked phone."""
    reader = reading(language)
    for stage in STAGES:
        message = composed(stage, reader=reader, person="chair")
        text = message.title + message.body
        assert not any(person in text for person in ("legal-desk", "chief-executive", "chair")), stage


@pytest.mark.parametrize(
    "outcome",
    [
        status
        for status in Status
        if status.has_ended and status not in (Status.DONE, Status.DONE_WITH_ERRORS, Status.WAIVED)
    ],
)
def test_every_ending_has_its_own_words_and_no_due_date(outcome: Status) -> None:
    message = composed("settled", NoticeAction.OPEN, outcome=outcome, urgent=True)
    assert "Due" not in message.body
    assert message.title != composed("ready", NoticeAction.OPEN).title
    assert not message.title.startswith("Urgent")


def test_the_due_date_is_on_the_recipients_clock() -> None:
    assert "Fri, 11 Dec 2026, 12:00." in composed(reader=reading(zone="America/New_York")).body
    assert "Sat, 12 Dec 2026, 06:00." in composed(reader=reading(zone="Pacific/Auckland")).body


def test_an_urgent_document_says_so() -> None:
    assert composed(urgent=True).title == "Urgent · Sign: Master services agreement"


def test_the_screen_key_is_of_request_and_person_alone_so_a_newer_notice_replaces_the_older() -> None:
    expected = urlsafe_b64encode(hashlib.sha256(b"msa-0042/chief-executive").digest()).decode()[:22]
    assert screen_key("msa-0042", "chief-executive") == expected
    assert {composed(stage).key for stage in ("ready", "reminder-1", "settled")} == {expected}


def test_data_is_what_the_contract_says() -> None:
    assert composed().data == {
        "request": "msa-0042",
        "stage": "ready",
        "key": screen_key("msa-0042", "chief-executive"),
        "link": LINKS.link("msa-0042", "chief-executive", LinkUse.SIGN, order=1, identity=Identity.LINK),
        "action": "sign",
    }


def test_only_who_is_asked_to_act_gets_a_signing_link() -> None:
    claims = {
        action: LINKS.open(composed(action=action).link.rpartition("/")[2]).use
        for action in (NoticeAction.SIGN, NoticeAction.APPROVE, NoticeAction.OPEN, NoticeAction.WITHDRAW)
    }
    assert list(claims.values()) == [LinkUse.SIGN, LinkUse.SIGN, LinkUse.VIEW, LinkUse.VIEW]


def test_a_member_of_a_group_gets_a_link_that_takes_its_place() -> None:
    members = (Participant(person="chief-executive", order=3, team="board", beside=True),)
    message = composed(people=members)
    claim = LINKS.open(message.link.rpartition("/")[2])
    assert (claim.use, claim.order) == (LinkUse.TAKE, 0)
    assert LINKS.open(composed(action=NoticeAction.OPEN, people=members).link.rpartition("/")[2]).use is LinkUse.VIEW


def test_a_withdrawal_says_that_nothing_is_left_as_browsers_must_show_it() -> None:
    message = composed("settled", NoticeAction.WITHDRAW, outcome=Status.SIGNED)
    assert (message.title, message.body, message.withdrawal) == ("Nothing is left for you to do.", "", True)


def test_a_right_to_left_name_is_isolated_from_the_sentence() -> None:
    assert "\u2068اتفاقية\u2069" in composed(name="اتفاقية").title
    assert "\u2068" not in composed(name="Agreement").title


@pytest.mark.parametrize("turning", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
def test_a_name_cannot_turn_the_sentence_around(turning: str) -> None:
    assert composed(name=f"Agree{turning}ment").title == composed(name="Agreement").title


@pytest.mark.parametrize(
    ("locale", "title", "body"),
    [
        ("en", "12 things wait for you", "Please open the list."),
        ("de", "12 Sachen warten auf Sie", "Bitte öffnen Sie die Liste."),
        ("nl", "12 dingen wachten op u", "Open de lijst."),
        ("fr", "12 choses vous attendent", "Veuillez ouvrir la liste."),
        ("es", "12 cosas le esperan", "Abra la lista."),
    ],
)
def test_a_notice_that_speaks_for_others_counts_them_and_leads_to_the_list(locale: str, title: str, body: str) -> None:
    reader = reading(locale)
    own_message = composed(reader=reader)
    combined = speaking_for(own_message, 11, reader, "Supplier", LINKS.desk())
    assert (combined.title, combined.body, combined.link) == (title, f"Supplier · {body}", "https://sign.example/desk")
    assert (combined.key, combined.action) == (own_message.key, NoticeAction.OPEN)
    alone = speaking_for(own_message, 11, reader)
    assert (alone.title, alone.link, alone.action) == (title, own_message.link, NoticeAction.SIGN)


def test_braces_in_a_name_are_only_braces() -> None:
    assert "Plan {document} {0}" in composed(name="Plan {document} {0}").title
    assert composed(company="{document} {0}").body.startswith("{document} {0} · ")


@given(text=st.text(max_size=300), limit=st.integers(3, 400))
@example(text="x" * 60, limit=60)
@example(text="x" * 61, limit=60)
def test_shortening_keeps_whole_graphemes_and_the_limit(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert wire_size(short) <= limit
    if short != text:
        graphemes = regex.findall(r"\X", short.removesuffix("…"))
        assert regex.findall(r"\X", text)[: len(graphemes)] == graphemes


def test_a_family_emoji_is_never_cut_in_two() -> None:
    family = "👨‍👩‍👧‍👦"
    assert shorten(family * 3, len(family.encode()) + 4) == f"{family}…"


@pytest.mark.long
@given(name=st.text(min_size=1, max_size=3_000))
def test_a_fitted_message_is_within_the_limit_and_an_already_small_one_unchanged(name: str) -> None:
    message = composed(name=name)
    limit = 2_000

    def size(candidate: NotificationMessage) -> int:
        return wire_size([candidate.title, candidate.body, candidate.data])

    small = fitted(message, size, limit)
    assert size(small) <= limit
    assert (small == message) == (size(message) <= limit)


@pytest.mark.parametrize(
    ("lock_screen", "title"), [(LockScreen.FULL, "Acme: Please prepare."), (LockScreen.GENERIC, None)]
)
def test_news_about_a_customer_names_them_unless_the_lock_screen_is_generic(
    lock_screen: LockScreen, title: str | None
) -> None:
    onboarding = Subject(
        type=Kind.ONBOARDING, id="acme", kind="customer-onboarding", title="Acme", requester="owner", people=()
    )
    notice = NotificationOrder(key="acme/notice-1/ops", stage="notice-1", person="ops", title="Acme", text="kept")
    delivery = Delivery(subject=onboarding.replace(lock_screen=lock_screen), notices=(notice,))
    message = compose(delivery, notice, AMSTERDAM, LINKS, text="Please prepare.")
    assert message.title == title if title else "Acme" not in message.title
    assert "Acme" not in str(message.data)
