"""From a screen to an answer: one template, its style inside it, and headers that let a page do nothing else."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from starter.page.brand import ICON_PATH, LOGO_PATH, OURS, Brand
from starter.page.journey import JourneyScreen
from starter.page.screens import Screen
from workflows.model.texts import TEXT_AT_MOST

TEMPLATES: Final = Path(__file__).with_name("templates")
"""What our pages are made of; the head of all of them is `brand.html`."""
STYLE: Final = TEMPLATES / "page.css"
"""How all our pages look."""
PRIVATE: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
    "cross-origin-opener-policy": "same-origin",
}
"""The headers of every page of ours."""
_VERSION: Final = 16
_environment: Final = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class PageRenderer:
    """Renders screens; `destination` is where a form of ours may lead on to, beside us: the signature service."""

    def __init__(self, destination: str, brand: Brand = OURS) -> None:
        self._brand = brand
        self._style = STYLE.read_text()
        self._template = _environment.get_template("page.html")
        self.headers: Final[Mapping[str, str]] = PRIVATE | {
            "content-security-policy": policy(self._style, _destinations(destination))
        }

    def page(self, screen: Screen, token: str = "") -> Response:
        """The page of a screen; `token` goes into its forms."""
        # The style is ours and hashed in the policy as it is, so it must not be escaped.
        html = self._template.render(
            screen=screen,
            say=screen.language.say,
            token=token,
            brand=self._brand,
            # Relative, so that a proxy may put our pages below any path.
            logo=f"..{LOGO_PATH}",
            icon=f"..{ICON_PATH}",
            longest_text=TEXT_AT_MOST,
            style=Markup(self._style),  # noqa: S704
        )
        wait = {"retry-after": str(screen.retry_after)} if screen.retry_after else {}
        return HTMLResponse(html, screen.status, {**self.headers, **wait})

    def picture(self, content: bytes | None) -> Response:
        """A picture of ours, or that there is none."""
        status = 404 if content is None else 200
        return Response(content or b"", status, media_type="image/png", headers=dict(self.headers))

    def onward(self, url: str) -> Response:
        """Send the browser on, by a GET."""
        return Response(status_code=303, headers={**self.headers, "location": url})


class JourneyRenderer:
    """Renders the page of an onboarding, with the one script that a page of ours has."""

    def __init__(self, brand: Brand = OURS) -> None:
        self._brand = brand
        self._style = STYLE.read_text()
        self._script = (TEMPLATES / "journey.js").read_text()
        self._main = _environment.get_template("journey_main.html")
        self._page = _environment.get_template("journey.html")
        self.headers: Final[Mapping[str, str]] = PRIVATE | {
            "content-security-policy": policy(self._style, script=self._script)
        }

    def page(self, screen: JourneyScreen, since: str = "") -> Response:
        """The page of a screen; that there is nothing new to whoever has seen `since`."""
        main = self._main.render(screen=screen, say=screen.language.say)
        version = hashlib.sha256(main.encode()).hexdigest()[:_VERSION]
        if version == since:
            return Response(status_code=204, headers=dict(self.headers))
        live = f' data-version="{version}"' if screen.live else ""
        html = self._page.render(
            screen=screen,
            say=screen.language.say,
            brand=self._brand,
            logo=f"..{LOGO_PATH}",
            icon=f"..{ICON_PATH}",
            # Rendered, or ours and hashed in the policy as it is, so it must not be escaped.
            main=Markup(f"<main{live}>\n{main}</main>"),  # noqa: S704
            style=Markup(self._style),  # noqa: S704
            script=Markup(self._script),  # noqa: S704
        )
        return HTMLResponse(html, headers=dict(self.headers))


def policy(style: str, destinations: str = "", script: str = "") -> str:
    """What lets a page have this style and pictures of ours alone, and its forms lead to us and these addresses.

    With a `script` it may run this one, which may ask us, and nobody else.
    """
    live = f"script-src 'sha256-{_digest(script)}'; connect-src 'self'; " if script else ""
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
    below = f" https://*.{parts.netloc}" if parts.scheme == "https" else ""
    return f" {parts.scheme}://{parts.netloc}{below}"
