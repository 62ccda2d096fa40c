"""A browser without a screen: it opens pages, posts the form it finds first, and follows where it is sent.

What a person does with one thumb on a phone; nothing is done that the pages do not offer.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from activities.http.calling import make_client
from starter.error_types import Refusal

_MOST_REDIRECTS = 5


@dataclass
class HtmlForm:
    """Where a form goes and what it carries: its hidden fields and its first button."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    complete: bool = False


@dataclass(frozen=True)
class HtmlPage:
    """What stands on the screen."""

    url: str
    status: int
    text: str

    @property
    def form(self) -> HtmlForm:
        """The first form that is posted; `Refusal` when the page has none."""
        reader = _FormReader()
        reader.feed(self.text)
        if not reader.forms:
            raise Refusal(f"a page with nothing to press ({self.status}, {_title(self.text)})")
        return reader.forms[0]


class Browser:
    """One visit; close it when done."""

    def __init__(self) -> None:
        self._client = make_client()

    async def open(self, url: str) -> HtmlPage:
        """GET a page, wherever it leads."""
        return await self._follow(url, None, {"accept": "text/html"})

    async def links(self, url: str, *, containing: str) -> list[str]:
        """The addresses of a page's links that have this text in them."""
        reader = _FormReader()
        reader.feed((await self.open(url)).text)
        return [urljoin(url, link) for link in reader.links if containing in link]

    async def press(self, page: HtmlPage, text: str = "") -> HtmlPage:
        """Post the page's first form as a browser would, with what was written into it, and follow."""
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(page.url))
        headers = {"accept": "text/html", "origin": origin, "sec-fetch-site": "same-origin"}
        fields = page.form.fields | ({"text": text} if text else {})
        return await self._follow(urljoin(page.url, page.form.action or page.url), fields, headers)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _follow(self, url: str, fields: dict[str, str] | None, headers: dict[str, str]) -> HtmlPage:
        for _ in range(_MOST_REDIRECTS):
            method = "GET" if fields is None else "POST"
            answer = await self._client.request(method, url, data=fields, headers=headers)
            if not answer.is_redirect:
                return HtmlPage(url, answer.status_code, answer.text)
            url, fields, headers = urljoin(url, answer.headers["location"]), None, {"accept": "text/html"}
        raise Refusal("a page that sends its visitor round in circles")


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[HtmlForm] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "form" and given.get("method", "").lower() == "post":
            self.forms.append(HtmlForm(given.get("action", "")))
        elif self.forms and not self.forms[-1].complete and "name" in given:
            if tag == "button":
                self.forms[-1].complete = True
            if tag in ("input", "button"):
                self.forms[-1].fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self.forms:
            self.forms[-1].complete = True


def _title(text: str) -> str:
    _, _, rest = text.partition("<title>")
    return rest.partition("</title>")[0].strip() or "without a title"
