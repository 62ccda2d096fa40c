"""People whom no phone reaches: who tells them, by which channel, and that no fault of it loses them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.notifications import alerts as credentials
from activities.notifications import phones as limiter
from activities.notifications.cloud_messaging import CloudMessaging
from activities.notifications.phones import AT_ONCE
from activities.notifications.service import NotificationService
from activities.people.devices import Devices
from activities.people.person import Platform, PushDevice, Reachable, SignersFile
from activities.records.devices import device_hash
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from deploy.sandbox.state.faults import ArmedFault
from tests.activities.notifications.stage import (
    SEND,
    delivery,
    entries,
    make_next_delivery,
    mark,
    notice,
    only,
    outcomes,
    pushes,
)
from workflows.model.notifications import Channel, Delivery, NoticeAction, NotificationOrder, NotificationOutcome
from workflows.model.subject import Code, Participant, Role, Status, Task

PHONE, NUMBER = "+31 20 555 0100", "0031205550100"
PEOPLE = f"""
people:
  - {{id: customer-signer, name: Customer Signer, email: customer@acme.test, zone: UTC}}
  - {{id: requester, name: Re Quester, email: requester@example.test, zone: Europe/Amsterdam, locale: nl}}
  - {{id: deputy, name: De Puty, email: deputy@example.test, zone: UTC, phone: "{PHONE}"}}
  - {{id: driver, name: Dri Ver, zone: UTC, phone: "+31 20 555 0101"}}
  - id: alternate
    name: Al Ternate
    email: alternate@example.test
    zone: UTC
    devices: [{{token: alternate~1, platform: ios}}]
"""
OPEN = NoticeAction.OPEN


@pytest.fixture
def worker(
    cloud: CloudMessaging, a_worker: Callable[..., NotificationService], tmp_path: Path
) -> Callable[[], NotificationService]:
    """The push service with its fallback, of one worker more, over people of whom most have no phone."""
    (tmp_path / "people.yaml").write_text(PEOPLE)
    return partial(a_worker, messaging=cloud, oncall="alternate")


@pytest.fixture
def reaching(worker: Callable[[], NotificationService]) -> NotificationService:
    """That of the one worker."""
    return worker()


def list_messages(sandbox: RunningSandbox) -> list[tuple[str, str]]:
    """What cloud messaging delivered, by kind and address."""
    return [(message["kind"], message["to"]) for message in entries(sandbox, "message")]


def arm(sandbox: RunningSandbox, fault: str, **fields: object) -> None:
    """Arm a fault against cloud messaging."""
    sandbox.state.faults.arm(ArmedFault.model_validate({"path": "/mra/*", "method": "POST", "fault": fault, **fields}))


def urgent(*notices: NotificationOrder) -> Delivery:
    """The same about something that cannot wait."""
    ordinary = delivery(*notices)
    return ordinary.replace(subject=ordinary.subject.replace(urgent=True))


@pytest.mark.parametrize(
    ("order", "outcome"),
    [
        (notice("requester", "question-1", OPEN), None),
        (notice("requester", "settled", OPEN), Status.DECLINED),
        (notice("deputy", "escalation", OPEN, about_person="customer-signer"), None),
        (notice("deputy", "undelivered", OPEN), None),
        (notice("customer-signer", "answer-1", NoticeAction.SIGN), None),
        (notice("customer-signer", "reassigned", OPEN), None),
        (notice("customer-signer", "settled", OPEN), Status.EXPIRED),
    ],
    ids=lambda value: value.stage if isinstance(value, NotificationOrder) else str(value),
)
async def test_whom_core_signature_does_not_mail_is_mailed_by_cloud_messaging(
    sandbox: RunningSandbox, reaching: NotificationService, order: NotificationOrder, outcome: Status | None
) -> None:
    line = only(await reaching.deliver(delivery(order, outcome=outcome)))
    assert (line.channel, line.outcome, line.why) == (Channel.MAIL, NotificationOutcome.ACCEPTED, None)
    [(kind, address)] = list_messages(sandbox)
    assert (kind, address.split("@")[0]) == ("email", order.person.removesuffix("-signer"))
    assert (entries(sandbox, "mail"), pushes(sandbox)) == ([], [])


async def test_whoever_is_on_call_hears_as_well_of_what_core_signature_does_not_send(
    sandbox: RunningSandbox, reaching: NotificationService
) -> None:
    """B25: a call for phones that were left open alone is no news to them."""
    for number in (1, 2):
        line = only(await reaching.deliver(delivery(notice("requester", f"unsent-{number}", OPEN))))
        assert (line.person, line.outcome) == ("requester", NotificationOutcome.ACCEPTED)
    repeated = delivery(notice("requester", "unsent-2", OPEN)).replace(devices=())
    await reaching.deliver(repeated)
    assert [push["data"]["stage"] for push in pushes(sandbox)] == ["unsent-1", "unsent-2"]
    assert {address.split("@")[0] for _, address in list_messages(sandbox)} == {"requester"}


async def test_whoever_is_on_call_and_asked_for_it_themselves_hears_of_it_once(
    sandbox: RunningSandbox, reaching: NotificationService
) -> None:
    await reaching.deliver(delivery(notice("alternate", "unsent-1", OPEN)))
    assert len(pushes(sandbox)) == 1


async def test_a_mail_speaks_the_language_of_its_reader_and_has_their_link(
    sandbox: RunningSandbox, reaching: NotificationService
) -> None:
    await reaching.deliver(delivery(notice("requester", "settled", OPEN), outcome=Status.DECLINED))
    [mail] = sandbox.state.database.mails.where("requester")
    assert mail.subject == "Geweigerd: Master services agreement"
    assert mail.path is not None and mail.path.startswith("https://sign.example/open/")


@pytest.mark.parametrize("outcome", [None, Status.SIGNED])
async def test_a_withdrawal_sends_nothing(
    sandbox: RunningSandbox, reaching: NotificationService, outcome: Status | None
) -> None:
    withdrawal = notice("requester", "withdrawal", NoticeAction.WITHDRAW)
    line = only(await reaching.deliver(delivery(withdrawal, outcome=outcome)))
    assert (line.channel, line.outcome, line.why) == (Channel.PUSH, NotificationOutcome.SUPPRESSED, "no_device")
    assert list_messages(sandbox) == []


async def test_a_task_is_nothing_that_core_signature_knows_of_so_we_write_ourselves(
    sandbox: RunningSandbox, reaching: NotificationService
) -> None:
    order = notice("deputy", action=NoticeAction.DO)
    people = (Participant(person="deputy", role=Role.DO),)
    task = Task(id="keys", kind="task", title="Hand out the keys", requester="requester", people=people)
    line = only(await reaching.deliver(Delivery(subject=task.subject, notices=(order,))))
    assert (line.channel, line.outcome) == (Channel.MAIL, NotificationOutcome.ACCEPTED)
    [mail] = sandbox.state.database.mails.where("deputy")
    assert mail.subject == "To do: Hand out the keys"
    assert mail.path is not None and mail.path.startswith("https://sign.example/task/")
    assert entries(sandbox, "mail") == []


@pytest.mark.parametrize(
    ("devices", "channel"),
    [
        ((), Channel.MAIL),
        ((PushDevice(token="buyer~1", platform=Platform.IOS),), Channel.PUSH),
    ],
)
async def test_a_customer_in_full_of_a_task_is_told_in_their_language_where_they_can_be_reached(
    sandbox: RunningSandbox,
    reaching: NotificationService,
    store: Store,
    devices: tuple[PushDevice, ...],
    channel: Channel,
) -> None:
    task = Task(
        id="acme.3.1",
        kind="team-task",
        title="Facturen",
        requester="requester",
        people=(Participant(person="signer-1", role=Role.DO),),
    )
    buyer = Reachable(name="Buyer", email="buyer@acme.test", zone="UTC", locale="nl", devices=devices)
    await store.people.keep(task.workflow_id, "f" * 64, SignersFile.dump_signers([buyer], ["signer-1"]) or b"")
    order = notice("signer-1", action=NoticeAction.DO)
    line = only(await reaching.deliver(Delivery(subject=task.subject, notices=(order,))))
    assert (line.person, line.channel, line.outcome) == ("signer-1", channel, NotificationOutcome.ACCEPTED)
    mails = [mail.subject for mail in sandbox.state.database.mails.where("buyer")]
    titles = [push["title"] for push in pushes(sandbox)]
    assert (mails + titles) == ["Te doen: Facturen"]


async def test_a_first_notice_stays_core_signatures_own_mail(
    sandbox: RunningSandbox, reaching: NotificationService
) -> None:
    line = only(await reaching.deliver(delivery(notice("customer-signer"))))
    assert (line.channel, line.outcome) == (Channel.MAIL, NotificationOutcome.ACCEPTED)
    assert list_messages(sandbox) == []


@pytest.mark.parametrize(
    ("person", "is_urgent", "channel", "address"),
    [
        ("deputy", True, Channel.SMS, NUMBER),
        ("deputy", False, Channel.MAIL, "deputy@example.test"),
        ("requester", True, Channel.MAIL, "requester@example.test"),
    ],
)
async def test_what_is_urgent_is_texted_to_whoever_has_a_number(
    sandbox: RunningSandbox, reaching: NotificationService, person: str, is_urgent: bool, channel: Channel, address: str
) -> None:
    order = notice(person, "escalation", OPEN)
    line = only(await reaching.deliver((urgent if is_urgent else delivery)(order)))
    assert (line.channel, line.outcome) == (channel, NotificationOutcome.ACCEPTED)
    assert [address for _, address in list_messages(sandbox)] == [address]


@pytest.mark.parametrize("stage", ["ready", "reminder-1", "warning-1d", "fallback"])
async def test_a_signer_without_a_mailbox_is_texted_in_the_place_of_core_signatures_mail(
    sandbox: RunningSandbox, reaching: NotificationService, stage: str
) -> None:
    """Also a notice that is nothing urgent; nothing is sent to an address that they do not have."""
    ordinary = delivery(notice("driver", stage))
    signer = Participant(person="driver", order=1)
    order = ordinary.replace(subject=ordinary.subject.replace(people=(*ordinary.subject.people, signer)))
    line = only(await reaching.deliver(order))
    assert (line.channel, line.outcome) == (Channel.SMS, NotificationOutcome.ACCEPTED)
    assert list_messages(sandbox) == [("sms", "0031205550101")]
    assert entries(sandbox, "mail") == []


async def test_whose_last_phone_is_gone_is_written_to_at_once(
    sandbox: RunningSandbox, reaching: NotificationService
) -> None:
    mark(sandbox, "alternate~1", "unregistered")
    line = only(await reaching.deliver(delivery(notice("alternate", "escalation", OPEN))))
    assert (line.channel, line.outcome) == (Channel.MAIL, NotificationOutcome.ACCEPTED)
    assert outcomes(line)[device_hash("alternate~1")] is NotificationOutcome.FAILED
    assert list_messages(sandbox) == [("email", "alternate@example.test")]


async def test_who_has_a_phone_gets_no_mail_besides(sandbox: RunningSandbox, reaching: NotificationService) -> None:
    only(await reaching.deliver(delivery(notice("alternate", "escalation", OPEN))))
    assert (len(pushes(sandbox)), list_messages(sandbox)) == (1, [])


@pytest.mark.parametrize(
    ("fault", "code", "retried"),
    [("503", Code.UNREACHABLE, True), ("429", Code.UNREACHABLE, True), ("401", Code.UNAUTHORISED, False)],
)
async def test_a_fault_of_the_channel_loses_nobody_and_buries_nothing(
    sandbox: RunningSandbox,
    reaching: NotificationService,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    code: Code,
    retried: bool,
) -> None:
    # Of a 429 everybody would wait as long as it asks: `test_limiter.py` shows that.
    monkeypatch.setattr(limiter, "PAUSE_AT_MOST", 0.0)
    order = notice("requester", "settled", OPEN)
    arm(sandbox, fault, times=None, retry_after=30)
    with pytest.raises(ApplicationError) as failed:
        await reaching.deliver(delivery(order))
    assert (failed.value.type, failed.value.non_retryable) == (code, not retried)
    if fault == "429":
        assert (failed.value.next_retry_delay or timedelta()) >= timedelta(seconds=30)
    sandbox.state.faults.clear()
    assert only(await reaching.deliver(delivery(order))).outcome is NotificationOutcome.ACCEPTED
    assert list_messages(sandbox) == [("email", "requester@example.test")]
    assert (await store.devices.read_person("requester", ["requester/letters"])).marks == {}


async def test_of_several_the_one_whose_mail_failed_is_left_open_and_tried_again_alone(
    sandbox: RunningSandbox, reaching: NotificationService
) -> None:
    arm(sandbox, "503", contains='"deputy@example.test"')
    stage = delivery(notice("requester", "undelivered", OPEN), notice("deputy", "undelivered", OPEN))
    first = await reaching.deliver(stage)
    assert [(line.person, line.outcome, line.why) for line in first.delivered] == [
        ("requester", NotificationOutcome.ACCEPTED, None),
        ("deputy", NotificationOutcome.FAILED, "unreachable"),
    ]
    assert len(first.open_devices) == 1
    second = await reaching.deliver(make_next_delivery(stage, first))
    assert (only(second).person, only(second).outcome, second.open_devices) == (
        "deputy",
        NotificationOutcome.ACCEPTED,
        (),
    )
    assert list_messages(sandbox) == [("email", "requester@example.test"), ("email", "deputy@example.test")]


async def test_no_address_is_in_a_report_an_error_or_a_log(
    sandbox: RunningSandbox, reaching: NotificationService, caplog: pytest.LogCaptureFixture
) -> None:
    arm(sandbox, "400", times=None)
    report = await reaching.deliver(urgent(notice("deputy", "escalation", OPEN), notice("requester", "settled", OPEN)))
    assert [line.why for line in report.delivered] == ["refused", "refused"]
    report_and_log = report.model_dump_json() + caplog.text
    assert not any(
        private_text in report_and_log for private_text in (PHONE, NUMBER, "deputy@", "requester@", "De Puty")
    )
    assert device_hash("deputy@example.test") not in report_and_log


@pytest.mark.long
async def test_ten_times_as_many_as_have_room_at_once_get_one_mail_each(
    sandbox: RunningSandbox, reaching: NotificationService, tmp_path: Path
) -> None:
    crowd = [f"member-{number:03}" for number in range(10 * AT_ONCE)]
    entry = "  - {id: %s, name: N, email: %s@x.test, zone: UTC}\n"
    (tmp_path / "people.yaml").write_text("people:\n" + "".join(entry % (person, person) for person in crowd))
    report = await reaching.deliver(delivery(*(notice(person, "settled", OPEN) for person in crowd)))
    assert {line.outcome for line in report.delivered} == {NotificationOutcome.ACCEPTED}
    assert sorted(address for _, address in list_messages(sandbox)) == [f"{person}@x.test" for person in crowd]


@pytest.mark.parametrize(("days", "mailed"), [(29, []), (30, [("email", "deputy@example.test")])])
async def test_a_phone_that_was_not_seen_for_long_is_sent_to_and_its_owner_written_to_besides(
    sandbox: RunningSandbox, reaching: NotificationService, store: Store, days: int, mailed: list[tuple[str, str]]
) -> None:
    seen_at = datetime.now(UTC) - timedelta(days=days)
    await Devices(store).register("deputy", PushDevice(token="deputy~1", platform=Platform.IOS), seen_at)
    report = await reaching.deliver(delivery(notice("deputy", "escalation", OPEN)))
    assert [push["token"] for push in pushes(sandbox)] == ["deputy~1"]
    assert list_messages(sandbox) == mailed
    assert only(report).channel is (Channel.MAIL if mailed else Channel.PUSH)


async def test_a_phone_that_was_not_seen_and_is_busy_brings_no_second_letter(
    sandbox: RunningSandbox, reaching: NotificationService, store: Store
) -> None:
    seen_at = datetime.now(UTC) - timedelta(days=40)
    await Devices(store).register("deputy", PushDevice(token="deputy~1", platform=Platform.IOS), seen_at)
    first = delivery(notice("deputy", "escalation", OPEN))
    sandbox.state.faults.arm(ArmedFault.model_validate({"path": SEND, "method": "POST", "fault": "503"}))
    report = await reaching.deliver(first)
    assert (list_messages(sandbox), len(report.open_devices)) == ([("email", "deputy@example.test")], 1)
    second_report = await reaching.deliver(first.replace(devices=report.open_devices))
    assert (len(list_messages(sandbox)), second_report.open_devices) == (1, ())
    assert len(pushes(sandbox)) == 1


async def test_credentials_that_are_refused_are_told_once_however_many_are_refused_and_so_is_their_return(
    sandbox: RunningSandbox, worker: Callable[[], NotificationService], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C8: by mail, for no phone takes anything; two workers learn it at once, a third later; no device is given up."""
    first_workers = worker(), worker()
    refuse_credentials(sandbox)
    calls = [
        first_worker.deliver(delivery(notice("alternate", f"reminder-{n}")))
        for n, first_worker in enumerate(first_workers * 10)
    ]
    assert {type(result) for result in await asyncio.gather(*calls, return_exceptions=True)} == {ApplicationError}
    [mail] = entries(sandbox, "message")
    assert (mail["kind"], mail["to"]) == ("email", "alternate@example.test")
    assert "Please see to the credentials" in mail["text"]
    assert (await store.devices.read_person("alternate", ["alternate~1"])).marks == {}
    monkeypatch.setattr(credentials, "FRESH", 1e-6)
    later = worker()
    with pytest.raises(ApplicationError):
        await later.deliver(delivery(notice("alternate")))
    assert len(entries(sandbox, "message")) == 1
    sandbox.state.faults.clear()
    for any_worker in (*first_workers, later):
        await any_worker.deliver(delivery(notice("alternate")))
    assert [push["data"]["stage"] for push in pushes(sandbox)] == ["ready", "push.recovered", "ready", "ready"]
    refuse_credentials(sandbox)
    with pytest.raises(ApplicationError):
        await later.deliver(delivery(notice("alternate")))
    assert len(entries(sandbox, "message")) == 2


async def test_whoever_is_on_call_hears_of_refused_credentials_once_there_is_a_way(
    sandbox: RunningSandbox, worker: Callable[[], NotificationService], monkeypatch: pytest.MonkeyPatch
) -> None:
    """C8: what cloud messaging did not take is told with a later refusal."""
    monkeypatch.setattr(credentials, "FRESH", 1e-6)
    on_call_worker = worker()
    refuse_credentials(sandbox)
    arm(sandbox, "503")
    for mails in (0, 1, 1):
        with pytest.raises(ApplicationError):
            await on_call_worker.deliver(delivery(notice("alternate")))
        assert len(list_messages(sandbox)) == mails


def refuse_credentials(sandbox: RunningSandbox) -> None:
    """From now on the push service refuses them."""
    sandbox.state.faults.arm(ArmedFault.model_validate({"path": SEND, "method": "POST", "fault": "401", "times": None}))
