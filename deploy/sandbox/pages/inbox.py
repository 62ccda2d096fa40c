"""`/inbox/{person}`: what a person's phones and mailbox show, drawn only from what was really received."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.sandbox.pages.rendering import render
from deploy.sandbox.push.phones import PhoneNetwork
from deploy.sandbox.records import Push
from deploy.sandbox.world import World


@dataclass(frozen=True)
class PhoneScreen:
    """One device and the notices on it, newest first."""

    name: str
    notices: list[Push]


class InboxPages:
    """The page and the part of it that the page's script fetches anew."""

    def __init__(self, world: World, phones: PhoneNetwork) -> None:
        self._world = world
        self._phones = phones

    def routes(self) -> list[Route]:
        """Relative to the root."""
        return [Route("/inbox/{person}", self.page), Route("/inbox/{person}/screen", self.screen)]

    async def page(self, request: Request) -> Response:
        """GET the whole page; it is complete without its script."""
        return self._render("inbox.html", request)

    async def screen(self, request: Request) -> Response:
        """GET the lists alone."""
        return self._render("screen.html", request)

    def _render(self, template: str, request: Request) -> Response:
        person = request.path_params["person"]
        mails = list(reversed(self._world.memory.mails.where(person.lower())))
        screens = [PhoneScreen(_device(token), notices) for token, notices in self._phones.screens(person).items()]
        now = self._world.settings.clock()
        return render(template, person=person, screens=screens, mails=mails, now=now)


def _device(token: str) -> str:
    _, tilde, number = token.rpartition("~")
    return f"Phone {number}" if tilde else "App"
