"""Documents: conversion, lists with lag and pages, validation, deletion, downloads, addresses."""

import base64
import hashlib
import json
from typing import Any

import pytest

from deploy.sandbox.server import running
from deploy.sandbox.state.settings import SandboxSettings
from tests.plain_http import plain_client
from tests.sandbox.clocks import HandClock
from tests.sandbox.conftest import PDF, Hands

ENCODED = base64.b64encode(PDF).decode()
UPLOAD = {"file_from_content": ENCODED, "file_from_content_name": "a.pdf"}
SIGNER = {"email": "ada@x.test", "full_name": "Ada"}


async def test_a_document_converts_in_its_time() -> None:
    clock = HandClock()
    async with (
        running(SandboxSettings(conversion_delay=5, clock=clock)) as sandbox,
        plain_client(sandbox.url) as http,
    ):
        hands = Hands(sandbox, http)
        created = await hands.document()
        assert (created["status"], created["pdf"], created["signrequest"]) == ("co", None, None)
        clock.now += 5
        assert (await hands.read())["status"] == "ne"


async def test_a_request_made_while_converting_goes_out_afterwards() -> None:
    clock = HandClock()
    async with (
        running(SandboxSettings(conversion_delay=5, clock=clock)) as sandbox,
        plain_client(sandbox.url) as http,
    ):
        hands = Hands(sandbox, http)
        await hands.request(SIGNER)
        assert (await hands.read())["status"] == "co"
        assert await hands.ledger("mail") == []
        clock.now += 5
        assert (await hands.read())["status"] == "se"
        assert [mail["to"] for mail in await hands.ledger("mail")] == ["ada@x.test"]


async def test_a_new_document_is_missing_from_lists_for_a_while() -> None:
    clock = HandClock()
    async with (
        running(SandboxSettings(list_lag=5, clock=clock)) as sandbox,
        plain_client(sandbox.url) as http,
    ):
        hands = Hands(sandbox, http)
        created = await hands.document()
        clock.now += 4.9
        assert (await hands.api("GET", "/documents/?external_id=case-1")).json()["count"] == 0
        assert (await hands.api("GET", f"/documents/{created['uuid']}/")).status_code == 200
        clock.now += 0.2
        assert (await hands.api("GET", "/documents/?external_id=case-1")).json()["count"] == 1


async def test_lists_are_filtered_and_paged_newest_first(hands: Hands) -> None:
    for number in range(5):
        await hands.document(name=f"n{number}", external_id="many")
    await hands.document(external_id="other")
    first = (await hands.api("GET", "/documents/?external_id=many&limit=2")).json()
    assert (first["count"], first["previous"]) == (5, None)
    assert [d["name"] for d in first["results"]] == ["n4", "n3"]
    names, following = [], first["next"]
    while following:
        page = (await hands.api("GET", following.split("/api/v1")[1])).json()
        names += [document["name"] for document in page["results"]]
        following = page["next"]
    assert names == ["n2", "n1", "n0"]
    assert (await hands.api("GET", "/documents/?external_id=many&status=si")).json()["count"] == 0
    assert (await hands.api("GET", "/documents/?page=9")).json() == {"detail": "Invalid page."}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "non_field_errors"),
        ({**UPLOAD, "file_from_url": "https://x.test/a.pdf"}, "non_field_errors"),
        ({"file_from_content": ENCODED}, "file_from_content_name"),
        ({**UPLOAD, "file_from_content_name": "bare"}, "file_from_content_name"),
        ({**UPLOAD, "file_from_content": "no base64!"}, "file_from_content"),
        ({**UPLOAD, "file_from_content": 7}, "file_from_content"),
        ({**UPLOAD, "name": "x" * 256}, "name"),
        ({**UPLOAD, "external_id": 7}, "external_id"),
        ({**UPLOAD, "events_callback_url": "ftp://x.test"}, "events_callback_url"),
        ({**UPLOAD, "auto_expire_days": 0}, "auto_expire_days"),
        ({**UPLOAD, "auto_expire_days": "3"}, "auto_expire_days"),
        ([], "non_field_errors"),
    ],
)
async def test_what_is_wrong_is_said_by_field(hands: Hands, body: Any, field: str) -> None:
    answer = await hands.api("POST", "/documents/", json=body)
    assert answer.status_code == 400
    assert all(isinstance(message, str) for message in answer.json()[field])
    assert await hands.ledger("document_created") == []


async def test_half_a_surrogate_pair_is_refused_not_stumbled_over(hands: Hands) -> None:
    body = json.dumps({**UPLOAD, "name": "half \ud800"})
    answer = await hands.api("POST", "/documents/", content=body)
    assert (answer.status_code, list(answer.json())) == (400, ["name"])
    assert (await hands.http.get("/_sandbox/ledger")).status_code == 200


@pytest.mark.parametrize(
    ("content", "kind", "status"), [(b"{", "application/json", 400), (b"a=1", "application/x-www-form-urlencoded", 415)]
)
async def test_only_json_is_read(hands: Hands, content: bytes, kind: str, status: int) -> None:
    token = hands.sandbox.core_signature.tokens.issue()
    headers = {"authorization": f"Bearer {token}", "content-type": kind}
    answer = await hands.http.post("/api/v1/documents/", content=content, headers=headers)
    assert (answer.status_code, list(answer.json())) == (status, ["detail"])


@pytest.mark.parametrize("source", ["file_from_url", "template"])
async def test_other_sources_are_accepted(hands: Hands, source: str) -> None:
    answer = await hands.api("POST", "/documents/", json={source: "https://x.test/nda.pdf", "name": "NDA"})
    assert answer.status_code == 201
    assert (await hands.api("GET", f"/documents/{answer.json()['uuid']}/")).json()["status"] == "ne"


@pytest.mark.parametrize(
    "upload",
    [
        {"file_from_content_name": "convert-error.pdf"},
        {"file_from_content": base64.b64encode(b"no pdf").decode()},
    ],
)
async def test_what_cannot_be_converted_ends_there(hands: Hands, upload: dict[str, str]) -> None:
    await hands.document(**upload)
    assert (await hands.read())["status"] == "ec"
    [event] = (await hands.api("GET", "/events/")).json()["results"]
    assert (event["event_type"], event["status"]) == ("convert_error", "error")


async def test_a_deleted_document_is_gone(hands: Hands) -> None:
    await hands.request(SIGNER)
    document, signer = await hands.read(), await hands.signer("ada@x.test")
    path = f"/documents/{document['uuid']}/"
    assert (await hands.api("DELETE", path, json={"force_delete": True})).status_code == 204
    assert (await hands.api("GET", path)).json() == {"detail": "Not found."}
    assert (await hands.api("GET", "/documents/")).json()["count"] == 0
    assert (await hands.http.get(f"/sign/{signer['uuid']}")).status_code == 404
    assert [entry["document"] for entry in await hands.ledger("document_deleted")] == [document["uuid"]]


async def test_methods_and_addresses_that_do_not_exist(hands: Hands) -> None:
    assert (await hands.api("PUT", "/documents/")).json() == {"detail": 'Method "PUT" not allowed.'}
    for path in ("/documents", "/nothing/", "/documents/none/"):
        assert (await hands.api("GET", path)).status_code == 404


async def test_downloads_are_true_short_lived_and_without_bearer() -> None:
    clock = HandClock()
    async with (
        running(SandboxSettings(conversion_delay=0, clock=clock)) as sandbox,
        plain_client(sandbox.url) as http,
    ):
        hands = Hands(sandbox, http)
        await hands.request(SIGNER)
        await hands.act("ada@x.test", "sign")
        document = await hands.read()
        pairs = [(document["pdf"], document["security_hash"]), tuple(document["signing_log"].values())]
        for link, security_hash in pairs:
            file = await http.get(link)
            assert (file.status_code, file.content[:5]) == (200, b"%PDF-")
            assert hashlib.sha256(file.content).hexdigest() == security_hash
        bearer = {"authorization": "Bearer x"}
        assert (await http.get(document["pdf"], headers=bearer)).status_code == 400
        assert [entry["type"] for entry in await hands.ledger("violation")] == ["violation"]
        clock.now += 299
        renewed = (await hands.read())["pdf"]
        clock.now += 2
        assert (await http.get(document["pdf"])).status_code == 403
        assert (await http.get(renewed)).status_code == 200
        assert (await http.get(renewed.replace("/document.pdf", "x/document.pdf"))).status_code == 403


@pytest.mark.parametrize(
    ("settings", "starts"),
    [
        (SandboxSettings(conversion_delay=0), {"http"}),
        (SandboxSettings(conversion_delay=0, absolute_urls=False), {"/api"}),
        (SandboxSettings(conversion_delay=0, alternate_urls=True), {"http", "/api"}),
    ],
)
async def test_addresses_take_the_form_of_the_settings(settings: SandboxSettings, starts: set[str]) -> None:
    async with running(settings) as sandbox, plain_client(sandbox.url) as http:
        hands = Hands(sandbox, http)
        address_starts = {(await hands.document(external_id=f"c{number}"))["url"][:4] for number in range(6)}
        await hands.request(SIGNER)
    assert address_starts == starts


async def test_the_embedded_request_goes_by_either_name() -> None:
    settings = SandboxSettings(conversion_delay=0, embedded_key="signature_request")
    async with running(settings) as sandbox, plain_client(sandbox.url) as http:
        hands = Hands(sandbox, http)
        request = await hands.request(SIGNER)
        document = await hands.read()
    assert "signrequest" not in document
    assert document["signature_request"]["uuid"] == request["uuid"]


async def test_an_unfinished_document_expires_by_itself() -> None:
    clock = HandClock()
    async with (
        running(SandboxSettings(conversion_delay=0, clock=clock)) as sandbox,
        plain_client(sandbox.url) as http,
    ):
        hands = Hands(sandbox, http)
        await hands.request(SIGNER, document=await hands.document(auto_expire_days=2))
        clock.now += 2 * 86_400 - 1
        hands = Hands(sandbox, http)
        assert (await hands.read())["status"] == "se"
        clock.now += 2
        assert (await hands.read())["status"] == "xp"
        kinds = [event["event_type"] for event in (await hands.api("GET", "/events/")).json()["results"]]
        assert kinds[0] == "expired"
