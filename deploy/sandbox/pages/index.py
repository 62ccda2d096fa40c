"""`/`: which inboxes and documents the sandbox knows."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.sandbox.pages.rendering import render
from deploy.sandbox.pages.roll import roll
from deploy.sandbox.records import CoreDocument, CoreStatus
from deploy.sandbox.world import World

STATUS_WORDS = {
    CoreStatus.CONVERTING: "converting",
    CoreStatus.NEW: "not sent",
    CoreStatus.SENT: "sent",
    CoreStatus.VIEWED: "viewed",
    CoreStatus.SIGNED: "signed",
    CoreStatus.DECLINED: "declined",
    CoreStatus.CANCELLED: "cancelled",
    CoreStatus.EXPIRED: "expired",
    CoreStatus.CONVERT_ERROR: "not convertible",
    CoreStatus.SENDING_ERROR: "not sendable",
}
MOST_SHOWN = 50


class IndexPage:
    """The way into the pages for somebody who looks around."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Relative to the root."""
        return [Route("/", self.page)]

    async def page(self, request: Request) -> Response:
        """GET the lists, the newest documents first, `MOST_SHOWN` on a `page`."""
        memory = self._world.memory
        persons = sorted({str(person) for person in [*memory.pushes.values(), *memory.mails.values()]})
        number = _number(request.query_params.get("page", ""))
        newest = list(reversed(list(memory.documents)))
        shown = newest[(number - 1) * MOST_SHOWN : number * MOST_SHOWN]
        older = number + 1 if len(newest) > number * MOST_SHOWN else None
        documents = [self._row(document) for document in shown]
        return render(
            "index.html", persons=persons, documents=documents, total=len(newest), newer=number - 1, older=older
        )

    def _row(self, document: CoreDocument) -> dict[str, object]:
        request = self._world.memory.request_of(document)
        signers = roll(request, document) if request else []
        words = STATUS_WORDS[document.status]
        return {"name": document.name, "id": document.external_id, "status": words, "signers": signers}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and 0 < len(text) < 7 and int(text) else 1
