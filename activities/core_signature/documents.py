"""Documents read from Core Signature as a workflow believes them: checked to be ours, matched to whom we asked."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from activities.core_signature import reading
from activities.core_signature.asked import Places, SignerSnapshots
from activities.core_signature.client import CoreSignatureClient, if_found
from activities.core_signature.lookup import Lookup
from activities.core_signature.matching import folded
from activities.core_signature.wire import WireDocument
from activities.failures import final_failure, passing_failure
from activities.http.calling import ServiceFailure
from workflows.model.provider import DocumentSeen
from workflows.model.subject import Code, Roster

_BOUNCED: Final = "signer_email_bounced"
_LONGEST_SAYS: Final = 500
_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})


class DocumentReader:
    """Reads single documents; raises `ServiceFailure`s, and `ApplicationError`s for what cannot be believed."""

    def __init__(self, client: CoreSignatureClient, lookup: Lookup, asked: SignerSnapshots) -> None:
        self._client = client
        self._lookup = lookup
        self._asked = asked

    async def unless_gone(self, roster: Roster, uuid: str) -> WireDocument | None:
        """The document of this request as it is now, None when it surely is gone: one 404 alone is not believed."""
        found = await if_found(self._client.document(uuid))
        if found is None and not await self._lookup.is_gone(roster, uuid):
            raise passing_failure(Code.UNREACHABLE, "Core Signature lists the document but does not show it")
        return found

    async def existing(self, roster: Roster, uuid: str) -> WireDocument:
        """The document of this request as it is now; fails with `document_deleted` when it surely is gone."""
        found = await self.unless_gone(roster, uuid)
        if found is None:
            raise final_failure(Code.DOCUMENT_DELETED, "the document was deleted at Core Signature")
        if not found.is_of(roster.id):
            raise final_failure(
                Code.PROVIDER_UNSURE, "the document at Core Signature has another external_id than ours"
            )
        return found

    async def seen(
        self,
        document: WireDocument,
        roster: Roster,
        replaced: Mapping[str, str] = _NOBODY,
        places: Places | None = None,
    ) -> DocumentSeen:
        """The document as a workflow sees it (`reading.seen`), with the mails that came back.

        `places` are all who were asked, for whoever has read them already.
        Fails with `provider_unsure` when it has ended and does not tell of everybody whether they have acted.
        """
        places = await self._asked.of(roster.id) if places is None else places
        if untold := reading.signers_not_told(document, roster, places):
            says = f"the document has ended at Core Signature, which does not tell what became of {', '.join(untold)}"
            raise final_failure(Code.PROVIDER_UNSURE, says[:_LONGEST_SAYS])
        seen = reading.document_seen(document, roster, places, bounced=await self._bounced(document), replaced=replaced)
        return seen.replace(mails_endings=self._mails_endings(document))

    def _mails_endings(self, document: WireDocument) -> bool:
        """As its request says; one that does not say was made as they are made today."""
        silent = document.request.disable_emails if document.request else None
        return self._client.config.status_mails if silent is None else not silent

    async def _bounced(self, document: WireDocument) -> frozenset[str]:
        if not reading.mailed_and_silent(document):
            return frozenset()
        try:
            listed = await self._client.events(document__uuid=document.uuid, event_type=_BOUNCED)
        except ServiceFailure:
            return frozenset()  # The document was read, which is what counts; a bounce is seen the next time.
        return frozenset(
            folded(event.signer)
            for event in listed.found
            if event.signer and event.event_type == _BOUNCED and event.document == document.uuid
        )
