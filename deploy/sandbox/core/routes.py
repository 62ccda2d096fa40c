"""All of Core Signature's addresses."""

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router

from deploy.sandbox.core.documents import DocumentsApi
from deploy.sandbox.core.downloads import Downloads
from deploy.sandbox.core.events import EventsApi
from deploy.sandbox.core.requests import RequestsApi
from deploy.sandbox.core.webhooks import WebhooksApi
from deploy.sandbox.tokens import BearerGuard, TokenEndpoint, unknown_tenant
from deploy.sandbox.world import World

DOCS = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Core Signature stand-in: API</title>
<h1>Core Signature stand-in</h1><p>Documents, signature-requests, events and webhooks live under <code>/api/v1/</code>
and want a bearer token of <code>/tenants/{tenant}/oauth2/token</code>.</p></html>"""


def core_routes(world: World) -> list[BaseRoute]:
    """Token, API, documentation and downloads."""
    endpoint = TokenEndpoint(world.signature_tokens, world.ledger, world.settings.token_lifetime)

    async def token(request: Request) -> Response:
        if request.path_params["tenant"] != world.settings.tenant:
            return unknown_tenant()
        return await endpoint.answer(request)

    async def docs(_: Request) -> Response:
        return HTMLResponse(DOCS)

    api = [api for part in (DocumentsApi, RequestsApi, EventsApi, WebhooksApi) for api in part(world).routes()]
    return [
        Route("/tenants/{tenant}/oauth2/token", token, methods=["POST"]),
        Route("/otdstenant/{tenant}/oauth2/token", token, methods=["POST"]),
        Route("/api/v1/docs/", docs),
        # Django answers a missing slash with an error, not with a helpful redirect.
        Mount(
            "/api/v1",
            Router(api, redirect_slashes=False),
            middleware=[Middleware(BearerGuard, tokens=world.signature_tokens)],
        ),
        *Downloads(world).routes(),
    ]
