"""The sandbox as one ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from deploy.sandbox.control import Control
from deploy.sandbox.core.routes import core_routes
from deploy.sandbox.front import Front
from deploy.sandbox.pages.routes import page_routes
from deploy.sandbox.push.appworks import AppWorksApi
from deploy.sandbox.push.cloud_messaging import CloudMessagingApi
from deploy.sandbox.push.fcm import FcmApi
from deploy.sandbox.push.phones import PhoneNetwork
from deploy.sandbox.refusal import CoreRefusal
from deploy.sandbox.settings import SandboxSettings
from deploy.sandbox.world import World

WORDING = {404: "Not found.", 405: 'Method "{}" not allowed.'}


def create_app(settings: SandboxSettings) -> Starlette:
    """A sandbox with its own world (`app.state.world`); time passes in it while its lifespan is entered."""
    world = World(settings)
    phones = PhoneNetwork(world.memory, settings.clock)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with world.alive():
            yield

    app = Starlette(
        routes=[
            *core_routes(world),
            *FcmApi(world, phones).routes(),
            *AppWorksApi(world, phones).routes(),
            *CloudMessagingApi(world).routes(),
            Control(world, phones).routes(),
            Route("/healthz", _healthy),
            *page_routes(world, phones),
        ],
        middleware=[Middleware(Front, world=world)],
        exception_handlers={CoreRefusal: _refused, HTTPException: _http_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.world = world
    return app


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok")


async def _refused(_: Request, refusal: Exception) -> Response:
    if not isinstance(refusal, CoreRefusal):
        raise refusal
    return JSONResponse(refusal.body, refusal.status)


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    detail = WORDING.get(error.status_code, error.detail).format(request.method)
    return JSONResponse({"detail": detail}, error.status_code, error.headers)
