"""A document that somebody sent in Core Signature's own pages, through the whole stack."""

import base64
import json
from contextlib import aclosing, suppress
from functools import partial
from typing import Any

import pytest

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.wire import WireDocument
from starter.boot import clients
from starter.errors import Refusal
from tests.faults.population import PDF, REQUESTER, colleague
from tests.faults.races import wait_for_ends
from tests.faults.test_reconciliation import old_enough
from tests.faults.town import Town, eventually
from tests.faults.vendor import Waiting
from workflows.model.subject import Status
from workflows.model.views import RequestShow
from workflows.names import adopted_id

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.long
async def test_documents_sent_by_hand_are_adopted_by_sweep_and_callback_announced_and_settled(shared: Town) -> None:
    """One of them nobody calls about; of the other Core Signature calls as a team's address has it."""
    segment = shared.folder_state.secrets.segment
    address = f"{shared.receiver}/callbacks/core-signature/{segment}"
    silent = await _send_by_hand(shared, colleague(31), sender=colleague(33))
    called = await _send_by_hand(shared, colleague(32), events_callback_url=address)
    count_before = len(await shared.vendor.documents())
    await eventually(partial(_sweep, shared))
    for document, signer, sender in ((silent, colleague(31), colleague(33)), (called, colleague(32), REQUESTER)):
        view = await eventually(partial(_notified_view, shared, _id(document)), timeout_seconds=40)
        assert ("ready", signer) in [(line.stage, line.person) for line in view.notifications]
        assert (view.document, view.requester, view.status) == ("Lease", sender, Status.SENT)
        assert await _sign(shared, document)
    last = await shared.vendor.last() - 1
    await eventually(lambda: old_enough(shared, last - 20))
    assert (await shared.command("reconcile"))[0] == 0
    for view in await wait_for_ends(shared, [_id(silent), _id(called)]):
        assert view.status is Status.SIGNED
    assert len(await shared.vendor.documents()) == count_before
    events = {entry["event"] for entry in await shared.vendor.ledger("event", document=called.uuid)}

    async def all_taken() -> bool:
        """Where much else runs one may have to come again."""
        callbacks = await shared.vendor.ledger("callback", url=address, status=200)
        return events <= {callback["event"] for callback in callbacks}

    assert events
    await eventually(all_taken)


@pytest.mark.long
async def test_a_document_of_a_stranger_is_followed_up_once_an_operator_says_so(shared: Town) -> None:
    document = await _send_by_hand(shared, colleague(34), sender="stranger-of-acme")
    await eventually(partial(_sweep, shared))
    typed = ("request", "adopt", document.uuid, "--kind", "customer-contract", "--owner", REQUESTER, "--json")
    for created in (True, False):
        code, output = await shared.command(*typed)
        answer = json.loads(output)
        assert (code, answer["id"], answer["document"], answer["created"]) == (0, _id(document), document.uuid, created)
    view = await eventually(partial(_notified_view, shared, _id(document)), timeout_seconds=40)
    assert (view.requester, view.status) == (REQUESTER, Status.SENT)
    assert [line.person for line in view.notifications if line.stage == "ready"] == [colleague(34)]
    assert (await shared.command("request", "adopt", "--list", "--json")) == (0, "[]\n")
    code, output = await shared.command("request", "adopt", document.uuid, "--kind", "nonsense", "--owner", REQUESTER)
    assert (code, "is not a kind" in output) == (1, True)
    assert await _sign(shared, document)


async def _send_by_hand(town: Town, signer: str, sender: str = REQUESTER, **document: Any) -> WireDocument:
    """A colleague sends a document without us."""
    body = {"name": "Lease", "file_from_content_name": "lease.pdf", **document}
    async with aclosing(CoreSignatureClient(clients.signature_config(town.settings))) as hands:
        created = await hands.create_document(body | {"file_from_content": base64.b64encode(PDF).decode()})
        signers = [{"email": f"{signer}@acme.test", "order": 1}]
        request_body = {
            "document": hands.document_url(created.uuid),
            "from_email": f"{sender}@acme.test",
            "signers": signers,
        }
        await hands.create_request(request_body)
        return await hands.document(created.uuid)


async def _sweep(town: Town) -> bool:
    """Whether a sweep has seen events: they are listed a little late."""
    code, output = await town.command("reconcile", "--json")
    return code == 0 and json.loads(output)["events"] > 0


def _id(document: WireDocument) -> str:
    return adopted_id(document.uuid) or ""


async def _notified_view(town: Town, id: str) -> RequestShow | None:
    """The request once its signer was told."""
    with suppress(Refusal):
        view = await town.read_view(id)
        return view if view.notifications else None
    return None


async def _sign(town: Town, document: WireDocument) -> bool:
    [document_entry] = [entry for entry in await town.vendor.documents() if entry["uuid"] == document.uuid]
    return await town.vendor.sign(Waiting(_id(document), document_entry["signers"][0]["uuid"]))
