"""Nudges: the document is read first, and Core Signature's mail goes where no push arrives."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.core_signature.service import CoreSignatureService
from activities.notifications.service import NotificationService
from activities.people.directory import DirectoryAway
from activities.people.file_directory import FileDirectory
from activities.people.person import Person
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from tests.activities.notifications.stage import (
    arm,
    brief,
    delivery,
    entries,
    hashes,
    mark,
    notice,
    only,
    outcomes,
    pushes,
    sends,
)
from workflows.follow_up.notifier import left_of
from workflows.model.notifications import (
    MAILS_APART,
    Channel,
    Delivery,
    NoticeAction,
    NotificationOrder,
    NotificationOutcome,
)
from workflows.model.signature import CreateOrder, ReportedDocument, SignatureBrief
from workflows.model.subject import Code, Status

PDF = b"%PDF-1.7\n%%EOF\n"
AT_WORK = datetime(2026, 11, 4, 15, tzinfo=UTC)
"""Four o'clock in Amsterdam, ten in New York."""
AT_NIGHT = AT_WORK + timedelta(hours=12)


@dataclass(frozen=True)
class SentRequest:
    """A request that Core Signature has sent, and what it takes to act in it."""

    brief: SignatureBrief
    document: str
    sandbox: RunningSandbox

    def signed_by(self, email: str) -> None:
        """Let somebody sign."""
        memory = self.sandbox.state.database
        document = memory.documents.get(self.document)
        assert document is not None
        request = memory.request_of(document)
        assert request is not None
        (signer,) = (signer for signer in request.signers if signer.email == email)
        self.sandbox.core_signature.sign((signer, request, document))

    def forward(self, email: str, new_email: str) -> None:
        """Let a signer pass the request on to somebody we do not know, by themselves."""
        memory = self.sandbox.state.database
        document = memory.documents.get(self.document)
        assert document is not None
        request = memory.request_of(document)
        assert request is not None
        self.sandbox.core_signature.forward(request, email, new_email, "")

    def nudge(self, *orders: NotificationOrder, **overrides: Any) -> Delivery:
        """A delivery that reads the document first."""
        return Delivery(
            **{"subject": self.brief, "notices": orders, "document": self.document, "now": AT_WORK, **overrides}
        )


@pytest.fixture
async def sent(sandbox: RunningSandbox, signatures: CoreSignatureService, store: Store) -> SentRequest:
    """A request to the executive, the customer (who never had a phone) and the finance chief, all at once."""
    request = brief("chief-executive", "customer-signer", "finance-chief", sha256=await store.files.put(PDF))
    document_state: ReportedDocument = await ActivityEnvironment().run(signatures.create, CreateOrder(brief=request))
    while document_state.status is not Status.SENT:
        document_state = await signatures.read(request, document_state.document)
    return SentRequest(request, document_state.document, sandbox)


async def test_a_signer_without_a_phone_is_mailed_by_core_when_it_is_sent(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    report = await notices.deliver(delivery(notice("customer-signer"), subject=sent.brief))
    line = only(report)
    assert (line.channel, line.outcome, line.why, line.devices) == (
        Channel.MAIL,
        NotificationOutcome.ACCEPTED,
        None,
        (),
    )
    assert [mail["to"] for mail in entries(sandbox, "mail")] == ["customer@acme.test"]


async def test_a_signer_whose_phone_died_after_creation_gets_the_mail_core_was_asked_not_to_send(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    mark(sandbox, "finance-chief~1", "unregistered")
    line, *along = (await notices.deliver(delivery(notice("finance-chief"), subject=sent.brief, now=AT_WORK))).delivered
    assert [(line.person, line.stage) for line in along] == [
        ("chief-executive", "mail-along"),
        ("customer-signer", "reminder-along"),
    ]
    assert (line.channel, line.outcome) == (Channel.MAIL, NotificationOutcome.ACCEPTED)
    assert outcomes(line) == dict.fromkeys(hashes("finance-chief~1"), NotificationOutcome.FAILED)
    assert "cfo@example.test" in [mail["to"] for mail in entries(sandbox, "mail")]


async def test_a_reminder_without_a_phone_is_cores_mail_again_once_for_all(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    mark(sandbox, "finance-chief~1", "unregistered")
    stage = sent.nudge(notice("customer-signer", "reminder-1"), notice("finance-chief", "reminder-1"))
    report = await notices.deliver(stage)
    assert [(line.channel, line.outcome) for line in report.delivered] == [
        (Channel.MAIL, NotificationOutcome.ACCEPTED)
    ] * 3
    resends = [call for call in entries(sandbox, "request") if "resend" in call["path"]]
    assert len(resends) == 1


async def test_a_mail_that_core_signature_would_drop_is_not_asked_for_before_its_time(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    mark(sandbox, "finance-chief~1", "unregistered")
    first = await notices.deliver(delivery(notice("finance-chief"), subject=sent.brief, now=AT_WORK))
    assert (first.mailed, first.held) == (True, ())
    mailed = resent(sandbox)
    nudge = sent.nudge(notice("customer-signer", "reminder-1")).replace(mailed_at=AT_WORK)
    report = await notices.deliver(nudge.replace(now=AT_WORK + MAILS_APART - timedelta(seconds=1)))
    [held_line] = report.held
    assert (report.mailed, report.delivered, resent(sandbox)) == (False, (), mailed)
    assert (held_line.channel, held_line.outcome, held_line.why) == (Channel.MAIL, "suppressed", "mailed_recently")
    assert held_line.until == AT_WORK + MAILS_APART
    report = await notices.deliver(nudge.replace(now=held_line.until))
    assert (report.mailed, report.held, len(resent(sandbox)) > len(mailed)) == (True, (), True)


async def test_a_push_waits_for_no_mail(notices: NotificationService, sent: SentRequest) -> None:
    report = await notices.deliver(sent.nudge(notice("chief-executive", "reminder-1")).replace(mailed_at=AT_WORK))
    assert (report.held, only(report).channel) == ((), Channel.PUSH)


async def test_signers_who_were_renamed_since_are_mailed_where_they_were_asked(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest, tmp_path: Path
) -> None:
    people = (tmp_path / "people.yaml").read_text()
    (tmp_path / "people.yaml").write_text(re.sub(r"email: ([a-z.-]+)@", r"email: new.\1@", people))
    report = await notices.deliver(sent.nudge(notice("customer-signer", "reminder-1")))
    assert [(line.channel, line.outcome) for line in report.delivered][:1] == [
        (Channel.MAIL, NotificationOutcome.ACCEPTED)
    ]
    assert "customer@acme.test" in resent(sandbox)


def resent(sandbox: RunningSandbox) -> list[str]:
    """Who was mailed again."""
    return sorted(mail["to"] for mail in entries(sandbox, "mail") if mail["kind"] == "resend")


async def test_a_mail_that_goes_to_other_signers_too_waits_for_their_hours_and_says_so(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    line = only(await notices.deliver(sent.nudge(notice("customer-signer", "reminder-1"), now=AT_NIGHT)))
    assert (line.channel, line.outcome, line.why) == (Channel.MAIL, NotificationOutcome.FAILED, "others_asleep")
    assert resent(sandbox) == []


async def test_who_is_mailed_along_in_their_hours_has_a_line_of_their_own(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    report = await notices.deliver(sent.nudge(notice("customer-signer", "reminder-1"), now=AT_WORK))
    assert [(line.person, line.stage, line.channel, line.outcome, line.why) for line in report.delivered] == [
        ("customer-signer", "reminder-1", Channel.MAIL, NotificationOutcome.ACCEPTED, None),
        ("chief-executive", "mail-along", Channel.MAIL, NotificationOutcome.ACCEPTED, "with_others"),
        ("finance-chief", "mail-along", Channel.MAIL, NotificationOutcome.ACCEPTED, "with_others"),
    ]
    assert report.delivered[1].key == "msa-0042/reminder-1/chief-executive/customer-signer"
    assert len(resent(sandbox)) == 3


async def test_whoever_is_told_in_the_same_stage_is_woken_by_no_mail(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    stage = [notice(person, "warning-1d") for person in ("chief-executive", "customer-signer", "finance-chief")]
    report = await notices.deliver(sent.nudge(*stage, now=AT_NIGHT))
    assert {line.outcome for line in report.delivered} == {NotificationOutcome.ACCEPTED}
    assert len(resent(sandbox)) == 3


async def test_an_urgent_mail_may_go_to_all_whose_turn_it_is_at_any_hour(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    urgent = sent.brief.replace(urgent=True)
    await notices.deliver(sent.nudge(notice("customer-signer", "reminder-1"), subject=urgent, now=AT_NIGHT))
    assert len(resent(sandbox)) == 3


async def test_a_signer_whose_turn_it_no_longer_is_stops_nobodys_mail(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    for email in ("ceo@example.test", "cfo@example.test"):
        sent.signed_by(email)
    line = only(await notices.deliver(sent.nudge(notice("customer-signer", "reminder-1"), now=AT_NIGHT)))
    assert line.outcome is NotificationOutcome.ACCEPTED
    assert resent(sandbox) == ["customer@acme.test"]


async def test_somebody_whom_a_signer_passed_it_on_to_stops_nobodys_mail(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    sent.forward("cfo@example.test", "stranger@elsewhere.test")
    report = await notices.deliver(sent.nudge(notice("customer-signer", "reminder-1"), now=AT_WORK))
    assert report.delivered[0].outcome is NotificationOutcome.ACCEPTED
    assert resent(sandbox) == ["ceo@example.test", "customer@acme.test", "stranger@elsewhere.test"]


async def test_a_first_mail_that_core_was_asked_not_to_send_goes_to_no_sleeping_signer_either(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    mark(sandbox, "finance-chief~1", "unregistered")
    stage = delivery(notice("finance-chief"), notice("customer-signer"), subject=sent.brief, now=AT_NIGHT)
    finance, customer = (await notices.deliver(stage)).delivered
    assert (finance.outcome, finance.why) == (NotificationOutcome.FAILED, "others_asleep")
    assert (customer.channel, customer.outcome) == (Channel.MAIL, NotificationOutcome.ACCEPTED)
    assert resent(sandbox) == []


async def test_the_document_is_read_before_a_nudge_and_who_signed_is_not_nudged(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    sent.signed_by("ceo@example.test")
    report = await notices.deliver(
        sent.nudge(notice("chief-executive", "reminder-1"), notice("finance-chief", "reminder-1"))
    )
    assert [(line.outcome, line.why) for line in report.delivered] == [
        (NotificationOutcome.SUPPRESSED, "signed"),
        (NotificationOutcome.ACCEPTED, None),
    ]
    assert report.seen is not None
    assert report.seen.document == sent.document
    assert {push["person"] for push in pushes(sandbox)} == {"finance-chief"}


async def test_nobody_is_alerted_about_somebody_who_signed(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    sent.signed_by("ceo@example.test")
    alert = notice("legal-desk", "escalation", NoticeAction.OPEN, about_person="chief-executive")
    assert only(await notices.deliver(sent.nudge(alert))).why == "signed"
    other_alert = notice("legal-desk", "escalation", NoticeAction.OPEN, about_person="finance-chief")
    assert only(await notices.deliver(sent.nudge(other_alert))).outcome is NotificationOutcome.ACCEPTED


async def test_nobody_is_nudged_after_the_end_but_told_of_it(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    for email in ("ceo@example.test", "customer@acme.test", "cfo@example.test"):
        sent.signed_by(email)
    copy = notice("legal-desk", "warning-1d", NoticeAction.OPEN)
    assert only(await notices.deliver(sent.nudge(copy))).why == "settled"
    ending = notice("legal-desk", "settled", NoticeAction.OPEN)
    assert (
        only(await notices.deliver(sent.nudge(ending, outcome=Status.SIGNED))).outcome is NotificationOutcome.ACCEPTED
    )
    (push,) = pushes(sandbox)
    assert push["text"] == "It has been signed by everyone."


async def test_a_document_that_cannot_be_read_stops_the_nudge(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    arm(sandbox, method="GET", path="/api/v1/documents/*", fault="503")
    with pytest.raises(ApplicationError) as failed:
        await notices.deliver(sent.nudge(notice("finance-chief", "reminder-1")))
    assert failed.value.type == Code.UNREACHABLE
    assert not pushes(sandbox)


async def test_a_deleted_document_is_no_reason_to_nudge(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    document = sandbox.state.database.documents.get(sent.document)
    assert document is not None
    sandbox.core_signature.delete(document)
    with pytest.raises(ApplicationError) as failed:
        await notices.deliver(sent.nudge(notice("finance-chief", "reminder-1")))
    assert (failed.value.type, failed.value.non_retryable) == (Code.DOCUMENT_DELETED, True)
    assert not pushes(sandbox)


async def test_a_mail_that_core_could_not_send_is_tried_again_whoever_else_was_told(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    arm(sandbox, path="*resend*", fault="503", times=2)
    with pytest.raises(ApplicationError) as failed:
        await notices.deliver(sent.nudge(notice("customer-signer", "reminder-1")))
    assert (failed.value.type, failed.value.non_retryable) == (Code.UNREACHABLE, False)
    two_signers = sent.nudge(notice("customer-signer", "reminder-1"), notice("chief-executive", "reminder-1"))
    report = await notices.deliver(two_signers)
    assert [(line.channel, line.outcome) for line in report.delivered] == [
        (Channel.MAIL, NotificationOutcome.FAILED),
        (Channel.PUSH, NotificationOutcome.ACCEPTED),
    ]
    assert report.open_notices == (two_signers.notices[0].key,)
    assert [line.person for line in report.final_lines] == ["chief-executive"]
    second_report = await notices.deliver(
        two_signers.replace(notices=left_of(two_signers.notices, report), others_told=True)
    )
    assert (second_report.delivered[0].channel, second_report.delivered[0].outcome) == (
        Channel.MAIL,
        NotificationOutcome.ACCEPTED,
    )
    assert second_report.open_notices == ()


async def test_whoever_could_not_be_looked_up_is_left_open_and_alone_fails_the_call(
    notices: NotificationService, directory: FileDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = directory.person

    async def person(id: str, home: str) -> Person:
        if id == "finance-chief":
            raise DirectoryAway("TimeoutError")
        return await look_up(id, home)

    monkeypatch.setattr(directory, "person", person)
    ready, withdrawal = notice("finance-chief"), notice("chief-executive", "withdrawal", NoticeAction.WITHDRAW)
    report = await notices.deliver(delivery(ready, withdrawal))
    assert report.open_notices == (ready.key,)
    assert [line.outcome for line in report.final_lines] == [NotificationOutcome.WITHDRAWN]
    with pytest.raises(ApplicationError) as failed:
        await notices.deliver(delivery(ready, others_told=True))
    assert (failed.value.type, failed.value.non_retryable) == (Code.UNREACHABLE, False)


async def test_with_push_off_signers_are_told_by_mail(
    sandbox: RunningSandbox, a_worker: Callable[..., NotificationService], sent: SentRequest
) -> None:
    notices = a_worker(dialect=None)
    line, *along = (await notices.deliver(delivery(notice("finance-chief"), subject=sent.brief, now=AT_WORK))).delivered
    assert {line.stage for line in along} == {"reminder-along"}
    assert (line.channel, line.outcome) == (Channel.MAIL, NotificationOutcome.ACCEPTED)
    assert "cfo@example.test" in [mail["to"] for mail in entries(sandbox, "mail")]
    assert not sends(sandbox)


async def test_a_last_open_device_that_turns_out_dead_falls_back_to_mail(
    sandbox: RunningSandbox, notices: NotificationService, sent: SentRequest
) -> None:
    mark(sandbox, "finance-chief~1", "unregistered")
    stage = sent.nudge(notice("finance-chief", "reminder-1"), devices=hashes("finance-chief~1"))
    assert (await notices.deliver(stage)).delivered[0].channel is Channel.MAIL
