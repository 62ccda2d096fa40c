"""`/faults`: what goes wrong at the vendors, to be tried by hand; the same book that `/_sandbox/faults` writes into."""

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from deploy.sandbox.faults import ArmedFault
from deploy.sandbox.ledger import EntryType
from deploy.sandbox.pages.rendering import render
from deploy.sandbox.world import World

SWITCHES: dict[str, dict[str, object]] = {
    "Core Signature is down": {"path": "/api/v1/*", "fault": "503"},
    "Core Signature is slow, three seconds an answer": {"path": "/api/v1/*", "fault": "slow", "delay": 3},
    "Core Signature refuses our credentials": {"path": "/api/v1/*", "fault": "401"},
    "Core Signature throttles us": {"path": "/api/v1/*", "fault": "429", "retry_after": 5},
    "answers to created documents are lost": {"method": "POST", "path": "/api/v1/documents/", "fault": "cut"},
    "the push service is down": {"path": "*/messages:send", "fault": "503"},
    "callbacks never come": {"method": "CALLBACK", "fault": "drop"},
    "callbacks come twice": {"method": "CALLBACK", "fault": "duplicate"},
    "callbacks are forged": {"method": "CALLBACK", "fault": "forge"},
}
"""The faults that people try first, by what they are called; everything else is for the programs."""
HOW_OFTEN = {"once": 1, "ten times": 10, "until it is mended": None}


class SwitchPage:
    """The page with the switches, and the two things that its forms do."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Relative to the root."""
        return [Route("/faults", self.page, methods=["GET", "POST"])]

    async def page(self, request: Request) -> Response:
        """GET shows what is armed; POST `fault` and `times` arms one, POST `mend` clears all, and leads back to GET."""
        if request.method == "POST":
            form = await request.form()
            if form.get("mend"):
                self._world.faults.clear()
            else:
                self._arm(str(form.get("fault", "")), str(form.get("times", "")))
            return RedirectResponse("/faults", 303)
        armed = [fault.shown() for fault in self._world.faults.armed()]
        return render("faults.html", switches=SWITCHES, often=HOW_OFTEN, armed=armed)

    def _arm(self, name: str, times: str) -> None:
        if name not in SWITCHES or times not in HOW_OFTEN:
            return
        try:
            fault = ArmedFault.model_validate({**SWITCHES[name], "times": HOW_OFTEN[times]})
        except ValidationError:
            return
        self._world.faults.arm(fault)
        self._world.ledger.write(EntryType.FAULT_ARMED, **fault.model_dump(mode="json", exclude_defaults=True))
