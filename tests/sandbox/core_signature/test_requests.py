"""Requests: the sender at index 0, order, parallel signers, copies, forward, cancel, resend, the errors."""

from typing import Any

import pytest

from deploy.sandbox.server import running
from deploy.sandbox.state.settings import SandboxSettings
from tests.plain_http import plain_client
from tests.sandbox.conftest import PDF, Hands
from tests.sandbox.core_signature.test_documents import UPLOAD

ADA: dict[str, Any] = {"email": "ada@x.test", "full_name": "Ada A", "order": 1}
BOB: dict[str, Any] = {"email": "bob@x.test", "full_name": "Bob B", "order": 2}


async def mailed(hands: Hands, kind: str = "sign") -> list[str]:
    """Who got a mail of that kind, in order."""
    return [mail["to"] for mail in await hands.ledger("mail") if mail["kind"] == kind]


async def test_the_sender_stands_first_and_does_not_sign(hands: Hands) -> None:
    request = await hands.request(ADA)
    sender, ada = request["signers"]
    assert (sender["email"], sender["needs_to_sign"]) == ("legal-desk@supplier.test", False)
    assert (ada["display_name"], ada["needs_to_sign"]) == ("Ada A (ada@x.test)", True)
    assert (await hands.api("GET", f"/signature-requests/{request['uuid']}/")).json()["uuid"] == request["uuid"]


async def test_signers_in_order_are_asked_one_after_the_other(hands: Hands) -> None:
    await hands.request(ADA, BOB)
    assert (await hands.read())["status"] == "se"
    assert await mailed(hands) == ["ada@x.test"]
    assert (await hands.act("bob@x.test", "sign")).status_code == 409
    assert (await hands.act("ada@x.test", "sign")).status_code == 200
    assert await mailed(hands) == ["ada@x.test", "bob@x.test"]
    assert (await hands.read())["status"] == "se"
    await hands.act("bob@x.test", "sign")
    assert (await hands.read())["status"] == "si"


async def test_signers_of_one_order_are_asked_at_once(hands: Hands) -> None:
    await hands.request(ADA, {**BOB, "order": 1})
    assert await mailed(hands) == ["ada@x.test", "bob@x.test"]
    for email in ("bob@x.test", "ada@x.test"):
        assert (await hands.act(email, "sign")).status_code == 200
    assert (await hands.read())["status"] == "si"


async def test_copies_and_approvals(hands: Hands) -> None:
    copy = {"email": "copy@x.test", "needs_to_sign": False}
    await hands.request({**ADA, "approve_only": True}, copy)
    assert (await hands.act("copy@x.test", "sign")).status_code == 409
    await hands.act("ada@x.test", "sign")
    assert (await hands.read())["status"] == "si"
    assert "copy@x.test" in await mailed(hands, "signed")


async def test_an_embed_url_is_given_only_when_asked_for_and_replaces_the_mail(hands: Hands) -> None:
    await hands.request({**ADA, "embed_url_user_id": "ada"}, {**BOB, "order": 1})
    ada, bob = await hands.signer("ada@x.test"), await hands.signer("bob@x.test")
    assert ada["embed_url"] == f"{hands.sandbox.url}/sign/{ada['uuid']}"
    assert (ada["emailed"], bob["embed_url"], bob["emailed"]) == (False, None, True)
    assert await mailed(hands) == ["bob@x.test"]
    await hands.act("ada@x.test", "sign")
    assert (await hands.signer("ada@x.test"))["embed_url"] is None


async def test_viewing_moves_the_document_on_once(hands: Hands) -> None:
    await hands.request(ADA, BOB)
    await hands.act("bob@x.test", "view")
    assert (await hands.read())["status"] == "se"
    for _ in range(2):
        await hands.act("ada@x.test", "view")
    assert (await hands.read())["status"] == "vi"
    kinds = [event["event_type"] for event in (await hands.api("GET", "/events/")).json()["results"]]
    assert kinds == ["viewed", "signer_viewed", "sent", "converted"]


async def test_a_decline_ends_it_with_reason_and_log(hands: Hands) -> None:
    await hands.request(ADA, BOB)
    assert (await hands.act("ada@x.test", "decline", reason="Wrong price")).status_code == 200
    document = await hands.read()
    assert (document["status"], document["signing_log"]["security_hash"] is not None) == ("de", True)
    assert (await hands.signer("ada@x.test"))["message"] == "Wrong price"
    assert (await hands.act("bob@x.test", "sign")).status_code == 409
    assert await mailed(hands, "declined") == ["legal-desk@supplier.test", "ada@x.test", "bob@x.test"]


async def test_who_takes_a_place_whose_turn_it_is_not_is_mailed_when_it_is(hands: Hands) -> None:
    request = await hands.request(ADA, BOB)
    body = {"signer_email_to_forward": "bob@x.test", "signer_email_to_forward_to": "eve@x.test"}
    answer = await hands.api("POST", f"/signature-requests/{request['uuid']}/forward_signer/", json=body)
    assert answer.is_success
    assert await mailed(hands) == ["ada@x.test"]
    await hands.act("ada@x.test", "sign")
    assert await mailed(hands) == ["ada@x.test", "eve@x.test"]


async def test_a_forwarded_signer_gives_way_to_a_mailed_one(hands: Hands) -> None:
    request = await hands.request({**ADA, "embed_url_user_id": "ada", "approve_only": True}, BOB)
    path = f"/signature-requests/{request['uuid']}/forward_signer/"
    body = {"signer_email_to_forward": "ada@x.test", "signer_email_to_forward_to": "eve@x.test"}
    answer = await hands.api("POST", path, json={**body, "forwarded_reason": "away"})
    assert (answer.status_code, answer.json()) == (201, {"detail": "OK"})
    ada, eve = await hands.signer("ada@x.test"), await hands.signer("eve@x.test")
    assert (ada["forwarded"], ada["forwarded_to_email"], ada["embed_url"]) == (True, "eve@x.test", None)
    assert (eve["embed_url"], eve["emailed"], eve["order"], eve["approve_only"]) == (None, True, 1, True)
    assert await mailed(hands) == ["eve@x.test"]
    assert (await hands.act("ada@x.test", "sign")).status_code == 410
    assert (await hands.http.get(f"/sign/{ada['uuid']}")).status_code == 410
    assert (await hands.act("eve@x.test", "sign")).status_code == 200
    assert (await hands.api("POST", path, json=body)).status_code == 400


@pytest.mark.parametrize(
    ("old_email", "new_email", "field"),
    [
        ("nobody@x.test", "eve@x.test", "signer_email_to_forward"),
        ("ada@x.test", "bob@x.test", "signer_email_to_forward_to"),
        ("ada@x.test", "nonsense", "signer_email_to_forward_to"),
    ],
)
async def test_a_forward_that_makes_no_sense_is_refused(
    hands: Hands, old_email: str, new_email: str, field: str
) -> None:
    request = await hands.request(ADA, BOB)
    body = {"signer_email_to_forward": old_email, "signer_email_to_forward_to": new_email}
    answer = await hands.api("POST", f"/signature-requests/{request['uuid']}/forward_signer/", json=body)
    assert (answer.status_code, list(answer.json())) == (400, [field])


async def test_cancel_works_once_and_only_while_open(hands: Hands) -> None:
    request = await hands.request(ADA)
    path = f"/signature-requests/{request['uuid']}/cancel_signature_request/"
    answer = await hands.api("POST", path)
    assert (answer.status_code, answer.json()) == (201, {"detail": "OK", "cancelled": True})
    assert (await hands.read())["status"] == "ca"
    assert (await hands.api("POST", path)).status_code == 409
    assert (await hands.act("ada@x.test", "sign")).status_code == 409
    assert len([e for e in await hands.ledger("document_status") if e["status"] == "ca"]) == 1


async def test_cancel_comes_too_late_when_all_have_signed(hands: Hands) -> None:
    request = await hands.request(ADA)
    await hands.act("ada@x.test", "sign")
    assert (
        await hands.api("POST", f"/signature-requests/{request['uuid']}/cancel_signature_request/")
    ).status_code == 409
    assert (await hands.read())["status"] == "si"


async def test_the_actions_can_go_by_the_names_of_the_lineage() -> None:
    settings = SandboxSettings(conversion_delay=0, action_names="signrequest")
    async with running(settings) as sandbox, plain_client(sandbox.url) as http:
        hands = Hands(sandbox, http)
        item = f"/signature-requests/{(await hands.request(ADA))['uuid']}"
        assert (await hands.api("POST", f"{item}/resend_signature_request_email/")).status_code == 404
        assert (await hands.api("POST", f"{item}/resend_signrequest_email/")).status_code == 201
        assert (await hands.api("POST", f"{item}/cancel_signrequest/")).status_code == 201


async def test_a_second_mail_within_the_pause_is_dropped_without_a_word() -> None:
    settings = SandboxSettings(conversion_delay=0, mails_apart=600)
    async with running(settings) as sandbox, plain_client(sandbox.url) as http:
        hands = Hands(sandbox, http)
        request = await hands.request(ADA, BOB)
        path = f"/signature-requests/{request['uuid']}/resend_signature_request_email/"
        answers = [(await hands.api("POST", path)).status_code for _ in range(2)]
        assert (answers, await mailed(hands, "resend")) == ([201, 201], ["ada@x.test"])


async def test_resend_mails_those_whose_turn_it_is(hands: Hands) -> None:
    request = await hands.request({**ADA, "embed_url_user_id": "ada"}, BOB)
    answer = await hands.api("POST", f"/signature-requests/{request['uuid']}/resend_signature_request_email/")
    assert (answer.status_code, answer.json()) == (201, {"detail": "OK"})
    assert await mailed(hands, "resend") == ["ada@x.test"]


async def test_status_mails_can_be_switched_off_but_not_the_invitation(hands: Hands) -> None:
    await hands.request(ADA, disable_emails=True)
    await hands.act("ada@x.test", "sign")
    assert [mail["kind"] for mail in await hands.ledger("mail")] == ["sign"]


async def test_quick_create_makes_both_or_neither(hands: Hands) -> None:
    body = {**UPLOAD, "name": "MSA", "external_id": "case-1", "signers": [ADA]}
    broken = await hands.api("POST", "/signature-request-quick-create/", json={**body, "signers": [{"email": "x"}]})
    assert broken.json() == {"signers": [{"email": ["Enter a valid email address."]}]}
    assert await hands.ledger("document_created") == []
    request = (await hands.api("POST", "/signature-request-quick-create/", json=body)).json()
    assert (request["name"], request["external_id"], len(request["signers"])) == ("MSA", "case-1", 2)
    assert (await hands.api("GET", request["document"].split("/api/v1")[1])).json()["signrequest"]["uuid"] == request[
        "uuid"
    ]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "signers"),
        ({"signers": []}, "signers"),
        ({"signers": "x"}, "signers"),
        ({"signers": [{"full_name": "x"}]}, "signers"),
        ({"signers": [ADA, {**ADA, "order": 2}]}, "signers"),
        ({"signers": [{**ADA, "order": -1}]}, "signers"),
        ({"signers": [{**ADA, "needs_to_sign": "yes"}]}, "signers"),
        ({"signers": [{**ADA, "needs_to_sign": False}]}, "signers"),
        ({"signers": [ADA], "who": "x"}, "who"),
        ({"signers": [ADA], "message": 7}, "message"),
    ],
)
async def test_a_wrong_request_is_refused_by_field(hands: Hands, fields: dict[str, Any], field: str) -> None:
    document = await hands.document()
    answer = await hands.api("POST", "/signature-requests/", json={"document": document["url"], **fields})
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert (await hands.read())["signrequest"] is None


@pytest.mark.parametrize("reference", [None, "", "/api/v1/documents/none/", "https://elsewhere.test/x/"])
async def test_a_request_needs_a_document_that_exists(hands: Hands, reference: str | None) -> None:
    answer = await hands.api("POST", "/signature-requests/", json={"document": reference, "signers": [ADA]})
    assert (answer.status_code, list(answer.json())) == (400, ["document"])


async def test_a_document_has_one_request_and_is_named_by_either_address(hands: Hands) -> None:
    document = await hands.document()
    relative = {"document": f"/api/v1/documents/{document['uuid']}/", "signers": [ADA]}
    assert (await hands.api("POST", "/signature-requests/", json=relative)).status_code == 201
    second_answer = await hands.api("POST", "/signature-requests/", json={**relative, "document": document["url"]})
    assert (second_answer.status_code, list(second_answer.json())) == (400, ["document"])


async def test_a_bounce_is_an_event_of_the_signer(hands: Hands) -> None:
    await hands.request({"email": "bounce-1@x.test"})
    [event] = (await hands.api("GET", "/events/?event_type=signer_email_bounced")).json()["results"]
    assert (event["status"], event["signer"]["email"]) == ("error", "bounce-1@x.test")
    assert (await hands.read())["status"] == "se"


async def test_a_request_that_cannot_be_sent(hands: Hands) -> None:
    await hands.request(ADA, subject="sending-error please")
    assert (await hands.read())["status"] == "es"


async def test_a_request_in_preparation_is_not_sent(hands: Hands) -> None:
    request = await hands.request(ADA, is_being_prepared=True)
    assert request["prepare_url"].startswith(hands.sandbox.url)
    assert (await hands.read())["status"] == "ne"
    assert await hands.ledger("mail") == []


async def test_the_ledger_keeps_files_as_hashes_only(hands: Hands) -> None:
    await hands.document()
    [entry] = [e for e in await hands.ledger("request") if e["path"] == "/api/v1/documents/"]
    assert entry["body"]["external_id"] == "case-1"
    assert set(entry["body"]["file_from_content"]) == {"characters", "sha256"}
    assert PDF[:20].decode() not in str(entry)
    assert "authorization" not in str(entry).lower()
