"""Documents of Core Signature as a workflow sees them: verified to be ours, signers matched."""

import asyncio
import unicodedata
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from activities.core_signature.client import CoreSignatureClient, if_found
from activities.core_signature.signers import Places, SignerSnapshot, SignerSnapshots, folded, match, missing
from activities.core_signature.wire import WireDocument, WireSigner
from activities.http.client import ServiceFailure
from activities.records.store import Store
from activities.temporal.failures import final_failure, passing_failure
from workflows.kinds import Kind
from workflows.model.rejections import in_one_line
from workflows.model.signature import ReportedDocument, ReportedSigner, SignerState
from workflows.model.subject import Code, Participant, Role, Roster, Status, Subject

LONGEST_REASON: Final = 500
FORWARDED: Final = "forwarded"
"""Reason for a signer who was replaced at Core Signature by an unknown person."""
_NONE_REPLACED: Final[Mapping[str, str]] = MappingProxyType({})
STATUSES: Final = {
    "co": Status.CONVERTING,
    "ne": Status.CONVERTING,
    "se": Status.SENT,
    "vi": Status.VIEWED,
    "do": Status.VIEWED,
    "si": Status.SIGNED,
    "sd": Status.SIGNED,
    "de": Status.DECLINED,
    "ca": Status.CANCELLED,
    "xp": Status.EXPIRED,
    "ec": Status.FAILED,
    "es": Status.FAILED,
}
_CODES: Final = {"ec": Code.CONVERT_ERROR, "es": Code.SENDING_ERROR}
_BOUNCED: Final = "signer_email_bounced"
_LONGEST_SAYS: Final = 500


def document_seen(
    document: WireDocument,
    roster: Roster,
    places: Sequence[SignerSnapshot],
    *,
    bounced: AbstractSet[str] = frozenset(),
    replaced: Mapping[str, str] = _NONE_REPLACED,
) -> ReportedDocument:
    """The document as a workflow sees it; `places` were sent, `bounced` are failed addresses, `replaced` has reasons by
    signer.
    """
    status = STATUSES.get(document.status)
    entries = signers_of(document)
    entry_by_person = match(roster.people, places, entries)
    roll = _DocumentFacts(status, bounced, frozenset(folded(snapshot.email) for snapshot in places), replaced)
    return ReportedDocument(
        document=document.uuid,
        status=status,
        raw=(clean(document.status) or "")[:20],
        signers=tuple(roll.read_signer(signer, entry_by_person[signer.person]) for signer in roster.people),
        turn=None
        if status and status.has_ended
        else min((entry.order for entry in entries if entry.open), default=None),
        code=_CODES.get(document.status),
    )


def signers_of(document: WireDocument) -> tuple[WireSigner, ...]:
    """The signers of the document's request, possibly with the sender; empty without a request."""
    return document.request.signers if document.request else ()


def signers_not_told(document: WireDocument, roster: Roster, places: Sequence[SignerSnapshot]) -> tuple[str, ...]:
    """Signers of an ended document whose act is unknown. Empty if nobody was asked."""
    status = STATUSES.get(document.status)
    if status is None or not status.has_ended or status is Status.FAILED:
        return ()
    if document.request is None and status is not Status.SIGNED:
        return ()
    lost = missing(roster.people, places, match(roster.people, places, signers_of(document)))
    return tuple(signer.person for signer in lost if signer.role is not Role.COPY)


def clean(reason: str | None) -> str | None:
    """A signer's text in one line, without control or direction characters, at most 500 characters."""
    line = " ".join(in_one_line(reason or "").split())
    return line[:LONGEST_REASON] or None


def mailed_and_silent(document: WireDocument) -> bool:
    """Whether a signer was mailed and has not reacted since: only then can an unseen bounce exist."""
    if STATUSES.get(document.status) not in (Status.SENT, Status.VIEWED) or document.request is None:
        return False
    return any(signer.emailed and signer.open and not signer.viewed for signer in document.request.signers)


def has_ended(document: WireDocument) -> bool:
    """Whether it can no longer be signed, declined or cancelled."""
    status = STATUSES.get(document.status)
    return status is not None and status.has_ended


def most_likely(documents: Sequence[WireDocument], name: str) -> WireDocument | None:
    """Our document under our id, None if ambiguous. Names are normalised by the provider, so they only decide between
    candidates.
    """
    if len(documents) > 1:
        documents = [document for document in documents if _has_name(document, name)]
    return documents[0] if len(documents) == 1 else None


class IdClaim(Enum):
    """What an id was claimed for before."""

    NONE = auto()
    OURS = auto()
    OTHER_CONTENT = auto()


class Lookup:
    """Looks up documents by `external_id`; raises `ApplicationError`s. A document is ours if it appeared after we
    claimed the id for this content; one from before the claim only if its name matches.
    """

    def __init__(self, client: CoreSignatureClient, store: Store) -> None:
        self._client = client
        self._store = store

    async def to_take_over(self, subject: Subject, fingerprint: str) -> WireDocument | None:
        """The document of an earlier attempt, None without one. An ended document counts only if we had claimed the
        free id; otherwise it is a past use of the id. Raises if the id was claimed for other content.
        """
        documents, claim = await self._look_up(subject, fingerprint)
        if claim is IdClaim.OTHER_CONTENT:
            raise final_failure(Code.ID_USED_BEFORE, f"the id {subject.id} was used for other content before")
        if claim is IdClaim.NONE:
            if not all(_has_name(document, subject.title) for document in documents):
                raise final_failure(Code.ID_USED_BEFORE, f"another document already has the id {subject.id}")
            if any(has_ended(document) for document in documents):
                raise final_failure(Code.ID_USED_BEFORE, f"a document with the id {subject.id} has already ended")
        return self._only_match(documents, subject)

    async def to_cancel(self, subject: Subject, fingerprint: str) -> WireDocument | None:
        """Our document to cancel, None if there is none."""
        documents, claim = await self._look_up(subject, fingerprint)
        if claim is IdClaim.OTHER_CONTENT:
            return None
        if claim is IdClaim.NONE:
            documents = [document for document in documents if _has_name(document, subject.title)]
        living = [document for document in documents if not has_ended(document)]
        return self._only_match(living or documents[:1], subject)

    async def is_gone(self, roster: Roster, uuid: str) -> bool:
        """Whether the list does not have the document either, which may also be too new to be listed."""
        for pause in (0.0, self._client.config.list_lag):
            await asyncio.sleep(pause)
            if any(document.uuid == uuid for document in await self._list_documents(roster)):
                return False
        return True

    async def _look_up(self, subject: Subject, fingerprint: str) -> tuple[list[WireDocument], IdClaim]:
        documents = await self._list_documents(subject)
        claim = _claim_of(await self._store.starts.claimed_for(Kind.REQUEST.workflow_id(subject.id)), fingerprint)
        if not documents and claim is IdClaim.OURS:
            # A document whose creation got no answer may not be listed yet: only after the lag is an empty list a
            # proof.
            await asyncio.sleep(self._client.config.list_lag)
            documents = await self._list_documents(subject)
        return documents, claim

    async def _list_documents(self, roster: Roster) -> list[WireDocument]:
        documents = await self._client.documents_of(roster.id)
        if any(not document.is_of(roster.id) for document in documents):
            explanation = "the list of documents ignores the filter external_id, so nothing can be looked up"
            raise final_failure(Code.PROVIDER_UNSURE, explanation)
        return documents

    def _only_match(self, documents: list[WireDocument], subject: Subject) -> WireDocument | None:
        likely = most_likely(documents, subject.title)
        if documents and likely is None:
            explanation = f"{len(documents)} documents have the id {subject.id}: delete all but one at Core Signature"
            raise final_failure(Code.PROVIDER_UNSURE, explanation)
        return likely


def _claim_of(claimed_for: str | None, fingerprint: str) -> IdClaim:
    if claimed_for is None:
        return IdClaim.NONE
    # The id of an adopted document is claimed for any content: it cannot belong to another document.
    return IdClaim.OURS if claimed_for in ("", fingerprint) else IdClaim.OTHER_CONTENT


def _has_name(document: WireDocument, name: str) -> bool:
    return _comparable(document.name or "") == _comparable(name)


def _comparable(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())


class DocumentReader:
    """Reads single documents; raises `ServiceFailure`, and `ApplicationError` for contradictory answers."""

    def __init__(self, client: CoreSignatureClient, lookup: Lookup, snapshots: SignerSnapshots) -> None:
        self._client = client
        self._lookup = lookup
        self._snapshots = snapshots

    async def unless_gone(self, roster: Roster, uuid: str) -> WireDocument | None:
        """The document as it is now, None if it is certainly gone: a single 404 is not enough."""
        document = await if_found(self._client.document(uuid))
        if document is None and not await self._lookup.is_gone(roster, uuid):
            raise passing_failure(Code.UNREACHABLE, "Core Signature lists the document but does not show it")
        return document

    async def existing(self, roster: Roster, uuid: str) -> WireDocument:
        """The document as it is now; fails with `document_deleted` if it is certainly gone."""
        document = await self.unless_gone(roster, uuid)
        if document is None:
            raise final_failure(Code.DOCUMENT_DELETED, "the document was deleted at Core Signature")
        if not document.is_of(roster.id):
            raise final_failure(
                Code.PROVIDER_UNSURE, "the document at Core Signature has another external_id than ours"
            )
        return document

    async def read_snapshot(
        self,
        document: WireDocument,
        roster: Roster,
        replaced: Mapping[str, str] = _NONE_REPLACED,
        places: Places | None = None,
    ) -> ReportedDocument:
        """With bounced mails. `places` if already read. Fails with `provider_unsure` if it has ended and a signer's act
        is unknown.
        """
        places = await self._snapshots.read_snapshots(roster.id) if places is None else places
        if untold := signers_not_told(document, roster, places):
            explanation = (
                f"the document has ended at Core Signature, which does not tell what became of {', '.join(untold)}"
            )
            raise final_failure(Code.PROVIDER_UNSURE, explanation[:_LONGEST_SAYS])
        snapshot = document_seen(document, roster, places, bounced=await self._bounced(document), replaced=replaced)
        return snapshot.replace(mails_endings=self._mails_endings(document))

    def _mails_endings(self, document: WireDocument) -> bool:
        """Taken from its request; without a value, as new requests are made today."""
        silent = document.request.disable_emails if document.request else None
        return self._client.config.status_mails if silent is None else not silent

    async def _bounced(self, document: WireDocument) -> frozenset[str]:
        if not mailed_and_silent(document):
            return frozenset()
        try:
            listed = await self._client.events(document__uuid=document.uuid, event_type=_BOUNCED)
        except ServiceFailure:
            return (
                frozenset()
            )  # A failed read of the bounces must not fail the read of the document; they are read the next time.
        return frozenset(
            folded(event.signer)
            for event in listed.resources
            if event.signer and event.event_type == _BOUNCED and event.document == document.uuid
        )


@dataclass(frozen=True)
class _DocumentFacts:
    """What is known of a document besides its signers' entries."""

    status: Status | None
    bounced: AbstractSet[str]
    own_addresses: AbstractSet[str]
    replaced: Mapping[str, str]

    def read_signer(self, signer: Participant, entry: WireSigner | None) -> ReportedSigner:
        if signer.role is Role.COPY:
            state = SignerState.COPIED if self.status is Status.SIGNED else SignerState.WAITING
            return ReportedSigner(person=signer.person, state=state)
        if entry is not None and entry.signed:
            state = SignerState.APPROVED if signer.role is Role.APPROVE else SignerState.SIGNED
            return ReportedSigner(person=signer.person, state=state, at=entry.signed_on)
        if entry is not None and entry.declined:
            reason = clean(entry.message)
            return ReportedSigner(person=signer.person, state=SignerState.DECLINED, at=entry.declined_on, reason=reason)
        if signer.person in self.replaced or (entry is not None and entry.forwarded):
            return self._replaced_signer(signer, entry)
        return ReportedSigner(person=signer.person, state=self._open_state(entry))

    def _replaced_signer(self, signer: Participant, entry: WireSigner | None) -> ReportedSigner:
        forwarded_to = entry.forwarded_to_email if entry else None
        by_themselves = FORWARDED if forwarded_to and folded(forwarded_to) not in self.own_addresses else None
        return ReportedSigner(
            person=signer.person,
            state=SignerState.REASSIGNED,
            at=entry.forwarded_on if entry else None,
            reason=self.replaced.get(signer.person, by_themselves),
        )

    def _open_state(self, entry: WireSigner | None) -> SignerState:
        if entry is None:
            return SignerState.WAITING
        if entry.viewed:
            return SignerState.VIEWED
        return SignerState.BOUNCED if folded(entry.email) in self.bounced else SignerState.WAITING
