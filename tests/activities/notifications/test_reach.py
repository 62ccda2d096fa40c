"""Stories with real people, Core Signature, cloud messaging and hand-off: whoever has no phone hears of everything."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.service import CoreSignatureService
from activities.hand_off.http_call import HttpTargets, HttpTargetsConfig
from activities.hand_off.service import HandOffService
from activities.http.client import make_client
from activities.http.transport import Guard
from activities.notifications import phones as limiter
from activities.notifications.service import NotificationService
from activities.people.file_directory import FileDirectory
from activities.records.store import Store
from activities.schedule.planner import PolicyPlanner
from deploy.sandbox.server import RunningSandbox
from deploy.sandbox.state.faults import ArmedFault
from starter.web.screens.status import signing_page_of_view
from tests.activities.core_signature.requests import PDF, act_as_signer
from tests.activities.notifications.stage import entries, messaging
from tests.workflows.fakes import World
from tests.workflows.stage import a_request, start_story
from workflows.model.notifications import Channel, NotificationOutcome
from workflows.model.policy import Escalation, EscalationAction, Policy
from workflows.model.subject import Participant, Status
from workflows.signature.state import SignatureInput

SIGNER, ADDRESS = "customer-signer", "customer@acme.test"
PEOPLE = f"""
people:
  - {{id: {SIGNER}, name: N, email: {ADDRESS}, zone: UTC}}
  - {{id: legal-desk, name: N, email: desk@example.test, zone: UTC}}
  - {{id: deputy, name: N, email: deputy@example.test, zone: UTC, phone: "+31 20 555 0100"}}
"""
SILENT = Policy(window="3d", hours="any", reminders=None, warnings=(), escalation=None)
ALERTED = SILENT.replace(
    urgent=True,
    escalation=Escalation(
        after="4h", or_=None, action=EscalationAction.NOTIFY, to=("alternates",), alternates=("deputy",)
    ),
)


@dataclass
class House:
    """Everything real, over one sandbox; `world` is made for a tenant whose status mails are on or off."""

    sandbox: RunningSandbox
    core: CoreSignatureClient
    directory: FileDirectory
    notices: NotificationService
    store: Store
    downstream: HttpTargets

    async def world(self, *, status_mails: bool = True) -> World:
        self.core.config = replace(self.core.config, status_mails=status_mails)
        world = World()
        world.signatures = CoreSignatureService(self.core, self.directory, self.store)  # type: ignore[assignment]
        world.push, world.planner = self.notices, PolicyPlanner(self.directory)  # type: ignore[assignment]
        world.handoff = HandOffService(  # type: ignore[assignment]
            push=self.notices,
            downstream=self.downstream,
            directory=self.directory,
            temporal=await Client.connect("127.0.0.1:9", lazy=True),
            store=self.store,
            document_url=self.core.document_url,
            policies=Path("policies.yaml"),
        )
        return world

    async def request(self, policy: Policy) -> SignatureInput:
        signature_input = a_request(Participant(person=SIGNER, order=1), handoff=()).replace(policy=policy)
        document = signature_input.brief.document.replace(sha256=await self.store.files.put(PDF))
        return signature_input.replace(brief=signature_input.brief.replace(document=document, urgent=policy.urgent))

    def list_messages(self) -> list[tuple[str, str]]:
        """What cloud messaging delivered: to whom, and how it reads."""
        return [(message["to"], message["text"]) for message in entries(self.sandbox, "message")]

    def arm(self, fault: str) -> None:
        self.sandbox.state.faults.arm(ArmedFault(path="/mra/*", method="POST", fault=fault, times=None))


@pytest.fixture
async def house(
    sandbox: RunningSandbox,
    core: CoreSignatureClient,
    directory: FileDirectory,
    a_worker: Callable[..., NotificationService],
    store: Store,
    tmp_path: Path,
) -> AsyncIterator[House]:
    (tmp_path / "people.yaml").write_text(PEOPLE)
    async with AsyncExitStack() as closing:
        channel = await closing.enter_async_context(messaging(sandbox))
        calls = await closing.enter_async_context(make_client())
        downstream = HttpTargets(calls, HttpTargetsConfig(secrets={}), Guard(()))
        yield House(sandbox, core, directory, a_worker(messaging=channel), store, downstream)


async def test_a_requester_without_a_phone_hears_of_a_decline_by_mail(house: House) -> None:
    async with start_story(await house.world(), await house.request(SILENT)) as request_story:
        await request_story.days_pass(0.01)
        await act_as_signer(house.sandbox, ADDRESS, "decline", reason="too dear")
        await request_story.callback("declined")
        settled = await request_story.handle.result()
        view = await request_story.read_view()
    assert settled.outcome is Status.DECLINED
    follow, line = [line for line in view.notifications if line.person == "legal-desk"]
    assert (follow.stage, follow.outcome) == ("follow", NotificationOutcome.SUPPRESSED)
    assert (line.stage, line.channel, line.outcome) == ("settled", Channel.MAIL, NotificationOutcome.ACCEPTED)
    [text] = [text for address, text in house.list_messages() if address == "desk@example.test"]
    assert "was declined by a signer" in text


async def test_an_urgent_alternate_without_a_phone_is_told_by_text(house: House) -> None:
    async with start_story(await house.world(), await house.request(ALERTED)) as request_story:
        await request_story.days_pass(1)
        view = await request_story.read_view()
    [line] = [line for line in view.notifications if line.stage == "escalation"]
    assert (line.person, line.channel, line.outcome) == ("deputy", Channel.SMS, NotificationOutcome.ACCEPTED)
    assert [(entry.from_, entry.to) for entry in view.escalations] == [(SIGNER, "deputy")]
    [(number, text)] = house.list_messages()
    assert number == "0031205550100"
    assert text.startswith("Urgent · ")


@pytest.mark.long
@pytest.mark.parametrize("fault", ["401", "503", "429"])
async def test_an_ending_reaches_the_requester_once_the_channel_is_mended(
    house: House, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A 429 has everybody wait by the real clock, while this one skips days: `test_limiter.py` shows that it does.
    monkeypatch.setattr(limiter, "PAUSE_AT_MOST", 0.0)
    house.arm(fault)
    async with start_story(await house.world(), await house.request(SILENT)) as request_story:
        await request_story.days_pass(0.01)
        await act_as_signer(house.sandbox, ADDRESS, "decline", reason="too dear")
        await request_story.callback("declined")
        await request_story.days_pass(0.01)
        waiting = await request_story.read_view()
        assert house.list_messages() == []
        house.sandbox.state.faults.clear()
        await request_story.handle.result()
        view = await request_story.read_view()
    assert not any(
        line.outcome is NotificationOutcome.ACCEPTED for line in waiting.notifications if line.stage == "settled"
    )
    settled_lines = [
        line for line in view.notifications if line.stage == "settled" and line.outcome is NotificationOutcome.ACCEPTED
    ]
    assert {(line.person, line.channel) for line in settled_lines} == {
        (SIGNER, Channel.MAIL),
        ("legal-desk", Channel.MAIL),
    }
    assert sorted(address for address, _ in house.list_messages()) == [ADDRESS, "desk@example.test"]


@pytest.mark.long
@pytest.mark.parametrize("status_mails", [False, True], ids=["off", "on"])
async def test_an_expiry_is_told_as_one_to_a_signer_without_a_phone(house: House, status_mails: bool) -> None:
    """Every channel there is: Core Signature's mail, cloud messaging, our page, what is shown and handed on."""
    async with start_story(await house.world(status_mails=status_mails), await house.request(SILENT)) as request_story:
        settled = await request_story.handle.result()
        view = await request_story.read_view()
    [document] = house.sandbox.state.database.documents
    assert document.status == "ca"
    assert (settled.outcome, view.status) == (Status.EXPIRED, Status.EXPIRED)
    assert signing_page_of_view(view, SIGNER).outcome is Status.EXPIRED
    [text] = [text for address, text in house.list_messages() if address == ADDRESS]
    assert text.startswith("It was not signed in time.")
    mail_texts = [f"{mail.subject} {mail.text}" for mail in house.sandbox.state.database.mails.where("customer")]
    assert len(mail_texts) == (3 if status_mails else 2)
    assert any("cancelled" in text.lower() for text in mail_texts) is status_mails


@pytest.mark.parametrize("status_mails", [False, True], ids=["off", "on"])
async def test_a_signer_hears_once_that_everybody_has_signed(house: House, status_mails: bool) -> None:
    """By Core Signature's mail with the copy, or by ours where that is switched off."""
    async with start_story(await house.world(status_mails=status_mails), await house.request(SILENT)) as request_story:
        await request_story.days_pass(0.01)
        await act_as_signer(house.sandbox, ADDRESS, "sign")
        await request_story.callback("signed")
        assert (await request_story.handle.result()).outcome is Status.SIGNED
    our_mails = [text for address, text in house.list_messages() if address == ADDRESS]
    theirs = [mail for mail in house.sandbox.state.database.mails.where("customer") if mail.kind == "signed"]
    assert (len(our_mails), len(theirs)) == ((0, 1) if status_mails else (1, 0))
