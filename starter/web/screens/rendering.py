"""Renders pages from one set of templates, with headers that forbid everything else."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from activities.people.language import Language
from starter.errors import Refusal
from starter.web.screens.screens import DeviceOffer, Screen
from workflows.model.rejections import TEXT_AT_MOST

LOGO_AT_MOST: Final = 256 * 1024
"""In bytes: phones load it."""
LOGO_PATH: Final = "/company-logo"
ICON_PATH: Final = "/icon.svg"
_KINDS: Final = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"<svg": "image/svg+xml",
    b"<?xml": "image/svg+xml",
}
_EMAIL: Final = re.compile(r"[^@\s:?&]+@[^@\s:?&]+")
_PHONE: Final = re.compile(r"\+[0-9][0-9 ()/.-]{4,}")
_HEADERS: Final = {
    "cache-control": "public, max-age=3600",
    "x-content-type-options": "nosniff",
    # Opened by itself, a drawing could run scripts in our name.
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}
TEMPLATES: Final = Path(__file__).parents[1] / "templates"
PRIVATE: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
    "cross-origin-opener-policy": "same-origin",
}
"""Headers of every page."""
_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


class UnusableLogo(Refusal):
    """The file of the logo cannot be shown."""


@dataclass(frozen=True)
class Logo:
    content: bytes
    media_type: str

    @classmethod
    def read(cls, path: Path) -> "Logo":
        """Raises `UnusableLogo` unless it is a small PNG, JPEG or SVG."""
        try:
            with path.open("rb") as file:
                content = file.read(LOGO_AT_MOST + 1)
        except OSError as fault:
            raise UnusableLogo(f"COUNTERSIGN_COMPANY_LOGO: cannot be read ({fault.strerror})") from None
        if len(content) > LOGO_AT_MOST:
            raise UnusableLogo(f"COUNTERSIGN_COMPANY_LOGO: is larger than {LOGO_AT_MOST // 1024} KiB")
        begins = content.removeprefix(b"\xef\xbb\xbf").lstrip()
        kind = next((kind for magic, kind in _KINDS.items() if begins.startswith(magic)), None)
        if kind is None:
            raise UnusableLogo("COUNTERSIGN_COMPANY_LOGO: must be a PNG, JPEG or SVG file")
        return cls(content, kind)


@dataclass(frozen=True)
class Brand:
    """Name, logo and contact of the company; ours without."""

    name: str = ""
    logo: Logo | None = None
    contact: str = ""

    @classmethod
    def from_settings(cls, name: str, logo: Path | None, contact: str = "") -> "Brand":
        """Raises `UnusableLogo`."""
        return cls(name, Logo.read(logo) if logo else None, contact)

    @property
    def contact_at(self) -> str:
        """Address of the contact: mail, phone or web; empty for other texts."""
        if _EMAIL.fullmatch(self.contact):
            return f"mailto:{self.contact}"
        if _PHONE.fullmatch(self.contact):
            return f"tel:{re.sub(r'[^+0-9]', '', self.contact)}"
        return self.contact if self.contact.startswith("https://") and " " not in self.contact else ""

    def routes(self) -> list[BaseRoute]:
        icon = Route(ICON_PATH, self._show_icon, methods=["GET"])
        return [icon, Route(LOGO_PATH, self._show, methods=["GET"])] if self.logo else [icon]

    async def _show_icon(self, _: Request) -> Response:
        return Response(_file("icon.svg"), media_type="image/svg+xml", headers=_HEADERS)

    async def _show(self, _: Request) -> Response:
        logo = self.logo or Logo(b"", "image/png")
        return Response(logo.content, media_type=logo.media_type, headers=_HEADERS)


OURS: Final = Brand()


@dataclass(frozen=True)
class Tab:
    """A view of the desk."""

    path: str
    label: str
    is_current: bool = False


@dataclass(frozen=True)
class Frame:
    """Header of a desk page: `name` is the visitor's."""

    name: str = ""
    tabs: tuple[Tab, ...] = ()
    token: str = ""


class Renderer:
    """Renders pages behind links, or those of the desk at the path `desk`.

    `destination` is another site that a form may lead to, `script` what the pages may run. Pages that a browser may
    install, and be notified from, are `installable`.
    """

    def __init__(
        self,
        brand: Brand = OURS,
        *,
        desk: str = "",
        destination: str = "",
        script: str = "",
        installable: bool = False,
    ) -> None:
        style = "".join(map(_file, ("page.css", "desk.css") if desk else ("page.css",)))
        # Relative behind a link, so that a proxy may put our pages below any path.
        above = desk.rpartition("/")[0] if desk else ".."
        self._root = desk
        self._values = {
            "root": desk,
            "brand": brand,
            "above": above,
            "installable": installable,
            "logo": f"{above}{LOGO_PATH}",
            "favicon": f"{above}{ICON_PATH}",
            "longest_text": TEXT_AT_MOST,
            # Ours, and hashed in the policy as it is, so it must not be escaped.
            "style": Markup(style),  # noqa: S704
            "script": Markup(script),  # noqa: S704
        }
        csp = _policy(style, _destinations(destination), script, installable=installable)
        self.headers: Final[Mapping[str, str]] = PRIVATE | {"content-security-policy": csp}

    def rendered(self, template: str, language: Language, **values: Any) -> str:
        """The HTML of a template."""
        say = {"language": language, "say": language.say, "say_count": language.say_count}
        return _ENVIRONMENT.get_template(template).render(
            {"frame": None, "device": None, **self._values, **say, **values}
        )

    def page(
        self,
        template: str,
        language: Language,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        html = self.rendered(template, language, **values)
        return HTMLResponse(html, status, {**self.headers, **(headers or {})})

    def screen(
        self, screen: Screen, token: str = "", frame: Frame | None = None, device: DeviceOffer | None = None
    ) -> Response:
        """The page of a screen; `token` goes into its forms."""
        wait = {"retry-after": str(screen.retry_after)} if screen.retry_after else {}
        values = {"screen": screen, "token": token, "frame": frame, "device": device}
        return self.page("screen.html", screen.language, status=screen.status, headers=wait, **values)

    def picture(self, content: bytes | None) -> Response:
        """A PNG, or 404."""
        status = 404 if content is None else 200
        return Response(content or b"", status, media_type="image/png", headers=dict(self.headers))

    def onward(self, url: str) -> Response:
        """Redirect to a GET."""
        return Response(status_code=303, headers={**self.headers, "location": url})

    def to_desk(self, path: str = "") -> Response:
        """Redirect to a page of the desk."""
        return self.onward(self.at_desk(path))

    def at_desk(self, path: str = "") -> str:
        """The address of a page of the desk, as browsers see it."""
        return f"{self._root}/{path}" if path else self._root


@cache
def _file(name: str) -> str:
    return (TEMPLATES / name).read_text()


def _policy(style: str, destinations: str = "", script: str = "", *, installable: bool = False) -> str:
    """Content security policy: this style, our pictures, forms to us and `destinations`.

    With `script` it may run this one, which may call us; `installable` allows our manifest and service worker.
    """
    live = f"script-src 'sha256-{_digest(script)}'; connect-src 'self'; " if script else ""
    live += "manifest-src 'self'; worker-src 'self'; " if installable else ""
    # Browsers hold `form-action` against the redirect that answers a form as well.
    return (
        f"default-src 'none'; img-src 'self'; style-src 'sha256-{_digest(style)}'; {live}"
        f"form-action 'self'{destinations}; base-uri 'none'; frame-ancestors 'none'"
    )


def _digest(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _destinations(destination: str) -> str:
    if not destination:
        return ""
    parts = urlsplit(destination)
    subdomains = f" https://*.{parts.netloc}" if parts.scheme == "https" else ""
    return f" {parts.scheme}://{parts.netloc}{subdomains}"
