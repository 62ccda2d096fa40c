"""A tenant for trials: the sandbox as one of many, its settings as ours, and the person who signs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from activities.people.person import Platform, PushDevice
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.settings import SandboxSettings
from starter.config.settings import load
from starter.tenant.facts import FactFinding, Verdict, judge_recording
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
    sandbox_settings, [port] = sandbox.state.settings, free_ports(1)
    people = folder / "people.yaml"
    people.write_text(
        "people: [{id: grace, name: Grace Canary, email: grace.canary@tester.example, zone: Europe/Amsterdam,"
        f" devices: [{{token: {SECRETS[3]}, platform: android}}]}}]\n"
    )
    variables = {
        "DATA_DIR": str(folder),
        "PEOPLE": str(people),
        "SIGNATURE_URL": sandbox.url,
        "SIGNATURE_TOKEN_URL": f"{sandbox.url}/tenants/{sandbox_settings.tenant}/oauth2/token",
        "SIGNATURE_CLIENT_ID": sandbox_settings.client_id,
        "SIGNATURE_CLIENT_SECRET": sandbox_settings.client_secret,
        "SIGNATURE_MAX_RPS": "200",
        "PUSH_URL": sandbox.url,
        "PUSH_PROJECT": sandbox_settings.push_project,
        "PUSH_TOKEN_URL": f"{sandbox.url}/push/oauth2/token",
        "PUSH_CLIENT_ID": sandbox_settings.push_client_id,
        "PUSH_CLIENT_SECRET": sandbox_settings.push_client_secret,
        "MRA_URL": sandbox.url,
        "MRA_USER": sandbox_settings.mra_user,
        "MRA_PASSWORD": sandbox_settings.mra_password,
        "WEBHOOK_URL": f"http://127.0.0.1:{port}",
        "WEBHOOK_BIND": f"127.0.0.1:{port}",
        "WEBHOOK_SECRETS": sandbox_settings.callback_secret,
        "WEBHOOK_SEGMENT": SECRETS[4],
        "LINK_BASE": "https://sign.canary.example",
        "LINK_SECRET": "0123456789abcdef0123456789abcdef",
        **changes,
    }
    return {f"COUNTERSIGN_{name}": text for name, text in variables.items()}


@dataclass
class TestSigner:
    """Hears what a trial says, and acts as soon as the trial waits for them; without an act they do nothing."""

    __test__ = False

    sandbox: RunningSandbox
    act: str = ""
    lines: list[str] = field(default_factory=list)
    _acting: asyncio.Task[None] | None = None

    def say(self, text: str) -> None:
        self.lines.append(text)
        if self.act and text.startswith("NOW YOU"):
            self._acting = asyncio.create_task(act_on_document(self.sandbox, self.act))


async def act_on_document(sandbox: RunningSandbox, act: str) -> None:
    """The signer of the open test document looks at it, and acts."""
    async with plain_client(sandbox.url) as browser:
        documents = (await browser.get("/_sandbox/documents")).json()
        signers = [signer for document in documents for signer in document["signers"]]
        [uuid] = [signer["uuid"] for signer in signers if signer["turn"] and signer["email"] == TO]
        for action in ("view", act):
            (await browser.post(f"/_sandbox/signers/{uuid}/{action}")).raise_for_status()


@dataclass(frozen=True)
class FinishedTrial:
    """A trial that is over; its sandbox still runs."""

    trial: Trial
    signer: TestSigner
    sandbox: RunningSandbox

    def findings(self, verdict: Verdict) -> dict[str, FactFinding]:
        findings = judge_recording(self.trial.recording)
        return {finding.id: finding for finding in findings if finding.verdict is verdict}


def build_plan(wait: float = 5) -> TrialPlan:
    device = PushDevice(token=SECRETS[3], platform=Platform.ANDROID)
    return TrialPlan(address=TO, forward_address=OTHER, wait=timedelta(seconds=wait), device=device, pause=0.05)


@asynccontextmanager
async def run_trial(
    folder: Path, *, act: str = "sign", overrides: dict[str, str] | None = None, **variant: Any
) -> AsyncIterator[FinishedTrial]:
    """A whole trial of one tenant, which still runs."""
    async with running(vendor(**variant)) as sandbox:
        signer = TestSigner(sandbox, act)
        trial = Trial(load(environment=environment(sandbox, folder, **(overrides or {}))), build_plan(), signer.say)
        async with asyncio.timeout(60):
            await trial.run()
        yield FinishedTrial(trial, signer, sandbox)
