"""`/api/v1/webhooks/`: subscriptions, one type of event each."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.sandbox.core.fields import Fields, read_fields
from deploy.sandbox.core.paging import page
from deploy.sandbox.records import Webhook
from deploy.sandbox.refusal import CoreRefusal
from deploy.sandbox.world import World

EVENT_TYPES = frozenset(
    {
        "convert_error",
        "converted",
        "sending_error",
        "sent",
        "declined",
        "cancelled",
        "expired",
        "signed",
        "viewed",
        "downloaded",
        "signer_signed",
        "signer_email_bounced",
        "signer_viewed_email",
        "signer_viewed",
        "signer_forwarded",
        "signer_downloaded",
        "signrequest_received",
    }
)


class WebhooksApi:
    """Create, read, list, change, delete."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Relative to `/api/v1`."""
        return [
            Route("/webhooks/", self.collection, methods=["GET", "POST"]),
            Route("/webhooks/{uuid}/", self.item, methods=["GET", "PUT", "PATCH", "DELETE"]),
        ]

    async def collection(self, request: Request) -> Response:
        """POST a subscription or GET the list, newest first."""
        hooks = self._world.memory.webhooks
        if request.method == "GET":
            found = list(reversed(list(hooks)))
            return JSONResponse(page(request, self._world.views, found, self._world.views.webhook))
        read = _read(await read_fields(request), None)
        hook = Webhook(created=self._world.settings.clock(), **read)
        return JSONResponse(self._world.views.webhook(hooks.save(hook)), 201)

    async def item(self, request: Request) -> Response:
        """GET, PUT, PATCH or DELETE one subscription."""
        hooks = self._world.memory.webhooks
        hook = hooks.get(request.path_params["uuid"])
        if hook is None:
            raise CoreRefusal.missing()
        if request.method in {"PUT", "PATCH"}:
            read = _read(await read_fields(request), hook if request.method == "PATCH" else None)
            hooks.drop(hook)
            hook = hooks.save(hook.model_copy(update=read))
        if request.method == "DELETE":
            hooks.drop(hook)
            return Response(status_code=204)
        return JSONResponse(self._world.views.webhook(hook))


def _read(fields: Fields, known: Webhook | None) -> dict[str, str]:
    event_type = fields.text("event_type", required=known is None)
    if event_type is not None and event_type not in EVENT_TYPES:
        fields.fail("event_type", f'"{event_type}" is not a valid choice.')
    callback_url = fields.url("callback_url", required=known is None)
    name = fields.text("name")
    fields.check()
    read = {"event_type": event_type, "callback_url": callback_url, "name": name}
    return {key: value for key, value in read.items() if value is not None}
