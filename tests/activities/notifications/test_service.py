"""Delivering notices: every device of everybody, results apart, mail where there is no phone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.signers import SignerSnapshots
from activities.notifications.phones import DeviceLimiter
from activities.notifications.service import NotificationService
from activities.notifications.signer_mail import SignerMail
from activities.people.directory import DirectoryFailure
from activities.people.file_directory import FileDirectory
from activities.people.person import Person, PushDevice
from activities.records.devices import InvalidMark, device_hash
from activities.records.starts import Start
from activities.records.store import Store
from activities.records.user_texts import pages_of
from deploy.sandbox.server import RunningSandbox
from tests.activities.notifications.stage import (
    EXECUTIVES,
    arm,
    delivery,
    hashes,
    mark,
    notice,
    only,
    outcomes,
    pushes,
    sends,
)
from tests.storage import connected, take_table_away
from workflows.kinds import Kind
from workflows.model.notifications import Channel, Delivery, LogPage, NoticeAction, Notification, NotificationOutcome
from workflows.model.subject import Code, Task


async def buried_of(store: Store, token: str) -> InvalidMark | None:
    """Why one of the executive's devices was given up."""
    return (await store.devices.read_person("chief-executive", [token])).marks.get(device_hash(token))


DUE = datetime(2026, 12, 11, 17, tzinfo=UTC)


async def test_every_device_of_everybody_is_told_once(sandbox: RunningSandbox, notices: NotificationService) -> None:
    report = await notices.deliver(delivery(notice("chief-executive"), notice("finance-chief"), due_at=DUE))
    assert sorted(push["token"] for push in pushes(sandbox)) == [*EXECUTIVES, "finance-chief~1"]
    assert [(line.person, line.channel, line.outcome, line.why) for line in report.delivered] == [
        ("chief-executive", Channel.PUSH, NotificationOutcome.ACCEPTED, None),
        ("finance-chief", Channel.PUSH, NotificationOutcome.ACCEPTED, None),
    ]
    assert outcomes(report.delivered[0]) == dict.fromkeys(hashes(*EXECUTIVES), NotificationOutcome.ACCEPTED)
    assert (report.open_devices, report.retry_after, report.seen) == ((), 0, None)


async def test_who_comes_in_by_an_escalation_a_task_or_a_review_is_found_by_an_erasure(
    notices: NotificationService, store: Store
) -> None:
    request, task = (
        Kind.REQUEST.workflow_id("msa-0042"),
        Task(id="keys", kind="task", title="Keys", requester="legal-desk", people=()),
    )
    start = Start("customer-contract", "MSA", ("chief-executive",), "legal-desk", None, DUE)
    await store.starts.begin(request, start)
    alert = notice("finance-chief", "escalation", NoticeAction.OPEN, about_person="chief-executive")
    told_too = notice("legal-desk", "escalation", NoticeAction.OPEN, about_person="chief-executive")
    await notices.deliver(delivery(notice("chief-executive"), alert, told_too))
    await notices.deliver(Delivery(subject=task.subject, notices=(notice("archive", "ready", NoticeAction.DO),)))
    await notices.deliver(delivery(notice("customer-signer", "ready", NoticeAction.REVIEW)))
    with connected(store) as (connection, _):
        noted = connection.execute("SELECT person, workflow_id FROM stand_ins ORDER BY person").fetchall()
    assert noted == [
        ("archive", Kind.TASK.workflow_id("keys")),
        ("customer-signer", request),
        ("finance-chief", request),
    ]


async def test_the_due_date_is_on_each_recipients_clock(sandbox: RunningSandbox, notices: NotificationService) -> None:
    await notices.deliver(delivery(notice("chief-executive"), notice("finance-chief"), due_at=DUE))
    texts = {push["person"]: push["text"] for push in pushes(sandbox)}
    assert texts["chief-executive"].endswith("18:00.")
    assert texts["finance-chief"].endswith("12:00.")


async def test_three_devices_of_which_one_fails_once_are_four_sends_and_one_notice_each(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    arm(sandbox, fault="503", contains=EXECUTIVES[1])
    stage = delivery(notice("chief-executive"))
    first = await notices.deliver(stage)
    assert first.open_devices == hashes(EXECUTIVES[1])
    assert outcomes(only(first))[first.open_devices[0]] is NotificationOutcome.FAILED
    assert only(first).outcome is NotificationOutcome.ACCEPTED
    second = await notices.deliver(stage.replace(devices=first.open_devices))
    assert (second.open_devices, outcomes(only(second))) == ((), {first.open_devices[0]: NotificationOutcome.ACCEPTED})
    assert len(sends(sandbox)) == 4
    assert sorted(push["token"] for push in pushes(sandbox)) == EXECUTIVES


async def test_a_send_whose_answer_was_lost_is_repeated_with_the_same_key(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    arm(sandbox, fault="cut", contains="finance-chief~1")
    with pytest.raises(ApplicationError) as lost:
        await notices.deliver(delivery(notice("finance-chief")))
    assert (lost.value.type, lost.value.non_retryable) == (Code.UNREACHABLE, False)
    await notices.deliver(delivery(notice("finance-chief")))
    first, second = pushes(sandbox)
    assert first["data"] == second["data"]
    assert first["key"] == second["key"]


async def test_an_unregistered_device_is_never_sent_to_again(
    sandbox: RunningSandbox, notices: NotificationService, directory: FileDirectory, store: Store
) -> None:
    mark(sandbox, EXECUTIVES[0], "unregistered")
    for stage in ("ready", "reminder-1"):
        report = await notices.deliver(delivery(notice("chief-executive", stage)))
        assert only(report).outcome is NotificationOutcome.ACCEPTED
        assert report.open_devices == ()
    assert len(sends(sandbox)) == 5
    buried_device, *living_devices = [await buried_of(store, token) for token in EXECUTIVES]
    assert (buried_device and buried_device.reason, living_devices) == ("UNREGISTERED", [None, None])


async def test_a_device_of_another_project_is_kept_and_tried_again_with_the_next_notice(
    sandbox: RunningSandbox, notices: NotificationService, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    mark(sandbox, EXECUTIVES[2], "other_sender")
    for stage in ("ready", "reminder-1"):
        report = await notices.deliver(delivery(notice("chief-executive", stage)))
        assert (only(report).outcome, report.open_devices) == (NotificationOutcome.ACCEPTED, ())
    assert len(sends(sandbox)) == 6
    assert await buried_of(store, EXECUTIVES[2]) is None
    assert [log_record.levelname for log_record in caplog.records if "other_sender" in log_record.getMessage()] == [
        "ERROR"
    ] * 2


async def test_many_devices_of_another_project_are_a_problem_of_ours_and_none_is_buried(
    sandbox: RunningSandbox, notices: NotificationService, store: Store
) -> None:
    arm(sandbox, fault="403", error_code="SENDER_ID_MISMATCH", times=None)
    with pytest.raises(ApplicationError) as wrong:
        await notices.deliver(delivery(notice("chief-executive")))
    assert (wrong.value.type, wrong.value.non_retryable) == (Code.PUSH_MISMATCH, True)
    assert not any([await buried_of(store, token) for token in EXECUTIVES])
    sandbox.state.faults.clear()
    assert only(await notices.deliver(delivery(notice("chief-executive")))).outcome is NotificationOutcome.ACCEPTED


async def test_nothing_delivered_asks_for_a_retry_not_before_the_service_wants_one(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    arm(sandbox, fault="429", times=None, retry_after=30)
    with pytest.raises(ApplicationError) as refused:
        await notices.deliver(delivery(notice("chief-executive")))
    assert refused.value.next_retry_delay is not None
    assert refused.value.next_retry_delay.total_seconds() >= 60  # an exceeded quota wants a minute at least
    assert not pushes(sandbox)


async def test_a_part_that_is_throttled_is_left_open_with_its_wait(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    arm(sandbox, fault="503", retry_after=45, contains=EXECUTIVES[0])
    arm(sandbox, fault="503", contains=EXECUTIVES[1])
    report = await notices.deliver(delivery(notice("chief-executive")))
    assert (report.open_devices, report.waits) == (hashes(*EXECUTIVES[:2]), (45, 5))
    assert report.retry_after == 45


async def test_refused_credentials_need_a_person_and_keep_every_device(
    sandbox: RunningSandbox, notices: NotificationService, store: Store
) -> None:
    arm(sandbox, fault="401", times=None)
    with pytest.raises(ApplicationError) as refused:
        await notices.deliver(delivery(notice("chief-executive")))
    assert (refused.value.type, refused.value.non_retryable) == (Code.UNAUTHORISED, True)
    assert not any([await buried_of(store, token) for token in EXECUTIVES])


async def test_what_we_sent_wrong_is_a_failed_notice_not_a_retry(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    arm(sandbox, fault="400", times=None)
    report = await notices.deliver(delivery(notice("finance-chief", "settled", NoticeAction.OPEN)))
    assert (only(report).outcome, only(report).why, report.open_devices) == (NotificationOutcome.FAILED, "refused", ())


async def test_a_withdrawal_takes_the_notice_off_every_screen(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    await notices.deliver(delivery(notice("finance-chief")))
    report = await notices.deliver(delivery(notice("finance-chief", "withdrawal", NoticeAction.WITHDRAW)))
    assert only(report).outcome is NotificationOutcome.WITHDRAWN
    visible, withdrawn = pushes(sandbox)
    assert (visible["key"], withdrawn["visible"]) == (withdrawn["key"], False)


@pytest.mark.parametrize(
    ("person", "action", "stage"),
    [
        ("archive", NoticeAction.OPEN, "settled"),
        ("archive", NoticeAction.OPEN, "escalation"),
        ("customer-signer", NoticeAction.WITHDRAW, "withdrawal"),
    ],
)
async def test_who_is_not_asked_to_act_and_has_no_phone_is_not_told(
    notices: NotificationService, person: str, action: NoticeAction, stage: str
) -> None:
    line = only(await notices.deliver(delivery(notice(person, stage, action))))
    assert (line.channel, line.outcome, line.why) == (Channel.PUSH, NotificationOutcome.SUPPRESSED, "no_device")


async def test_somebody_unknown_fails_alone(notices: NotificationService) -> None:
    report = await notices.deliver(delivery(notice("nobody"), notice("finance-chief")))
    assert [(line.outcome, line.why) for line in report.delivered] == [
        (NotificationOutcome.FAILED, "unknown_person"),
        (NotificationOutcome.ACCEPTED, None),
    ]


async def test_a_directory_without_an_answer_is_a_problem_of_ours(
    a_worker: Callable[..., NotificationService], core: CoreSignatureClient, store: Store, tmp_path: Path
) -> None:
    nowhere = FileDirectory(tmp_path / "no-such-file.yaml", store)
    notices = a_worker(directory=nowhere, mail=SignerMail(core, nowhere, SignerSnapshots(store)))
    with pytest.raises(ApplicationError) as failed:
        await notices.deliver(delivery(notice("finance-chief")))
    assert (failed.value.type, failed.value.non_retryable) == (Code.DIRECTORY, False)


class ForgetfulDirectory(FileDirectory):
    """Knows everybody but one, and cannot write."""

    async def person(self, id: str, beside: str | None = None) -> Person:
        """No answer about the legal desk."""
        if id == "legal-desk":
            raise DirectoryFailure("the store is away")
        return await super().person(id, beside)

    async def mark_gone(self, person: Person, device: PushDevice, reason: str) -> None:
        """Never works."""
        raise DirectoryFailure("the store is read-only")


async def test_a_directory_that_fails_for_some_costs_nobody_else_their_notice(
    sandbox: RunningSandbox, a_worker: Callable[..., NotificationService], store: Store, tmp_path: Path
) -> None:
    notices = a_worker(directory=ForgetfulDirectory(tmp_path / "people.yaml", store))
    mark(sandbox, EXECUTIVES[0], "unregistered")
    report = await notices.deliver(delivery(notice("legal-desk"), notice("chief-executive")))
    assert [(line.outcome, line.why) for line in report.delivered] == [
        (NotificationOutcome.FAILED, "directory"),
        (NotificationOutcome.ACCEPTED, None),
    ]


async def test_more_than_a_device_takes_in_a_minute_is_left_open(
    sandbox: RunningSandbox, a_worker: Callable[..., NotificationService]
) -> None:
    notices = a_worker(limiter=DeviceLimiter(1, lambda: 0.0))
    await notices.deliver(delivery(notice("finance-chief")))
    report = await notices.deliver(delivery(notice("chief-executive"), notice("finance-chief", "reminder-1")))
    assert (report.open_devices, report.retry_after) == (hashes("finance-chief~1"), 60)
    assert len(sends(sandbox)) == 4


async def test_the_bound_of_a_device_is_waited_for_and_no_failure(
    sandbox: RunningSandbox, a_worker: Callable[..., NotificationService]
) -> None:
    """Temporal logs no traceback of it, and nobody's request has a problem."""
    notices = a_worker(limiter=DeviceLimiter(1, lambda: 0.0))
    await notices.deliver(delivery(notice("finance-chief")))
    with pytest.raises(ApplicationError, match="as many messages this minute as one device may get") as refused:
        await notices.deliver(delivery(notice("finance-chief", "reminder-1")))
    assert refused.value.category is ApplicationErrorCategory.BENIGN
    assert refused.value.next_retry_delay and refused.value.next_retry_delay >= timedelta(seconds=60)
    assert len(sends(sandbox)) == 1


async def test_a_retry_for_open_devices_says_nothing_of_the_others(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    stage = delivery(notice("chief-executive"), notice("finance-chief"), notice("customer-signer"))
    report = await notices.deliver(stage.replace(devices=hashes("finance-chief~1")))
    assert only(report).person == "finance-chief"
    assert len(sends(sandbox)) == 1


async def test_nothing_personal_is_in_a_push_and_no_token_in_a_report_or_a_log(
    sandbox: RunningSandbox, notices: NotificationService, caplog: pytest.LogCaptureFixture
) -> None:
    mark(sandbox, EXECUTIVES[0], "unregistered")
    arm(sandbox, fault="503", contains=EXECUTIVES[1])
    report = await notices.deliver(delivery(notice("chief-executive"), due_at=DUE))
    assert not any(token in report.model_dump_json() + caplog.text for token in EXECUTIVES)
    assert hashes(EXECUTIVES[0])[0] in caplog.text
    (push,) = sandbox.state.database.pushes.where("chief-executive")
    message_json = push.model_dump_json(include={"message"})
    assert not any(
        private_text in message_json
        for private_text in ("Chief Executive", "ceo@example.test", "Legal Desk", "legal-desk")
    )


async def test_what_a_request_forgets_is_in_the_store_before_anybody_is_told(
    sandbox: RunningSandbox, notices: NotificationService, store: Store
) -> None:
    forgotten = Notification(
        key="msa-0042/ready/chief-executive",
        stage="ready",
        person="chief-executive",
        channel=Channel.PUSH,
        outcome=NotificationOutcome.ACCEPTED,
        at=datetime(2026, 11, 2, 9, tzinfo=UTC),
    )
    page = LogPage(number=1, lines=(forgotten,))
    stage = delivery(notice("chief-executive", "reminder-1"), page=page)
    with take_table_away(store, "log_pages"), pytest.raises(ApplicationError, match="cannot be used"):
        await notices.deliver(stage)
    assert sends(sandbox) == []
    await notices.deliver(stage)
    assert await pages_of(store, "signature-request:msa-0042") == [page]
