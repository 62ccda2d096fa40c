"""`/dl/…`: temporary, pre-signed addresses of documents and signing logs."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.sandbox.ledger import EntryType
from deploy.sandbox.pdf import is_pdf
from deploy.sandbox.world import World


class Downloads:
    """Files for whoever has a living link. A bearer sent along is refused: the address alone is the permission."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Relative to the root."""
        return [Route("/dl/{token}/{file_name}", self.item)]

    async def item(self, request: Request) -> Response:
        """GET the bytes; 403 when the link is not genuine or its life is over."""
        if "authorization" in request.headers:
            what = "a bearer was sent to a pre-signed address"
            self._world.ledger.write(EntryType.VIOLATION, what=what, path="/dl/")
            return JSONResponse({"detail": "Only one way to authenticate is allowed."}, 400)
        sha256 = self._world.links.content(request.path_params["token"])
        content = self._world.memory.contents.read(sha256) if sha256 else None
        if content is None:
            return JSONResponse({"detail": "The link has expired."}, 403)
        self._world.ledger.write(EntryType.DOWNLOAD, sha256=sha256)
        kind = "application/pdf" if is_pdf(content) else "application/octet-stream"
        return Response(content, media_type=kind, headers={"cache-control": "private, no-store"})
