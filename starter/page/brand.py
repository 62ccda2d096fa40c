"""The company on our pages: its name, its logo, which we serve ourselves, and whom people can ask."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from starter.error_types import Refusal

LOGO_AT_MOST: Final = 256 * 1024
"""Bytes of a logo: a page waits for it on a phone."""
LOGO_PATH: Final = "/company-logo"
ICON_PATH: Final = "/icon.svg"
SCRIBBLE: Final = Path(__file__).with_name("templates") / "icon.svg"
"""Ours, of a page in the row of a browser's tabs; without a logo it stands on the page as well."""
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


class UnusableLogo(Refusal):
    """The file of the logo cannot be shown."""


@dataclass(frozen=True)
class Logo:
    """A picture as browsers get it."""

    content: bytes
    media_type: str

    @classmethod
    def read(cls, path: Path) -> "Logo":
        """The logo of a file; raises `UnusableLogo` for what is no PNG, JPEG or SVG, or is too large."""
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
    """Whose pages these are, and whom to ask about them; with neither name nor logo they are just ours."""

    name: str = ""
    logo: Logo | None = None
    contact: str = ""

    @classmethod
    def of(cls, name: str, logo: Path | None, contact: str = "") -> "Brand":
        """The brand of the settings; raises `UnusableLogo`."""
        return cls(name, Logo.read(logo) if logo else None, contact)

    @property
    def contact_at(self) -> str:
        """Where the contact leads: a mail, a call, a page; empty for other words."""
        if _EMAIL.fullmatch(self.contact):
            return f"mailto:{self.contact}"
        if _PHONE.fullmatch(self.contact):
            return f"tel:{re.sub(r'[^+0-9]', '', self.contact)}"
        return self.contact if self.contact.startswith("https://") and " " not in self.contact else ""

    def routes(self) -> list[BaseRoute]:
        """`GET /icon.svg`, and `/company-logo` when there is one."""
        icon = Route(ICON_PATH, self._show_icon, methods=["GET"])
        return [icon, Route(LOGO_PATH, self._show, methods=["GET"])] if self.logo else [icon]

    async def _show_icon(self, _: Request) -> Response:
        return Response(SCRIBBLE.read_bytes(), media_type="image/svg+xml", headers=_HEADERS)

    async def _show(self, _: Request) -> Response:
        logo = self.logo or Logo(b"", "image/png")
        return Response(logo.content, media_type=logo.media_type, headers=_HEADERS)


OURS: Final = Brand()
