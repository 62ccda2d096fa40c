"""A trial against the sandbox, as one tenant and others that differ on purpose; what it touches, leaves and keeps."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from deploy.sandbox.server import RunningSandbox, running
from starter.config.settings import load
from starter.tenant.facts import FACTS, Verdict, judge_recording
from starter.tenant.recording import ANSWERS, Recording
from starter.tenant.trial import Trial
from starter.web.http.serving import listening
from tests.activities.core_signature.conftest import arm
from tests.plain_http import plain_client
from tests.starter.tenant.stage import (
    OTHER,
    SECRETS,
    TO,
    FinishedTrial,
    TestSigner,
    build_plan,
    environment,
    run_trial,
    vendor,
)


async def test_what_is_assumed_holds_at_the_sandbox(tmp_path: Path) -> None:
    async with run_trial(tmp_path) as finished:
        assert finished.findings(Verdict.DIFFERS) == {}
        assert finished.findings(Verdict.NOT_SEEN).keys() == {"A5", "W1"}
        assert [line.rpartition(": ")[2] for line in finished.trial.leftovers] == ["signed", "deleted", "deleted"]


VARIANTS: dict[str, tuple[dict[str, Any], dict[str, str], set[str]]] = {
    "short paths, lists that lag": (
        {"action_names": "short", "list_lag": 1.1},
        {"SIGNATURE_LIST_LAG": "1s"},
        {"L4", "A1", "A2", "A3"},
    ),
    "names in two parts, statuses in words": (
        {"signer_names": "first_last", "status_words": "word", "embedded_key": "signature_request"},
        {},
        {"S5", "C13"},
    ),
    "unsigned callbacks, no log, another host": (
        {"callback_hash": False, "signing_log": False, "download_host": "localhost"},
        {},
        {"K5", "D8", "D9", "D10"},
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("name", VARIANTS)
async def test_exactly_what_differs_is_named_with_the_setting_that_mends_it(name: str, tmp_path: Path) -> None:
    variant, overrides, ids = VARIANTS[name]
    async with run_trial(tmp_path, overrides=overrides, **variant) as finished:
        differences = finished.findings(Verdict.DIFFERS)
        assert differences.keys() == ids
        for id, finding in differences.items():
            assert finding.says
            assert finding.settings == tuple(f"COUNTERSIGN_{name}" for name in FACTS[id].settings)


async def test_with_the_settings_that_it_names_nothing_differs_any_more(tmp_path: Path) -> None:
    mended = {
        "SIGNATURE_CANCEL_PATHS": "cancel",
        "SIGNATURE_RESEND_PATHS": "resend",
        "SIGNATURE_FORWARD_PATHS": "forward",
        "SIGNATURE_SIGNER_NAME_STYLE": "first_last",
        "SIGNATURE_DOWNLOAD_HOSTS": "localhost",
    }
    variant = {"action_names": "short", "signer_names": "first_last", "download_host": "localhost"}
    async with run_trial(tmp_path, overrides=mended, **variant) as finished:
        assert finished.findings(Verdict.DIFFERS) == {}


@pytest.mark.parametrize(
    ("overrides", "id"),
    [
        ({"SIGNATURE_CLIENT_SECRET": "wrong"}, "T3"),
        ({"WEBHOOK_SECRETS": "another"}, "K5"),
        ({"SIGNATURE_DIALECT": "signrequest"}, "R1"),
        ({"PUSH_SEND_PATH": "/v2/{project}:push"}, "F1"),
    ],
)
async def test_a_setting_of_ours_that_is_wrong_is_named(overrides: dict[str, str], id: str, tmp_path: Path) -> None:
    async with run_trial(tmp_path, overrides=overrides) as finished:
        [name] = overrides
        settings = finished.findings(Verdict.DIFFERS)[id].settings
        assert f"COUNTERSIGN_{name}" in settings or settings == ("COUNTERSIGN_SIGNATURE_TOKEN_AUTH",)


async def test_a_filter_that_is_ignored_is_named_and_no_other_document_is_kept(tmp_path: Path) -> None:
    async with running(vendor(ignores_filters=True)) as sandbox:
        foreign_uuid = await _send_of_somebody_else(sandbox.url, sandbox.core_signature.tokens.issue())
        trial = Trial(load(environment=environment(sandbox, tmp_path)), build_plan(), TestSigner(sandbox, "sign").say)
        await trial.run()
        findings = FinishedTrial(trial, TestSigner(sandbox), sandbox).findings(Verdict.DIFFERS)
        assert {"L3", "V1"} <= findings.keys()
        trial.recording.write(tmp_path)
        recorded_text = (tmp_path / ANSWERS).read_text()
        assert [
            private_text
            for private_text in (foreign_uuid, "somebody.else", "Secret plan", "case-of-another")
            if private_text in recorded_text
        ] == []
        calls = [entry for entry in sandbox.state.ledger.list_entries_after(0) if entry["type"] == "request"]
        assert [call for call in calls if call["method"] != "GET" and foreign_uuid in call["path"]] == []


async def _send_of_somebody_else(url: str, token: str) -> str:
    body = {
        "file_from_content": "JVBERi0xLjQ=",
        "file_from_content_name": "plan.pdf",
        "name": "Secret plan",
        "external_id": "case-of-another",
    }
    async with plain_client(url, headers={"authorization": f"Bearer {token}"}) as browser:
        document = (await browser.post("/api/v1/documents/", json=body)).json()
        signers = [{"email": "somebody.else@tester.example", "full_name": "Somebody Else"}]
        await browser.post("/api/v1/signature-requests/", json={"document": document["url"], "signers": signers})
        return str(document["uuid"])


async def test_a_decline_is_seen_as_well(tmp_path: Path) -> None:
    async with run_trial(tmp_path, act="decline") as finished:
        assert finished.findings(Verdict.DIFFERS) == {}
        assert {"C13", "D8", "D9"} <= finished.findings(Verdict.HOLDS).keys()


async def read_statuses(sandbox: RunningSandbox) -> set[str]:
    async with plain_client(sandbox.url) as browser:
        return {document["status"] for document in (await browser.get("/_sandbox/documents")).json()}


async def test_who_does_not_sign_is_waited_for_within_the_bound_and_the_document_is_cancelled(tmp_path: Path) -> None:
    async with running(vendor()) as sandbox:
        settings, signer = load(environment=environment(sandbox, tmp_path)), TestSigner(sandbox)
        trial = Trial(settings, build_plan(wait=0.1), signer.say)
        await trial.run()
        assert await read_statuses(sandbox) == {"ca"}
        assert "D8" in FinishedTrial(trial, signer, sandbox).findings(Verdict.NOT_SEEN)
        assert trial.leftovers[0].endswith(": cancelled")


@pytest.mark.parametrize("failures", [0, 1], ids=["at once", "once it answers again"])
async def test_ctrl_c_cancels_the_test_documents(
    failures: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starter.tenant.trial.CLEANING_PAUSES", (0.0, 0.0))
    async with running(vendor()) as sandbox:
        settings, is_waiting = load(environment=environment(sandbox, tmp_path)), asyncio.Event()

        def say(text: str) -> None:
            if text.startswith("NOW YOU"):
                is_waiting.set()

        trial = Trial(settings, build_plan(wait=60), say)
        running_trial = asyncio.create_task(trial.run())
        await is_waiting.wait()
        for method, path in (("POST", "*cancel*"), ("DELETE", "/api/v1/documents/*")) if failures else ():
            arm(sandbox, method=method, path=path, fault="500", times=failures)
        running_trial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running_trial
        assert await read_statuses(sandbox) == {"ca"}
        assert trial.leftovers[0].endswith(": cancelled")


@pytest.mark.parametrize("path", ["/api/v1/documents/", "/api/v1/signature-requests/"])
async def test_a_creation_whose_answer_is_lost_leaves_nothing_open(path: str, tmp_path: Path) -> None:
    async with running(vendor()) as sandbox:
        settings = load(environment=environment(sandbox, tmp_path))
        arm(sandbox, method="POST", path=path, fault="cut")
        await Trial(settings, build_plan(), TestSigner(sandbox).say).run()
        assert await read_statuses(sandbox) <= {"ca"}


async def test_beside_a_running_web_process_the_rest_is_tried(tmp_path: Path) -> None:
    async with running(vendor()) as sandbox:
        settings = load(environment=environment(sandbox, tmp_path))
        async with listening(Starlette(), settings.webhook.bind):
            signer = TestSigner(sandbox, "sign")
            trial = Trial(settings, build_plan(), signer.say)
            await trial.run()
        finished = FinishedTrial(trial, signer, sandbox)
        assert {"D3", "K5", "K6"} <= finished.findings(Verdict.NOT_SEEN).keys()
        assert finished.findings(Verdict.DIFFERS) == {}


async def test_nothing_that_is_kept_names_anybody_or_is_a_secret_and_it_is_judged_alike(tmp_path: Path) -> None:
    async with run_trial(tmp_path) as finished:
        finished.trial.recording.write(tmp_path)
        recorded_text = (tmp_path / ANSWERS).read_text()
        uuids = [document.uuid for document in finished.sandbox.state.database.documents]
        host, port = finished.sandbox.url.rpartition("/")[2].split(":")
        private = (*SECRETS, TO, OTHER, TO.split("@")[0], "canary", "acme", host, port, "/dl/", "/sign/", "eyJ")
        assert [private_text for private_text in (*private, *uuids) if private_text in recorded_text] == []
        assert judge_recording(Recording.read(tmp_path)) == judge_recording(finished.trial.recording)
