"""What managers and owners hear of a campaign: how many are missing, and at night without a sound."""

from datetime import UTC, datetime

import pytest

from activities.notifications.links import SigningLinks
from activities.notifications.message import NotificationMessage, compose
from activities.notifications.service import NotificationService
from activities.people.language import LANGUAGES
from deploy.sandbox.server import RunningSandbox
from tests.activities.notifications.stage import brief
from tests.activities.reading import reading
from workflows.kinds import Kind
from workflows.model.notifications import Delivery, NoticeAction, NotificationOrder, NotificationOutcome
from workflows.model.subject import LockScreen, Subject

CONDUCT = "Code of conduct"
WORKING = datetime(2026, 12, 15, 9, 0, tzinfo=UTC)
NIGHT = datetime(2026, 12, 15, 2, 0, tzinfo=UTC)
SATURDAY = datetime(2026, 12, 12, 10, 0, tzinfo=UTC)


def subject(lock_screen: LockScreen = LockScreen.FULL) -> Subject:
    return brief().subject.replace(
        id="conduct", type=Kind.CAMPAIGN, title=CONDUCT, people=(), lock_screen=lock_screen, requester="legal-desk"
    )


def digest(count: int, overdue: int = 0, *, stage: str = "digest-14", total: int | None = None) -> NotificationOrder:
    person = "chief-executive" if stage.startswith("digest") else "legal-desk"
    return NotificationOrder(
        key=f"conduct/{stage}/{person}",
        stage=stage,
        person=person,
        action=NoticeAction.OPEN,
        count=count,
        overdue=overdue,
        total=total,
    )


def composed(
    links: SigningLinks, notice: NotificationOrder, locale: str = "en", lock_screen: LockScreen = LockScreen.FULL
) -> NotificationMessage:
    return compose(Delivery(subject=subject(lock_screen), notices=(notice,)), notice, reading(locale), links)


@pytest.mark.parametrize(
    ("notice", "title"),
    [
        (digest(4, 1), "4 of your people have not acknowledged yet, 1 overdue: Code of conduct"),
        (digest(4), "4 of your people have not acknowledged yet: Code of conduct"),
        (digest(1), "1 of your people has not acknowledged yet: Code of conduct"),
        (digest(1, 1), "1 of your people has not acknowledged yet, 1 overdue: Code of conduct"),
        (digest(40, total=100, stage="progress-7"), "40 of 100 have not acknowledged yet: Code of conduct"),
        (digest(1, total=100, stage="progress-7"), "1 of 100 has not acknowledged yet: Code of conduct"),
        (digest(0, total=100, stage="progress-7"), "0 of 100 have not acknowledged yet: Code of conduct"),
    ],
)
def test_a_title_says_how_many(links: SigningLinks, notice: NotificationOrder, title: str) -> None:
    message = composed(links, notice)
    assert (message.title, message.link) == (title, "https://sign.example/desk/campaigns/conduct")


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("notice", [digest(4, 1), digest(1), digest(7, total=90, stage="progress-7")])
def test_on_a_locked_screen_that_shows_little_the_document_is_not_named(
    links: SigningLinks, notice: NotificationOrder, locale: str
) -> None:
    full, little = composed(links, notice, locale), composed(links, notice, locale, LockScreen.GENERIC)
    assert CONDUCT in full.title
    assert CONDUCT not in little.title + little.body
    assert str(notice.count) in little.title
    assert full.title.startswith(little.title), "the name comes last, since it is cut when it is long"


def test_the_numbers_are_said_in_every_language(links: SigningLinks) -> None:
    titles = {locale: composed(links, digest(4, 1), locale).title for locale in LANGUAGES}
    assert len(set(titles.values())) == len(LANGUAGES), titles
    assert all("4" in title and "1" in title for title in titles.values())


@pytest.mark.parametrize(("now", "loud"), [(WORKING, True), (NIGHT, False), (SATURDAY, False)])
async def test_outside_of_working_hours_it_makes_no_sound(
    sandbox: RunningSandbox, notices: NotificationService, now: datetime, loud: bool
) -> None:
    notice = digest(4, 1)
    report = await notices.deliver(Delivery(subject=subject(), notices=(notice,), others_told=True, now=now))
    assert [line.outcome for line in report.delivered] == [NotificationOutcome.ACCEPTED]
    sent = [push.message["apns"]["payload"]["aps"] for push in sandbox.state.database.pushes.where("chief-executive")]
    assert ["sound" in aps for aps in sent] == [loud] * 3
