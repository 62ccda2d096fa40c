"""Where the story plays: the request, the clock that is moved, the phones and the sandbox's ledger that is believed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from temporalio.testing import TimeSkipper

from activities.http.calling import Service, make_client
from deploy.demo.browser import Browser, Page
from starter import requests
from starter.context import Context
from starter.exits import Refusal
from starter.fast_forward import forward
from starter.settings import Settings
from workflows.kinds import Kind
from workflows.model.views import RequestShow

_SEEN_WITHIN: Final = 15.0
_GLANCE: Final = 0.1
_BREATH: Final = timedelta(seconds=1)
"""Beyond the instant itself, so that what is due then is due."""

Entry = dict[str, Any]
T = TypeVar("T")


class NotSeen(Refusal):
    """A step of the story did not show: what was expected, and what was there instead."""

    def __init__(self, expected: str, instead: str) -> None:
        super().__init__(f"expected {expected}, but saw {instead}")


class Scene:
    """One request on one stack."""

    def __init__(self, context: Context, settings: Settings) -> None:
        if settings.around.dev is None:
            raise Refusal("the demo plays on a laptop stack only")
        self.context = context
        self.settings = settings
        self.addresses = settings.around.dev
        self.request = ""
        self._browser = Browser()
        self._sandbox = Service("the sandbox", self.addresses.sandbox, make_client())
        self._ledger: list[Entry] = []

    @property
    def example(self) -> Path:
        """The request file that the stack laid out."""
        return self.settings.data_dir / "example" / "msa.yaml"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._browser.aclose()
        await self._sandbox.aclose()

    async def now(self) -> datetime:
        """The request's own date; today before there is one."""
        if not self.request:
            return datetime.now(UTC)
        handle = self.context.client.get_workflow_handle(Kind.REQUEST.workflow_id(self.request))
        return await TimeSkipper(self.context.client).get_current_time(handle)

    async def forward(self, span: timedelta) -> None:
        """Let this much time pass for the request."""
        await forward(self.context.client, self.request, span)

    async def forward_to_next(self, what: str) -> datetime:
        """Let time pass until the next thing is due, which must be this one; the instant it was planned for."""
        at = await self.until(f"{what} as what is next", lambda: self._planned(what))
        await self.forward(at - await self.now() + _BREATH)
        return at

    async def _planned(self, what: str) -> datetime | None:
        following = (await self.shown()).next
        return following.at if following and following.what == what else None

    async def shown(self) -> RequestShow:
        """The answer of `request show`."""
        return await requests.show(self.context, self.request)

    async def ledger(self, type: str, **facts: str) -> list[Entry]:
        """The sandbox's entries of this type with these facts, oldest first."""
        answer = await self._sandbox.call("GET", "/_sandbox/ledger", query={"after": len(self._ledger)})
        fresh = answer.json()
        self._ledger += fresh if isinstance(fresh, list) else []
        return [
            entry
            for entry in self._ledger
            if entry["type"] == type and all(entry.get(name) == value for name, value in facts.items())
        ]

    async def pushes(self, person: str, stage: str) -> list[Entry]:
        """What really arrived on a person's phones for this stage."""
        return [push for push in await self.ledger("push", person=person) if push["data"].get("stage") == stage]

    async def visible(self, person: str) -> list[Entry]:
        """What stands on the screens of a person's phones now."""
        answer = await self._sandbox.call("GET", f"/_sandbox/phones/{person}")
        screens = answer.json()
        return [notice for notices in screens.values() for notice in notices] if isinstance(screens, dict) else []

    async def signs(self, person: str) -> Page:
        """Tap the notice, press the button of our page, press the button of Core Signature's page."""
        notices = await self.until(f"a notice on the phone of {person}", lambda: self.visible(person))
        page = await self._browser.open(notices[-1]["link"])
        return await self._browser.press(await self._browser.press(page))

    async def signs_by_mail(self, person: str) -> Page:
        """Open the link of Core Signature's mail, which stands in the inbox, and press the button of its page."""
        inbox = f"{self.addresses.sandbox}/inbox/{person}"
        links = await self.until(f"a mail to {person}", lambda: self._browser.links(inbox, containing="from=mail"))
        return await self._browser.press(await self._browser.open(links[-1]))

    async def opens(self, link: str) -> Page:
        """The page that a link leads to."""
        return await self._browser.open(link)

    async def until(self, expected: str, probe: Callable[[], Awaitable[T | None]]) -> T:
        """Look until the probe finds something; `NotSeen` with what it found last when it takes too long."""
        found = await probe()
        try:
            async with asyncio.timeout(_SEEN_WITHIN):
                while not found:
                    await asyncio.sleep(_GLANCE)
                    found = await probe()
        except TimeoutError:
            raise NotSeen(expected, await self._instead()) from None
        return found

    async def _instead(self) -> str:
        if not self.request:
            return "nothing"
        shown = await self.shown()
        return f"“{shown.says}”, last: {shown.timeline[-1].what if shown.timeline else 'nothing'}"
