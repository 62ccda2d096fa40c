"""Documents on their way to the provider: whole, verified, sent twice if need be, and never whole in memory."""

import asyncio
import base64
import json
from pathlib import Path

import httpx
import pytest
from temporalio.exceptions import ApplicationError

from activities.core_signature import orders
from activities.core_signature.client import PIECE, CoreSignatureClient, Upload
from activities.errors import DocumentDamaged
from activities.http.rate_limit import RateLimiter
from activities.records.store import Store
from activities.temporal.failures import passing_failure
from deploy.sandbox.server import RunningSandbox
from tests.activities.core_signature.conftest import config_for, entries
from tests.activities.core_signature.crowded_uploads import measure_in_own_process
from tests.activities.core_signature.requests import PDF, brief, mock_config
from workflows.model.signature import Document
from workflows.model.subject import Code


@pytest.mark.parametrize("size", [1, 2, 3, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 2])
async def test_what_is_sent_in_pieces_is_the_json_that_would_be_sent_in_one(store: Store, size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    fields = {"name": 'A "quoted" näme', "external_id": "msa-0042"}
    upload = Upload(fields, await store.files.open(await store.files.put(content)))
    sent = b"".join([piece async for piece in upload])
    assert upload.headers["content-length"] == str(len(sent))
    assert json.loads(sent) == {**fields, "file_from_content": base64.b64encode(content).decode()}


async def test_an_upload_whose_token_is_refused_is_sent_again_in_full(store: Store) -> None:
    bodies: list[bytes] = []

    async def tenant(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 900})
        bodies.append(await request.aread())
        if len(bodies) == 1:
            return httpx.Response(401)
        return httpx.Response(201, json={"uuid": "d", "name": "MSA", "status": "co", "external_id": "msa-0042"})

    client = CoreSignatureClient(mock_config(), transport=httpx.MockTransport(tenant))
    content = await store.files.open(await store.files.put(b"%PDF-1.7" * PIECE))
    fields = orders.document_body(brief(content.sha256), client.config)
    assert (await client.create_document(fields, content)).uuid == "d"
    await client.aclose()
    assert bodies[0] == bodies[1]
    assert base64.b64decode(json.loads(bodies[1])["file_from_content"]) == b"%PDF-1.7" * PIECE


async def test_damaged_bytes_never_arrive_whole(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    sha256 = await store.files.put(b"%PDF-1.7" * PIECE)
    document = await store.files.open(sha256)
    (tmp_path / "documents" / sha256).write_bytes(b"%PDF-1.6" * PIECE)
    upload, sent = Upload({"name": "MSA"}, document), 0
    with pytest.raises(DocumentDamaged):
        async for piece in upload:
            sent += len(piece)
    assert sent < int(upload.headers["content-length"])


@pytest.mark.long
def test_uploads_at_once_cost_hardly_any_memory_and_hold_up_nobody() -> None:
    """Ten of 20 MB took 1.1 GB and blocked the loop for a second; `make chaos` has fifty."""
    cost = measure_in_own_process(4)
    assert cost.received == 4
    assert cost.megabytes < 80
    assert cost.longest_turn < 0.05


async def test_an_upload_that_is_ours_no_longer_is_broken_off_and_makes_nothing(
    sandbox: RunningSandbox, store: Store
) -> None:
    client, question_count = CoreSignatureClient(config_for(sandbox)), 0

    async def still_ours() -> None:
        nonlocal question_count
        question_count += 1
        if question_count > 3:
            raise passing_failure(Code.UNREACHABLE, "another attempt has begun")

    content = await store.files.open(await store.files.put(PDF + b"0" * 4 * PIECE))
    fields = orders.document_body(brief(content.sha256), client.config)
    with pytest.raises(ApplicationError, match="another attempt has begun"):
        await client.create_document(fields, content, still_ours)
    assert await client.documents_of("msa-0042") == []
    await client.aclose()
    assert entries(sandbox, "document_created") == []


async def test_a_template_s_document_that_is_ours_no_longer_is_not_made(sandbox: RunningSandbox) -> None:
    client = CoreSignatureClient(config_for(sandbox))
    of_template = brief(document=Document(template=f"{sandbox.url}/api/v1/templates/contract/"))
    fields = orders.document_body(of_template, client.config)
    with pytest.raises(ApplicationError, match="another attempt has begun"):
        await client.create_document(fields, None, given_away)
    assert await client.documents_of("msa-0042") == []
    assert (await client.create_document(fields, None)).external_id == "msa-0042"
    await client.aclose()
    assert len(entries(sandbox, "document_created")) == 1


async def test_what_waited_for_its_turn_is_asked_for_once_more_before_anything_is_made(sandbox: RunningSandbox) -> None:
    """The line in front of a call may be longer than the server's word is good for."""
    ownership = asyncio.Event()
    ownership.set()

    class Line(RateLimiter):
        async def turn(self) -> None:
            ownership.clear()

    async def still_ours() -> None:
        if not ownership.is_set():
            await given_away()

    client = CoreSignatureClient(config_for(sandbox), pace=Line(rate=5))
    with pytest.raises(ApplicationError, match="another attempt has begun"):
        await client.create_request({"document": "d", "signers": []}, still_ours=still_ours)
    await client.aclose()
    assert entries(sandbox, "request_created") == []


async def given_away() -> None:
    """As a lease says it."""
    raise passing_failure(Code.UNREACHABLE, "another attempt has begun")
