"""Who gets a web push: a person who subscribed at the desk by it as by an app; a browser behind a link in addition, so
that a forwarded link can neither silence the signer nor sign in as them.
"""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.core_signature.service import CoreSignatureService
from activities.notifications.cloud_messaging import CloudMessaging
from activities.notifications.config import WebPushConfig, open_web_push
from activities.notifications.service import NotificationService
from activities.notifications.sign_in import SignInMessages
from activities.notifications.web_push import WebPush
from activities.people.file_directory import FileDirectory
from activities.people.subscriptions import SubscriptionScope, WebSubscriptions
from activities.records.devices import WebSubscription, device_hash
from activities.records.store import Store
from deploy.sandbox.push.phones import DeviceState
from deploy.sandbox.server import RunningSandbox
from starter.boot.clients import directory as directory_of
from starter.config.settings import PushSettings, Settings
from tests.activities.notifications.stage import (
    EXECUTIVES,
    arm,
    brief,
    delivery,
    entries,
    make_next_delivery,
    mark,
    notice,
    only,
    outcomes,
    pushes,
)
from tests.activities.notifications.test_sign_in import WAYS
from tests.activities.notifications.test_web_push import CONTACT, OURS, subscribe
from tests.storage import take_table_away
from workflows.follow_up.notification_log import NotificationLog
from workflows.model.notifications import Channel, NoticeAction, NotificationOutcome, SignInOrder
from workflows.model.schedule import Reason

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
MSA = "signature-request:msa-0042"
ASKED = SignInOrder(person="customer-signer", ask="a" * 32, at=datetime.now(UTC))


@pytest.fixture
async def web(sandbox: RunningSandbox, store: Store) -> AsyncIterator[WebPush]:
    await store.web_push_keys.add(OURS, NOW)
    hosts = (sandbox.url.removeprefix("http://"),)
    web_push = open_web_push(WebPushConfig(hosts, CONTACT), store.web_push_keys.read)
    yield web_push
    await web_push.aclose()


@pytest.fixture
def notices(a_worker: Callable[..., NotificationService], web: WebPush) -> NotificationService:
    return a_worker(web=web)


@pytest.fixture
def join(sandbox: RunningSandbox, store: Store, directory: FileDirectory) -> Callable[..., Any]:
    """A browser subscribes, at the desk or behind the link of a follow-up; its subscription."""

    async def subscribe_browser(person: str, workflow_id: str | None = None) -> WebSubscription:
        subscription = await subscribe(sandbox, person)
        scope = SubscriptionScope(person, workflow_id)
        await WebSubscriptions(store, directory._devices).subscribe(scope, subscription, datetime.now(UTC))
        return subscription

    return subscribe_browser


def tokens(sandbox: RunningSandbox) -> list[str]:
    """Whom pushes reached, in order of their names."""
    return sorted(push["token"] for push in pushes(sandbox))


async def test_somebody_without_an_app_gets_it_in_the_browser(
    notices: NotificationService, join: Callable[..., Any], sandbox: RunningSandbox
) -> None:
    await join("customer-signer")
    line = only(await notices.deliver(delivery(notice("customer-signer"))))
    assert (line.channel, line.outcome, tokens(sandbox)) == (
        Channel.PUSH,
        NotificationOutcome.ACCEPTED,
        ["customer-signer~browser1"],
    )
    assert line.reached


async def test_apps_and_browsers_of_a_person_are_all_sent_to(
    notices: NotificationService, join: Callable[..., Any], sandbox: RunningSandbox
) -> None:
    await join("chief-executive")
    line = only(await notices.deliver(delivery(notice("chief-executive"))))
    assert tokens(sandbox) == [*EXECUTIVES, "chief-executive~browser1"]
    assert len(line.devices) == 4


async def test_a_browser_is_reached_while_push_to_apps_is_off(
    a_worker: Callable[..., NotificationService], web: WebPush, join: Callable[..., Any], sandbox: RunningSandbox
) -> None:
    """`off` does not mean that nobody has a device."""
    await join("chief-executive")
    line = only(await a_worker(web=web, dialect=None).deliver(delivery(notice("chief-executive"))))
    assert (line.outcome, tokens(sandbox)) == (NotificationOutcome.ACCEPTED, ["chief-executive~browser1"])


async def test_with_push_to_apps_off_the_directory_has_browsers_only(
    join: Callable[..., Any], web: WebPush, store: Store, directory: FileDirectory, tmp_path: Path
) -> None:
    await join("chief-executive")
    settings = Settings(push=PushSettings(dialect="off"), people=tmp_path / "people.yaml")
    people = directory_of(settings, store)
    [device] = await people.devices(await people.person("chief-executive"))
    assert device.kind == "web"


async def test_a_browser_that_is_gone_is_marked_and_mail_takes_over(
    notices: NotificationService, join: Callable[..., Any], sandbox: RunningSandbox, store: Store
) -> None:
    subscription = await join("customer-signer")
    mark(sandbox, "customer-signer~browser1", DeviceState.UNREGISTERED)
    line = only(await notices.deliver(delivery(notice("customer-signer"))))
    assert line.channel is not Channel.PUSH or line.outcome is not NotificationOutcome.ACCEPTED
    stored = await store.devices.read_person("customer-signer")
    assert stored.marks.keys() == {device_hash(subscription.endpoint)}
    mark(sandbox, "customer-signer~browser1", DeviceState.VALID)
    await notices.deliver(delivery(notice("customer-signer", "reminder-1")))
    assert tokens(sandbox) == []


async def test_a_429_of_one_push_service_holds_no_app(
    notices: NotificationService, join: Callable[..., Any], sandbox: RunningSandbox
) -> None:
    await join("chief-executive")
    arm(sandbox, path="/webpush/*", fault="429", retry_after=30)
    first = await notices.deliver(delivery(notice("chief-executive")))
    assert (tokens(sandbox), len(first.open_devices), first.retry_after) == (EXECUTIVES, 1, 30)
    await notices.deliver(delivery(notice("finance-chief")))
    assert "finance-chief~1" in tokens(sandbox)


async def test_a_browser_behind_a_link_is_told_beside_core_signatures_mail(
    notices: NotificationService, join: Callable[..., Any], sandbox: RunningSandbox
) -> None:
    await join("customer-signer", MSA)
    line = only(await notices.deliver(delivery(notice("customer-signer"))))
    assert (line.channel, line.outcome) == (Channel.MAIL, NotificationOutcome.ACCEPTED)
    assert (tokens(sandbox), len(line.devices)) == (["customer-signer~browser1"], 1)


async def test_a_browser_behind_a_link_gets_nothing_of_other_follow_ups(
    notices: NotificationService, join: Callable[..., Any], sandbox: RunningSandbox
) -> None:
    await join("customer-signer", "signature-request:other")
    await join("finance-chief", MSA)
    await notices.deliver(delivery(notice("customer-signer")))
    assert tokens(sandbox) == []


async def test_behind_an_onboardings_page_a_browser_hears_of_its_parts(
    notices: NotificationService, join: Callable[..., Any], sandbox: RunningSandbox
) -> None:
    await join("customer-signer", "customer-onboarding:acme")
    part = brief("customer-signer").replace(id="acme.1.1")
    await notices.deliver(delivery(notice("customer-signer"), subject=part))
    other = brief("customer-signer").replace(id="globex.1.1")
    await notices.deliver(delivery(notice("customer-signer"), subject=other))
    assert tokens(sandbox) == ["customer-signer~browser1"]


async def test_a_forwarded_link_silences_nobody(
    notices: NotificationService,
    join: Callable[..., Any],
    sandbox: RunningSandbox,
    store: Store,
    directory: FileDirectory,
    signatures: CoreSignatureService,
) -> None:
    """A stranger subscribes with it: the signer counts as without a device, is mailed first, and hears by every
    channel; when nothing of theirs takes it, that is not hidden by the stranger's browser.
    """
    for _ in range(3):
        await join("customer-signer", MSA)
    person = await directory.person("customer-signer")
    assert (await directory.devices(person), await directory.known_devices(person)) == ((), ())
    assert await store.devices.people() == frozenset()
    first = only(await notices.deliver(delivery(notice("customer-signer"))))
    assert (first.channel, first.outcome, len(first.devices)) == (Channel.MAIL, NotificationOutcome.ACCEPTED, 3)

    archive = [await join("archive", MSA)]
    line = only(await notices.deliver(delivery(notice("archive", action=NoticeAction.OPEN))))
    assert (line.outcome, line.why, line.reached) == (NotificationOutcome.SUPPRESSED, Reason.NO_DEVICE, False)
    assert outcomes(line) == {device_hash(archive[0].endpoint): NotificationOutcome.ACCEPTED}


async def test_the_persons_own_phones_decide_what_became_of_it(
    notices: NotificationService, join: Callable[..., Any], sandbox: RunningSandbox
) -> None:
    await join("finance-chief", MSA)
    mark(sandbox, "finance-chief~1", DeviceState.OTHER_SENDER)
    line = only(await notices.deliver(delivery(notice("finance-chief", action=NoticeAction.OPEN))))
    assert (line.outcome, line.why) == (NotificationOutcome.FAILED, Reason.PUSH_MISMATCH)


async def test_many_bad_browsers_behind_a_link_do_not_look_like_bad_credentials(
    notices: NotificationService, join: Callable[..., Any], sandbox: RunningSandbox
) -> None:
    for number in range(1, 6):
        await join("archive", MSA)
        mark(sandbox, f"archive~browser{number}", DeviceState.OTHER_SENDER)
    await notices.deliver(delivery(notice("archive", action=NoticeAction.OPEN)))
    await join("customer-signer")
    mark(sandbox, "customer-signer~browser1", DeviceState.OTHER_SENDER)
    report = await notices.deliver(delivery(notice("customer-signer")))
    assert report.open_devices == (), "it is a bad device, and no wrong deployment, for which it would wait"


async def test_a_forwarded_link_gets_no_sign_in(
    join: Callable[..., Any],
    web: WebPush,
    sandbox: RunningSandbox,
    store: Store,
    directory: FileDirectory,
    cloud: CloudMessaging,
) -> None:
    await join("customer-signer", MSA)
    messages = SignInMessages(
        dialect=None, web=web, directory=directory, sign_in_links=WAYS, store=store, messaging=cloud
    )
    await messages.send(ASKED)
    assert (tokens(sandbox), len(entries(sandbox, "message"))) == ([], 1)
    await join("customer-signer")
    await messages.send(ASKED.replace(ask="b" * 32))
    assert tokens(sandbox) == ["customer-signer~browser2"]
    await messages.withdraw(ASKED.replace(ask="b" * 32))
    assert [push["action"] for push in pushes(sandbox)] == ["sign-in", "withdrawal"]


async def test_a_browser_that_is_the_persons_too_is_told_once(
    notices: NotificationService, join: Callable[..., Any], sandbox: RunningSandbox, store: Store
) -> None:
    subscription = await join("customer-signer")
    scope = SubscriptionScope("customer-signer", MSA)
    await WebSubscriptions(store).subscribe(scope, subscription, datetime.now(UTC))
    await notices.deliver(delivery(notice("customer-signer")))
    assert tokens(sandbox) == ["customer-signer~browser1"]


async def test_a_withdrawal_is_a_silent_replacement_that_nobody_counts(
    notices: NotificationService, join: Callable[..., Any], sandbox: RunningSandbox
) -> None:
    await join("archive", MSA)
    await notices.deliver(delivery(notice("archive")))
    line = only(await notices.deliver(delivery(notice("archive", "withdrawal", NoticeAction.WITHDRAW))))
    asked, withdrawn = pushes(sandbox)
    assert (asked["key"], asked["title"]) == (withdrawn["key"], "Sign: Master services agreement")
    assert (withdrawn["title"], withdrawn["text"]) == ("Signed", "Nothing is left for you to do.")
    assert (withdrawn["data"]["silent"], withdrawn["data"]["urgency"]) == ("true", "normal")
    assert (line.reached, [device.outcome for device in line.devices]) == (False, [NotificationOutcome.WITHDRAWN])


async def test_a_browser_behind_a_link_that_is_gone_is_forgotten(
    notices: NotificationService, join: Callable[..., Any], sandbox: RunningSandbox, store: Store
) -> None:
    await join("customer-signer", MSA)
    mark(sandbox, "customer-signer~browser1", DeviceState.UNREGISTERED)
    line = only(await notices.deliver(delivery(notice("customer-signer"))))
    assert (line.channel, line.outcome) == (Channel.MAIL, NotificationOutcome.ACCEPTED)
    assert await WebSubscriptions(store).list_behind_links([MSA]) == {}


async def test_what_a_link_left_open_is_retried_and_changes_nothing_else(
    notices: NotificationService, join: Callable[..., Any], sandbox: RunningSandbox
) -> None:
    await join("customer-signer", MSA)
    arm(sandbox, path="/webpush/*", fault="503")
    first_delivery = delivery(notice("customer-signer"))
    first = await notices.deliver(first_delivery)
    assert (only(first).outcome, len(first.open_devices)) == (NotificationOutcome.ACCEPTED, 1)
    again = await notices.deliver(make_next_delivery(first_delivery, first))
    assert (tokens(sandbox), again.open_devices) == (["customer-signer~browser1"], ())
    log = NotificationLog().with_lines(first.delivered, NOW).with_lines(again.delivered, NOW + timedelta(minutes=1))
    [line] = log.lines
    assert (line.channel, line.outcome, line.why) == (Channel.MAIL, NotificationOutcome.ACCEPTED, None)
    assert [device.outcome for device in line.devices] == [NotificationOutcome.ACCEPTED]


async def test_a_table_that_is_away_costs_only_the_addition(
    notices: NotificationService, join: Callable[..., Any], sandbox: RunningSandbox, store: Store
) -> None:
    await join("chief-executive", MSA)
    with take_table_away(store, "link_subscriptions"):
        line = only(await notices.deliver(delivery(notice("chief-executive"))))
    assert (line.outcome, tokens(sandbox)) == (NotificationOutcome.ACCEPTED, EXECUTIVES)
