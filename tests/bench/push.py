"""`make bench BENCH=push`: how soon a request that is started is on a phone, beside one create and one send by hand.

The real processes, one request at a time, the sandbox converting at once. By hand is a script that has its tokens: it
makes the document and the request, sends one message, and forgets it all.
"""

import base64
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx
from rich.text import Text

from activities.push.fcm import request_body
from activities.push.message import Message
from starter import clients, requests
from tests.faults.population import colleague, tokens
from tests.faults.town import Conditions, Town, eventually, ids, town
from tests.faults.vendor import DOCUMENTS, REQUESTS, instant
from workflows.model.notices import NoticeAction

NAME: Final = "push"
AIM: Final = 1.3
_ROUNDS: Final = 30
_WARM: Final = 5
_TOLD_WITHIN: Final = 30.0
_LINK: Final = "https://sign.example/open/x"
_AT_ONCE: Final = Conditions(sandbox={"SANDBOX_CONVERSION_DELAY": "0"})


@dataclass(frozen=True)
class Beside:
    """Milliseconds from start to push, ours and by hand, each the median of as many rounds."""

    ours: float
    by_hand: float

    @property
    def ratio(self) -> float:
        """How often ours takes as long."""
        return self.ours / self.by_hand

    @property
    def met(self) -> bool:
        """Whether the aim was met."""
        return self.ratio <= AIM

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        return {
            "start.to_push_ms": {
                "ours": round(self.ours, 1),
                "floor": round(self.by_hand, 1),
                "ratio": round(self.ratio, 2),
                "aim": AIM,
            }
        }

    def in_words(self) -> Text:
        """One line, green when the aim was met."""
        says = f"start to push {self.ours:.0f} ms, by hand {self.by_hand:.0f} ms: {self.ratio:.2f} × (aim ≤ {AIM:g} ×)"
        return Text(says, "green" if self.met else "red")


async def measure(rounds: int = _ROUNDS) -> Beside:
    """Time both on one stack, in turns: what else the machine does falls on both."""
    with tempfile.TemporaryDirectory() as folder:
        async with town(Path(folder) / "data", _AT_ONCE) as it, ByHand.of(it) as hand:
            ours: list[float] = []
            by_hand: list[float] = []
            for number, name in enumerate(ids(NAME, rounds + _WARM)):
                person = colleague(number)
                took = await _started(it, name, person), await _timed(partial(hand.does, name, person))
                if number >= _WARM:
                    ours.append(took[0])
                    by_hand.append(took[1])
    return Beside(median(ours) * 1000, median(by_hand) * 1000)


async def _started(it: Town, name: str, person: str) -> float:
    """Seconds from the start to the first phone that has it, by the clock of the phones."""
    prepared, after = await it.prepared(name, person), await it.vendor.last()
    begun = datetime.now(UTC)
    await requests.start(it.context, prepared)

    async def pushed() -> datetime | None:
        found = await it.vendor.ledger("push", after)
        return next((instant(push) for push in found if push["data"].get("request") == name), None)

    return (await eventually(pushed, _TOLD_WITHIN) - begun).total_seconds()


async def _timed(call: Callable[[], Awaitable[None]]) -> float:
    begun = time.monotonic()
    await call()
    return time.monotonic() - begun


class ByHand:
    """A script that makes one request and sends one message, with tokens that it has already."""

    def __init__(self, it: Town) -> None:
        self._settings = it.settings
        self._http = httpx.AsyncClient(base_url=it.vendor.url, timeout=30, trust_env=False)
        self._signature: dict[str, str] = {}
        self._push: dict[str, str] = {}

    @classmethod
    def of(cls, it: Town) -> "ByHand":
        """At the vendors of a town."""
        return cls(it)

    async def __aenter__(self) -> "ByHand":
        core, push = clients.signature_config(self._settings).credentials, self._settings.push
        self._signature = await self._token(core.token_url, core.client_id, core.client_secret.get_secret_value())
        self._push = await self._token(push.token_url, push.client_id, push.client_secret.get_secret_value())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def does(self, name: str, person: str) -> None:
        """Document, request, message."""
        pdf = base64.b64encode(b"%PDF-1.4\n%%EOF\n").decode()
        document = await self._posted(
            DOCUMENTS,
            {
                "file_from_content": pdf,
                "file_from_content_name": "msa.pdf",
                "name": "MSA",
                "external_id": f"hand-{name}",
            },
            self._signature,
        )
        signers = [{"email": f"{person}@example.test", "order": 1, "needs_to_sign": True}]
        await self._posted(REQUESTS, {"document": document["url"], "who": "o", "signers": signers}, self._signature)
        message = Message("Sign: {document}", "Until Friday", "MSA", "hand", "ready", "k", _LINK, NoticeAction.SIGN)
        path = self._settings.push.send_path.replace("{project}", self._settings.push.project)
        await self._posted(path, request_body(tokens(person)[0], message), self._push)

    async def _posted(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        answer = await self._http.post(path, json=body, headers=headers)
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said

    async def _token(self, url: str, id: str, secret: str) -> dict[str, str]:
        answer = await self._http.post(url, data={"grant_type": "client_credentials"}, auth=(id, secret))
        answer.raise_for_status()
        return {"authorization": f"Bearer {answer.json()['access_token']}"}
