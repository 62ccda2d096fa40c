"""Core Signature's own verification of signers: what we send, and what the sandbox asks of them."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.passwords import SignerPasswords
from activities.core_signature.service import CoreSignatureService
from activities.people.file_directory import FileDirectory
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from deploy.sandbox.state.records import CoreSigner
from tests.activities.core_signature.conftest import Acting, arm, calls, entries
from tests.activities.core_signature.requests import PDF, brief
from tests.plain_http import plain_client
from workflows.model.signature import CreateOrder, SignatureBrief
from workflows.model.subject import Code, Participant, Verify

SECRET = SecretStr("0123456789abcdef0123456789abcdef")
PASSWORD = SignerPasswords(SECRET).derive("msa-0042", "chief-executive")
PEOPLE = """
people:
  - {id: customer-signer, name: Customer, email: customer@acme.test, zone: UTC, phone: "+31 20 555 0100"}
  - {id: chief-executive, name: Chief, email: ceo@example.test, zone: UTC}
  - {id: legal-desk, name: Legal Desk, email: legal@example.test, zone: UTC}
"""


@pytest.fixture
def directory(tmp_path: Path, store: Store) -> FileDirectory:
    file = tmp_path / "people.yaml"
    file.write_text(PEOPLE)
    return FileDirectory(file, store)


@pytest.fixture
def service(client: CoreSignatureClient, directory: FileDirectory, store: Store) -> CoreSignatureService:
    return CoreSignatureService(client, directory, store, SignerPasswords(SECRET))


@pytest.fixture
async def verified_brief(store: Store) -> SignatureBrief:
    people = (
        Participant(person="customer-signer", order=1, verify=Verify.PHONE),
        Participant(person="chief-executive", order=1, verify=Verify.PASSWORD),
    )
    return brief(await store.files.put(PDF), people=people)


async def failure_of(act: Acting, service: CoreSignatureService, order: CreateOrder) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await act(service.create, order)
    return caught.value


def signers(sandbox: RunningSandbox) -> dict[str, CoreSigner]:
    [request] = sandbox.state.database.requests
    return {signer.email: signer for signer in request.signers}


async def test_number_and_password_are_sent_and_each_attempt_sends_the_same(
    sandbox: RunningSandbox, service: CoreSignatureService, verified_brief: SignatureBrief, act: Acting
) -> None:
    arm(sandbox, method="POST", path="/api/v1/signature-requests/", fault="400")
    failure = await failure_of(act, service, CreateOrder(brief=verified_brief))
    assert PASSWORD not in str(failure) and "555" not in str(failure)
    await act(service.create, CreateOrder(brief=verified_brief))
    asked = signers(sandbox)
    assert asked["customer@acme.test"].verify_phone_number == "+31205550100"
    assert asked["ceo@example.test"].password == PASSWORD
    assert re.fullmatch(r"([a-z2-7]{4}-){3}[a-z2-7]{4}", PASSWORD)
    sent = [signer for call in calls(sandbox, "/signature-requests/", "POST") for signer in call["body"]["signers"]]
    assert [signer.get("verify_phone_number") for signer in sent] == ["+31205550100", None] * 2


async def test_the_signing_page_shows_nothing_before_the_right_word(
    sandbox: RunningSandbox, service: CoreSignatureService, verified_brief: SignatureBrief, act: Acting
) -> None:
    await act(service.create, CreateOrder(brief=verified_brief))
    async with plain_client(sandbox.url) as browser:
        for email, phrase in (("customer@acme.test", "sent to your phone"), ("ceo@example.test", "Your password")):
            page = f"/sign/{signers(sandbox)[email].uuid}"
            shown = await browser.get(page)
            assert phrase in shown.text and "Master services agreement" not in shown.text
            assert (await browser.post(page, data={"choice": "sign"})).status_code == 303
            assert signers(sandbox)[email].signed_on is None
            wrong = await browser.post(page, data={"choice": "verify", "word": "000000 wrong"})
            assert wrong.status_code == 403 and "This is not right" in wrong.text
            word = entries(sandbox, "message")[-1]["text"] if email == "customer@acme.test" else PASSWORD
            await browser.post(page, data={"choice": "verify", "word": word})
            assert "Master services agreement" in (await browser.get(page)).text
            await browser.post(page, data={"choice": "sign"})
            assert signers(sandbox)[email].signed_on is not None


async def test_nobody_is_asked_without_the_number_that_the_directory_has_lost(
    sandbox: RunningSandbox,
    service: CoreSignatureService,
    directory: FileDirectory,
    verified_brief: SignatureBrief,
    act: Acting,
    tmp_path: Path,
) -> None:
    (tmp_path / "people.yaml").write_text(PEOPLE.replace(', phone: "+31 20 555 0100"', ""))
    failure = await failure_of(act, service, CreateOrder(brief=verified_brief))
    assert (failure.type, failure.non_retryable) == (Code.DIRECTORY, False)
    assert "customer-signer has no phone number" in str(failure)
    assert not calls(sandbox, "/signature-requests/", "POST")


def test_a_password_is_of_one_request_and_one_person_and_of_our_secret() -> None:
    other_secret = SignerPasswords(SecretStr("f" * 32))
    derived = {SignerPasswords(SECRET).derive(request, person) for request in ("a", "b") for person in ("ada", "grace")}
    assert len(derived | {other_secret.derive("a", "ada")}) == 5
