"""From what stands at the desk to an answer: templates, one style, and headers that let a page do nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from activities.people.language import Language
from starter.web.desk.cards import Card
from starter.web.pages.rendering import ICON_PATH, LOGO_PATH, OURS, PRIVATE, STYLE, TEMPLATES, Brand, policy

_TEMPLATES: Final = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Frame:
    """What stands around a page: its reader's language, who is in, and where else they can go."""

    language: Language
    name: str = ""
    """Who is in, empty for nobody."""
    tabs: tuple["Tab", ...] = ()
    token: str = ""
    leave: bool = False
    """Whether they can sign out here."""


@dataclass(frozen=True)
class Tab:
    """One view, and whether it is the one that is shown."""

    path: str
    label: str
    here: bool = False


class DeskRenderer:
    """Renders the pages below `root`, the path of the desk as browsers see it."""

    def __init__(self, root: str, brand: Brand = OURS) -> None:
        self._environment = _environment(root, brand)
        self._root = root
        self.headers: Final[Mapping[str, str]] = PRIVATE | {"content-security-policy": policy(_style())}

    def card(self, card: Card, frame: Frame) -> Response:
        """The page of a card that was told."""
        wait = {"retry-after": str(card.retry_after)} if card.retry_after else {}
        return self.page("card.html", frame, status=card.status, headers=wait, card=card)

    def page(
        self, template: str, frame: Frame, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> Response:
        """A page of one of the templates."""
        told = {"frame": frame, "say": frame.language.say, "say_count": frame.language.say_count}
        html = self._environment.get_template(template).render(**told, **values)
        return HTMLResponse(html, status, {**self.headers, **(headers or {})})

    def onward(self, path: str = "") -> Response:
        """Send the browser on to a page of the desk, by a GET."""
        location = f"{self._root}/{path}" if path else self._root
        return Response(status_code=303, headers={**self.headers, "location": location})


@cache
def _environment(root: str, brand: Brand) -> Environment:
    """Compiles each template once, however many desks there are at this path."""
    environment = Environment(
        loader=FileSystemLoader((_TEMPLATES, TEMPLATES)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    above = root.removesuffix("/desk")
    environment.globals |= {"root": root, "brand": brand, "logo": f"{above}{LOGO_PATH}", "icon": f"{above}{ICON_PATH}"}
    # The style is ours and hashed in the policy as it is, so it must not be escaped.
    environment.globals |= {"style": Markup(_style())}  # noqa: S704
    return environment


@cache
def _style() -> str:
    return STYLE.read_text() + (_TEMPLATES / "desk.css").read_text()
