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
from tests.faults.races import ended
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
    segment = shared.kept.secrets.segment
    address = f"{shared.receiver}/callbacks/core-signature/{segment}"
    silent = await _sent_by_hand(shared, colleague(31))
    called = await _sent_by_hand(shared, colleague(32), events_callback_url=address)
    before = len(await shared.vendor.documents())
    await eventually(partial(_swept, shared))
    for document, signer in ((silent, colleague(31)), (called, colleague(32))):
        shown = await eventually(partial(_told, shared, _id(document)), within=40)
        assert ("ready", signer) in [(line.stage, line.person) for line in shown.notifications]
        assert (shown.document, shown.requester, shown.status) == ("Lease", REQUESTER, Status.SENT)
        assert await _signs(shared, document)
    last = await shared.vendor.last() - 1
    await eventually(lambda: old_enough(shared, last - 20))
    assert (await shared.command("reconcile"))[0] == 0
    for shown in await ended(shared, [_id(silent), _id(called)]):
        assert shown.status is Status.SIGNED
    assert len(await shared.vendor.documents()) == before
    events = {one["event"] for one in await shared.vendor.ledger("event", document=called.uuid)}

    async def all_taken() -> bool:
        """Where much else runs one may have to come again."""
        taken = await shared.vendor.ledger("callback", url=address, status=200)
        return events <= {one["event"] for one in taken}

    assert events
    await eventually(all_taken)


async def _sent_by_hand(town: Town, signer: str, **document: Any) -> WireDocument:
    """A colleague sends a document without us."""
    body = {"name": "Lease", "file_from_content_name": "lease.pdf", **document}
    async with aclosing(CoreSignatureClient(clients.signature_config(town.settings))) as hands:
        made = await hands.create_document(body | {"file_from_content": base64.b64encode(PDF).decode()})
        signers = [{"email": f"{signer}@acme.test", "order": 1}]
        asked = {"document": hands.document_url(made.uuid), "from_email": f"{REQUESTER}@acme.test", "signers": signers}
        await hands.create_request(asked)
        return await hands.document(made.uuid)


async def _swept(town: Town) -> bool:
    """Whether a sweep has seen events: they are listed a little late."""
    code, said = await town.command("reconcile", "--json")
    return code == 0 and json.loads(said)["events"] > 0


def _id(document: WireDocument) -> str:
    return adopted_id(document.uuid) or ""


async def _told(town: Town, id: str) -> RequestShow | None:
    """The request once its signer was told."""
    with suppress(Refusal):
        shown = await town.shown(id)
        return shown if shown.notifications else None
    return None


async def _signs(town: Town, document: WireDocument) -> bool:
    [found] = [one for one in await town.vendor.documents() if one["uuid"] == document.uuid]
    return await town.vendor.sign(Waiting(_id(document), found["signers"][0]["uuid"]))
