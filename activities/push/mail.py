"""Core Signature's own mail, for signers whom no push reaches."""

from collections.abc import Sequence

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.lookup import has_ended
from activities.core_signature.reading import match
from activities.core_signature.wire import WireDocument
from activities.people import Directory
from workflows.model import Brief


class SignerMail:
    """Has Core Signature mail the signers of a request; raises `ServiceFailure` when it does not."""

    def __init__(self, client: CoreSignatureClient, directory: Directory) -> None:
        self._client = client
        self._directory = directory

    async def first(self, brief: Brief, document: str | None, persons: Sequence[str]) -> None:
        """See that each of `persons` has the first mail: who had a living device at creation was not sent one."""
        found = await self._document(brief, document)
        if found is None or found.request is None:
            return
        emails = {signer.person: await self._email(signer.person, brief.id) for signer in brief.signers}
        said = match(brief.signers, emails, found.request.signers)
        if any((signer := said.get(person)) and not signer.emailed for person in persons):
            await self._client.resend(found.request.uuid)

    async def again(self, document: str) -> None:
        """Mail everyone whose turn it is once more."""
        found = await self._client.document(document)
        if found.request is not None:
            await self._client.resend(found.request.uuid)

    async def _document(self, brief: Brief, document: str | None) -> WireDocument | None:
        if document is not None:
            return await self._client.document(document)
        listed = await self._client.documents_of(brief.id)
        ours = [one for one in listed if one.external_id == brief.id and one.name == brief.document.name]
        return next((one for one in ours if not has_ended(one)), None)

    async def _email(self, person: str, request: str) -> str:
        return (await self._directory.person(person, request)).email
