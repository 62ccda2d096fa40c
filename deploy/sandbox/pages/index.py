"""`/`: which inboxes and documents the sandbox knows."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.sandbox.pages.rendering import render
from deploy.sandbox.pages.roll import roll
from deploy.sandbox.records import Document, Status
from deploy.sandbox.world import World

STATUS_WORDS = {
    Status.CONVERTING: "converting",
    Status.NEW: "not sent",
    Status.SENT: "sent",
    Status.VIEWED: "viewed",
    Status.SIGNED: "signed",
    Status.DECLINED: "declined",
    Status.CANCELLED: "cancelled",
    Status.EXPIRED: "expired",
    Status.CONVERT_ERROR: "not convertible",
    Status.SENDING_ERROR: "not sendable",
}
MOST_SHOWN = 50


class IndexPage:
    """The way into the pages for somebody who looks around."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Relative to the root."""
        return [Route("/", self.page)]

    async def page(self, _: Request) -> Response:
        """GET the lists, the newest documents first."""
        memory = self._world.memory
        persons = sorted({str(person) for person in [*memory.pushes.values(), *memory.mails.values()]})
        newest = list(reversed(list(memory.documents)))[:MOST_SHOWN]
        documents = [self._row(document) for document in newest]
        return render("index.html", persons=persons, documents=documents, total=len(memory.documents))

    def _row(self, document: Document) -> dict[str, object]:
        request = self._world.memory.request_of(document)
        signers = roll(request, document) if request else []
        return {"name": document.name, "status": STATUS_WORDS[document.status], "signers": signers}
