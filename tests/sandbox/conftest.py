"""A running sandbox and the hands that work on it."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from deploy.sandbox.core_signature.pdf import render_pdf
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.settings import SandboxSettings
from tests.plain_http import plain_client

Json = dict[str, Any]

PDF = render_pdf(["Master services agreement"])


class Hands:
    """One client of a sandbox, with its tokens."""

    def __init__(self, sandbox: RunningSandbox, http: httpx.AsyncClient) -> None:
        self.sandbox = sandbox
        self.http = http
        settings = sandbox.state.settings
        self._signature = {"authorization": f"Bearer {sandbox.core_signature.tokens.issue()}"}
        self._push = {"authorization": f"Bearer {sandbox.push.tokens.issue()}"}
        self._send = f"/v1/projects/{settings.push_project}/messages:send"

    async def api(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call of the signature API."""
        headers = self._signature | ({"content-type": "application/json"} if "content" in options else {})
        return await self.http.request(method, f"/api/v1{path}", headers=headers, **options)

    async def push(self, message: Json, **fields: Any) -> httpx.Response:
        """A message to FCM."""
        return await self.http.post(self._send, json={"message": message, **fields}, headers=self._push)

    async def document(self, **fields: Any) -> Json:
        """A new document."""
        upload = {"file_from_content": base64.b64encode(PDF).decode(), "file_from_content_name": "msa.pdf"}
        answer = await self.api(
            "POST", "/documents/", json={**upload, "name": "MSA", "external_id": "case-1", **fields}
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def request(self, *signers: Json, document: Json | None = None, **fields: Any) -> Json:
        """A request that was sent to these signers."""
        subject_document = document or await self.document()
        answer = await self.api(
            "POST",
            "/signature-requests/",
            json={"document": subject_document["url"], "signers": list(signers), **fields},
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def read(self, external_id: str = "case-1") -> Json:
        """The newest document of that id as the API shows it."""
        answer = await self.api("GET", "/documents/", params={"external_id": external_id})
        return dict(answer.json()["results"][0])

    async def signer(self, email: str, external_id: str = "case-1") -> Json:
        """The signer of that address as the API shows them."""
        signers = (await self.read(external_id))["signrequest"]["signers"]
        return dict(next(signer for signer in signers if signer["email"] == email))

    async def act(self, email: str, action: str, **body: Any) -> httpx.Response:
        """A signer signs, views or declines."""
        uuid = (await self.signer(email))["uuid"]
        return await self.http.post(f"/_sandbox/signers/{uuid}/{action}", json=body)

    async def arm(self, **fault: Any) -> None:
        """Arm one fault."""
        answer = await self.http.post("/_sandbox/faults", json=fault)
        assert answer.status_code == 201, answer.text

    async def ledger(self, kind: str | None = None) -> list[Json]:
        """The ledger's entries, of one type when given."""
        entries = (await self.http.get("/_sandbox/ledger")).json()
        return [entry for entry in entries if kind in (None, entry["type"])]

    async def until(self, kind: str, count: int = 1, **facts: Any) -> list[Json]:
        """Wait for that many entries with these facts."""
        async with asyncio.timeout(10):
            while True:
                matching_entries = [e for e in await self.ledger(kind) if facts.items() <= e.items()]
                if len(matching_entries) >= count:
                    return matching_entries
                await asyncio.sleep(0.005)


@pytest.fixture
def settings() -> SandboxSettings:
    """Documents are converted at once, callbacks retried quickly."""
    return SandboxSettings(conversion_delay=0.0, retry_unit=0.01)


@pytest.fixture
async def hands(settings: SandboxSettings) -> AsyncIterator[Hands]:
    """A sandbox with these settings, and a client of it."""
    async with running(settings) as sandbox, plain_client(sandbox.url) as http:
        yield Hands(sandbox, http)
