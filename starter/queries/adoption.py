"""Documents sent by hand at Core Signature that an operator has followed up, whatever the rules say."""

from datetime import UTC, datetime

from activities.core_signature.wire import uuid_in
from activities.launch.doors import TrustedCaller
from activities.policies.catalogue import Catalogue, UnknownKind
from activities.reconciliation.adoption import Adoption, NotYetAdoptable
from activities.reconciliation.adoption_rules import AdoptionRule
from starter.errors import Refusal
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.reconciliation import AdoptionRefusal
from workflows.names import adopted_id


class AdoptedDocument(Model):
    """The request that a document became; `created` is false if it was one already."""

    id: str
    workflow_id: str
    document: str
    created: bool


async def adopt_by_hand(
    adoption: Adoption, document: str, kind: str, owner: str, caller: TrustedCaller
) -> AdoptedDocument:
    """The owner asks for it. `document` is its uuid or address. Raises `Refusal`, `FileFaults` of the catalogue."""
    uuid = uuid_in(document) or document.strip()
    if (id := adopted_id(uuid)) is None:
        raise Refusal(f"{document[:100]} is neither the uuid nor the address of a document at Core Signature")
    try:
        Catalogue.read(adoption.policies).require_kind(kind, closes=True)
    except UnknownKind as unknown:
        raise Refusal(str(unknown)) from unknown
    if await adoption.directory.named(owner) is None:
        raise Refusal(f"the people file has no {owner}")
    workflow_id = Kind.REQUEST.workflow_id(id)
    is_known = await adoption.store.starts.cover(workflow_id) is not None
    try:
        rule = AdoptionRule(kind=kind, owner=owner)
        became = None if is_known else await adoption.adopt(uuid, datetime.now(UTC), rule, caller)
    except NotYetAdoptable as hindrance:
        raise Refusal(hindrance.reason) from hindrance
    if isinstance(became, AdoptionRefusal):
        raise Refusal(became.why)
    if became is None and not is_known:
        raise Refusal("it has ended or was not sent yet, or a request follows it up already")
    return AdoptedDocument(id=id, workflow_id=workflow_id, document=uuid, created=not is_known)
