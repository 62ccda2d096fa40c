"""The demo's environment: the onboarding, its clock, the phones, and the sandbox's ledger."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx
from temporalio.client import WorkflowHandle
from temporalio.testing import TimeSkipper

from activities.http.client import Service, make_client
from activities.notifications.links import LinkUse
from starter.boot.clients import links
from starter.cli import start_files
from starter.config.settings import Settings
from starter.errors import Refusal
from starter.queries.fast_forward import JUST_AFTER, forward
from starter.temporal.connection import Context
from workflows.kinds import Kind
from workflows.model.views import OnboardingShow, RequestShow
from workflows.names import SHOW

_MOST_REDIRECTS = 5
_SEEN_WITHIN: Final = 15.0
_GLANCE: Final = 0.1
Entry = dict[str, Any]
T = TypeVar("T")


@dataclass
class HtmlForm:
    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    complete: bool = False


@dataclass(frozen=True)
class HtmlPage:
    url: str
    status: int
    text: str

    @property
    def form(self) -> HtmlForm:
        """The first posted form; `Refusal` if the page has none."""
        reader = _FormReader()
        reader.feed(self.text)
        if not reader.forms:
            raise Refusal(f"a page with nothing to press ({self.status}, {_title(self.text)})")
        return reader.forms[0]

    @property
    def device_offer(self) -> dict[str, str]:
        """What its script is told to subscribe with; `Refusal` if the page offers nothing."""
        reader = _FormReader()
        reader.feed(self.text)
        if not reader.device_offer:
            raise Refusal(f"a page that offers no notifications ({self.status}, {_title(self.text)})")
        return reader.device_offer


class Browser:
    """One visit; close it when done."""

    def __init__(self) -> None:
        self._client = make_client()

    async def open(self, url: str) -> HtmlPage:
        return await self._follow(url, None, {"accept": "text/html"})

    async def links(self, url: str, *, containing: str) -> list[str]:
        """Addresses of a page's links with this text in them."""
        reader = _FormReader()
        reader.feed((await self.open(url)).text)
        return [urljoin(url, link) for link in reader.links if containing in link]

    async def download(self, url: str) -> bytes:
        """The PDF at this address; `Refusal` for anything else."""
        answer = await self._client.get(url)
        kind = answer.headers.get("content-type", "")
        if (answer.status_code, kind) != (httpx.codes.OK, "application/pdf"):
            raise Refusal(f"{answer.status_code} {kind} instead of a PDF")
        return answer.content

    async def subscribe(self, page: HtmlPage, subscription: Any) -> None:
        """As the page's script does it."""
        headers = {"origin": "{0.scheme}://{0.netloc}".format(urlsplit(page.url)), "sec-fetch-site": "same-origin"}
        body = {**subscription, "token": page.device_offer["data-token"]}
        answer = await self._client.post(f"{page.url}/device/subscribe", json=body, headers=headers)
        if answer.status_code != httpx.codes.CREATED:
            raise Refusal(f"{answer.status_code} instead of a subscription")

    async def press(self, page: HtmlPage, text: str = "") -> HtmlPage:
        """Post the page's first form with `text`, and follow."""
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(page.url))
        headers = {"accept": "text/html", "origin": origin, "sec-fetch-site": "same-origin"}
        fields = page.form.fields | ({"text": text} if text else {})
        return await self._follow(urljoin(page.url, page.form.action or page.url), fields, headers)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _follow(self, url: str, fields: dict[str, str] | None, headers: dict[str, str]) -> HtmlPage:
        for _ in range(_MOST_REDIRECTS):
            method = "GET" if fields is None else "POST"
            answer = await self._client.request(method, url, data=fields, headers=headers)
            if not answer.is_redirect:
                return HtmlPage(url, answer.status_code, answer.text)
            url, fields, headers = urljoin(url, answer.headers["location"]), None, {"accept": "text/html"}
        raise Refusal("a page that sends its visitor round in circles")


class StepFailure(Refusal):
    """A step failed: what was expected, and what was there instead."""

    def __init__(self, expected: str, instead: str) -> None:
        super().__init__(f"expected {expected}, but saw {instead}")


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[HtmlForm] = []
        self.links: list[str] = []
        self.device_offer: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        if tag == "aside" and "data-token" in attributes:
            self.device_offer = attributes
        if tag == "form" and attributes.get("method", "").lower() == "post":
            self.forms.append(HtmlForm(attributes.get("action", "")))
        elif self.forms and not self.forms[-1].complete and "name" in attributes:
            if tag == "button":
                self.forms[-1].complete = True
            if tag in ("input", "button"):
                self.forms[-1].fields[attributes["name"]] = attributes.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self.forms:
            self.forms[-1].complete = True


def _title(text: str) -> str:
    _, _, after_start = text.partition("<title>")
    return after_start.partition("</title>")[0].strip() or "without a title"


class Scene:
    def __init__(self, context: Context, settings: Settings) -> None:
        if settings.surroundings.dev is None:
            raise Refusal("the demo plays on a laptop stack only")
        self.context = context
        self.settings = settings
        self.addresses = settings.surroundings.dev
        self.onboarding = ""
        self.browser = ""
        """The customer's, by its name at the sandbox's push service."""
        self._browser = Browser()
        self._sandbox = Service("the sandbox", self.addresses.sandbox, make_client())
        self._ledger: list[Entry] = []

    @property
    def example(self) -> Path:
        return self.settings.data_dir / "example" / "acme.yaml"

    @property
    def request(self) -> str:
        return f"{self.onboarding}.1.1"

    @property
    def second(self) -> str:
        return f"{self.onboarding}.1.2"

    @property
    def pack(self) -> Path:
        """Where the evidence of the first agreement is written."""
        return self.settings.data_dir / f"{self.request}.zip"

    @property
    def journey_link(self) -> str:
        return links(self.settings).link(self._handle.id, "customer-signer", LinkUse.VIEW)

    async def aclose(self) -> None:
        await self._browser.aclose()
        await self._sandbox.aclose()

    async def now(self) -> datetime:
        """The onboarding's own date; today before it exists."""
        if not self.onboarding:
            return datetime.now(UTC)
        return await TimeSkipper(self.context.client).get_current_time(self._handle)

    @property
    def _handle(self) -> WorkflowHandle[Any, Any]:
        return self.context.client.get_workflow_handle(Kind.ONBOARDING.workflow_id(self.onboarding))

    async def forward(self, span: timedelta) -> None:
        """Move the clocks of the onboarding and its open parts."""
        await forward(self.context.client, self._handle.id, span)

    async def forward_to_next(self, event: str) -> datetime:
        """Move to the next due event, which must be `what`; returns its planned time."""
        planned_at = await self.wait_until(f"{event} as what is next", lambda: self._planned(event))
        await self.forward(planned_at - await self.now() + JUST_AFTER)
        return planned_at

    async def _planned(self, event: str) -> datetime | None:
        following = (await self.query_request()).next
        return following.at if following and following.what == event else None

    async def query_request(self) -> RequestShow:
        return await start_files.show(self.context, self.request)

    async def journey(self) -> OnboardingShow:
        view: OnboardingShow = await self._handle.query(SHOW, result_type=OnboardingShow)
        return view

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

    async def pushes(self, person: str, stage: str, subject: str | None = None) -> list[Entry]:
        """Arrived on a person's phones for this stage, by default of the first agreement."""
        subject_fields = {"stage": stage, "request": subject or self.request}
        return [
            push for push in await self.ledger("push", person=person) if subject_fields.items() <= push["data"].items()
        ]

    async def visible(self, person: str) -> list[Entry]:
        answer = await self._sandbox.call("GET", f"/_sandbox/phones/{person}")
        screens = answer.json()
        return [notice for notices in screens.values() for notice in notices] if isinstance(screens, dict) else []

    async def subscribes(self, person: str) -> str:
        """Open the customer's page, and let the browser notify; its name at the sandbox's push service."""
        page = await self._browser.open(self.journey_link)
        wish = {"person": person, "vapid_key": page.device_offer["data-key"]}
        subscription = (await self._sandbox.call("POST", "/_sandbox/browsers", json=wish)).json()
        if not isinstance(subscription, dict):
            raise Refusal("the sandbox has no push service of browsers")
        token = str(subscription.pop("token"))
        await self._browser.subscribe(page, subscription)
        return token

    async def signs(self, person: str, request: str) -> HtmlPage:
        """Tap the notice, then press the buttons of our page and of Core Signature's."""
        page = await self.taps(person, request)
        return await self._browser.press(await self._browser.press(page))

    async def does(self, person: str, task: str, answer: str = "") -> HtmlPage:
        """Tap the notice, answer, press the button."""
        return await self._browser.press(await self.taps(person, task), answer)

    async def taps(self, person: str, subject: str) -> HtmlPage:
        async def notice() -> Entry | None:
            visible_pushes = await self.visible(person)
            return next((push for push in visible_pushes if push["data"].get("request") == subject), None)

        push = await self.wait_until(f"a notice of {subject} on the phone of {person}", notice)
        return await self._browser.open(push["link"])

    async def signs_by_mail(self, person: str) -> HtmlPage:
        """By the link of Core Signature's mail in the inbox."""
        inbox = f"{self.addresses.sandbox}/inbox/{person}"
        links = await self.wait_until(f"a mail to {person}", lambda: self._browser.links(inbox, containing="from=mail"))
        return await self._browser.press(await self._browser.open(links[-1]))

    async def opens(self, link: str) -> HtmlPage:
        return await self._browser.open(link)

    async def downloads(self, page: str) -> bytes:
        """The signed document, by the button of a page that soon has it."""
        links = await self.wait_until(
            "a page with the document", lambda: self._browser.links(page, containing="/document")
        )
        return await self._browser.download(links[0])

    async def fetches(self, url: str) -> bytes:
        """What a system gets by the link of an event."""
        return await self._browser.download(url)

    async def hash_at_core_signature(self) -> str | None:
        """What Core Signature says of the first agreement's document."""
        answer = await self._sandbox.call("GET", "/_sandbox/documents", query={"external_id": self.request})
        documents = answer.json()
        return documents[0]["security_hash"] if isinstance(documents, list) and documents else None

    async def wait_until(self, expected: str, probe: Callable[[], Awaitable[T | None]]) -> T:
        """Poll until the probe finds something; `StepFailure` with the last state on a time-out."""
        finding = await probe()
        try:
            async with asyncio.timeout(_SEEN_WITHIN):
                while not finding:
                    await asyncio.sleep(_GLANCE)
                    finding = await probe()
        except TimeoutError:
            raise StepFailure(expected, await self._instead()) from None
        return finding

    async def _instead(self) -> str:
        if not self.onboarding:
            return "nothing"
        view = await self.journey()
        return f"“{view.says}”, last: {view.timeline[-1].what if view.timeline else 'nothing'}"
