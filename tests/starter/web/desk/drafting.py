"""Forms of drafts, filled in and sent as a browser would."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final

import httpx

from tests.starter.web.desk.office import Browser, public

PDF: Final = b"%PDF-1.7\nan offer\n%%EOF\n"
File = tuple[str, bytes, str]
Fields = Mapping[str, str]
NONE: Final[Fields] = {}


@dataclass
class Form(HTMLParser):
    """The first form of a page that belongs to a draft: where it goes, and what is in it."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._inside = False
        self._select = self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes: dict[str, Any] = dict(attrs)
        if tag == "form" and not self.action and "/drafts/" in str(attributes.get("action")):
            self.action, self._inside = attributes["action"], True
        if not self._inside:
            return
        if tag == "button":
            self.buttons.append(attributes.get("value") or "")
        if tag == "textarea":
            self._text = attributes["name"]
            self.fields[self._text] = ""
        if tag == "select":
            self._select = attributes["name"]
            self.fields[self._select] = ""
        if tag == "option" and self._select and "selected" in attributes:
            self.fields[self._select] = attributes.get("value") or ""
        if (
            tag == "input"
            and attributes.get("type") != "file"
            and (attributes.get("type") != "checkbox" or "checked" in attributes)
        ):
            self.fields[attributes["name"]] = attributes.get("value") or ""

    def handle_data(self, data: str) -> None:
        if self._text:
            self.fields[self._text] += data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "form"
        self._text = "" if tag == "textarea" else self._text
        self._select = "" if tag == "select" else self._select


def read_draft_form(page: httpx.Response) -> Form:
    form = Form()
    form.feed(page.text)
    assert form.action, page.text
    return form


async def send_form(
    browser: Browser,
    page: httpx.Response,
    do: str = "next",
    fields: Fields = NONE,
    pdf: File | None = None,
    table: File | None = None,
    first: File | None = None,
) -> httpx.Response:
    """The answer to the form of a page, with these fields changed."""
    form = read_draft_form(page)
    posted = {**form.fields, **fields, "do": do}
    parts: list[tuple[str, Any]] = [(name, (None, text)) for name, text in posted.items()]
    if pdf is not None:
        parts.append(("document.file", pdf))
    parts += [("audience.file", table)] if table else []
    parts += [("documents[0]", first)] if first else []
    headers = {"origin": "null", "sec-fetch-site": "same-origin"}
    return await browser.http.post(public(form.action), files=parts, headers=headers)


async def continue_draft(
    browser: Browser,
    page: httpx.Response,
    do: str = "next",
    fields: Fields = NONE,
    pdf: File | None = None,
    table: File | None = None,
    first: File | None = None,
) -> httpx.Response:
    """The page to which the form of a page leads."""
    answer = await send_form(browser, page, do, fields, pdf, table, first)
    assert answer.status_code == 303, answer.text
    return await browser.http.get(answer.headers["location"])
