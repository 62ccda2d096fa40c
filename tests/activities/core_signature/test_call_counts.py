"""How many calls somebody takes who is asked: what `campaign plan` counts with is what reaches the provider."""

import pytest
from temporalio.testing import ActivityEnvironment

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.service import (
    CALLS_ABOUT_BOUNCES,
    CALLS_TO_CREATE,
    CALLS_TO_READ,
    CoreSignatureService,
)
from activities.core_signature.signers import SignerSnapshots
from activities.notifications.outbound_mail import SendOnce
from activities.notifications.phones import DeviceLimiter, DeviceSender
from activities.notifications.results import MailDue
from activities.notifications.signer_mail import CALLS_TO_MAIL_AGAIN, SignerMail
from activities.people.file_directory import FileDirectory
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from tests.activities.core_signature.conftest import Acting, calls
from tests.activities.core_signature.requests import brief
from workflows.model.notifications import Delivery, NoticeAction, NotificationOrder
from workflows.model.signature import CreateOrder, Document, Observation, SignatureBrief
from workflows.model.subject import Participant

PHONE, MAIL = "chief-executive", "customer-signer"
TEMPLATE = Document(template="https://core.example/api/v1/templates/11111111-1111-4111-8111-111111111111/")


def count_calls_since(sandbox: RunningSandbox, count_before: int = 0) -> int:
    return len(calls(sandbox, "/api/v1/")) - count_before


@pytest.mark.parametrize("person", [PHONE, MAIL])
@pytest.mark.parametrize("document", ["file", "template"])
async def test_whoever_is_asked_takes_as_many_calls_as_the_plan_says(
    sandbox: RunningSandbox,
    service: CoreSignatureService,
    request_brief: SignatureBrief,
    act: Acting,
    person: str,
    document: str,
) -> None:
    request = request_brief.replace(people=(Participant(person=person),))
    if document == "template":
        request = request.replace(document=TEMPLATE)
    document_state = await act(service.create, CreateOrder(brief=request))
    assert count_calls_since(sandbox) == CALLS_TO_CREATE
    await act(service.observe, Observation(roster=request.roster, document=document_state.document))
    bounces = CALLS_ABOUT_BOUNCES if person == MAIL else 0
    assert count_calls_since(sandbox, CALLS_TO_CREATE) == CALLS_TO_READ + bounces


async def test_a_mail_that_is_sent_again_takes_as_many_calls_as_the_plan_says(
    sandbox: RunningSandbox,
    service: CoreSignatureService,
    client: CoreSignatureClient,
    directory: FileDirectory,
    store: Store,
    request_brief: SignatureBrief,
) -> None:
    request = request_brief.replace(people=(Participant(person=MAIL),))
    document_state = await Acting(ActivityEnvironment())(service.create, CreateOrder(brief=request))
    count_before = count_calls_since(sandbox)
    notice = NotificationOrder(key="k", stage="reminder-1", person=MAIL, action=NoticeAction.SIGN)
    delivery = Delivery(
        subject=brief(people=request.people).subject, notices=(notice,), document=document_state.document
    )
    mail, phones = SignerMail(client, directory, SignerSnapshots(store)), DeviceSender(None, directory, DeviceLimiter())
    _, mailed = await mail.send(delivery, [MailDue(notice=notice)], SendOnce(store), phones)
    assert mailed
    assert count_calls_since(sandbox, count_before) == CALLS_TO_MAIL_AGAIN
