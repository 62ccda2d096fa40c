"""`make test TENANT=folder`: the answers of a real tenant, as `countersign tenant try` has kept them, played to our
client and compared with the sandbox. Without a folder, the answers of the sandbox.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from starter.tenant.facts import judge_recording
from starter.tenant.recording import Recording
from tests.starter.tenant.contract import (
    list_changed_verdicts,
    list_differences,
    list_misread_answers,
    list_unknown_keys,
)
from tests.starter.tenant.stage import run_trial


async def record_sandbox(folder: Path, **variant: Any) -> Recording:
    """A trial of the sandbox, as it is read from its folder."""
    async with run_trial(folder, **variant) as finished:
        finished.trial.recording.write(folder)
    return Recording.read(folder)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return asyncio.run(record_sandbox(tmp_path_factory.mktemp("sandbox")))


@pytest.fixture
def tenant(sandbox: Recording) -> Recording:
    """The tenant that is named, else the sandbox."""
    named = os.environ.get("TENANT")
    return Recording.read(Path(named)) if named else sandbox


async def test_our_client_reads_every_answer_as_it_is(tenant: Recording) -> None:
    assert await list_misread_answers(tenant) == []


def test_our_web_process_judges_every_callback_as_it_did(tenant: Recording) -> None:
    assert list_changed_verdicts(tenant) == []


def test_the_sandbox_answers_as_the_tenant_does(tenant: Recording, sandbox: Recording) -> None:
    """What is listed here the sandbox has to learn, or a setting mends; keys that nothing reads are only printed."""
    print("\nunknown to the sandbox, and read by nothing:", ", ".join(list_unknown_keys(tenant, sandbox)) or "nothing")
    assert list_differences(tenant, sandbox) == []


def test_its_facts_are_judged_from_its_answers_alone(tenant: Recording) -> None:
    assert judge_recording(tenant) == judge_recording(Recording.model_validate_json(tenant.model_dump_json()))


@pytest.mark.parametrize(
    ("variant", "messages"),
    [
        ({"embedded_key": "signature_request"}, ["document: signrequest never comes"]),
        (
            {"action_names": "short"},
            [
                f"/api/v1/signature-requests/{{uuid}}/{action}/ is unknown to the sandbox"
                for action in ("cancel", "forward", "resend")
            ],
        ),
        ({"callback_hash": False}, ["callback: event_hash never comes"]),
        ({"signer_names": "first_last"}, ["signer: full_name never comes"]),
        (
            {"event_document": "text"},
            ["event: document is text, at the sandbox object", "callback: document is text, at the sandbox object"],
        ),
    ],
    ids=lambda parameter: next(iter(parameter)) if isinstance(parameter, dict) else "",
)
async def test_a_tenant_that_differs_is_found_and_still_read(
    variant: dict[str, Any], messages: list[str], sandbox: Recording, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    variant_recording = await record_sandbox(tmp_path / "other", **variant)
    assert list_differences(variant_recording, sandbox) == messages
    assert await list_misread_answers(variant_recording) == []
    assert list_changed_verdicts(variant_recording) == []


async def test_an_answer_that_our_client_would_not_read_is_named(sandbox: Recording) -> None:
    broken = [
        call.replace(body={**call.answer, "uuid": 7}) if call.step == "read" and call.answer else call
        for call in sandbox.exchanges
    ]
    first = (await list_misread_answers(sandbox.replace(exchanges=tuple(broken))))[0]
    assert first.startswith("read: GET /api/v1/documents/{uuid}/ 200: Core Signature answered 200: not readable as")
