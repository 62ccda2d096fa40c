"""Every call of the client, each about a document and a request of its own."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from activities.core_signature.client import CoreSignatureClient
from tests.activities.core_signature.requests import brief, build_upload_body
from tests.activities.core_signature.test_client import create_two_signer_document

_SIGNERS: Final = [{"email": "a@x.test", "full_name": "A", "order": 1}]


@dataclass(frozen=True)
class CallTarget:
    """What one call is about: a document with its request, and one that nobody was asked to sign."""

    document: str
    request: str
    unasked: str


Call = Callable[[CoreSignatureClient, CallTarget], Awaitable[object]]

CALLS: Final[dict[str, Call]] = {
    "documents_of": lambda client, _: client.documents_of("msa-0042"),
    "document": lambda client, target: client.document(target.document),
    "create_document": lambda client, _: client.create_document(build_upload_body(brief(), client.config)),
    "delete_document": lambda client, target: client.delete_document(target.unasked),
    "request": lambda client, target: client.request(target.request),
    "create_request": lambda client, target: client.create_request(
        {"document": client.document_url(target.unasked), "who": "o", "signers": _SIGNERS}
    ),
    "cancel": lambda client, target: client.cancel(target.request),
    "resend": lambda client, target: client.resend(target.request),
    "forward": lambda client, target: client.forward(target.request, "a@x.test", "c@x.test"),
    "events": lambda client, _: client.events(),
    "subscriptions": lambda client, _: client.subscriptions(),
    "subscribe": lambda client, _: client.subscribe("signed", "http://127.0.0.1:9/callbacks", "countersign"),
    "unsubscribe": lambda client, _: client.unsubscribe("nobodys"),
}
TOKEN_CALLS: Final[dict[str, Call]] = {"check_token": lambda client, _: client.check_token()}
"""Those that go to the token endpoint alone."""
ACTIONS: Final = frozenset({"cancel", "resend", "forward"})
"""Those whose path is not sure: when it is not found, the request itself is asked for."""


async def make_call_target(client: CoreSignatureClient) -> CallTarget:
    """What the next call is about, new at Core Signature."""
    document = await create_two_signer_document(client)
    if document.request is None:
        raise AssertionError("it was made with its request")
    unasked = await client.create_document(build_upload_body(brief(), client.config))
    return CallTarget(document.uuid, document.request.uuid, unasked.uuid)
