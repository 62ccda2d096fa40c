"""Callbacks that stay away: whoever is on call hears it once, and once more when they come again."""

import asyncio
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.keys import KeyRing
from activities.notifications.alerts import OnCallAlerts
from activities.notifications.links import SigningLinks
from activities.notifications.message import compose
from activities.people.reader import Reader
from activities.reconciliation.callback_health import CallbackAlarm, CallbackClockSkew, CallbackHealth
from tests.activities.book import make_person
from tests.activities.reconciliation.test_reconciliation import MINUTE, NOW, Office, office, wrong
from tests.workflows.fakes import FakePushService, World, refusal
from workflows.follow_up.notification_types import NotificationType
from workflows.model.subject import Code, Status

HOUR = timedelta(hours=1)


def stages(push: FakePushService) -> list[str]:
    """What whoever is on call was told."""
    return [f"{notice.stage} → {notice.person}" for delivery in push.deliveries for notice in delivery.notices]


async def hourly(back_office: Office, number: int, *, delivered: bool) -> None:
    """An hour later something happens to a request that goes on, and a sweep comes."""
    back_office.now = NOW + number * HOUR - timedelta(hours=8)
    back_office.happens("msa-0042", "signer_viewed", delivered=delivered)
    await back_office.sweeps()


async def test_an_hour_of_callbacks_that_did_not_arrive_is_told_once_and_so_is_their_return(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        push = World().push
        back_office.alarm = CallbackAlarm(OnCallAlerts(push, "on-call"), HOUR)
        await back_office.begins("msa-0042")
        await hourly(back_office, 0, delivered=True)
        await hourly(back_office, 1, delivered=False)
        assert stages(push) == [], "one lost callback is no silence"
        await hourly(back_office, 2, delivered=False)
        await hourly(back_office, 3, delivered=False)
        assert stages(push) == ["uncalled → on-call"]
        await hourly(back_office, 4, delivered=True)
        await hourly(back_office, 5, delivered=True)
        assert stages(push) == ["uncalled → on-call", "called → on-call"]
        await hourly(back_office, 6, delivered=False)
        await hourly(back_office, 7, delivered=False)
        assert stages(push)[2:] == ["uncalled → on-call"]
        keys = [notice.key for delivery in push.deliveries for notice in delivery.notices]
        assert len(set(keys)) == len(keys)


def test_callbacks_that_come_and_go_are_back_once_an_hour() -> None:
    """With a setting of a minute: of every three minutes, two callbacks are lost and one arrives, for five hours."""
    health, news = CallbackHealth(), []
    for minute in range(300):
        now = NOW + minute * MINUTE
        health = (health.heard_of(now) if minute % 3 == 2 else health.missed(now)).judged(MINUTE, now)
        if health.incident.has_news(now):
            news.append(health.incident.grade)
            health = health.replace(incident=health.incident.heard(now))
    assert news == [1, 0] * 5 + [1]


async def test_how_long_they_may_stay_away_is_a_setting(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        push = World().push
        back_office.alarm = CallbackAlarm(OnCallAlerts(push, "on-call"), 3 * HOUR)
        await back_office.begins("msa-0042")
        for number in range(3):
            await hourly(back_office, number, delivered=False)
        assert stages(push) == []
        await hourly(back_office, 3, delivered=False)
        assert stages(push) == ["uncalled → on-call"]


async def test_a_quiet_weekend_is_no_silence_and_neither_are_documents_of_others(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        push = World().push
        back_office.alarm = CallbackAlarm(OnCallAlerts(push, "on-call"), HOUR)
        await back_office.begins("msa-0042")
        await hourly(back_office, 0, delivered=True)
        for number in range(1, 5):
            back_office.now = NOW + number * HOUR - timedelta(hours=8)
            back_office.happens("somebody-else-s", "signed")
            back_office.happens(None, "signed")
            await back_office.sweeps()
        assert stages(push) == []


async def test_an_event_with_a_time_that_is_to_come_ends_no_silence(tmp_path: Path) -> None:
    async with office(tmp_path, clock=wrong) as back_office:
        push = World().push
        back_office.alarm = CallbackAlarm(OnCallAlerts(push, "on-call"), HOUR)
        await back_office.begins("msa-0042")
        back_office.happens("msa-0042", "signer_viewed", delivered=True, ago=timedelta(days=-365))
        for number in range(3):
            await hourly(back_office, number, delivered=False)
        assert stages(push) == ["uncalled → on-call"]


async def test_callbacks_of_others_end_no_silence(tmp_path: Path) -> None:
    """Other programs of the tenant have documents with ids of their own, and their callbacks arrive."""
    async with office(tmp_path) as back_office:
        push = World().push
        back_office.alarm = CallbackAlarm(OnCallAlerts(push, "on-call"), HOUR)
        await back_office.begins("msa-0042")
        for number in range(3):
            back_office.now = NOW + number * HOUR - timedelta(hours=8)
            back_office.happens("somebody-else-s", delivered=True, ago=timedelta())
            back_office.happens("It's no id", delivered=True, ago=timedelta())
            await hourly(back_office, number, delivered=False)
        assert stages(push) == ["uncalled → on-call"]


async def test_what_was_heard_already_is_looked_up_once(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        back_office.alarm = CallbackAlarm(OnCallAlerts(World().push, "on-call"), HOUR)
        back_office.known.status = {"msa-0042": Status.SENT}
        back_office.happens("msa-0042", delivered=True)
        await back_office.sweeps()
        back_office.now += MINUTE
        await back_office.sweeps()
        assert back_office.known.looked_up == [["msa-0042"]]


async def test_whom_no_push_reaches_now_is_told_by_the_next_sweep(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        push = World().push
        push.failures = [refusal(Code.UNREACHABLE)]
        back_office.alarm = CallbackAlarm(OnCallAlerts(push, "on-call"), HOUR)
        await back_office.begins("msa-0042")
        for number in range(4):
            await hourly(back_office, number, delivered=False)
        assert stages(push) == 2 * ["uncalled → on-call"]
        assert not push.failures


@pytest.mark.parametrize("failure", ["no phone", "failed", "open"])
async def test_what_nobody_has_taken_is_told_again_by_the_next_sweep_and_once_in_each(
    failure: str, tmp_path: Path
) -> None:
    async with office(tmp_path) as back_office:
        push = World().push
        back_office.alarm = CallbackAlarm(OnCallAlerts(push, "on-call"), HOUR)
        await back_office.begins("msa-0042")
        await hourly(back_office, 0, delivered=False)
        push.without_phone = ["on-call"] if failure == "no phone" else []
        push.fails = {NotificationType.UNCALLED: "push_mismatch"} if failure == "failed" else {}
        push.deaf_once = ["on-call"] if failure == "open" else []
        await hourly(back_office, 1, delivered=False)
        assert stages(push) == ["uncalled → on-call"]
        push.without_phone, push.fails = [], {}
        await hourly(back_office, 2, delivered=False)
        await hourly(back_office, 3, delivered=False)
        assert stages(push) == 2 * ["uncalled → on-call"]


async def test_that_the_receiver_s_clock_is_behind_is_told_once_a_day_while_it_lasts(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        push = World().push
        back_office.alarm = CallbackAlarm(OnCallAlerts(push, "on-call"), HOUR)
        started_at = back_office.now
        for minutes in (0, 5, 60 * 23, 60 * 25):
            back_office.now = started_at + minutes * MINUTE
            clock_reading = CallbackClockSkew(behind=11 * 60 + 20, at=back_office.now - 5 * MINUTE)
            await back_office.store.notes.note_clock(clock_reading.model_dump_json().encode())
            await back_office.sweeps()
        back_office.now += 3 * 24 * HOUR
        await back_office.sweeps()
        assert stages(push) == 2 * ["clock.behind → on-call"], "and no more once no callback says so"
        links = SigningLinks("https://sign.example", KeyRing([SecretStr("l" * 32)]))
        reader = Reader.from_person(make_person("on-call"))
        message = compose(push.deliveries[0], push.deliveries[0].notices[0], reader, links, "Acme")
        assert message.title == "Receiver's clock behind: 12 min"


async def test_that_clock_is_one_notice_a_day_however_often_nobody_takes_it(tmp_path: Path) -> None:
    """A letter that may have been sent is sent again under its own key alone: each other key would be another mail."""
    async with office(tmp_path) as back_office:
        push = World().push
        push.without_phone = ["on-call"]
        back_office.alarm = CallbackAlarm(OnCallAlerts(push, "on-call"), HOUR)
        back_office.now = back_office.now.replace(hour=12)
        for _ in range(10):
            back_office.now += 5 * MINUTE
            clock_reading = CallbackClockSkew(behind=700, at=back_office.now)
            await back_office.store.notes.note_clock(clock_reading.model_dump_json().encode())
            await back_office.sweeps()
        keys = [notice.key for delivery in push.deliveries for notice in delivery.notices]
    assert (len(keys), len({*keys})) == (10, 1)


async def test_a_note_of_that_clock_that_cannot_be_read_stops_no_sweep(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        push = World().push
        back_office.alarm = CallbackAlarm(OnCallAlerts(push, "on-call"), HOUR)
        await back_office.begins("msa-0042")
        back_office.happens("msa-0042", "signer_viewed", delivered=False)
        await back_office.store.notes.note_clock(b"{")
        assert [mended_request.request for mended_request in (await back_office.sweeps()).mended] == ["msa-0042"]
    assert stages(push) == []


async def test_a_letter_tells_as_a_push_does() -> None:
    push = World().push
    push.by_mail = [NotificationType.UNCALLED]
    silent = CallbackHealth().missed(NOW).missed(NOW + 2 * HOUR)
    assert (await CallbackAlarm(OnCallAlerts(push, "on-call"), HOUR).alert_of_silence(silent, NOW)).incident.told


async def test_a_push_service_that_gives_no_answer_holds_up_no_sweep(tmp_path: Path) -> None:
    push = World().push
    push.gate = asyncio.Event()
    silent = CallbackHealth().missed(NOW).missed(NOW + 2 * HOUR)
    hearing = CallbackAlarm(OnCallAlerts(push, "on-call", seconds=0), HOUR).alert_of_silence(silent, NOW)
    health = await ActivityEnvironment().run(lambda: hearing)
    assert (health.incident.grade, health.incident.told) == (1, 0)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_in_whatever_order_it_is_learnt_an_hour_is_an_hour(order: tuple[int, ...]) -> None:
    """Heard at 0, missed at 10, 40 and 80 minutes: it has lasted since the tenth."""
    health = CallbackHealth()
    for step in order:
        minutes = (0, 10, 40, 80)[step]
        health = health.missed(NOW + minutes * MINUTE) if minutes else health.heard_of(NOW)
    assert (health.first, health.last) == (NOW + 10 * MINUTE, NOW + 80 * MINUTE)
    told_health = health.replace(incident=health.judged(HOUR, NOW).incident.heard(NOW))
    assert grade_to_tell(health) == 1
    assert grade_to_tell(told_health) is None
    assert grade_to_tell(told_health.heard_of(NOW + 90 * MINUTE)) == 0
    assert grade_to_tell(health.heard_of(NOW + 50 * MINUTE)) is None
    assert grade_to_tell(health.judged(HOUR, NOW).heard_of(NOW + 50 * MINUTE)) is None, "nobody has heard of it"


def grade_to_tell(health: CallbackHealth) -> int | None:
    """The grade that on-call is to be told of."""
    incident = health.judged(HOUR, NOW).incident
    return incident.grade if incident.has_news(NOW) else None


def test_what_is_short_of_an_hour_is_none() -> None:
    first = CallbackHealth().missed(NOW)
    assert grade_to_tell(first.missed(NOW + HOUR - timedelta(seconds=1))) is None
    assert grade_to_tell(first.missed(NOW + HOUR)) == 1
    assert first.heard_of(NOW).first is None


async def test_the_notice_says_what_it_is_in_the_reader_s_language_and_leads_to_the_desk() -> None:
    push = World().push
    silent = CallbackHealth().missed(NOW).missed(NOW + 2 * HOUR)
    assert (await CallbackAlarm(OnCallAlerts(push, "on-call"), HOUR).alert_of_silence(silent, NOW)).incident.told
    [delivery] = push.deliveries
    links = SigningLinks("https://sign.example", KeyRing([SecretStr("l" * 32)]))
    reader = Reader.from_person(make_person("on-call").model_copy(update={"locale": "nl"}))
    message = compose(delivery, delivery.notices[0], reader, links, "Acme")
    assert message.title == "Geen callbacks: Core Signature"
    assert message.body.startswith("Acme · Verzoeken horen enkele minuten te laat")
    assert message.link == "https://sign.example/desk"
