"""The control API under `/_sandbox/`: ledger, faults, devices, and actions on documents and signers."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.sandbox.core_signature.service import CoreSignature
from deploy.sandbox.http.errors import HttpRefusal, read_body
from deploy.sandbox.push.phones import DeviceState, PhoneNetwork
from deploy.sandbox.state.faults import ArmedFault
from deploy.sandbox.state.records import CoreDocument

LONGEST_NUMBER = 12
NOTICE_FIELDS = {"title", "text", "key", "link", "action", "data", "at"}


class DeviceMark(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: str
    state: DeviceState


class DeclineReason(BaseModel):
    reason: str = ""


class TagInput(BaseModel):
    external_id: str
    text: str | None = None
    checkbox_value: bool | None = None
    date_value: str | None = None


class Verification(BaseModel):
    word: str


class Signing(BaseModel):
    inputs: list[TagInput] = []


class ControlApi:
    def __init__(self, core: CoreSignature, phones: PhoneNetwork) -> None:
        self._core = core
        self._state = core.state
        self._phones = phones

    def routes(self) -> list[Route]:
        return [
            Route("/_sandbox/ledger", self.ledger, methods=["GET"]),
            Route("/_sandbox/faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/_sandbox/devices", self.devices, methods=["POST"]),
            Route("/_sandbox/phones/{person}", self.phone, methods=["GET"]),
            Route("/_sandbox/documents", self.documents, methods=["GET"]),
            Route("/_sandbox/documents/{uuid}/{action}", self.act_on_document, methods=["POST"]),
            Route("/_sandbox/signers/{uuid}/{action}", self.act_as_signer, methods=["POST"]),
        ]

    async def ledger(self, request: Request) -> Response:
        last_seen_number = request.query_params.get("after", "0")
        if not last_seen_number.isdecimal() or len(last_seen_number) > LONGEST_NUMBER:
            raise HttpRefusal.because(400, "after has to be a number")
        return JSONResponse(self._state.ledger.list_entries_after(int(last_seen_number)))

    async def faults(self, request: Request) -> Response:
        """POST arms one, GET lists all, DELETE clears all."""
        if request.method == "GET":
            return JSONResponse([fault.summary() for fault in self._state.faults.armed()])
        if request.method == "DELETE":
            self._state.faults.clear()
            return Response(status_code=204)
        fault = await read_body(request, ArmedFault)
        self._state.arm(fault)
        return JSONResponse(fault.summary(), 201)

    async def devices(self, request: Request) -> Response:
        """POST `{token, state}`."""
        mark = await read_body(request, DeviceMark)
        self._phones.mark(mark.token, mark.state)
        return JSONResponse(mark.model_dump(mode="json"), 201)

    async def phone(self, request: Request) -> Response:
        """GET the notices on a person's devices: `{token: [{title, text, key, link, …}]}`."""
        screens = self._phones.screens(request.path_params["person"])
        notices = {token: [push.model_dump(include=NOTICE_FIELDS) for push in s] for token, s in screens.items()}
        return JSONResponse(notices)

    async def documents(self, request: Request) -> Response:
        """GET documents with their signers, newest first, without a bearer; filter `external_id`."""
        external_id = request.query_params.get("external_id")
        documents = self._state.database.documents
        matching_documents = documents.where(external_id) if external_id else list(documents)
        return JSONResponse([self._summary(document) for document in reversed(matching_documents)])

    async def act_on_document(self, request: Request) -> Response:
        """POST `expire` or `delete`."""
        document = self._state.database.documents.get(request.path_params["uuid"])
        if document is None:
            raise HttpRefusal.missing()
        match request.path_params["action"]:
            case "expire":
                if not self._core.expire(document):
                    raise HttpRefusal.because(409, f"The document has ended before ({document.status.value}).")
                return JSONResponse(self._summary(document))
            case "delete":
                self._core.delete(document)
                return Response(status_code=204)
        raise HttpRefusal.missing()

    async def act_as_signer(self, request: Request) -> Response:
        """POST `view`, `verify` with `{word}`, `sign` with optional `{inputs}` of tags, or `decline` with an optional
        `{reason}`.
        """
        case = self._state.database.signer(request.path_params["uuid"])
        if case is None:
            raise HttpRefusal.missing()
        match request.path_params["action"]:
            case "sign":
                signing = await read_body(request, Signing) if await request.body() else Signing()
                self._core.sign(case, [tag.model_dump() for tag in signing.inputs])
            case "view":
                self._core.view(case)
            case "verify":
                self._core.verify(case, (await read_body(request, Verification)).word)
            case "decline":
                body = await read_body(request, DeclineReason) if await request.body() else DeclineReason()
                self._core.decline(case, body.reason)
            case _:
                raise HttpRefusal.missing()
        return JSONResponse(self._summary(case[2]))

    def _summary(self, document: CoreDocument) -> dict[str, Any]:
        request = self._state.database.request_of(document)
        return {
            "uuid": document.uuid,
            "external_id": document.external_id,
            "name": document.name,
            "status": document.status.value,
            "request": document.request,
            "security_hash": document.final,
            "signers": [
                {**self._core.views.signer(signer, request), "turn": request.is_turn(signer)}
                for signer in (request.signers if request else [])
                if request and not signer.is_sender
            ],
        }
