"""A trial against the sandbox, as one tenant and others that differ on purpose; what it touches, leaves and keeps."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from deploy.sandbox.server import running
from starter.config.settings import load
from starter.tenant import trial as tenant_trial
from starter.tenant.facts import Verdict, judged
from starter.tenant.recording import ANSWERS, REPORT, Recording
from starter.tenant.report import write_report
from starter.tenant.trial import Trial
from tests.activities.core_signature.conftest import arm
from tests.plain_http import plain_client
from tests.starter.tenant.stage import OTHER, SECRETS, TO, Heard, environment, plan, tried, vendor


async def test_what_is_assumed_holds_at_the_sandbox(tmp_path: Path) -> None:
    async with tried(tmp_path) as it:
        assert it.of(Verdict.DIFFERS) == {}
        holding = it.of(Verdict.HOLDS)
        assert {
            "T1",
            "L3",
            "L4",
            "E1",
            "D8",
            "D9",
            "S3",
            "A1",
            "A2",
            "A3",
            "C6",
            "V5",
            "K3",
            "K5",
            "K6",
            "F1",
        } <= holding.keys()
        assert [one.id for one in it.heard.found_ if one.verdict is Verdict.HOLDS] != []
        assert [line.rpartition(": ")[2] for line in it.trial.left[:2]] == ["signed", "deleted"]


VARIANTS: dict[str, tuple[dict[str, Any], dict[str, str], dict[str, tuple[str, ...]]]] = {
    "short paths, lists that lag": (
        {"action_names": "short", "list_lag": 1.1},
        {"SIGNATURE_LIST_LAG": "1s"},
        {
            "L4": ("COUNTERSIGN_SIGNATURE_LIST_LAG",),
            "A1": ("COUNTERSIGN_SIGNATURE_CANCEL_PATHS",),
            "A2": ("COUNTERSIGN_SIGNATURE_RESEND_PATHS",),
            "A3": ("COUNTERSIGN_SIGNATURE_FORWARD_PATHS",),
        },
    ),
    "names in two parts, statuses in words": (
        {"signer_names": "first_last", "status_words": "word", "embedded_key": "signature_request"},
        {},
        {"S5": ("COUNTERSIGN_SIGNATURE_SIGNER_NAME_STYLE",), "C3": (), "C6": (), "C9": ()},
    ),
    "unsigned callbacks, no log, another order, another host": (
        {"callback_hash": False, "signing_log": False, "event_order": "oldest", "download_host": "localhost"},
        {},
        {"K5": ("COUNTERSIGN_WEBHOOK_MODE",), "D9": (), "D10": ("COUNTERSIGN_SIGNATURE_DOWNLOAD_HOSTS",), "V5": ()},
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
async def test_exactly_what_differs_is_named_with_the_setting_that_mends_it(name: str, tmp_path: Path) -> None:
    variant, ours, expected = VARIANTS[name]
    async with tried(tmp_path, ours=ours, **variant) as it:
        assert {id: one.settings for id, one in it.of(Verdict.DIFFERS).items()} == expected
        assert all(one.says for one in it.of(Verdict.DIFFERS).values())


async def test_with_the_settings_that_it_names_nothing_differs_any_more(tmp_path: Path) -> None:
    mended = {
        "SIGNATURE_CANCEL_PATHS": "cancel",
        "SIGNATURE_RESEND_PATHS": "resend",
        "SIGNATURE_FORWARD_PATHS": "forward",
        "SIGNATURE_SIGNER_NAME_STYLE": "first_last",
        "SIGNATURE_DOWNLOAD_HOSTS": "localhost",
    }
    variant = {"action_names": "short", "signer_names": "first_last", "download_host": "localhost"}
    async with tried(tmp_path, ours=mended, **variant) as it:
        assert it.of(Verdict.DIFFERS) == {}


@pytest.mark.parametrize(
    ("ours", "fact", "settings"),
    [
        ({"SIGNATURE_CLIENT_SECRET": "wrong"}, "T3", ("COUNTERSIGN_SIGNATURE_TOKEN_AUTH",)),
        ({"WEBHOOK_SECRETS": "another"}, "K5", ("COUNTERSIGN_WEBHOOK_SECRETS",)),
        ({"SIGNATURE_DIALECT": "signrequest"}, "R1", ("COUNTERSIGN_SIGNATURE_DIALECT",)),
        (
            {"PUSH_SEND_PATH": "/v2/{project}:push"},
            "F1",
            ("COUNTERSIGN_PUSH_URL", "COUNTERSIGN_PUSH_SEND_PATH", "COUNTERSIGN_PUSH_PROJECT"),
        ),
    ],
)
async def test_a_setting_of_ours_that_is_wrong_is_named(
    ours: dict[str, str], fact: str, settings: tuple[str, ...], tmp_path: Path
) -> None:
    async with tried(tmp_path, ours=ours) as it:
        assert it.of(Verdict.DIFFERS)[fact].settings == settings


async def test_a_filter_that_is_ignored_is_named_and_no_other_document_is_kept(tmp_path: Path) -> None:
    async with running(vendor(ignores_filters=True)) as sandbox:
        other = await _of_somebody_else(sandbox.url, sandbox.core_signature.tokens.issue())
        trial = Trial(
            load(environment=environment(sandbox, tmp_path)),
            plan(load(environment=environment(sandbox, tmp_path))),
            Heard(sandbox, "sign"),
        )
        await trial.run()
        differing = {one.id: one.settings for one in trial.findings if one.verdict is Verdict.DIFFERS}
        assert differing["L3"] == differing["V1"] == ("COUNTERSIGN_SIGNATURE_DIALECT",)
        trial.recording.write(tmp_path)
        kept = (tmp_path / ANSWERS).read_text()
        assert [word for word in (other, "somebody.else", "Secret plan", "case-of-another") if word in kept] == []
        changing = [
            one
            for one in sandbox.state.ledger.after(0)
            if one["type"] == "request" and one["method"] != "GET" and other in one["path"]
        ]
        assert changing == []


async def _of_somebody_else(url: str, token: str) -> str:
    body = {
        "file_from_content": "JVBERi0xLjQ=",
        "file_from_content_name": "plan.pdf",
        "name": "Secret plan",
        "external_id": "case-of-another",
    }
    async with plain_client(url, headers={"authorization": f"Bearer {token}"}) as browser:
        made = (await browser.post("/api/v1/documents/", json=body)).json()
        signers = [{"email": "somebody.else@tester.example", "full_name": "Somebody Else"}]
        await browser.post("/api/v1/signature-requests/", json={"document": made["url"], "signers": signers})
        return str(made["uuid"])


async def test_a_decline_is_seen_as_well(tmp_path: Path) -> None:
    async with tried(tmp_path, acts="decline") as it:
        assert it.of(Verdict.DIFFERS) == {}
        assert {"C8", "D8", "D9"} <= it.of(Verdict.HOLDS).keys()


async def test_who_does_not_sign_is_waited_for_within_the_bound_and_the_document_is_cancelled(tmp_path: Path) -> None:
    async with running(vendor()) as sandbox:
        settings = load(environment=environment(sandbox, tmp_path))
        trial = Trial(settings, plan(settings, wait=0.1), Heard(sandbox, ""))
        await trial.run()
        async with plain_client(sandbox.url) as browser:
            assert {one["status"] for one in (await browser.get("/_sandbox/documents")).json()} == {"ca"}
        assert {one.id: one.verdict for one in trial.findings}["D8"] is Verdict.NOT_SEEN
        assert trial.left[0].endswith(": cancelled")


@pytest.mark.parametrize("fails", [0, 1], ids=["at once", "once it answers again"])
async def test_ctrl_c_cancels_the_test_documents(fails: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_trial, "_CLEANING_PAUSES", (0.0, 0.0))
    async with running(vendor()) as sandbox:
        settings, waits = load(environment=environment(sandbox, tmp_path)), asyncio.Event()

        class Waiting(Heard):
            def step(self, says: str) -> None:
                if says.startswith("NOW YOU"):
                    waits.set()

        trial = Trial(settings, plan(settings, wait=60), Waiting(sandbox, ""))
        running_ = asyncio.create_task(trial.run())
        await waits.wait()
        for method, path in (("POST", "*cancel*"), ("DELETE", "/api/v1/documents/*")) if fails else ():
            arm(sandbox, method=method, path=path, fault="500", times=fails)
        running_.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running_
        async with plain_client(sandbox.url) as browser:
            assert {one["status"] for one in (await browser.get("/_sandbox/documents")).json()} == {"ca"}
        assert trial.left[0].endswith(": cancelled")


@pytest.mark.parametrize("path", ["/api/v1/documents/", "/api/v1/signature-requests/"])
async def test_a_creation_whose_answer_is_lost_leaves_nothing_open(path: str, tmp_path: Path) -> None:
    async with running(vendor()) as sandbox:
        settings = load(environment=environment(sandbox, tmp_path))
        arm(sandbox, method="POST", path=path, fault="cut", after=1 if "documents" in path else 0)
        trial = Trial(settings, plan(settings), Heard(sandbox, ""))
        await trial.run()
        async with plain_client(sandbox.url) as browser:
            assert [one for one in (await browser.get("/_sandbox/documents")).json() if one["status"] != "ca"] == []


async def test_a_web_process_that_runs_already_is_asked_by_way_of_the_events(tmp_path: Path) -> None:
    async with running(vendor()) as sandbox:
        settings = load(environment=environment(sandbox, tmp_path))
        first = Trial(settings, plan(settings), Heard(sandbox, "sign"))
        async with first._listener.listening():
            second = Trial(settings, plan(settings), Heard(sandbox, "sign"))
            await second.run()
        assert second.recording.listens == "web process"
        # It refuses what is of another trial with 500, as the web process never would.
        assert {one.id: one.verdict for one in second.findings}["D3"] is Verdict.HOLDS


async def test_nothing_that_is_kept_names_anybody_or_is_a_secret_and_it_is_judged_alike(tmp_path: Path) -> None:
    async with tried(tmp_path) as it:
        it.trial.recording.write(tmp_path)
        write_report(tmp_path, it.trial.findings, it.trial.left)
        kept = (tmp_path / ANSWERS).read_text() + (tmp_path / REPORT).read_text()
        documents = list(it.sandbox.state.database.documents)
        private = (
            *SECRETS,
            TO,
            OTHER,
            TO.split("@")[0],
            "canary",
            "acme",
            it.sandbox.url,
            it.sandbox.url.rpartition(":")[2],
            "/dl/",
            "/sign/",
        )
        assert [word for word in (*private, *(one.uuid for one in documents)) if word in kept] == []
        assert "eyJ" not in kept
        assert judged(Recording.read(tmp_path)) == it.trial.findings
