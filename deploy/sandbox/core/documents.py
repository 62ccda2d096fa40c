"""`/api/v1/documents/`."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.sandbox.core.fields import read_fields
from deploy.sandbox.core.paging import filters, page
from deploy.sandbox.core.uploads import read_document
from deploy.sandbox.records import CoreDocument
from deploy.sandbox.refusal import CoreRefusal
from deploy.sandbox.world import World


class DocumentsApi:
    """Create, read, list, delete."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Relative to `/api/v1`."""
        return [
            Route("/documents/", self.collection, methods=["GET", "POST"]),
            Route("/documents/{uuid}/", self.item, methods=["GET", "DELETE"]),
        ]

    async def collection(self, request: Request) -> Response:
        """POST a document or GET a list, newest first, filtered by `external_id` and `status`."""
        if request.method == "POST":
            return await self._create(request)
        return JSONResponse(page(request, self._world.views, self._found(request), self._world.views.document))

    async def item(self, request: Request) -> Response:
        """GET or DELETE one document."""
        document = self._world.memory.documents.get(request.path_params["uuid"])
        if document is None:
            raise CoreRefusal.missing()
        if request.method == "DELETE":
            self._world.lifecycle.delete(document)
            return Response(status_code=204)
        return JSONResponse(self._world.views.document(document))

    async def _create(self, request: Request) -> Response:
        fields = await read_fields(request)
        new = read_document(fields, self._world.settings.max_upload_mb)
        fields.check()
        return JSONResponse(self._world.views.document(self._world.lifecycle.create(new)), 201)

    def _found(self, request: Request) -> list[CoreDocument]:
        query = filters(request, self._world.settings)
        wanted, status = query.get("external_id"), query.get("status")
        documents = self._world.memory.documents
        shown_until = self._world.settings.clock() - self._world.settings.list_lag
        found = documents.where(wanted) if wanted else list(documents)
        return [d for d in reversed(found) if d.created <= shown_until and status in {None, "", d.status.value}]
