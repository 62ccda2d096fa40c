"""A signer without a mailbox: Core Signature has a relay address of them, and gives our page theirs."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from activities.core_signature import orders
from activities.core_signature.service import CoreSignatureService
from activities.people.file_directory import FileDirectory
from activities.people.mailbox import MailboxSubstitutes
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from tests.activities.core_signature.conftest import Acting, calls, entries
from workflows.model.schedule import EscalationReason
from workflows.model.signature import CreateOrder, ForwardOrder, SignatureBrief
from workflows.model.subject import Participant

PEOPLE = """
people:
  - {id: driver, name: Driver, zone: UTC, phone: "+31 20 555 0100"}
  - {id: packer, name: Packer, zone: UTC, phone: "+31 20 555 0101"}
  - {id: legal-desk, name: Legal Desk, email: legal@x.test, zone: UTC}
"""


@pytest.fixture
def directory(tmp_path: Path, store: Store) -> FileDirectory:
    file = tmp_path / "people.yaml"
    file.write_text(PEOPLE)
    substitutes = MailboxSubstitutes(has_messaging=True, relay="*@relay.example")
    return FileDirectory(file, store, SecretStr("0" * 32), substitutes)


@pytest.fixture
def request_of_workers(request_brief: SignatureBrief) -> SignatureBrief:
    people = tuple(Participant(person=person, order=1) for person in ("driver", "packer"))
    return request_brief.replace(people=people)


async def test_each_gets_a_relay_address_and_a_page_and_no_mail_of_core_signature(
    sandbox: RunningSandbox, service: CoreSignatureService, request_of_workers: SignatureBrief, act: Acting
) -> None:
    await act(service.create, CreateOrder(brief=request_of_workers))
    [call] = calls(sandbox, "/signature-requests/", "POST")
    driver, packer = call["body"]["signers"]
    assert driver["email"] != packer["email"]
    assert {signer["email"].partition("@")[2] for signer in (driver, packer)} == {"relay.example"}
    assert driver["embed_url_user_id"] == orders.embed_user(request_of_workers.id, "driver")
    assert entries(sandbox, "mail") == []


async def test_nobody_is_forwarded_to_somebody_whom_core_signature_cannot_mail(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting
) -> None:
    brief = request_brief.replace(people=(Participant(person="driver", order=1),))
    state = await act(service.create, CreateOrder(brief=brief))
    order = ForwardOrder(
        subject=brief, document=state.document, from_="driver", to="packer", reason=EscalationReason.MANUAL
    )
    report = await act(service.forward, order)
    assert report.refused and report.refused.code == "no_mailbox"
