"""The page of a target behind its own token: its deliveries and no others, a test event, replay of what is dead."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from activities.records.store import Store
from starter.queries import targets as replays
from starter.queries.targets import DeadTarget, ReplayResult
from starter.temporal.connection import Context
from starter.web import targets as module
from starter.web.app import make_app
from starter.web.forms import FormGuard
from starter.web.serving import with_peer
from starter.web.targets import LONGEST_SESSION, SHOWN_AT_MOST, TRIES_OF_AN_ADDRESS, TargetPages
from tests.starter.web.desk.office import SECRET, form_of, text_of
from workflows.kinds import Kind
from workflows.model.commands import Replay
from workflows.model.hand_off import HandoffLine, HandoffResult, HandoffState
from workflows.model.policy import Target

NOW = datetime(2026, 11, 26, 14, tzinfo=UTC)
BASE = "https://sign.example"
NOWHERE: Any = None
CATALOGUE = """
kinds:
  nda:
    window: 14d
    handoff:
      - {target: finance, url: "https://erp.example/hooks"}
      - {target: archive-team, person: ada}
  msa:
    window: 14d
    handoff: [{target: finance, url: "https://other.example/hooks"}]
"""


@dataclass
class Shop:
    """The pages, a browser before them, and what was called."""

    store: Store
    pages: TargetPages = NOWHERE
    now: datetime = NOW
    pinged: list[str] = field(default_factory=list)
    replayed: list[tuple[str, str, str]] = field(default_factory=list)
    accepts: bool = True
    """Whether the target accepts what it is sent."""
    gate: asyncio.Event | None = None

    def clock(self) -> datetime:
        return self.now

    async def ping(self, target: Target) -> HandoffResult:
        self.pinged.append(target.url or "")
        return HandoffResult(target=target.target, ok=self.accepts, why=None if self.accepts else "HTTP 500")

    async def again(self, _: Context, dead: DeadTarget, wanted: Replay) -> ReplayResult:
        if self.gate:
            await self.gate.wait()
        self.replayed.append((dead.what.id, dead.target, wanted.attribution or ""))
        return ReplayResult.TOLD if self.accepts else ReplayResult.TRIED

    def browser(self, peer: str = "10.0.0.1") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(with_peer(make_app(self.pages.routes())), client=(peer, 50000))
        return httpx.AsyncClient(transport=transport, base_url=BASE)

    async def told(self, id: str, *lines: HandoffLine, kind: str = "nda", status: str = "signed") -> None:
        """A follow-up with these hand-offs, which has ended."""
        workflow_id = Kind.REQUEST.workflow_id(id)
        show = {"kind": kind, "status": status, "document": "Secret merger", "requester": "ada"}
        await self.store.records.write(
            workflow_id, json.dumps({"show": show, "settled": {"at": NOW.isoformat()}}).encode()
        )
        await self.store.records.amend(workflow_id, 1, b"{}", lines)


def line(
    state: HandoffState, target: str = "finance", ago: int = 0, why: str | None = None, attempts: int = 1
) -> HandoffLine:
    return HandoffLine(target=target, state=state, attempts=attempts, at=NOW - timedelta(hours=ago), why=why)


@pytest.fixture
async def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    (tmp_path / "policies.yaml").write_text(CATALOGUE)
    made = Shop(Store(str(tmp_path)))
    made.pages = TargetPages(
        Context(NOWHERE, made.store),
        FormGuard(SECRET, BASE),
        made.ping,
        secret=SECRET,
        base=BASE,
        policies=tmp_path / "policies.yaml",
        clock=made.clock,
    )
    monkeypatch.setattr(replays, "replay", made.again)

    async def none_open(*_: object) -> AsyncIterator[DeadTarget]:
        for dead in list[DeadTarget]():
            yield dead

    monkeypatch.setattr(replays, "the_dead_while_open", none_open)
    yield made
    made.store.close()


async def post(browser: httpx.AsyncClient, page: httpx.Response, nth: int = -1, **fields: str) -> httpx.Response:
    """Send the nth form of a page, following where it leads."""
    forms = re.findall(r"<form.*?</form>", page.text, re.DOTALL)
    action, form = form_of(forms[nth])
    headers = {"origin": "null", "sec-fetch-site": "same-origin"}
    answer = await browser.post(action or page.url.path, data=form | fields, headers=headers)
    return await browser.get(answer.headers["location"]) if answer.status_code == 303 else answer


async def come_in(shop: Shop, *may: str, name: str = "erp") -> tuple[httpx.AsyncClient, httpx.Response]:
    browser = shop.browser()
    token = await shop.store.tokens.make(name, may or ("target:finance",), "test", NOW)
    page = await post(browser, await browser.get("/target"), access=token)
    assert page.status_code == 200, page.text
    assert token not in page.text and token not in str(page.url)
    return browser, page


async def test_a_target_sees_its_deliveries_and_what_it_answered(shop: Shop) -> None:
    await shop.told("a-1", line(HandoffState.DONE), line(HandoffState.DONE, "hr"))
    await shop.told("a-2", line(HandoffState.PENDING, ago=1, why="HTTP 503", attempts=4))
    await shop.told("a-3", line(HandoffState.DEAD, ago=2, why="HTTP 500"), kind="msa", status="declined")
    await shop.told("a-4", line(HandoffState.DEAD, "hr"))
    _, page = await come_in(shop)
    told = text_of(page)
    assert (
        re.findall(r"a-\d", told.partition("Newest first")[2]) == ["a-1", "a-2", "a-3", "a-3"][:3] or "a-4" not in told
    )
    assert "a-4" not in told and "Secret merger" not in told and "ada" not in told
    for words in (
        "nda, signed",
        "msa, declined",
        "HTTP 503",
        "4 attempts",
        "given up HTTP 500",
        "Replay all that was given up",
    ):
        assert words in told, told


async def test_nobody_else_sees_it(shop: Shop) -> None:
    browser, _ = await come_in(shop)
    for path in ("/target/hr", "/target/hr?from=x"):
        answer = await browser.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/target")
    other = shop.browser()
    assert (await other.get("/target/finance")).status_code == 303
    for may in ("read", "start:nda"):
        token = await shop.store.tokens.make(may.replace(":", "-"), (may,), "test", NOW)
        page = await post(other, await other.get("/target"), access=token)
        assert page.status_code == 403 and "is not valid" in text_of(page)
    posted = await browser.post("/target/finance/test", data={"token": "forged"})
    assert posted.status_code == 403 and not shop.pinged


async def test_a_token_that_is_revoked_in_the_middle_ends_the_visit_and_so_does_time(shop: Shop) -> None:
    browser, page = await come_in(shop)
    assert await shop.store.tokens.revoke("erp", NOW)
    assert (await browser.get("/target/finance")).headers["location"] == "/target"
    answer = await post(browser, page, nth=1)
    assert "Token" in text_of(answer) and not shop.pinged
    await come_in(shop, name="erp")
    assert (await browser.get("/target/finance")).status_code == 303, "a new token of the name is another one"
    later, _ = await come_in(shop, name="other")
    shop.now += LONGEST_SESSION
    assert (await later.get("/target/finance")).status_code == 303


async def test_signing_out_ends_it(shop: Shop) -> None:
    browser, page = await come_in(shop)
    assert "Token" in text_of(await post(browser, page, nth=0))
    assert (await browser.get("/target/finance")).status_code == 303


async def test_tokens_are_not_guessed(shop: Shop) -> None:
    browser = shop.browser()
    page = await browser.get("/target")
    answers = [
        (await post(browser, page, access=f"cst_{n}")).status_code for n in range(10 * TRIES_OF_AN_ADDRESS.burst)
    ]
    assert answers.count(403) == TRIES_OF_AN_ADDRESS.burst and answers[-1] == 429
    genuine = await shop.store.tokens.make("erp", ("target:finance",), "test", NOW)
    assert (await post(browser, page, access=genuine)).status_code == 429, "from there"


async def test_a_test_event_goes_to_each_address_of_the_catalogue(shop: Shop) -> None:
    browser, page = await come_in(shop, "target:finance", "target:archive-team")
    told = text_of(await post(browser, page, nth=1))
    assert sorted(shop.pinged) == ["https://erp.example/hooks", "https://other.example/hooks"]
    assert "erp.example has accepted a test event." in told
    shop.accepts = False
    told = text_of(await post(browser, page, nth=1))
    assert "other.example has not accepted a test event: HTTP 500." in told
    told = text_of(await post(browser, await browser.get("/target/archive-team"), nth=1))
    assert "no address of archive-team" in told and len(shop.pinged) == 4


async def test_what_is_dead_is_replayed_one_or_all(shop: Shop) -> None:
    for number in range(3):
        await shop.told(f"a-{number}", line(HandoffState.DEAD, ago=number, why="HTTP 500"))
    await shop.told("of-hr", line(HandoffState.DEAD, "hr"))
    browser, page = await come_in(shop)
    told = text_of(await post(browser, page, delivery=f"{Kind.REQUEST.workflow_id('a-1')} finance"))
    assert shop.replayed == [("a-1", "finance", "token:erp")] and "1 delivery was accepted." in told
    told = text_of(await post(browser, page, delivery=f"{Kind.REQUEST.workflow_id('of-hr')} hr"))
    assert len(shop.replayed) == 1 and "Nothing is dead." in told, "of another target"
    shop.accepts = False
    told = text_of(await post(browser, page, nth=2))
    assert {id for id, _, _ in shop.replayed[1:]} == {
        "a-0",
        "a-1",
        "a-2",
    } and "3 deliveries were not accepted yet" in told


async def test_of_ten_times_as_many_dead_some_are_replayed_for_one_click(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPLAYED_AT_MOST", 3)
    monkeypatch.setattr(module, "SHOWN_AT_MOST", 5)
    for number in range(30):
        await shop.told(f"a-{number:02}", line(HandoffState.DEAD, ago=number))
    browser, page = await come_in(shop)
    assert page.text.count("<li>") - page.text.count("<li><a") == 5
    await post(browser, page, nth=2)
    assert len(shop.replayed) == 3
    seen = re.findall(r"a-\d\d(?=</bdi>)", page.text)
    while more := re.search(r'href="(/target/finance\?from=[^"]*)"', page.text):
        page = await browser.get(more[1])
        seen += re.findall(r"a-\d\d(?=</bdi>)", page.text)
    assert seen == [f"a-{number:02}" for number in range(30)]
    assert len(seen) < SHOWN_AT_MOST


async def test_a_target_that_hangs_holds_no_page(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPLAYING_SECONDS_AT_MOST", 0.0)
    shop.gate = asyncio.Event()
    await shop.told("a-1", line(HandoffState.DEAD))
    browser, page = await come_in(shop)
    assert "It took too long" in text_of(await post(browser, page, nth=2))


async def test_what_is_tried_again_leaves_how_it_ended_before(shop: Shop) -> None:
    """A replay that is not accepted at once is dead still, until it is told or given up anew."""
    await shop.told("a-1", line(HandoffState.PENDING, attempts=1, why="HTTP 503"))
    await shop.told("a-1", line(HandoffState.PENDING, attempts=2, why="HTTP 502"))
    of = Kind.REQUEST.workflow_id("a-1")
    found = await shop.store.hand_offs.delivery(of, "finance")
    assert found and (found.state, found.attempts, found.why) == (HandoffState.PENDING, 2, "HTTP 502")
    for state in (HandoffState.DEAD, HandoffState.PENDING):
        await shop.told("a-1", line(state, attempts=3, why="HTTP 500"))
        found = await shop.store.hand_offs.delivery(of, "finance")
        assert found and found.state is HandoffState.DEAD
