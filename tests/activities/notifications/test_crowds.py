"""Many recipients whose phones answer slowly: each is told once, nobody is forgotten, no attempt is torn off."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.signers import SignerSnapshots
from activities.notifications.message import NotificationMessage
from activities.notifications.push_services import MessageFate, MessageResult
from activities.notifications.service import NotificationService
from activities.notifications.signer_mail import SignerMail
from activities.people.file_directory import FileDirectory
from activities.people.person import AddressKind
from activities.records.store import Store
from activities.temporal.leases import TurnLimits
from tests.activities.notifications.stage import brief, notice
from workflows.follow_up.notifier import AT_MOST, left_of
from workflows.model.notifications import (
    Channel,
    Delivery,
    DeliveryReport,
    DeliveryResult,
    DeviceOutcome,
    NoticeAction,
    NotificationOutcome,
)

AN_ANSWER = 4.0
CROWD = [f"person-{number:03}" for number in range(100)]


class SlowPhones:
    """A push service of which every answer takes four seconds; `now` is what the clock says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sent: list[str] = []
        self.busy, self.most_at_once = 0, 0
        self.sending = asyncio.Event()
        self.gate: asyncio.Event | None = None

    async def send(
        self, token: str, message: NotificationMessage, kind: AddressKind = AddressKind.TOKEN
    ) -> MessageResult:
        self.sent.append(token)
        self.busy += 1
        self.most_at_once, began = max(self.most_at_once, self.busy), self.now
        self.sending.set()
        await asyncio.sleep(0)  # the others of this wave begin at the same instant
        if self.gate:
            await self.gate.wait()
        self.now, self.busy = max(self.now, began + AN_ANSWER), self.busy - 1
        return MessageResult(MessageFate.ACCEPTED)

    async def check(self) -> None: ...

    async def aclose(self) -> None: ...


@pytest.fixture
def phones() -> SlowPhones:
    return SlowPhones()


@pytest.fixture
def crowd(
    phones: SlowPhones,
    tmp_path: Path,
    store: Store,
    core: CoreSignatureClient,
    a_worker: Callable[..., NotificationService],
) -> NotificationService:
    """The push service over a hundred people with a slow phone each."""
    file = tmp_path / "crowd.yaml"
    entry = "  - {id: %s, name: N, email: %s@x.test, zone: UTC, devices: [{token: %s~1, platform: web}]}\n"
    file.write_text("people:\n" + "".join(entry % (person, person, person) for person in CROWD))
    directory = FileDirectory(file, store)
    return a_worker(
        dialect=phones,
        directory=directory,
        mail=SignerMail(core, directory, SignerSnapshots(store)),
        pace=TurnLimits(at_once=10, begin=15.0, end=40.0),
        clock=lambda: phones.now,
    )


STAGE = Delivery(
    subject=brief(),
    notices=tuple(notice(person, "escalation", NoticeAction.OPEN) for person in CROWD),
    others_told=False,
)


async def test_a_hundred_slow_phones_are_told_once_each_and_what_a_call_does_not_get_to_comes_back_open(
    crowd: NotificationService, phones: SlowPhones
) -> None:
    delivered, open_notices, calls = list[DeliveryResult](), STAGE.notices, 0
    while open_notices:
        began = phones.now
        report = await crowd.deliver(STAGE.replace(notices=open_notices[:AT_MOST], others_told=calls > 0))
        assert phones.now - began <= 20, "an attempt is never torn off: it ends itself in time"
        delivered += report.delivered
        open_notices, calls = left_of(open_notices, report), calls + 1
    assert Counter(phones.sent) == dict.fromkeys((f"{person}~1" for person in CROWD), 1)
    assert [line.person for line in delivered] == CROWD
    assert {line.outcome for line in delivered} == {NotificationOutcome.ACCEPTED}
    assert phones.most_at_once == 10
    assert 3 <= calls <= 5, "each begins nobody after 15 s; what is written in between delays some of a wave"


@pytest.mark.long
async def test_a_delivery_that_is_no_longer_wanted_reports_what_it_has_sent_and_sends_no_more(
    crowd: NotificationService, phones: SlowPhones
) -> None:
    phones.gate, env = asyncio.Event(), ActivityEnvironment()
    delivering = asyncio.create_task(env.run(crowd.deliver, STAGE))
    await phones.sending.wait()
    env.cancel()
    await asyncio.sleep(0)
    phones.gate.set()
    report = await delivering
    assert Counter(phones.sent) == Counter(f"{line.person}~1" for line in report.delivered)
    assert 0 < len(report.delivered) <= 10
    assert len(report.delivered) + len(report.open_notices) == len(CROWD)


async def test_a_worker_that_is_told_to_stop_begins_nobody_new(crowd: NotificationService, phones: SlowPhones) -> None:
    phones.gate, env = asyncio.Event(), ActivityEnvironment()
    delivering = asyncio.create_task(env.run(crowd.deliver, STAGE))
    await phones.sending.wait()
    env.worker_shutdown()
    phones.gate.set()
    report = await delivering
    assert len(phones.sent) == len(report.delivered) <= 10


def test_a_report_of_the_most_recipients_with_the_most_phones_stays_below_256_kilobytes() -> None:
    id = "x" * 48
    lines = tuple(
        DeliveryResult(
            key=f"{id}/reminder-10/{id}-{number}",
            stage="reminder-10",
            person=f"{id}-{number}",
            channel=Channel.PUSH,
            outcome=NotificationOutcome.ACCEPTED,
            devices=tuple(DeviceOutcome(device="a1b2c3d4e5f6", outcome=NotificationOutcome.FAILED) for _ in range(20)),
        )
        for number in range(AT_MOST)
    )
    report = DeliveryReport(
        delivered=lines, open_devices=("a1b2c3d4e5f6",) * 20 * AT_MOST, waits=(3_599.5,) * 20 * AT_MOST
    )
    assert len(report.model_dump_json()) < 256 * 1024
