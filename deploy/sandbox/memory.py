"""Everything the sandbox remembers, in one place."""

from pathlib import Path

from deploy.sandbox.ledger import SandboxLedger
from deploy.sandbox.records import (
    CoreDocument,
    CoreEvent,
    CoreRequest,
    CoreSigner,
    Push,
    SandboxDevice,
    SandboxMail,
    Webhook,
)
from deploy.sandbox.settings import Clock
from deploy.sandbox.store import Contents, Shelf, open_database


class Memory:
    """The shelves, the kept files and the ledger, continued from `folder` when it holds any."""

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        self._database = open_database(folder)
        self.contents = Contents(self._database)
        self.documents = Shelf(self._database, CoreDocument, index="external_id")
        self.requests = Shelf(self._database, CoreRequest)
        self.events = Shelf(self._database, CoreEvent, index="document")
        self.webhooks = Shelf(self._database, Webhook, index="event_type")
        self.mails = Shelf(self._database, SandboxMail, index="person")
        self.devices = Shelf(self._database, SandboxDevice)
        self.pushes = Shelf(self._database, Push, index="person")
        self.ledger = SandboxLedger(self._database, clock)
        self._owners = {signer.uuid: request.uuid for request in self.requests for signer in request.signers}

    def keep_request(self, request: CoreRequest) -> None:
        """Save a new or changed request, its signers being found by their uuid from now on."""
        self._owners.update(dict.fromkeys((signer.uuid for signer in request.signers), request.uuid))
        self.requests.save(request)

    def request_of(self, document: CoreDocument) -> CoreRequest | None:
        """The request of a document, if one was made."""
        return self.requests.get(document.request) if document.request else None

    def signer(self, uuid: str) -> tuple[CoreSigner, CoreRequest, CoreDocument] | None:
        """A signer with the request and the document, unless unknown or deleted."""
        request = self.requests.get(self._owners.get(uuid, ""))
        document = self.documents.get(request.document) if request else None
        signer = request.signer(uuid) if request else None
        return (signer, request, document) if request and document and signer else None

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()
