"""What a target of the hand-off starts: an onboarding of a file, a workflow of somebody else's, once each."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.files.reading import FileFaults
from activities.hand_off import workflows as starts
from activities.hand_off.workflows import DEPTH_AT_MOST, StartTargets, onboarding_id, workflow_id
from activities.people.person import Reachable, SignersFile
from activities.policies.catalogue import Catalogue
from activities.policies.policy_file import PolicyLayer
from activities.temporal import executions as runs
from tests.markdown import ROOT, blocks
from tests.servers import time_skipping
from tests.workflows.onboarding.stage import AGREEMENTS, KINDS, LIVE, House
from workflows.model.hand_off import HandoffResult, SettledRequest
from workflows.model.policy import PlaceholderValue, StartTarget, Target
from workflows.model.signature import Document, SignatureBrief
from workflows.model.subject import Participant, Status
from workflows.onboarding.state import OnboardingInput

AT = datetime(2026, 12, 4, 9, 30, tzinfo=UTC)
SETTLED = SettledRequest(request="msa.0042", kind="contract", outcome=Status.SIGNED, at=AT, external_id="msa.0042")
BRIEF = SignatureBrief(
    id="msa.0042",
    kind="contract",
    title="Master services agreement",
    document=Document(),
    requester="account-executive",
    people=(Participant(person="customer-signer"), Participant(person="signer-2", order=2)),
)
KICK_OFF: dict[str, Any] = {
    "customer": {"name": "{company}", "person": "{person-1}"},
    "owner": "{requester}",
    "stages": [AGREEMENTS, LIVE],
}
ONBOARDING = StartTarget(onboarding="kick-off.yaml", fields=(PlaceholderValue(place="company", text="Acme"),))
TARGET = Target(target="kick-off", start=ONBOARDING)
ID = onboarding_id("msa.0042/handoff/kick-off", "kick-off")


@workflow.defn
class Archive:
    """Somebody else's: ends with what it was started with, or fails."""

    @workflow.run
    async def run(self, data: dict[str, Any]) -> str:
        """What was handed off."""
        return f"{data['request']} {data['outcome']} {data['version']}"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """Of a server without anybody at work."""
    async with time_skipping() as env:
        yield env.client


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A company with the file of a kick-off beside its catalogue."""
    house = House(tmp_path)
    write_kick_off(house, KICK_OFF)
    return house


def write_kick_off(house: House, plain: Any) -> None:
    (house.folder / "kick-off.yaml").write_text(json.dumps(plain))


async def attempt_start(house: House, client: Client, target: Target = TARGET, **brief: Any) -> HandoffResult:
    """The result of one attempt."""
    start_targets = StartTargets(client, house.store, house.directory, house.folder / "catalogue.yaml")
    assert target.start is not None
    return await start_targets.start(target, target.start, BRIEF.replace(**brief), SETTLED)


async def test_an_onboarding_is_started_of_its_file_once_whatever_becomes_of_the_file(
    house: House, client: Client
) -> None:
    assert await attempt_start(house, client) == HandoffResult(target="kick-off", ok=True)
    run = await runs.described(client, f"customer-onboarding:{ID}")
    assert await run.memo("document") == "Acme"
    (house.folder / "kick-off.yaml").unlink()
    assert (await attempt_start(house, client)).ok
    write_kick_off(house, {**KICK_OFF, "stages": [LIVE]})
    assert (await attempt_start(house, client)).ok
    await client.get_workflow_handle(run.id).terminate()
    repeated = await attempt_start(house, client)
    assert (repeated.ok, repeated.gone) == (True, False), "the file is another, but nobody else has this id"
    write_kick_off(house, KICK_OFF)
    broken = await attempt_start(house, client)
    assert (broken.ok, broken.gone, ID in (broken.why or "")) == (False, True, True)
    assert (await runs.described(client, run.id)).run_id == run.run_id


async def test_a_circle_comes_to_an_end_although_each_ending_would_start_it_again(house: House, client: Client) -> None:
    """Ten times the bound: each onboarding ends, and what it was started by is a target of it as well."""
    brief, results = BRIEF.subject, []
    for _ in range(10 * DEPTH_AT_MOST):
        results.append(await attempt_start(house, client, **dict(brief)))
        if results[-1].ok:
            id = onboarding_id(f"{brief.reference}/handoff/kick-off", "kick-off")
            brief = BRIEF.subject.replace(id=f"{id}.1", depth=await _depth_of(client, id))
    assert [result.ok for result in results] == [number < DEPTH_AT_MOST for number in range(10 * DEPTH_AT_MOST)]
    assert (results[-1].gone, results[-1].why) == (
        True,
        "kick-off.yaml would be started by a circle: 10 onboardings have started each other",
    )


async def _depth_of(client: Client, id: str) -> int:
    """What an onboarding was started with."""
    history = await client.get_workflow_handle(f"customer-onboarding:{id}").fetch_history()
    payloads = history.events[0].workflow_execution_started_event_attributes.input.payloads
    onboarding_input: OnboardingInput = (await client.data_converter.decode(list(payloads), [OnboardingInput]))[0]
    return onboarding_input.onboarding.depth


async def test_what_is_known_of_those_who_were_asked_goes_into_its_places(house: House, client: Client) -> None:
    ada = Reachable.model_validate({"name": "Ada Ng", "email": "ada@acme.example", "zone": "Europe/Paris"})
    home, in_full = BRIEF.workflow_id, SignersFile.dump_signers((None, ada), (None, "signer-2"))
    assert in_full is not None
    await house.store.people.keep(home, "digest", in_full)
    await house.store.people.choose(home, "digest")
    customer = {name: f"{{person-2.{name}}}" for name in ("name", "email", "zone", "locale", "phone")}
    write_kick_off(house, {**KICK_OFF, "customer": {"company": "{title} {kind} {id} {outcome}", **customer}})
    target = TARGET.replace(start=ONBOARDING.replace(fields=()))
    assert await attempt_start(house, client, target) == HandoffResult(target="kick-off", ok=True)
    title = await (await runs.described(client, f"customer-onboarding:{ID}")).memo("document")
    assert title == "Master services agreement contract msa.0042 signed"


async def test_the_file_of_the_page_is_started(house: House, client: Client) -> None:
    (file,) = (block.text for block in blocks((ROOT / "docs" / "hand-off.md").read_text()) if block.language == "yaml")
    (house.folder / "kick-off.yaml").write_text(file)
    assert await attempt_start(house, client) == HandoffResult(target="kick-off", ok=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"people": ()}, "customer"),
        ({"people": (Participant(person="who-has-left"),)}, "who-has-left"),
        ({"requester": "nobody"}, "nobody"),
    ],
)
async def test_what_a_file_or_the_directory_lacks_is_tried_again_with_the_reason(
    house: House, client: Client, change: dict[str, Any], message: str
) -> None:
    result = await attempt_start(house, client, **change)
    assert (result.ok, result.gone) == (False, False)
    assert message in (result.why or "") and "kick-off.yaml" in (result.why or "")
    (house.folder / "kick-off.yaml").unlink()
    assert "cannot be read" in ((await attempt_start(house, client)).why or "")


async def test_a_workflow_of_somebody_else_gets_the_data_and_is_started_once(house: House, client: Client) -> None:
    target = Target(target="archive", start=StartTarget(workflow="Archive", queue="archive"))
    results = await asyncio.gather(*(attempt_start(house, client, target) for _ in range(5)))
    assert results == 5 * [HandoffResult(target="archive", ok=True)]
    handle = client.get_workflow_handle("msa.0042.archive")
    async with Worker(client, task_queue="archive", workflows=[Archive], workflow_runner=UnsandboxedWorkflowRunner()):
        assert await handle.result() == "msa.0042 signed 1"
    assert (await attempt_start(house, client, target)).ok, "a closed one is done"
    other_result = await attempt_start(
        house, client, target.replace(start=StartTarget(workflow="Other", queue="archive"))
    )
    assert (other_result.gone, other_result.why) == (True, "msa.0042.archive is the id of a Archive already")


async def test_one_that_was_ended_is_not_started_anew(house: House, client: Client) -> None:
    target = Target(target="archive", start=StartTarget(workflow="Archive", queue="archive"))
    await attempt_start(house, client, target)
    handle = client.get_workflow_handle("msa.0042.archive")
    await handle.terminate()
    assert (await attempt_start(house, client, target)).ok
    with pytest.raises(WorkflowFailureError):
        await handle.result()


async def test_a_temporal_that_does_not_answer_is_tried_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "DEADLINE", starts.DEADLINE / 100)
    unreachable_client = await Client.connect("127.0.0.1:9", lazy=True)
    with pytest.raises(RuntimeError):
        await attempt_start(
            house, unreachable_client, Target(target="archive", start=StartTarget(workflow="Archive", queue="archive"))
        )


def test_the_ids_are_those_of_no_other_hand_off() -> None:
    assert onboarding_id("a.b/handoff/c", "c") != onboarding_id("a/handoff/b.c", "c")
    long = onboarding_id("a/handoff/x", "a.target_with-" + "a" * 80)
    assert len(long) == 48 and "." not in long and long.startswith("a-target_with-")
    assert workflow_id("a.b", "c") == "a.b.c"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "acme"}, "kick-off.yaml:1: id: is made of what has ended: leave it out"),
        ({"owner": "{ownr}"}, "nobody fills {ownr}; there are id, kind, title, requester, outcome, person-1"),
        ({"owner": "{requestr}"}, "nobody fills {requestr}, did you mean requester?"),
        ({"owner": "{person-0}"}, "nobody fills {person-0}, did you mean person-1?"),
        ({"kind": "{kind}"}, "kind: can have no {place}, which are for texts, persons and dates"),
        ({"policy": {"handoff": [{"target": "t", "url": "{title}"}]}}, "can have no {place}"),
        ({"customer": {"name": "Acme"}}, "has no place {company} for the target's field of that name"),
    ],
)
def test_a_file_that_could_never_be_started_is_refused_with_the_catalogue(
    house: House, change: dict[str, Any], message: str
) -> None:
    write_kick_off(house, {**KICK_OFF, **change})
    start = {"onboarding": "kick-off.yaml", "fields": {"company": "Acme"}}
    base = {"handoff": [{"target": "kick-off", "start": start}]}
    path = house.folder / "catalogue.yaml"
    path.write_text(json.dumps({"kinds": {**KINDS, "base": base, "below": {"extends": "base"}}}))
    with pytest.raises(FileFaults) as caught:
        Catalogue.read(path)
    [line] = str(caught.value).splitlines()
    assert "kinds.base.handoff[0].start.onboarding: " in line and message in line


def test_the_file_of_a_request_is_held_against_the_one_it_names(house: House) -> None:
    catalogue = Catalogue.read(house.folder / "catalogue.yaml")
    entry = {"target": "kick-off", "start": {"onboarding": "kik-off.yaml"}}
    [(path, message)] = catalogue.faults("contract", PolicyLayer.model_validate({"handoff": [entry]}))
    assert (path, "cannot be read" in message.english) == (("handoff", 0, "start", "onboarding"), True)
