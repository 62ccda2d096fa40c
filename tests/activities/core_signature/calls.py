"""Every call of the client, each about a document and a request of its own."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from activities.core_signature.client import CoreSignatureClient
from tests.activities.core_signature.requests import brief, uploaded
from tests.activities.core_signature.test_client import made

_SIGNERS: Final = [{"email": "a@x.test", "full_name": "A", "order": 1}]


@dataclass(frozen=True)
class About:
    """What one call is about: a document with its request, and one that nobody was asked to sign."""

    document: str
    request: str
    unasked: str


Call = Callable[[CoreSignatureClient, About], Awaitable[object]]

CALLS: Final[dict[str, Call]] = {
    "documents_of": lambda client, _: client.documents_of("msa-0042"),
    "document": lambda client, about: client.document(about.document),
    "create_document": lambda client, _: client.create_document(uploaded(brief(), client.config)),
    "delete_document": lambda client, about: client.delete_document(about.unasked),
    "request": lambda client, about: client.request(about.request),
    "create_request": lambda client, about: client.create_request(
        {"document": client.document_url(about.unasked), "who": "o", "signers": _SIGNERS}
    ),
    "cancel": lambda client, about: client.cancel(about.request),
    "resend": lambda client, about: client.resend(about.request),
    "forward": lambda client, about: client.forward(about.request, "a@x.test", "c@x.test"),
    "events": lambda client, _: client.events(),
    "subscriptions": lambda client, _: client.subscriptions(),
    "subscribe": lambda client, _: client.subscribe("signed", "http://127.0.0.1:9/callbacks", "countersign"),
    "unsubscribe": lambda client, _: client.unsubscribe("nobodys"),
}
TOKEN_CALLS: Final[dict[str, Call]] = {"check_token": lambda client, _: client.check_token()}
"""Those that go to the token endpoint alone."""
ACTIONS: Final = frozenset({"cancel", "resend", "forward"})
"""Those whose path is not sure: when it is not found, the request itself is asked for."""


async def something(client: CoreSignatureClient) -> About:
    """What the next call is about, new at Core Signature."""
    asked = await made(client)
    if asked.request is None:
        raise AssertionError("it was made with its request")
    unasked = await client.create_document(uploaded(brief(), client.config))
    return About(asked.uuid, asked.request.uuid, unasked.uuid)
