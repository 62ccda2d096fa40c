"""Subscriptions: that Core Signature calls our receiver about all documents, one subscription for each type of event.

Ours are known by a name that all processes on one store share, and by the address of our receiver. Those of others,
also of another Countersign on the same tenant, are left alone.
"""

import hashlib
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.wire import WireSubscription
from activities.http.calling import ServiceFailure
from activities.store import Store
from starter import clients
from starter.needs import Need
from starter.search_attributes import Made, SetUp
from starter.settings import Settings, SettingsError

EVENTS: Final = (
    *("convert_error", "sending_error", "sent", "viewed", "signed", "declined", "cancelled", "expired"),
    *("signer_viewed", "signer_signed", "signer_forwarded", "signer_email_bounced"),
)
"""The types of events that a request takes for a hint to read its document; of the others it makes nothing."""
_NAME: Final = "subscriptions"


@dataclass(frozen=True)
class Subscribed:
    """How the subscriptions of a tenant stand: types that nobody has us called on, and ours that are to go."""

    missing: tuple[str, ...]
    stale: tuple[WireSubscription, ...]

    @classmethod
    def among(cls, found: Sequence[WireSubscription], settings: Settings) -> "Subscribed":
        """Of all that a tenant has; of two for the same type the later is one too many."""
        address, base, name = clients.receiver_address(settings), clients.receiver_base(settings), name_of(settings)
        ours = [one for one in found if one.name == name or one.callback_url.startswith(base)]
        kept: dict[str, WireSubscription] = {}
        for one in ours:
            if one.callback_url == address and one.event_type in EVENTS:
                kept.setdefault(one.event_type, one)
        stale = [one for one in ours if kept.get(one.event_type) is not one]
        return cls(tuple(type for type in EVENTS if type not in kept), tuple(stale))


def name_of(settings: Settings) -> str:
    """What our subscriptions are called: the same for all who share a store, and for nobody else."""
    return f"countersign-{hashlib.sha256(Store(settings.store_url).address.encode()).hexdigest()[:8]}"


def lacking(settings: Settings) -> str:
    """The settings without which nothing can be subscribed to; empty when nothing is missing."""
    try:
        settings.require(Need.SIGNATURE, Need.SUBSCRIPTIONS)
    except SettingsError as error:
        return "; ".join(error.faults)
    return ""


async def standing(client: CoreSignatureClient, settings: Settings) -> Subscribed:
    """How they stand now. Raises `ServiceFailure`."""
    return Subscribed.among(await client.subscriptions(), settings)


async def ensure_subscriptions(settings: Settings) -> tuple[SetUp, ...]:
    """Make what is missing and remove what is ours and stale; nothing where each document names its address itself."""
    if settings.signature.callback_style != "subscription":
        return ()
    if missing := lacking(settings):
        return (SetUp(_NAME, Made.FAILED, missing),)
    async with aclosing(CoreSignatureClient(clients.signature_config(settings))) as client:
        try:
            return (await _ensured(client, settings),)
        except ServiceFailure as failure:
            return (SetUp(_NAME, Made.FAILED, str(failure)),)


async def _ensured(client: CoreSignatureClient, settings: Settings) -> SetUp:
    found = await standing(client, settings)
    # What is missing first: an event may be told twice meanwhile, and none is not told.
    for event_type in found.missing:
        await client.subscribe(event_type, clients.receiver_address(settings), name_of(settings))
    for one in found.stale:
        await client.unsubscribe(one.uuid)
    if not found.missing and not found.stale:
        return SetUp(_NAME, Made.EXISTS)
    made = Made.CREATED if len(found.missing) == len(EVENTS) and not found.stale else Made.MENDED
    return SetUp(_NAME, made, f"{len(found.missing)} made, {len(found.stale)} removed")
