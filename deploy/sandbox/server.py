"""The sandbox on a real port of the running loop, with connections that it can reset."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import uvicorn
from pydantic import BaseModel, ConfigDict, HttpUrl, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from deploy.sandbox.control.pages import page_routes
from deploy.sandbox.core_signature.api import core_routes
from deploy.sandbox.core_signature.service import Case, is_turn
from deploy.sandbox.http.front import Front
from deploy.sandbox.push.api import AppWorksApi, CloudMessagingApi, FcmApi
from deploy.sandbox.push.phones import DeviceState, PhoneNetwork
from deploy.sandbox.state.faults import ArmedFault
from deploy.sandbox.state.ledger import EntryType
from deploy.sandbox.state.records import CoreDocument, CoreRefusal
from deploy.sandbox.state.settings import SandboxSettings
from deploy.sandbox.world import World

LONGEST_NUMBER = 12
WEBHOOK_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


M = TypeVar("M", bound=BaseModel)


class DeviceMark(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: str
    state: DeviceState


class DeclineReason(BaseModel):
    reason: str = ""


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    to: HttpUrl


class Control:
    """The control API."""

    def __init__(self, world: World, phones: PhoneNetwork) -> None:
        self._world = world
        self._phones = phones

    def routes(self) -> Mount:
        return Mount(
            "/_sandbox",
            routes=[
                Route("/ledger", self.ledger, methods=["GET"]),
                Route("/faults", self.faults, methods=["GET", "POST", "DELETE"]),
                Route("/devices", self.devices, methods=["POST"]),
                Route("/phones/{person}", self.phone, methods=["GET"]),
                Route("/targets/{name:path}", self.target, methods=["POST"]),
                Route("/forward", self.forward, methods=["POST", "DELETE"]),
                Route("/documents", self.documents, methods=["GET"]),
                Route("/documents/{uuid}/{deed}", self.document_deed, methods=["POST"]),
                Route("/signers/{uuid}/{deed}", self.signer_deed, methods=["POST"]),
            ],
        )

    async def ledger(self, request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not after.isdecimal() or len(after) > LONGEST_NUMBER:
            raise CoreRefusal.because(400, "after has to be a number")
        return JSONResponse(self._world.ledger.after(int(after)))

    async def faults(self, request: Request) -> Response:
        """POST arms one, GET lists all, DELETE clears all."""
        book = self._world.faults
        if request.method == "GET":
            return JSONResponse([fault.shown() for fault in book.armed()])
        if request.method == "DELETE":
            book.clear()
            return Response(status_code=204)
        fault = await _read(request, ArmedFault)
        book.arm(fault)
        self._world.ledger.write(EntryType.FAULT_ARMED, **fault.model_dump(mode="json", exclude_defaults=True))
        return JSONResponse(fault.shown(), 201)

    async def devices(self, request: Request) -> Response:
        """POST `{token, state}`."""
        mark = await _read(request, DeviceMark)
        self._phones.mark(mark.token, mark.state)
        return JSONResponse(mark.model_dump(mode="json"), 201)

    async def phone(self, request: Request) -> Response:
        """GET the notices on a person's devices: `{token: [{title, text, key, link, …}]}`."""
        screens = self._phones.screens(request.path_params["person"])
        fields = {"title", "text", "key", "link", "action", "data", "at"}
        return JSONResponse({token: [push.model_dump(include=fields) for push in s] for token, s in screens.items()})

    async def target(self, request: Request) -> Response:
        """Recorded, and answered with 200 or as the forwarding receiver does."""
        raw = await request.body()
        headers = {name: request.headers[name] for name in WEBHOOK_HEADERS if name in request.headers}
        text = raw.decode(errors="replace")
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = None
        name = request.path_params["name"]
        call = {"target": name, "headers": headers, "body": body, "raw": text}
        forwarded = await self._world.forwarding.forward(raw, request.headers)
        if forwarded is None:
            self._world.ledger.write(EntryType.DOWNSTREAM, **call)
            return JSONResponse({"received": True})
        became = {"to": forwarded.to, "status": forwarded.status, "error": forwarded.error}
        self._world.ledger.write(EntryType.DOWNSTREAM, **call, forwarded=became)
        return Response(status_code=forwarded.status or 502, headers=dict(forwarded.headers))

    async def forward(self, request: Request) -> Response:
        """POST `{to}` forwards hand-off calls for some seconds, and returns the ledger's last number; DELETE ends
        it.
        """
        if request.method == "DELETE":
            self._world.forwarding.end()
            return Response(status_code=204)
        self._world.forwarding.want(str((await _read(request, Wanted)).to))
        return JSONResponse({"after": len(self._world.ledger.after(0))}, 201)

    async def documents(self, request: Request) -> Response:
        """GET documents with their signers, newest first, without a bearer; filter `external_id`."""
        wanted = request.query_params.get("external_id")
        documents = self._world.memory.documents
        found = documents.where(wanted) if wanted else list(documents)
        return JSONResponse([self._summary(document) for document in reversed(found)])

    async def document_deed(self, request: Request) -> Response:
        """POST `expire` or `delete`."""
        document = self._world.memory.documents.get(request.path_params["uuid"])
        if document is None:
            raise CoreRefusal.missing()
        match request.path_params["deed"]:
            case "expire":
                if not self._world.lifecycle.expire(document):
                    raise CoreRefusal.because(409, f"The document has ended before ({document.status.value}).")
                return JSONResponse(self._summary(document))
            case "delete":
                self._world.lifecycle.delete(document)
                return Response(status_code=204)
        raise CoreRefusal.missing()

    async def signer_deed(self, request: Request) -> Response:
        """POST `sign`, `view`, or `decline` with an optional `{reason}`."""
        case = self._case(request)
        match request.path_params["deed"]:
            case "sign":
                self._world.signing.sign(case)
            case "view":
                self._world.signing.view(case)
            case "decline":
                why = await _read(request, DeclineReason) if await request.body() else DeclineReason()
                self._world.signing.decline(case, why.reason)
            case _:
                raise CoreRefusal.missing()
        return JSONResponse(self._summary(case[2]))

    def _case(self, request: Request) -> Case:
        case = self._world.memory.signer(request.path_params["uuid"])
        if case is None:
            raise CoreRefusal.missing()
        return case

    def _summary(self, document: CoreDocument) -> dict[str, Any]:
        request = self._world.memory.request_of(document)
        on_turn = {signer.uuid for signer in request.signers if is_turn(signer, request)} if request else set()
        return {
            "uuid": document.uuid,
            "external_id": document.external_id,
            "name": document.name,
            "status": document.status.value,
            "request": document.request,
            "signers": [
                {**self._world.views.signer(signer, request), "turn": signer.uuid in on_turn}
                for signer in (request.signers if request else [])
                if request and not signer.is_sender
            ],
        }


async def _read(request: Request, model: type[M]) -> M:
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as trouble:
        faults = [(*map(str, fault["loc"]), fault["msg"]) for fault in trouble.errors()]
        raise CoreRefusal.because(400, "; ".join(": ".join(fault) for fault in faults)) from None


WORDING = {404: "Not found.", 405: 'Method "{}" not allowed.'}


def create_app(settings: SandboxSettings) -> Starlette:
    """With its own world (`app.state.world`)."""
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


# Longer than the clients' keep-alive, so that a pooled connection is not closed under a request.
KEEP_ALIVE = 75
BACKLOG = 2048
GRACE = 1.0


class TearableProtocol(H11Protocol):
    """Gives the application the transport (`scope["state"]["transport"]`), which it may reset."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


@dataclass(frozen=True)
class RunningSandbox:
    """Tests may inspect its `world`, but not act through it."""

    url: str
    app: Starlette
    world: World


@asynccontextmanager
async def running(
    settings: SandboxSettings | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[RunningSandbox]:
    """Port 0 takes a free one."""
    app = create_app(settings or SandboxSettings())
    world: World = app.state.world
    async with app.router.lifespan_context(app), serving(app, host=host, port=port) as url:
        world.views.base_url = url
        yield RunningSandbox(url, app, world)


@asynccontextmanager
async def serving(app: Starlette, *, host: str, port: int) -> AsyncIterator[str]:
    """Yields the URL; open connections are reset at the end."""
    state = ServerState()
    config = uvicorn.Config(
        app, lifespan="off", ws="none", log_config=None, access_log=False, timeout_keep_alive=KEEP_ALIVE
    )
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: TearableProtocol(config, state, {}), host, port, backlog=BACKLOG
    )
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{_port(server)}"
    finally:
        server.close()
        await _end(state)
        await server.wait_closed()


def _port(server: asyncio.Server) -> int:
    bound: socket.socket = server.sockets[0]
    return int(bound.getsockname()[1])


async def _end(state: ServerState) -> None:
    for connection in list(state.connections):
        connection.transport.abort()
    # An answer that is slow on purpose ends by itself when its client is gone.
    if tasks := list(state.tasks):
        _, stuck = await asyncio.wait(tasks, timeout=GRACE)
        for task in stuck:
            task.cancel()
    while state.connections:  # noqa: ASYNC110  the server has no event for this, and it takes one turn of the loop
        await asyncio.sleep(0)
