"""Adoption: documents sent by hand at Core Signature become followed-up requests. Ids derive from the document's uuid,
so that no table is needed; the document is not changed.
"""

import asyncio
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final

from temporalio.client import Client

from activities.core_signature.client import CALLBACKS, CoreSignatureClient
from activities.core_signature.documents import STATUSES, clean
from activities.core_signature.orders import LANGUAGES
from activities.core_signature.signers import Places, SignerSnapshot, SignerSnapshots, folded
from activities.core_signature.wire import WireDocument, WireRequest, WireSigner
from activities.errors import ID_PATTERN
from activities.files.reading import FileFaults, FileText
from activities.http.client import ServiceFailure
from activities.launch import launch as path
from activities.launch.doors import OWN_WORKFLOW_CALLER, CheckContext, Intake, StartCaller, admit
from activities.launch.request_file import PreparedRequest, prepare_request
from activities.people.company_directory import CompanyDirectory
from activities.people.directory import DirectoryFailure
from activities.people.person import Person
from activities.policies.catalogue import UnknownKind
from activities.reconciliation.adoption_rules import AdoptionConfig, AdoptionRule, DocumentTraits, find_rule
from activities.records.cover_sheet import CoverSheet
from activities.records.store import Store
from workflows.follow_up.input import FollowUpInput
from workflows.kinds import Kind
from workflows.model.reconciliation import AdoptionRefusal
from workflows.model.signature import Document
from workflows.model.subject import Role, Status
from workflows.names import adopted_id
from workflows.signature.state import SignatureInput

LONGEST_NAME: Final = 200
LONGEST_WHY: Final = 300
FITS_NO_RULE: Final = "no rule fits it; `countersign request adopt` follows it up nevertheless"
_OF_ALL: Final = (None, HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)
_NAMELESS: Final = "Document"


class NotYetAdoptable(Exception):
    """A temporary obstacle, retried later; `of_all` if it affects every document. `why` names no person."""

    def __init__(self, reason: str, *, of_all: bool = True) -> None:
        super().__init__()
        self.reason = reason[:LONGEST_WHY]
        self.of_all = of_all


@dataclass(frozen=True)
class AdoptedRequest:
    """A `PreparedStart` whose document exists at Core Signature."""

    checked: PreparedRequest = field(repr=False)
    workflow_input: SignatureInput
    places: Places = field(repr=False)
    overdue: FileFaults | None = None

    async def store_input(self, store: Store) -> SignatureInput:
        """Stores people described in full, the addresses that were asked, and that the document is ours."""
        workflow_id = self.workflow_input.brief.workflow_id
        await asyncio.gather(
            store.keep_input(workflow_id, self.workflow_input.fingerprint, self.checked.signers, {}),
            SignerSnapshots(store).keep(self.workflow_input.brief.id, self.places),
            store.starts.claim(workflow_id),
        )
        return self.workflow_input

    async def store_for_pages(self, store: Store, follow_up_input: FollowUpInput) -> None:
        """Stores the cover sheet, which also marks the document as adopted after Temporal has forgotten a broken-off
        request.
        """
        await CoverSheet.keep(store, self.workflow_input.brief)


@dataclass(frozen=True)
class Adoption:
    """Adopts documents as its rules say; reads them and the catalogue anew each time."""

    signature: CoreSignatureClient
    temporal: Client
    store: Store
    directory: CompanyDirectory
    policies: Path
    config: AdoptionConfig

    async def adopt(
        self,
        document: str,
        now: datetime,
        chosen: AdoptionRule | None = None,
        caller: StartCaller = OWN_WORKFLOW_CALLER,
    ) -> str | AdoptionRefusal | None:
        """The request's id, or why it cannot be adopted; None if ended, unsent, sent by others, ours, or broken off. An
        operator's `chosen` rule fits every document, and its owner asks for it. Idempotent. Raises `NotYetAdoptable`.
        """
        wire_document = await self._read(document)
        id, request = adopted_id(document), wire_document.request
        if not request or not id or STATUSES.get(wire_document.status) not in (Status.SENT, Status.VIEWED):
            return None
        try:
            if await self._lived(id) or await self._is_ours(wire_document):
                return None
            sender = await self._find_sender(request)
            sources = await self._sources(now)
            if (rule := chosen or await self._find_rule(wire_document, request, sender, sources)) is None:
                return AdoptionRefusal(document=document, why=FITS_NO_RULE) if self.config.rules else None
            by_sender = rule.asked_by(sender.id) if sender and not chosen else rule
            prepared = await self._prepared(wire_document, request, by_sender, sources)
            return await self._start_adopted(prepared, caller)
        except DirectoryFailure as failure:
            raise NotYetAdoptable(str(failure)) from failure
        except FileFaults as faults:
            return AdoptionRefusal(document=document, why=faults.faults[0].says)
        except path.BrokenOff:
            return None

    async def _start_adopted(self, prepared: AdoptedRequest, caller: StartCaller) -> str | None:
        try:
            return (await admit(prepared, caller).start(self.temporal, self.store)).id
        except path.IdTaken:
            # An earlier attempt has started it, when the document had other signers.
            await prepared.store_for_pages(self.store, prepared.workflow_input)
            return None

    async def _read(self, document: str) -> WireDocument:
        try:
            return await self.signature.document(document)
        except ServiceFailure as failure:
            # A 404 may be a gateway's: it does not prove the end of the document.
            answered = f"answered {failure.status}" if failure.status else "gave no answer"
            raise NotYetAdoptable(f"Core Signature {answered}", of_all=failure.status in _OF_ALL) from failure

    async def _lived(self, id: str) -> bool:
        return await self.store.starts.cover(Kind.REQUEST.workflow_id(id)) is not None

    async def _is_ours(self, document: WireDocument) -> bool:
        """Whether we or another Countersign made it or may have, under an id that Temporal may have forgotten. A
        Countersign with subscriptions leaves only a request id on its documents.
        """
        callback_url, id = document.events_callback_url or "", document.external_id or ""
        if CALLBACKS in callback_url and callback_url != self.signature.config.callback_url:
            return True
        if not re.fullmatch(ID_PATTERN, id):
            return False
        of_another_program = callback_url and CALLBACKS not in callback_url
        return not of_another_program or await self.store.starts.claimed_for(Kind.REQUEST.workflow_id(id)) is not None

    async def _find_sender(self, request: WireRequest) -> Person | None:
        """Whoever of the directory sent it."""
        sender = folded(request.from_email or "")
        return await self.directory.named(sender) if sender else None

    async def _find_rule(
        self, document: WireDocument, request: WireRequest, sender: Person | None, sources: CheckContext
    ) -> AdoptionRule | None:
        address, own_address = folded(request.from_email or ""), folded(self.signature.config.from_email or "")
        is_own = bool(address) and (sender is not None or address == own_address)
        traits = DocumentTraits(address, _line(document.name), document.template, is_own)
        try:
            return find_rule(await self.config.load(sources.catalogue, self.directory), traits)
        except FileFaults as faults:
            raise NotYetAdoptable(faults.in_short) from faults

    async def _sources(self, now: datetime) -> CheckContext:
        try:
            return await Intake.from_policies_file(self.policies, self.directory).read_check_context(now=now)
        except FileFaults as faults:
            raise NotYetAdoptable(faults.in_short) from faults

    async def _prepared(
        self, document: WireDocument, request: WireRequest, rule: AdoptionRule, sources: CheckContext
    ) -> AdoptedRequest:
        _require_kind(rule, sources)
        signers = _signers(request)
        persons = [await self.directory.named(signer.email) for signer in signers]
        asking = await self.directory.person(rule.owner)
        written = {
            "kind": rule.kind,
            "requester": rule.owner,
            "document": {
                "template": self.signature.document_url(document.uuid),
                "name": _line(document.name) or _NAMELESS,
            },
            "signers": [_entry(signer, person, asking) for signer, person in zip(signers, persons, strict=True)],
        }
        text = FileText(f"document {document.uuid}", Path(), json.dumps(written))
        checked = await prepare_request(text, sources)
        participants = checked.request.brief.people
        people = tuple(
            participant.replace(order=signer.order) for participant, signer in zip(participants, signers, strict=True)
        )
        places = tuple(
            SignerSnapshot(
                person=participant.person,
                order=participant.order,
                role=participant.role,
                email=signer.email,
                embed_user=_page_of(signer),
            )
            for participant, signer in zip(people, signers, strict=True)
        )
        policy = rule.add_listeners(checked.request.policy)
        # Nothing is uploaded, so there is neither file nor template.
        id = adopted_id(document.uuid)
        brief = checked.request.brief.replace(id=id, document=Document(), people=people)
        # The present signers: a failed attempt may have stored others.
        orders = [signer.order for signer in signers]
        told = [target.target for target in policy.handoff]
        digest = path.fingerprint({"adopted": checked.request.fingerprint, "orders": orders, "told": told})
        workflow_input = checked.request.replace(brief=brief, policy=policy, fingerprint=digest)
        return AdoptedRequest(checked, workflow_input, places)


def _require_kind(rule: AdoptionRule, sources: CheckContext) -> None:
    try:
        sources.catalogue.require_kind(rule.kind)
    except UnknownKind as unknown:
        raise NotYetAdoptable(str(unknown)) from unknown


def _signers(request: WireRequest) -> list[WireSigner]:
    """Without those who forwarded, and without the sender, whom the provider adds."""
    sender = folded(request.from_email or "")
    return [
        signer
        for signer in request.signers
        if not signer.forwarded and (signer.needs_to_sign or folded(signer.email) != sender)
    ]


def _entry(signer: WireSigner, person: Person | None, asking: Person) -> dict[str, str]:
    """As in a request file; a person outside the directory gets the requester's time zone."""
    role = {"role": _role(signer).value}
    if person is not None:
        return {"person": person.id, **role}
    language = (signer.language or "").casefold()
    spoken = {"locale": language.partition("-")[0]} if language in LANGUAGES else {}
    contact = {"name": _line(signer.full_name) or signer.email, "email": signer.email, "zone": asking.zone}
    return {**contact, **spoken, **role}


def _role(signer: WireSigner) -> Role:
    if not signer.needs_to_sign:
        return Role.COPY
    return Role.APPROVE if signer.approve_only else Role.SIGN


def _page_of(signer: WireSigner) -> str | None:
    return signer.embed_url_user_id if signer.needs_to_sign else None


def _line(text: str | None) -> str:
    return (clean(text) or "")[:LONGEST_NAME].strip()
