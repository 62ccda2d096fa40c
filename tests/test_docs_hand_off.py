"""docs/hand-off.md is true: its bodies are whole, its signature is ours, its receivers do what they say."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from activities.hand_off.http_call import (
    HttpTargets,
    HttpTargetsConfig,
    Personal,
    PersonalTitle,
    data_of,
    people_in,
    ping,
)
from activities.http.client import make_client
from activities.http.transport import Guard
from tests.golden.schemas import EVENTS, schema, validator
from tests.markdown import ROOT, blocks
from workflows.model.hand_off import EndedFacts, EscalationData
from workflows.model.policy import Target

PAGE: Final = (ROOT / "docs" / "hand-off.md").read_text()
BLOCKS: Final = blocks(PAGE)
BODIES: Final = [
    *(json.loads(block.text) for block in BLOCKS if block.language == "json"),
    *json.loads((ROOT / "docs" / "events.json").read_text()),
]
SIGNED: Final = dict(
    re.split(r" {2,}", line, maxsplit=1)
    for block in BLOCKS
    if block.mark == "signature"
    for line in block.text.strip().splitlines()
)
RECEIVER: Final = (ROOT / "starter" / "examples" / "receiver.py").read_text()
TARGET: Final = Target(target="erp", url="https://erp.example/hooks")
ADDED: Final = {*Personal.model_fields, *PersonalTitle.model_fields, "fields"}
"""What only `personal` brings."""


def is_personal(data: dict[str, Any]) -> bool:
    return not PersonalTitle.model_fields.keys().isdisjoint(data)


@pytest.mark.parametrize("event", EVENTS)
def test_there_is_a_whole_body_of_every_event(event: str) -> None:
    standard = [body for body in BODIES if body["type"] == event and "specversion" not in body]
    [plain] = [body for body in standard if not is_personal(body["data"])]
    data = plain["data"]
    facts = EVENTS[event].model_validate(data)
    assert isinstance(facts, EndedFacts | EscalationData)
    assert data_of(facts) == data
    assert plain.keys() == {"type", "timestamp", "data"} and plain["timestamp"] == data["at"]


def test_each_body_keeps_to_the_schema_of_its_event() -> None:
    for body in BODIES:
        validator(schema(body["type"])).validate(body["data"])


def test_what_personal_adds_is_all_in_the_body_with_it() -> None:
    data_of_bodies = [body["data"] for body in BODIES if is_personal(body["data"])]
    people = [person for data in data_of_bodies for person in data[people_in(data) or ""]]
    assert {field for fields in (*data_of_bodies, *people) for field in fields} >= ADDED


def test_the_cloud_event_is_that_of_the_same_data() -> None:
    [event] = [body for body in BODIES if "specversion" in body]
    ping_event = ping(TARGET.replace(format="cloudevents"), "msg_1", datetime.now(UTC))
    assert event.keys() == ping_event.keys()
    assert [body["data"] for body in BODIES if body["type"] == event["type"]] == [event["data"]] * 2


async def test_the_signature_is_the_one_that_is_sent() -> None:
    async def public(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34"]

    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(204)

    sent_at, id = datetime.fromtimestamp(int(SIGNED["webhook-timestamp"]), UTC), SIGNED["webhook-id"]
    config = HttpTargetsConfig({"erp": [SecretStr(SIGNED["secret"])]})
    async with make_client(transport=httpx.MockTransport(answer)) as client:
        await HttpTargets(client, config, Guard((), public), now=lambda: sent_at).call(
            TARGET, id, ping(TARGET, id, sent_at)
        )
    [sent] = requests
    assert sent.content.decode() == SIGNED["body"]
    headers = {name: text for name, text in SIGNED.items() if name.startswith("webhook-")}
    assert {name: sent.headers[name] for name in headers} == headers


@dataclass
class Receiver:
    """One of the page's, at work."""

    process: "subprocess.Popen[str]"
    url: str

    def send_call(
        self, body: str, id: str, secret: str, *, ago: float = 0, other_headers: Mapping[str, str] | None = None
    ) -> int:
        """How it answers a call."""
        signed_at = datetime.fromtimestamp(int(time.time() - ago), UTC)
        signed = Webhook(secret).sign(msg_id=id, timestamp=signed_at, data=body)
        webhook_headers = {
            "webhook-id": id,
            "webhook-timestamp": str(int(signed_at.timestamp())),
            "webhook-signature": signed,
        }
        sent = httpx.Headers(webhook_headers | dict(other_headers or {}), encoding="latin-1")
        return httpx.post(self.url, content=body, headers=sent, trust_env=False).status_code

    def read_actions(self) -> list[str]:
        """What it did, when it has ended."""
        self.process.terminate()
        return self.process.communicate(timeout=10)[0].splitlines()


@contextmanager
def receiver(folder: Path, secrets: str) -> Iterator[Receiver]:
    file = folder / "receiver.py"
    file.write_text(RECEIVER)
    with subprocess.Popen(  # noqa: S603  our own page's
        [sys.executable, str(file)],
        env={**os.environ, "PORT": "0", "SECRETS": secrets},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().rpartition(" ")[2].strip()
            yield Receiver(process, f"http://127.0.0.1:{port}/hooks")
        finally:
            process.kill()


OTHER: Final = "whsec_YW5vdGhlci1zZWNyZXQtdGhhdC1pcy1ub3QtaW4tdXNl"


def test_the_receiver_of_the_page_does_what_is_genuine_once_and_refuses_the_rest(tmp_path: Path) -> None:
    assert len(RECEIVER.strip().splitlines()) <= 35
    body, secret = json.dumps(BODIES[0], ensure_ascii=False), SIGNED["secret"]
    with receiver(tmp_path, f"{OTHER} {secret}") as running_receiver:
        assert running_receiver.send_call(body, "msg_1", secret) == 204
        assert running_receiver.send_call(body, "msg_1", secret) == 204, "a repeated one is fine, and done no more"
        assert running_receiver.send_call(body, "msg_2", OTHER) == 204, "while a secret is replaced both count"
        assert (
            running_receiver.send_call(body, "msg_3", "whsec_" + "c2VjcmV0IG9mIHNvbWVib2R5IGVsc2Ugd2hvIGlzIG5vdCB1cw==")
            == 401
        )
        assert running_receiver.send_call(body, "msg_4", secret, ago=600) == 401
        assert running_receiver.send_call(body, "msg_5", secret, other_headers={"webhook-id": "msg_6"}) == 401
        assert (
            running_receiver.send_call(body, "msg_7", secret, other_headers={"webhook-signature": "v1,é v1, x"}) == 401
        )
        assert httpx.post(running_receiver.url, content=body, trust_env=False).status_code == 401
        assert (
            running_receiver.send_call("{" + "x" * 3_000, "msg_8", OTHER, other_headers={"webhook-timestamp": "NaN"})
            == 401
        )
        assert running_receiver.read_actions() == ["signature.settled msg_1", "signature.settled msg_2"]
