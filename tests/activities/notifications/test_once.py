"""A mail or an SMS is sent once, as far as that can be known: its answer may be lost, and the note of it as well."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.core_signature.service import CoreSignatureService
from activities.errors import StoreAway
from activities.http.client import Cause, ServiceFailure
from activities.notifications import phones as limiter
from activities.notifications.cloud_messaging import CloudMessaging
from activities.notifications.outbound_mail import SendOnce
from activities.notifications.push_services import MessageFate, MessageResult
from activities.notifications.service import NotificationService
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from deploy.sandbox.state.faults import ArmedFault
from tests.activities.notifications.stage import brief, delivery, entries, notice, only
from tests.storage import altered, take_table_away
from workflows.model.notifications import Channel, Delivery, NoticeAction, NotificationOutcome
from workflows.model.signature import CreateOrder
from workflows.model.subject import Code, Status

PEOPLE = """
people:
  - {id: requester, name: Re Quester, email: requester@example.test, zone: UTC, phone: "+31 20 555 0100"}
  - {id: signer, name: Si Gner, email: signer@example.test, zone: UTC}
"""
PDF = b"%PDF-1.7\n%%EOF\n"
AGAIN_AFTER = "activities.records.outbound_mail.AGAIN_AFTER"


@pytest.fixture
def worker(
    cloud: CloudMessaging, a_worker: Callable[..., NotificationService], tmp_path: Path
) -> Callable[[], NotificationService]:
    """One worker more, for people who have no phone."""
    (tmp_path / "people.yaml").write_text(PEOPLE)
    return partial(a_worker, messaging=cloud)


def make_settled_delivery(*, urgent: bool = False) -> Delivery:
    """The requester hears of an ending: by mail, or by SMS."""
    requester_delivery = delivery(notice("requester", "settled", NoticeAction.OPEN))
    return requester_delivery.replace(subject=requester_delivery.subject.replace(urgent=urgent))


def arm(sandbox: RunningSandbox, fault: str, path: str = "/mra/*", **fields: object) -> None:
    """Arm a fault against whatever sends letters."""
    sandbox.state.faults.arm(ArmedFault.model_validate({"path": path, "method": "POST", "fault": fault, **fields}))


async def fails(worker: NotificationService, failing_delivery: Delivery) -> ApplicationError:
    """How an attempt fails."""
    with pytest.raises(ApplicationError) as failed:
        await worker.deliver(failing_delivery)
    return failed.value


@pytest.mark.parametrize("urgent", [True, False], ids=["sms", "mail"])
@pytest.mark.parametrize("fault", ["cut", "500", "502"])
async def test_a_letter_whose_answer_was_lost_is_sent_three_times_at_most(
    sandbox: RunningSandbox,
    worker: Callable[[], NotificationService],
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    urgent: bool,
) -> None:
    arm(sandbox, fault, commit=True, times=None)
    lost = await fails(worker(), make_settled_delivery(urgent=urgent))
    assert (lost.type, lost.non_retryable) == (Code.UNREACHABLE, False)
    assert (lost.next_retry_delay or timedelta()) >= timedelta(seconds=60)
    for _ in range(3):
        waits = await fails(worker(), make_settled_delivery(urgent=urgent))
        assert (waits.non_retryable, (waits.next_retry_delay or timedelta()) > timedelta(seconds=50)) == (False, True)
    assert len(entries(sandbox, "message")) == 1
    monkeypatch.setattr(AGAIN_AFTER, (0.0, 900.0))
    for _ in range(3):
        later = await fails(worker(), make_settled_delivery(urgent=urgent))
        assert (later.next_retry_delay or timedelta()) > timedelta(seconds=890)
    assert len(entries(sandbox, "message")) == 2
    monkeypatch.setattr(AGAIN_AFTER, (0.0, 0.0))
    for _ in range(10):
        line = only(await worker().deliver(make_settled_delivery(urgent=urgent)))
        assert (line.outcome, line.why) == (NotificationOutcome.FAILED, "unconfirmed")
        assert line.channel is (Channel.SMS if urgent else Channel.MAIL)
    assert len(entries(sandbox, "message")) == 3
    (reference,) = {message["reference"] for message in entries(sandbox, "message")}
    assert not any(personal_text in reference for personal_text in ("requester", "msa", "settled"))


async def test_what_is_sent_once_more_and_taken_is_told(
    sandbox: RunningSandbox, worker: Callable[[], NotificationService], monkeypatch: pytest.MonkeyPatch
) -> None:
    arm(sandbox, "cut")
    await fails(worker(), make_settled_delivery())
    monkeypatch.setattr(AGAIN_AFTER, (0.0, 0.0))
    for _ in range(3):
        assert only(await worker().deliver(make_settled_delivery())).outcome is NotificationOutcome.ACCEPTED
    assert len(entries(sandbox, "message")) == 2


@pytest.mark.parametrize("fault", ["503", "503-page", "html", "302", "401", "404", "409", "429"])
async def test_whatever_was_refused_before_anything_was_done_is_sent_again_as_often_as_it_takes(
    sandbox: RunningSandbox, worker: Callable[[], NotificationService], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(limiter, "PAUSE_AT_MOST", 0.0)
    shape = {"shape": "html"} if fault == "503-page" else {}
    arm(sandbox, fault.removesuffix("-page"), times=4, **shape)
    for _ in range(4):
        await fails(worker(), make_settled_delivery())
    for _ in range(3):
        assert only(await worker().deliver(make_settled_delivery())).outcome is NotificationOutcome.ACCEPTED
    assert len(entries(sandbox, "message")) == 1


async def test_a_letter_that_was_taken_while_the_store_went_away_is_told_and_not_sent_again(
    sandbox: RunningSandbox, worker: Callable[[], NotificationService], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail_to_note(*_: object) -> None:
        raise StoreAway("no space left")

    with monkeypatch.context() as full:
        full.setattr(store.outbound_mail, "note", fail_to_note)
        assert only(await worker().deliver(make_settled_delivery())).outcome is NotificationOutcome.ACCEPTED
    await fails(worker(), make_settled_delivery())
    assert len(entries(sandbox, "message")) == 1


async def test_nothing_is_sent_that_could_not_be_noted_before_and_it_is_said_why(
    sandbox: RunningSandbox, worker: Callable[[], NotificationService], store: Store
) -> None:
    with take_table_away(store, "outbound_mail"):
        for _ in range(3):
            failure = await fails(worker(), make_settled_delivery())
            assert failure.type == Code.UNREACHABLE
            assert failure.message.startswith("the database cannot be used: ")
    assert entries(sandbox, "message") == []
    assert only(await worker().deliver(make_settled_delivery())).outcome is NotificationOutcome.ACCEPTED


async def test_an_attempt_that_died_while_it_sent_is_one_of_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sent, dead = [], asyncio.Event()

    async def dies() -> MessageResult:
        sent.append("first")
        dead.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def lives() -> MessageResult:
        sent.append("second")
        return MessageResult(MessageFate.ACCEPTED)

    dying = asyncio.create_task(SendOnce(store).send(["r"], Channel.SMS, dies))
    await dead.wait()
    dying.cancel()
    for _ in range(3):
        assert (await SendOnce(store).send(["r"], Channel.SMS, lives))[1].fate is MessageFate.LATER
    assert sent == ["first"]
    monkeypatch.setattr(AGAIN_AFTER, (0.0, 0.0))
    for _ in range(3):
        letter, result = await SendOnce(store).send(["r"], Channel.MAIL, lives)
        assert (result.fate, letter.channel, letter.tries) == (MessageFate.ACCEPTED, Channel.SMS, 2)
    assert sent == ["first", "second"]


async def test_a_letter_for_several_notices_is_sent_once_for_all_of_them(store: Store) -> None:
    """As Core Signature's mail goes to everybody whose turn it is; whoever joins has it with the next one."""
    sent: list[int] = []

    async def send() -> MessageResult:
        sent.append(len(sent))
        return MessageResult(MessageFate.ACCEPTED)

    for references, times in ((["a", "b"], 1), (["b"], 1), (["a", "b", "c"], 2), (["c", "a"], 2)):
        assert (await SendOnce(store).send(references, Channel.MAIL, send))[1].fate is MessageFate.ACCEPTED
        assert len(sent) == times


async def test_of_workers_that_send_the_same_at_once_one_does_however_often_it_was_tried(store: Store) -> None:
    sent: list[int] = []

    async def lost() -> MessageResult:
        sent.append(len(sent))
        return MessageResult(MessageFate.LATER, ServiceFailure("the mail", Cause.NO_ANSWER, "no answer"))

    for attempt in range(3):
        await asyncio.gather(*(SendOnce(store).send([*"ab"], Channel.MAIL, lost) for _ in range(5)))
        assert len(sent) == attempt + 1
        altered(store, "UPDATE outbound_mail SET at = '2026-11-01T00:00:00.000000+00:00'")
    await SendOnce(store).send([*"ab"], Channel.MAIL, lost)
    assert len(sent) == 3


async def test_what_was_sent_is_known_for_as_long_as_its_run_may_be_reset(store: Store) -> None:
    async def accepted() -> MessageResult:
        return MessageResult(MessageFate.ACCEPTED)

    await SendOnce(store).send(["r"], Channel.MAIL, accepted)
    now = datetime.now(UTC)
    assert [await store.outbound_mail.drop_old(now + timedelta(days=days)) for days in (399, 401, 401)] == [0, 1, 0]


async def test_two_workers_with_one_letter_send_it_once(
    sandbox: RunningSandbox, worker: Callable[[], NotificationService]
) -> None:
    results = await asyncio.gather(
        *(worker().deliver(make_settled_delivery()) for _ in range(2)), return_exceptions=True
    )
    assert len(entries(sandbox, "message")) == 1
    assert any(not isinstance(result, BaseException) for result in results)


async def test_a_replay_and_a_request_that_is_started_again_have_letters_of_their_own(
    sandbox: RunningSandbox, worker: Callable[[], NotificationService]
) -> None:
    for replay in (0, 1, 0):
        await worker().deliver(make_settled_delivery().replace(replay=replay))
    assert len(entries(sandbox, "message")) == 2
    environment = ActivityEnvironment()
    for _ in range(2):
        await environment.run(worker().deliver, make_settled_delivery())
    assert len(entries(sandbox, "message")) == 3
    assert len({message["reference"] for message in entries(sandbox, "message")}) == 3


async def nudge(signatures: CoreSignatureService, store: Store) -> Delivery:
    """A reminder to a signer, who is mailed by Core Signature."""
    request = brief("signer", sha256=await store.files.put(PDF))
    document_state = await ActivityEnvironment().run(signatures.create, CreateOrder(brief=request))
    while document_state.status is not Status.SENT:
        document_state = await signatures.read(request, document_state.document)
    return Delivery(subject=request, notices=(notice("signer", "reminder-1"),), document=document_state.document)


def resent(sandbox: RunningSandbox) -> list[str]:
    """Whom Core Signature mailed again."""
    return [mail["to"] for mail in entries(sandbox, "mail") if mail["kind"] == "resend"]


@pytest.mark.parametrize("fault", ["cut", "500"])
async def test_core_signature_s_mail_is_asked_for_three_times_at_most(
    sandbox: RunningSandbox,
    worker: Callable[[], NotificationService],
    signatures: CoreSignatureService,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    reminder = await nudge(signatures, store)
    arm(sandbox, fault, "*resend*", commit=True, times=None)
    for _ in range(3):
        lost = await fails(worker(), reminder)
        assert (lost.non_retryable, (lost.next_retry_delay or timedelta()) > timedelta(seconds=50)) == (False, True)
    assert resent(sandbox) == ["signer@example.test"]
    monkeypatch.setattr(AGAIN_AFTER, (0.0, 0.0))
    await fails(worker(), reminder)
    for _ in range(5):
        line = only(await worker().deliver(reminder))
        assert (line.outcome, line.why, line.channel) == (NotificationOutcome.FAILED, "unconfirmed", Channel.MAIL)
    assert len(resent(sandbox)) == 3


async def test_core_signature_s_mail_that_was_refused_is_asked_for_until_it_is_sent_and_then_no_more(
    sandbox: RunningSandbox, worker: Callable[[], NotificationService], signatures: CoreSignatureService, store: Store
) -> None:
    reminder = await nudge(signatures, store)
    arm(sandbox, "503", "*resend*", times=4)
    for _ in range(4):
        await fails(worker(), reminder)
    for _ in range(3):
        assert only(await worker().deliver(reminder)).outcome is NotificationOutcome.ACCEPTED
    assert len(resent(sandbox)) == 1


async def test_without_the_store_core_signature_s_mail_is_not_asked_for(
    sandbox: RunningSandbox,
    worker: Callable[[], NotificationService],
    signatures: CoreSignatureService,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail_to_begin(*_: object) -> None:
        raise StoreAway("no space left")

    reminder = await nudge(signatures, store)
    monkeypatch.setattr(store.outbound_mail, "begin", fail_to_begin)
    failure = await fails(worker(), reminder)
    assert (failure.type, failure.message) == (Code.UNREACHABLE, "the store cannot be used: no space left")
    assert resent(sandbox) == []
