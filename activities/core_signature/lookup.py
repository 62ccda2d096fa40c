"""Finds the document of a request by our id, and judges whether it may be believed to be the one we made."""

import asyncio
import unicodedata
from collections.abc import Sequence
from enum import Enum, auto

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.reading import STATUSES
from activities.core_signature.wire import WireDocument
from activities.failures import final_failure
from activities.store.home import StoragePrefix
from activities.store.store import Store
from workflows.model.subject import Code, Roster, Subject


def has_ended(document: WireDocument) -> bool:
    """Whether nobody can sign, decline or cancel it any more."""
    status = STATUSES.get(document.status)
    return status is not None and status.ended


def most_likely(documents: Sequence[WireDocument], name: str) -> WireDocument | None:
    """The one of several documents under our id that is meant, None when that cannot be told.

    A provider trims and normalises names, so a name decides only between documents that may all be ours.
    """
    if len(documents) > 1:
        documents = [document for document in documents if _is_called(document, name)]
    return documents[0] if len(documents) == 1 else None


class IdClaim(Enum):
    """For what an id was claimed before."""

    NONE = auto()
    OURS = auto()
    OTHER_CONTENT = auto()


class Lookup:
    """Look-ups by `external_id`; raises `ApplicationError`s.

    Ours is what carries our id after we claimed it for this content. What stood there before we did is ours by its
    name alone: so is a document whose claim went with a lost store.
    """

    def __init__(self, client: CoreSignatureClient, store: Store) -> None:
        self._client = client
        self._store = store

    async def to_take_over(self, subject: Subject, fingerprint: str) -> WireDocument | None:
        """The document an earlier attempt made, None when there is none.

        It may have ended meanwhile, if the id was found free and claimed by us before; without a claim an ended one is
        somebody's past use of the id, and so is a foreign one. An id that was claimed for other content stays that
        content's, also when Temporal has forgotten its request and the provider its document.
        """
        found, claim = await self._found(subject, fingerprint)
        if claim is IdClaim.OTHER_CONTENT:
            raise final_failure(Code.ID_USED_BEFORE, f"the id {subject.id} was used for other content before")
        if claim is IdClaim.NONE:
            if not all(_is_called(document, subject.title) for document in found):
                raise final_failure(Code.ID_USED_BEFORE, f"another document already has the id {subject.id}")
            if any(has_ended(document) for document in found):
                raise final_failure(Code.ID_USED_BEFORE, f"a document with the id {subject.id} has already ended")
        return self._only(found, subject)

    async def to_cancel(self, subject: Subject, fingerprint: str) -> WireDocument | None:
        """The document of ours that is to be cancelled, None when there is none."""
        ours, claim = await self._found(subject, fingerprint)
        if claim is IdClaim.OTHER_CONTENT:
            return None
        if claim is IdClaim.NONE:
            ours = [document for document in ours if _is_called(document, subject.title)]
        living = [document for document in ours if not has_ended(document)]
        return self._only(living or ours[:1], subject)

    async def is_gone(self, roster: Roster, uuid: str) -> bool:
        """Whether the provider, asked in another way, does not know the document either: it may be a new one."""
        for pause in (0.0, self._client.config.list_lag):
            await asyncio.sleep(pause)
            if any(document.uuid == uuid for document in await self._listed(roster)):
                return False
        return True

    async def _found(self, subject: Subject, fingerprint: str) -> tuple[list[WireDocument], IdClaim]:
        found = await self._listed(subject)
        claim = _claim_of(await self._store.claimed_for(StoragePrefix.of_request(subject.id)), fingerprint)
        if not found and claim is IdClaim.OURS:
            # A creation whose answer was lost may not be listed yet: only after the lag does "nothing" mean nothing.
            await asyncio.sleep(self._client.config.list_lag)
            found = await self._listed(subject)
        return found, claim

    async def _listed(self, roster: Roster) -> list[WireDocument]:
        found = await self._client.documents_of(roster.id)
        if any(not document.is_of(roster.id) for document in found):
            says = "the list of documents ignores the filter external_id, so nothing can be looked up"
            raise final_failure(Code.PROVIDER_UNSURE, says)
        return found

    def _only(self, found: list[WireDocument], subject: Subject) -> WireDocument | None:
        likely = most_likely(found, subject.title)
        if found and likely is None:
            says = f"{len(found)} documents have the id {subject.id}: delete all but one at Core Signature"
            raise final_failure(Code.PROVIDER_UNSURE, says)
        return likely


def _claim_of(claimed_for: str | None, fingerprint: str) -> IdClaim:
    if claimed_for is None:
        return IdClaim.NONE
    # The id of an adopted document is claimed for whatever content: it cannot be that of another document.
    return IdClaim.OURS if claimed_for in ("", fingerprint) else IdClaim.OTHER_CONTENT


def _is_called(document: WireDocument, name: str) -> bool:
    return _comparable(document.name or "") == _comparable(name)


def _comparable(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())
