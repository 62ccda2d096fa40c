"""Whether our credentials are taken: each by itself, and told once however often it comes and goes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.notifications import alerts as credentials
from activities.notifications.alerts import Credential, CredentialsAlarm, OnCallAlerts
from activities.notifications.service import NotificationService
from activities.records.incidents import OVER_AGAIN_AFTER
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from tests.activities.notifications.stage import arm, delivery, entries, mark, notice, only, pushes, sends
from tests.activities.notifications.test_fallback import worker
from tests.workflows.fakes import FakePushService, World
from workflows.model.notifications import NotificationOutcome

__all__ = ["worker"]

NOW = datetime(2026, 12, 4, 9, 30, tzinfo=UTC)
PEOPLE = """
people:
  - {id: alternate, name: Al, email: alternate@example.test, zone: UTC, devices: [{token: alternate~9, platform: web}]}
  - {id: android, name: An, email: an@example.test, zone: UTC, devices: [{token: android~1, platform: android}]}
  - {id: apple, name: Ap, email: ap@example.test, zone: UTC, devices: [{token: apple~1, platform: ios}]}
"""


@pytest.fixture
def workers(
    worker: Callable[[], NotificationService], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[NotificationService]:
    """Two workers that believe nothing for longer than a moment."""
    (tmp_path / "people.yaml").write_text(PEOPLE)
    monkeypatch.setattr(credentials, "FRESH", 1e-6)
    return [worker(), worker()]


async def test_apple_s_key_is_told_once_while_other_phones_go_on_and_once_when_it_is_mended(
    sandbox: RunningSandbox, workers: list[NotificationService]
) -> None:
    arm(sandbox, fault="401", error_code="THIRD_PARTY_AUTH_ERROR", contains="apple~1", times=None)
    for number in range(10):
        for push_worker in workers:
            report = await push_worker.deliver(delivery(notice("android", f"reminder-{number}")))
            assert only(report).outcome is NotificationOutcome.ACCEPTED
            with pytest.raises(ApplicationError) as failed:
                await push_worker.deliver(delivery(notice("apple", f"reminder-{number}")))
            assert (failed.value.type, failed.value.non_retryable) == ("unauthorised", True)
    [mail] = entries(sandbox, "message")
    assert (mail["to"], "Please see to the credentials" in mail["text"]) == ("alternate@example.test", True)
    assert [letter.subject for letter in sandbox.state.database.mails.where("alternate")] == ["Refused: Apple (APNs)"]
    assert {push["person"] for push in pushes(sandbox)} == {"android"}
    sandbox.state.faults.clear()
    for number in range(5):
        for push_worker in workers:
            await push_worker.deliver(delivery(notice("apple", f"reminder-{number}")))
            await push_worker.deliver(delivery(notice("android", f"reminder-{number}")))
    assert [push["title"] for push in pushes(sandbox) if push["person"] == "alternate"] == [
        "Let in again: Apple (APNs)"
    ]
    assert len(entries(sandbox, "message")) == 1


async def test_what_is_said_of_apple_s_key_asks_for_no_fresh_token_and_is_sent_once(
    sandbox: RunningSandbox, workers: list[NotificationService]
) -> None:
    await workers[0].deliver(delivery(notice("android")))
    arm(sandbox, fault="401", error_code="THIRD_PARTY_AUTH_ERROR", contains="apple~1", times=None)
    send_count = len(sends(sandbox))
    for number in range(5):
        with pytest.raises(ApplicationError):
            await workers[0].deliver(delivery(notice("apple", f"reminder-{number}")))
    assert len(sends(sandbox)) - send_count == 5
    tokens = [request for request in entries(sandbox, "request") if request["path"].startswith("/push/oauth2")]
    assert len(tokens) == 1


async def test_a_phone_that_is_gone_says_nothing_of_credentials(
    sandbox: RunningSandbox, workers: list[NotificationService]
) -> None:
    arm(sandbox, fault="401", error_code="THIRD_PARTY_AUTH_ERROR", contains="apple~1")
    with pytest.raises(ApplicationError):
        await workers[0].deliver(delivery(notice("apple")))
    mark(sandbox, "apple~1", "unregistered")
    await workers[0].deliver(delivery(notice("apple")))
    assert [push["title"] for push in pushes(sandbox)] == []


class Heard:
    """An alarm, and what whoever is on call has heard of it."""

    def __init__(self, store: Store) -> None:
        self.push: FakePushService = World().push
        self.alarm = CredentialsAlarm(store, OnCallAlerts(self.push, "on-call"))

    async def learn(self, accepted: bool, now: datetime, credential: Credential = Credential.OURS) -> None:
        await self.alarm.learn({credential: accepted}, now)

    @property
    def stages(self) -> list[str]:
        return [notice.stage for delivery in self.push.deliveries for notice in delivery.notices]


@pytest.mark.long
async def test_credentials_that_come_and_go_are_over_once_an_hour(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while two deploys with different ones work side by side: a refusal and none, each minute of five hours."""
    monkeypatch.setattr(credentials, "FRESH", 1e-6)
    heard = Heard(store)
    for minute in range(300):
        await heard.learn(minute % 2 == 1, NOW + timedelta(minutes=minute))
    assert heard.stages[:2] == ["push.refused", "push.recovered"]
    assert heard.stages.count("push.recovered") == 300 * timedelta(minutes=1) // OVER_AGAIN_AFTER
    assert heard.stages == ["push.refused", "push.recovered"] * (len(heard.stages) // 2) + ["push.refused"]


async def test_what_nobody_on_call_takes_is_told_again_under_one_name(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "FRESH", 1e-6)
    heard = Heard(store)
    heard.push.without_phone = ["on-call"]
    for minute in range(5):
        await heard.learn(False, NOW + timedelta(minutes=minute))
    assert len({notice.key for delivery in heard.push.deliveries for notice in delivery.notices}) == 1
    assert len(heard.stages) == 5
    await heard.learn(True, NOW + timedelta(minutes=6))
    assert len(heard.stages) == 5, "of what they never heard they need not hear that it is over"


async def test_of_several_credentials_one_notice_tells_at_most_of_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may take seconds of somebody else's notice."""
    monkeypatch.setattr(credentials, "FRESH", 1e-6)
    heard = Heard(store)
    for notice_count in (1, 2, 3, 3):
        await heard.alarm.learn(dict.fromkeys(Credential, False), NOW)
        assert len(heard.stages) == notice_count
