"""The addresses of the pages for people."""

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from deploy.sandbox.pages.inbox import InboxPages
from deploy.sandbox.pages.index import IndexPage
from deploy.sandbox.pages.rendering import HERE
from deploy.sandbox.pages.signing import SigningPages
from deploy.sandbox.pages.switches import SwitchPage
from deploy.sandbox.push.phones import PhoneNetwork
from deploy.sandbox.world import World


def page_routes(world: World, phones: PhoneNetwork) -> list[BaseRoute]:
    """Inbox, signing page, index, switches and their assets."""
    return [
        *InboxPages(world, phones).routes(),
        *SigningPages(world).routes(),
        *IndexPage(world).routes(),
        *SwitchPage(world).routes(),
        Mount("/assets", StaticFiles(directory=HERE / "assets")),
    ]
