"""`/api/v1/signature-requests/`, quick create, and what a sender does to a request."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.sandbox.core.fields import read_fields
from deploy.sandbox.core.paging import filters, page
from deploy.sandbox.core.uploads import find_document, read_document, read_request
from deploy.sandbox.records import CoreRequest
from deploy.sandbox.refusal import CoreRefusal
from deploy.sandbox.world import World


class RequestsApi:
    """Create, read, list, cancel, resend, forward."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Relative to `/api/v1`; the names of the actions follow the settings."""
        name = self._world.settings.action_names
        item = "/signature-requests/{uuid}"
        return [
            Route("/signature-requests/", self.collection, methods=["GET", "POST"]),
            Route("/signature-request-quick-create/", self.quick_create, methods=["POST"]),
            Route(f"{item}/", self.item, methods=["GET"]),
            Route(f"{item}/cancel_{name}/", self.cancel, methods=["POST"]),
            Route(f"{item}/resend_{name}_email/", self.resend, methods=["POST"]),
            Route(f"{item}/forward_signer/", self.forward, methods=["POST"]),
        ]

    async def collection(self, request: Request) -> Response:
        """POST a request for an existing document, or GET a list, newest first, filtered by `who` and `from_email`."""
        if request.method == "POST":
            return await self._create(request)
        query = filters(request, self._world.settings)
        found = [
            known
            for known in reversed(list(self._world.memory.requests))
            if query.get("who") in {None, known.who} and query.get("from_email") in {None, known.from_email}
        ]
        return JSONResponse(page(request, self._world.views, found, self._world.views.request))

    async def quick_create(self, request: Request) -> Response:
        """POST document and request in one; either both come into being or neither."""
        fields = await read_fields(request)
        new = read_document(fields, self._world.settings.max_upload_mb)
        wanted = read_request(fields, self._world.settings, document="")
        document = self._world.lifecycle.create(new)
        wanted.document = document.uuid
        self._world.signing.create(wanted, document)
        shown = self._world.views.request(wanted)
        return JSONResponse({**shown, "name": document.name, "external_id": document.external_id}, 201)

    async def item(self, request: Request) -> Response:
        """GET one request."""
        return JSONResponse(self._world.views.request(self._find(request)))

    async def cancel(self, request: Request) -> Response:
        """POST: end it; 409 when the document has ended already."""
        self._world.signing.cancel(self._find(request))
        return JSONResponse({"detail": "OK", "cancelled": True}, 201)

    async def resend(self, request: Request) -> Response:
        """POST: mail those whose turn it is again."""
        self._world.signing.resend(self._find(request))
        return JSONResponse({"detail": "OK"}, 201)

    async def forward(self, request: Request) -> Response:
        """POST `{signer_email_to_forward, signer_email_to_forward_to, forwarded_reason?}`."""
        found = self._find(request)
        fields = await read_fields(request)
        old = fields.email("signer_email_to_forward", required=True)
        new = fields.email("signer_email_to_forward_to", required=True)
        reason = fields.text("forwarded_reason") or ""
        fields.check()
        self._world.signing.forward(found, old, new, reason)
        return JSONResponse({"detail": "OK"}, 201)

    async def _create(self, request: Request) -> Response:
        fields = await read_fields(request)
        document = find_document(fields, self._world.memory)
        wanted = read_request(fields, self._world.settings, document.uuid)
        self._world.signing.create(wanted, document)
        return JSONResponse(self._world.views.request(wanted), 201)

    def _find(self, request: Request) -> CoreRequest:
        found = self._world.memory.requests.get(request.path_params["uuid"])
        if found is None:
            raise CoreRefusal.missing()
        return found
