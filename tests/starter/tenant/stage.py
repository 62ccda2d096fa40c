"""A tenant for trials: the sandbox as one of many, its settings as ours, and the person who signs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from activities.people.person import Platform, PushDevice
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.settings import SandboxSettings
from starter.config.settings import Settings, load
from starter.tenant.facts import FactFinding, Verdict
from starter.tenant.trial import Trial, TrialPlan
from tests.plain_http import plain_client
from tests.servers import free_ports

TO: Final = "grace.canary@tester.example"
OTHER: Final = "grace.canary+2@tester.example"
SECRETS: Final = (
    "canary-client-secret-1",
    "canary-callback-secret-2",
    "canary-push-secret-3",
    "canary-device~1",
    "s" * 32,
)


def vendor(**variant: Any) -> SandboxSettings:
    """A sandbox that answers at once, with secrets of its own."""
    return SandboxSettings(
        **{
            "client_secret": SECRETS[0],
            "callback_secret": SECRETS[1],
            "push_client_secret": SECRETS[2],
            "tenant": "canary-tenant",
            "sender_email": "desk.canary@supplier.example",
            "conversion_delay": 0.05,
            "retry_unit": 0.02,
            **variant,
        }
    )


def environment(sandbox: RunningSandbox, folder: Path, **changes: str) -> dict[str, str]:
    """Our settings for this tenant."""
    known, [port] = sandbox.state.settings, free_ports(1)
    people = folder / "people.yaml"
    people.write_text(
        "people: [{id: grace, name: Grace Canary, email: grace.canary@tester.example, zone: Europe/Amsterdam,"
        f" devices: [{{token: {SECRETS[3]}, platform: android}}]}}]\n"
    )
    ours = {
        "DATA_DIR": str(folder),
        "PEOPLE": str(people),
        "SIGNATURE_URL": sandbox.url,
        "SIGNATURE_TOKEN_URL": f"{sandbox.url}/tenants/{known.tenant}/oauth2/token",
        "SIGNATURE_CLIENT_ID": known.client_id,
        "SIGNATURE_CLIENT_SECRET": known.client_secret,
        "SIGNATURE_MAX_RPS": "200",
        "PUSH_URL": sandbox.url,
        "PUSH_PROJECT": known.push_project,
        "PUSH_TOKEN_URL": f"{sandbox.url}/push/oauth2/token",
        "PUSH_CLIENT_ID": known.push_client_id,
        "PUSH_CLIENT_SECRET": known.push_client_secret,
        "MRA_URL": sandbox.url,
        "MRA_USER": known.mra_user,
        "MRA_PASSWORD": known.mra_password,
        "WEBHOOK_URL": f"http://127.0.0.1:{port}",
        "WEBHOOK_BIND": f"127.0.0.1:{port}",
        "WEBHOOK_SECRETS": known.callback_secret,
        "WEBHOOK_SEGMENT": SECRETS[4],
        "LINK_BASE": "https://sign.canary.example",
        "LINK_SECRET": "0123456789abcdef0123456789abcdef",
        **changes,
    }
    return {f"COUNTERSIGN_{name}": text for name, text in ours.items()}


@dataclass
class Heard:
    """What a trial has told; `acts` is what the person does when it waits for them."""

    sandbox: RunningSandbox
    acts: str
    """Empty: nobody acts."""
    steps: list[str] = field(default_factory=list)
    found_: list[FactFinding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def step(self, says: str) -> None:
        self.steps.append(says)

    def found(self, finding: FactFinding) -> None:
        self.found_.append(finding)

    def note(self, says: str) -> None:
        self.notes.append(says)

    def wait(self, says: str) -> AbstractAsyncContextManager[None]:
        return self._acting() if says == "waiting for the signer" else nullcontext()

    @asynccontextmanager
    async def _acting(self) -> AsyncIterator[None]:
        if self.acts:
            await deed(self.sandbox, self.acts)
        yield


async def deed(sandbox: RunningSandbox, act: str) -> None:
    """The person of the open test document looks at it, and acts."""
    async with plain_client(sandbox.url) as browser:
        documents = (await browser.get("/_sandbox/documents")).json()
        [signer] = [one for each in documents for one in each["signers"] if one["turn"] and one["email"] == TO]
        for word in ("view", act):
            (await browser.post(f"/_sandbox/signers/{signer['uuid']}/{word}")).raise_for_status()


@dataclass(frozen=True)
class Tried:
    """A trial that is over."""

    trial: Trial
    heard: Heard
    sandbox: RunningSandbox

    def of(self, verdict: Verdict) -> dict[str, FactFinding]:
        return {one.id: one for one in self.trial.findings if one.verdict is verdict}


def plan(settings: Settings, wait: float = 5) -> TrialPlan:
    device = PushDevice(token=SECRETS[3], platform=Platform.ANDROID)
    return TrialPlan(to=TO, forward_to=OTHER, wait=timedelta(seconds=wait), device=device, pause=0.05)


@asynccontextmanager
async def tried(
    folder: Path, *, acts: str = "sign", ours: dict[str, str] | None = None, **variant: Any
) -> AsyncIterator[Tried]:
    """A whole trial of one tenant, which still runs."""
    async with running(vendor(**variant)) as sandbox:
        settings = load(environment=environment(sandbox, folder, **(ours or {})))
        heard = Heard(sandbox, acts)
        trial = Trial(settings, plan(settings), heard)
        async with asyncio.timeout(60):
            await trial.run()
        yield Tried(trial, heard, sandbox)
