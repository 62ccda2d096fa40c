"""Whoever opened nothing on their phone: a mail or an SMS, once, and its job read back until it ends or is given up."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.notifications.cloud_messaging import CloudMessaging
from activities.notifications.push_services import MessageFate
from activities.notifications.service import NotificationService
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from deploy.sandbox.state.faults import ArmedFault
from tests.activities.notifications.stage import brief, delivery, entries, make_next_delivery, notice, only, pushes
from workflows.model.notifications import Channel, Delivery, DeliveryReport, NotificationOutcome
from workflows.model.subject import Participant, Task

PEOPLE = """
people:
  - id: alternate
    name: Al Ternate
    email: alternate@example.test
    zone: UTC
    phone: "+31 20 555 0100"
    devices: [{token: alternate~1, platform: ios}]
"""


@pytest.fixture
def telling(cloud: CloudMessaging, a_worker: Callable[..., NotificationService], tmp_path: Path) -> NotificationService:
    (tmp_path / "people.yaml").write_text(PEOPLE)
    return a_worker(messaging=cloud)


def fallback(*, urgent: bool = False) -> Delivery:
    task = Task(
        id="collect-1",
        kind="task",
        title="Collect the keys",
        requester="alternate",
        people=(Participant(person="alternate", order=1),),
        urgent=urgent,
    )
    return delivery(notice("alternate", "fallback"), subject=task)


def list_sent(sandbox: RunningSandbox) -> list[tuple[str, str]]:
    return [(message["kind"], message["to"]) for message in entries(sandbox, "message")]


async def deliver_with_retries(telling: NotificationService, first_delivery: Delivery) -> list[DeliveryReport]:
    """The reports of a delivery and of as many further tries as the workflow gives the phones left open."""
    reports = [await telling.deliver(first_delivery)]
    for _ in range(3):
        if reports[-1].open_devices:
            reports.append(await telling.deliver(make_next_delivery(first_delivery, reports[-1])))
    return reports


@pytest.mark.parametrize(
    ("urgent", "expected_message"), [(False, ("email", "alternate@example.test")), (True, ("sms", "0031205550100"))]
)
async def test_it_is_a_mail_or_an_sms_and_no_push(
    sandbox: RunningSandbox, telling: NotificationService, urgent: bool, expected_message: tuple[str, str]
) -> None:
    report = await telling.deliver(fallback(urgent=urgent))
    assert (list_sent(sandbox), pushes(sandbox), report.open_devices) == ([expected_message], [], ())
    assert (only(report).outcome, only(report).channel) == (
        NotificationOutcome.ACCEPTED,
        Channel.SMS if urgent else Channel.MAIL,
    )


async def test_who_has_opened_it_is_left_alone(
    sandbox: RunningSandbox, telling: NotificationService, store: Store
) -> None:
    first_delivery = fallback()
    await store.log_pages.mark_opened(first_delivery.subject.workflow_id, "alternate", datetime.now(UTC))
    line = only(await telling.deliver(first_delivery))
    assert (line.outcome, line.why, list_sent(sandbox)) == (NotificationOutcome.SUPPRESSED, "opened", [])


async def test_a_job_that_ends_later_is_sent_once_and_told_as_it_ended(
    sandbox: RunningSandbox, telling: NotificationService
) -> None:
    sandbox.push.cloud_messaging.delivery_state = "Pending"
    first_delivery = fallback()
    first = await telling.deliver(first_delivery)
    assert (only(first).why, len(first.open_devices), first.retry_after) == ("unconfirmed", 1, 5)
    sandbox.push.cloud_messaging.delivery_state = "Sent"
    second = await telling.deliver(make_next_delivery(first_delivery, first))
    assert (only(second).outcome, second.open_devices, len(list_sent(sandbox))) == (NotificationOutcome.ACCEPTED, (), 1)


async def test_a_request_and_a_task_of_one_id_have_a_letter_each(
    sandbox: RunningSandbox, telling: NotificationService
) -> None:
    task = fallback()
    await telling.deliver(task)
    await telling.deliver(task.replace(subject=brief("alternate").replace(id=task.subject.id)))
    assert len(list_sent(sandbox)) == 2


async def test_a_job_that_never_ends_is_given_up_in_words(
    sandbox: RunningSandbox, telling: NotificationService
) -> None:
    sandbox.push.cloud_messaging.delivery_state = "Pending"
    reports = await deliver_with_retries(telling, fallback())
    assert len(reports) == 4
    assert (only(reports[-1]).outcome, only(reports[-1]).why) == (NotificationOutcome.FAILED, "unconfirmed")
    assert len(list_sent(sandbox)) == 1


async def test_a_mail_that_did_not_arrive_has_failed(sandbox: RunningSandbox, telling: NotificationService) -> None:
    sandbox.push.cloud_messaging.delivery_state = "Error"
    [report] = await deliver_with_retries(telling, fallback())
    assert (only(report).outcome, only(report).why) == (NotificationOutcome.FAILED, "undelivered")


@pytest.mark.parametrize("fault", ["html", "404", "500", "truncate", "huge", "refuse"])
async def test_whatever_is_said_of_a_job_the_letter_is_not_sent_twice(
    sandbox: RunningSandbox, telling: NotificationService, fault: str
) -> None:
    sandbox.state.faults.arm(
        ArmedFault.model_validate({"path": "*/status/*", "method": "GET", "fault": fault, "times": 9})
    )
    reports = await deliver_with_retries(telling, fallback())
    assert (only(reports[-1]).why, len(list_sent(sandbox))) == ("unconfirmed", 1)


async def test_without_any_channel_it_is_said_so(a_worker: Callable[..., NotificationService], tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text(PEOPLE)
    line = only(await a_worker().deliver(fallback()))
    assert (line.outcome, line.why) == (NotificationOutcome.FAILED, "no_channel")


async def test_a_job_of_any_shape_is_pending_and_never_an_error(cloud: CloudMessaging) -> None:
    assert await cloud.state(Channel.MAIL, "nobody's job/../x") is MessageFate.PENDING
