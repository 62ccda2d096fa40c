"""Two requests live on the real server, one begun in the clear, one under seal; the key comes in mid-life of the first.

Beside them a task of a customer, and onboardings of one who stands in full in its file, and of one of the directory.

Then everything that was written down is searched for what must not be found.
"""

import base64
import re
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.records.store import Store
from tests.privacy.canaries import (
    CONTENT,
    MESSAGE,
    NEVER,
    PLAIN_TITLE,
    SEALED,
    SEALED_TITLE,
    onboarding_file,
    request_file,
    step_file,
    welcome_file,
)
from tests.privacy.evidence import Evidence, gather_evidence
from tests.privacy.household import Household, household
from tests.versions.stage import eventually
from tests.workflows.stage import is_at_work
from workflows.kinds import Kind

pytestmark = pytest.mark.real_server

KEYS = "2026-a=" + base64.b64encode(bytes(range(32))).decode()
ONBOARDED = (
    Kind.ONBOARDING.workflow_id("welcome"),
    Kind.ONBOARDING.workflow_id("guest"),
    Kind.REQUEST.workflow_id("guest.1.1"),
    Kind.TASK.workflow_id("guest.1.2"),
)
BEGUN = (*ONBOARDED, Kind.REQUEST.workflow_id("plain"), Kind.TASK.workflow_id("step"))
"""Before the key comes in."""


async def lived(home: Household) -> None:
    """One is begun without keys; with them it is ended, and another one lives and is declined."""
    await home.open()
    await home.starts(request_file(home.example, "plain", PLAIN_TITLE, home.sandbox))
    await home.starts(step_file(home.example), "task")
    await home.starts(onboarding_file(home.example), "onboard")
    await home.starts(welcome_file(home.example), "onboard")
    await home.signs_on_the_phone("plain")
    await home.looks_on_the_phone("canary-guest")
    await home.hands_over_on_the_phone()
    await eventually(lambda: at_rest(home))
    await home.turn_to(KEYS)
    await home.starts(request_file(home.example, "sealed", SEALED_TITLE, home.sandbox))
    await home.signs_on_the_phone("sealed")
    await home.second_signer("plain", "sign")
    await home.provider_fails_once()
    await home.second_signer("sealed", "decline")
    await eventually(lambda: have_ended(home))
    await home.overhear()


async def at_rest(home: Household) -> bool:
    """Whether nothing of them is under way: what is broken off in its middle fails in the clear."""
    client = await Client.connect(home.temporal)
    try:
        return not any([await is_at_work(client, id) for id in BEGUN])
    except RPCError:
        return False


async def have_ended(home: Household) -> bool:
    store = Store((home.folder.path / "store").as_uri())
    records = await store.records.read_many([Kind.REQUEST.workflow_id(id) for id in ("plain", "sealed")])
    store.close()
    return all(records)


async def read_secrets(home: Household) -> dict[str, str]:
    """The links to pages of ours and embed_urls of this life."""
    pages = [push["link"] for push in await home.ledger("push")]
    links = {link.rsplit("/", 1)[-1] for link in pages if re.search("/(open|task|journey)/", link)}
    signers = [signer["uuid"] for document in await home.documents() for signer in document["signers"]]
    refs = {f"link {number}": ref for number, ref in enumerate(sorted(links))}
    return refs | {f"embed_url {number}": f"/sign/{uuid}" for number, uuid in enumerate(signers)}


@pytest.mark.long
async def test_nothing_personal_is_written_down_and_with_keys_nothing_can_be_read(tmp_path: Path) -> None:
    async with household(tmp_path / "home") as home:
        await lived(home)
        secrets = NEVER | await read_secrets(home)
        evidence = await gather_evidence(home, ("plain", "sealed"), ONBOARDED)

    assert len(secrets) >= len(NEVER) + 6
    assert_the_search_bites(evidence)
    assert evidence.find_canaries(secrets) == []
    assert evidence.find_canaries(CONTENT, *evidence.outputs, "rows") == []
    assert evidence.find_canaries({"message": MESSAGE}) == [], "it is in the store alone"
    assert evidence.find_canaries(SEALED, "sealed") == []
    assert evidence.find_canaries(SEALED, "database") == []


def assert_the_search_bites(evidence: Evidence) -> None:
    """What may be read is found in every place that is searched."""
    assert evidence.find_canaries({"title": PLAIN_TITLE}) == ["title in database", "title in plain"]
    for id in ONBOARDED:
        assert evidence.find_canaries({"id": id}, id) and evidence.find_canaries({"id": id}, "database"), id
    for source in ("worker", "receiver", "rows", "database", "plain"):
        assert evidence.find_canaries({"id": Kind.REQUEST.workflow_id("plain")}, source), source
    assert evidence.find_canaries({"words of a failure": "answered 503"}, "worker")
    assert evidence.find_canaries({"span": '"trace_id"'}, "worker")
    assert evidence.find_canaries({"metric": "temporal_activity_execution_latency"}, "heard")
    assert evidence.find_canaries({"id": Kind.REQUEST.workflow_id("sealed")}, "sealed")
