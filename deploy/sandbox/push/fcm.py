"""FCM's HTTP v1 send: `POST /v1/projects/{project}/messages:send`."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.sandbox.ledger import EntryType
from deploy.sandbox.push.errors import FcmRefused
from deploy.sandbox.push.phones import PhoneNetwork, address_of
from deploy.sandbox.push.rules import validate
from deploy.sandbox.push.schema import parsed
from deploy.sandbox.tokens import TokenEndpoint, bearer
from deploy.sandbox.world import World

Json = dict[str, Any]
SENDER_PERMISSION = "Permission 'cloudmessaging.messages.create' denied on the project."


class FcmApi:
    """Takes a message for one target, refuses what the real service refuses."""

    def __init__(self, world: World, phones: PhoneNetwork) -> None:
        self._world = world
        self._phones = phones

    def routes(self) -> list[Route]:
        """Relative to the root; the push service issues tokens of its own."""
        world = self._world
        endpoint = TokenEndpoint(world.push_tokens, world.ledger, world.settings.token_lifetime)
        return [
            Route("/push/oauth2/token", endpoint.answer, methods=["POST"]),
            Route("/v1/projects/{project}/messages:send", self.send, methods=["POST"]),
        ]

    async def send(self, request: Request) -> Response:
        """200 `{"name"}` once the device has the message, else FCM's error body."""
        message: Json = {}
        try:
            self._authorise(request)
            body = parsed(await _json(request))
            message = body.get("message", {})
            return JSONResponse({"name": self._deliver(message, request, only_check=body.get("validate_only", False))})
        except FcmRefused as refusal:
            facts = {"token": address_of(message), "status": refusal.status, "code": refusal.error_code}
            self._world.ledger.write(EntryType.PUSH_REFUSED, **facts)
            return JSONResponse(refusal.body(), refusal.status)

    def _authorise(self, request: Request) -> None:
        token = bearer(request)
        if token is None or not self._world.push_tokens.accepts(token):
            raise FcmRefused(401, "Request had invalid authentication credentials. Expected OAuth 2 access token.")
        if request.path_params["project"] != self._world.settings.push_project:
            raise FcmRefused(403, SENDER_PERMISSION)

    def _deliver(self, message: Json, request: Request, *, only_check: bool) -> str:
        validate(message)
        person = self._phones.check_message(message) or "topic"
        prefix = f"projects/{request.path_params['project']}/messages/"
        if only_check:
            return prefix + "fake_message_id"
        return prefix + self._phones.receive(person, message).uuid


async def _json(request: Request) -> Any:
    try:
        body = await request.json()
        # JSON can spell half a surrogate pair; Google's parser takes no such text.
        json.dumps(body, ensure_ascii=False).encode()
        return body
    except ValueError:
        raise FcmRefused.unparsable("", "The body is not JSON.") from None
