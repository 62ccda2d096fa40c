"""The request these tests are about, what its signers do, and services that always answer the same."""

import base64
from typing import Any

import httpx
from pydantic import SecretStr

from activities.core_signature import orders
from activities.core_signature.client import CoreSignatureClient, CoreSignatureConfig
from activities.http.oauth import Credentials
from deploy.sandbox.server import RunningSandbox
from tests.plain_http import plain_client
from workflows.model.signature import Document, SignatureBrief
from workflows.model.subject import Participant, Role

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def brief(sha256: str | None = None, **changes: object) -> SignatureBrief:
    """A contract for the customer, then the executive."""
    contract = SignatureBrief(
        id="msa-0042",
        kind="customer-contract",
        title="Master services agreement",
        document=Document(sha256=sha256, size=len(PDF), file_name="msa.pdf"),
        requester="legal-desk",
        people=(
            Participant(person="customer-signer", order=1),
            Participant(person="chief-executive", order=2, role=Role.APPROVE),
        ),
    )
    return contract.replace(**changes)


def build_upload_body(request: SignatureBrief, config: CoreSignatureConfig, content: bytes = PDF) -> dict[str, Any]:
    """The body that makes a request's document, with its content in one piece."""
    document = request.document.replace(sha256=request.document.sha256 or "0" * 64)
    fields = orders.document_body(request.replace(document=document), config)
    return {**fields, "file_from_content": base64.b64encode(content).decode()}


async def act_as_signer(
    sandbox: RunningSandbox, email: str, action: str, request: str | None = None, **body: object
) -> None:
    """Let a signer act, of this request where there are several."""
    async with plain_client(sandbox.url) as browser:
        query = {"external_id": request} if request else None
        [document] = (await browser.get("/_sandbox/documents", params=query)).json()
        [signer] = [signer for signer in document["signers"] if signer["email"] == email]
        (await browser.post(f"/_sandbox/signers/{signer['uuid']}/{action}", json=body)).raise_for_status()


def answering(body: Any) -> CoreSignatureClient:
    """A client of a service that always gives this answer."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 900})
        return httpx.Response(200, json=body)

    return CoreSignatureClient(mock_config(), transport=httpx.MockTransport(answer))


def mock_config() -> CoreSignatureConfig:
    """A configuration for a service that does not exist."""
    credentials = Credentials("https://login.test/token", "id", SecretStr("secret"))
    return CoreSignatureConfig("https://sign.test", credentials)
