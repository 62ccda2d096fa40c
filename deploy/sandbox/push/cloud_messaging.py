"""OpenText cloud messaging: `POST /mra/v1/outbound/sms` and `/emails`, and the state of a job."""

import base64
import hmac
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.sandbox.ledger import EntryType
from deploy.sandbox.mailroom import Mailroom
from deploy.sandbox.records import new_uuid
from deploy.sandbox.world import World

Json = dict[str, Any]


class CloudMessagingApi:
    """Takes one message for one or more destinations and calls it a job; it arrives at once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._mailroom: Mailroom = world.mailroom
        self._jobs: dict[str, str] = {}

    def routes(self) -> list[Route]:
        """Relative to the root."""
        return [
            Route("/mra/v1/outbound/sms", self.texts, methods=["POST"]),
            Route("/mra/v1/outbound/emails", self.mails, methods=["POST"]),
            Route("/mra/v1/outbound/{kind}/status/{job}", self.state),
        ]

    async def texts(self, request: Request) -> Response:
        """200 `{"job_id"}` once every number has the text."""
        return await self._take(request, "sms", lambda body: body["sms_text"])

    async def mails(self, request: Request) -> Response:
        """200 `{"job_id"}` once every mailbox has the mail."""
        return await self._take(request, "email", lambda body: base64.b64decode(body["body"][0]["data"]).decode())

    async def state(self, request: Request) -> Response:
        """What became of a job."""
        if not self._knows(request):
            return _refusal(401, "unauthorized")
        if request.path_params["job"] not in self._jobs:
            return _refusal(404, "no such job")
        state = self._world.message_state
        ended = "Completed" if state in ("Sent", "Error") else "InProcess"
        return JSONResponse({"job_state": [ended], "deliveries": [{"delivery_attempts": [{"state": state}]}]})

    async def _take(self, request: Request, kind: str, text_of: Any) -> Response:
        if not self._knows(request):
            return _refusal(401, "unauthorized")
        try:
            body = await request.json()
            addresses = [destination[kind] for destination in body["destinations"]]
            text = text_of(body)
            subject = body["options"]["email_options"]["subject"] if kind == "email" else ""
        except (ValueError, KeyError, TypeError, IndexError):
            return _refusal(400, "the message is malformed")
        if not addresses or not all(isinstance(word, str) and word for word in [*addresses, text]):
            return _refusal(400, "a destination and a text are required")
        job = f"xsi-{new_uuid()}"
        self._jobs[job] = kind
        for address in addresses:
            self._mailroom.deliver(address, kind=kind, subject=subject, text=text)
            reference = request.headers.get("x-mra-submitid")
            self._world.ledger.write(EntryType.MESSAGE, job=job, kind=kind, to=address, text=text, reference=reference)
        return JSONResponse({"job_id": job})

    def _knows(self, request: Request) -> bool:
        settings = self._world.settings
        pair = base64.b64encode(f"{settings.mra_user}:{settings.mra_password}".encode()).decode()
        return hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Basic {pair}".encode())


def _refusal(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message}}, status)
