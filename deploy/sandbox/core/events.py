"""`/api/v1/events/`: what happened, and whether it was told."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.sandbox.core.paging import filters, page
from deploy.sandbox.records import CoreEvent
from deploy.sandbox.refusal import CoreRefusal
from deploy.sandbox.world import World

FILTERS = {
    "document__uuid": "document",
    "document__external_id": "external_id",
    "event_type": "event_type",
    "status": "status",
}


class EventsApi:
    """Read and list, newest first."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Relative to `/api/v1`."""
        return [Route("/events/", self.collection), Route("/events/{uuid}/", self.item)]

    async def collection(self, request: Request) -> Response:
        """GET a list, filtered by `FILTERS` and `delivered`; a new event is on it after the lag of lists."""
        return JSONResponse(page(request, self._world.views, self._found(request), self._world.views.event))

    async def item(self, request: Request) -> Response:
        """GET one event."""
        event = self._world.memory.events.get(request.path_params["uuid"])
        if event is None:
            raise CoreRefusal.missing()
        return JSONResponse(self._world.views.event(event))

    def _found(self, request: Request) -> list[CoreEvent]:
        query = filters(request, self._world.settings)
        wanted = {field: query[name] for name, field in FILTERS.items() if query.get(name)}
        if query.get("delivered"):
            wanted["delivered"] = query["delivered"].lower()
        events = self._world.memory.events
        pool = events.where(wanted["document"]) if "document" in wanted else list(events)
        shown_until = self._world.settings.clock() - self._world.settings.list_lag
        listed = [event for event in reversed(pool) if event.timestamp <= shown_until]
        return [event for event in listed if all(_text(event, name) == wanted[name] for name in wanted)]


def _text(event: CoreEvent, field: str) -> str:
    value = getattr(event, field)
    return str(value).lower() if isinstance(value, bool) else str(value)
