"""The AppWorks gateway's push: `POST /deployments/notifications/{app}/fcm-push`."""

import hmac
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.sandbox.ledger import EntryType
from deploy.sandbox.push.phones import PhoneNetwork
from deploy.sandbox.records import Push
from deploy.sandbox.world import World

RECIPIENTS = ("users", "clientIds", "otdsGroups", "runtimes")
CONTENT = ("title", "summary", "data")
TEXTS = ("title", "summary", "collapseKey")

Json = dict[str, Any]


class AppWorksApi:
    """Takes one message for many users; tells nothing about single devices."""

    def __init__(self, world: World, phones: PhoneNetwork) -> None:
        self._world = world
        self._phones = phones

    def routes(self) -> list[Route]:
        """Relative to the root."""
        return [Route("/deployments/notifications/{app}/fcm-push", self.send, methods=["POST"])]

    async def send(self, request: Request) -> Response:
        """200 `{"success": true}`, or `{key, errorMessage, entity, status}`."""
        settings = self._world.settings
        if not hmac.compare_digest(request.headers.get("otagappkey", "").encode(), settings.push_app_key.encode()):
            return self._refuse(401, "unauthorized", "The application key is missing or wrong.")
        if request.path_params["app"] != settings.push_app:
            return self._refuse(404, "app.unknown", "No such application is deployed.")
        try:
            body = await request.json()
        except ValueError:
            return self._refuse(400, "body.unreadable", "The body is not JSON.")
        if trouble := _trouble(body):
            return self._refuse(400, "request.invalid", trouble)
        for user in body.get("users", []):
            self._phones.keep(self._push(user, body))
        return JSONResponse({"success": True})

    def _push(self, user: str, body: Json) -> Push:
        data = {name: str(value) for name, value in body.get("data", {}).items()}
        inner = body.get("data", {}).get(self._world.settings.push_app, {})
        known = inner if isinstance(inner, dict) else {}
        return Push(
            at=self._world.settings.clock(),
            person=user,
            token=None,
            key=body.get("collapseKey"),
            title=body.get("title"),
            text=body.get("summary"),
            link=known.get("link") or data.get("link"),
            action=known.get("action") or data.get("action"),
            data=data,
            message=body,
        )

    def _refuse(self, status: int, key: str, message: str) -> Response:
        self._world.ledger.write(EntryType.PUSH_REFUSED, token=None, status=status, code=key)
        return JSONResponse({"key": key, "errorMessage": message, "entity": None, "status": status}, status)


def _trouble(body: Any) -> str | None:
    if not isinstance(body, dict):
        return "An object is expected."
    if not any(body.get(name) for name in CONTENT):
        return "One of title, summary and data is required."
    if not body.get("broadcast") and not any(body.get(name) for name in RECIPIENTS):
        return "At least one recipient is required."
    texts = [body[name] for name in TEXTS if body.get(name) is not None]
    users, data = body.get("users", []), body.get("data", {})
    if not isinstance(users, list) or not isinstance(data, dict):
        return "users has to be a list, data a map."
    if not all(isinstance(text, str) for text in [*texts, *users]):
        return "Texts and users have to be strings."
    return None
