"""At the end of a request its files and its history are kept, unaltered and whole, whatever goes wrong on the way."""

import asyncio
import errno
import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError

from activities.core_signature.wire import WireDocument
from activities.documents import files
from activities.documents.files import SIGNED
from activities.evidence import service
from activities.evidence.service import FIELDS_AT_MOST, VALUE_CHARACTERS_AT_MOST, filled_in
from activities.records.erasures import Erasure
from activities.records.evidence import FIELDS, file_part
from tests.activities.core_signature.conftest import arm, entries
from tests.activities.core_signature.requests import PDF
from tests.activities.evidence.stage import WORKFLOW, Ending, stage_ended_request
from tests.glances import glances
from tests.servers import own_namespace
from tests.storage import take_table_away
from workflows.model.evidence import KeptFiles

pytestmark = pytest.mark.real_server


async def test_the_signed_document_and_its_log_are_kept_as_core_signature_has_them(
    dev_server: str, tmp_path: Path
) -> None:
    async with stage_ended_request(tmp_path, await own_namespace(dev_server)) as msa:
        kept_until = datetime(2033, 12, 4, tzinfo=UTC)
        files, read = await msa.keep_evidence(kept_until=kept_until), await msa.read()
        assert files.document and files.signing_log and read.signing_log
        assert (files.document.sha256, files.signing_log.sha256) == (read.security_hash, read.signing_log.security_hash)
        content = await msa.store.files.read(files.document.sha256, SIGNED)
        assert content.startswith(PDF) and len(content) == files.document.bytes
        signed = await msa.store.evidence.signed(WORKFLOW)
        assert signed and signed.why is None and signed.provider
        assert (signed.keep_until, signed.removed_at) == (kept_until, None)
        assert signed.provider["document"] == msa.document
        assert [signer["person"] for signer in signed.provider["signers"]] == ["customer-signer", "chief-executive"]
        assert len(entries(msa.sandbox, "download")) == 2
        assert entries(msa.sandbox, "violation") == [], "no bearer goes with a pre-signed link"


async def test_a_declined_document_has_both_files_too_and_a_campaign_keeps_the_log_alone(
    dev_server: str, tmp_path: Path
) -> None:
    async with stage_ended_request(tmp_path, await own_namespace(dev_server), "decline") as msa:
        assert (await msa.keep_evidence(log_only=True)).document is None
        [signed] = (await msa.store.evidence.signed_of([WORKFLOW])).values()
        assert (signed.document, signed.log is None, signed.why) == (None, False, None)


@pytest.mark.parametrize(
    ("fault", "path", "message"),
    [
        ("empty", "/dl/*/document.pdf", "the signed document is empty"),
        ("short", "/dl/*/document.pdf", "not the SHA-256 that Core Signature says"),
        ("truncate", "/dl/*/document.pdf", "the signed document broke off"),
        ("other", "/dl/*/document.pdf", "not the SHA-256 that Core Signature says"),
        ("replace", "/dl/*/document.pdf", "not the SHA-256 that Core Signature says"),
        ("403", "/dl/*/document.pdf", "the signed document was refused to us: HTTP 403"),
        ("no_log", "/api/v1/documents/*", "the signing log is not ready at Core Signature"),
        ("processing", "/api/v1/documents/*", "is still being made at Core Signature"),
    ],
)
async def test_what_is_wrong_is_refused_and_fetched_by_the_next_attempt_with_a_fresh_link(
    fault: str, path: str, message: str, dev_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage_ended_request(tmp_path, await own_namespace(dev_server)) as msa:
        arm(msa.sandbox, method="GET", path=path, fault=fault)
        refused: list[str | None] = []
        keep = msa.store.evidence.keep_signed

        async def keep_and_note(workflow_id: str, signed: object, kept_at: object) -> None:
            refused.append(getattr(signed, "why", None))
            await keep(workflow_id, signed, kept_at)  # type: ignore[arg-type]

        monkeypatch.setattr(msa.store.evidence, "keep_signed", keep_and_note)
        files = await msa.keep_evidence()
        assert refused[0] and message in refused[0] and refused[-1] is None
        assert files.document and files.document.sha256 == (await msa.read()).security_hash
        assert "http" not in refused[0], "a link is a secret"


@pytest.mark.long
async def test_of_300_mb_no_more_than_the_bound_is_read_and_nothing_is_left(dev_server: str, tmp_path: Path) -> None:
    async with stage_ended_request(tmp_path, await own_namespace(dev_server)) as msa:
        arm(msa.sandbox, method="GET", path="/dl/*/document.pdf", fault="giant", times=None)
        failure = await _fails(msa)
        assert "more than 1 MB: COUNTERSIGN_SIGNATURE_MAX_DOWNLOAD_MB" in failure.message
        [details] = failure.details
        assert set(details) == {"signing_log"}, "what came is kept and told"
        signed = await msa.store.evidence.signed(WORKFLOW)
        assert signed and signed.log and signed.why == failure.message
        assert list((tmp_path / "store" / "unfinished").iterdir()) == []


@pytest.mark.long
async def test_a_link_to_another_host_is_never_called(dev_server: str, tmp_path: Path) -> None:
    async with stage_ended_request(tmp_path, await own_namespace(dev_server)) as msa:
        msa.sandbox.core_signature.views.base_url = "http://127.0.0.2"
        failure = await _fails(msa)
        assert "COUNTERSIGN_SIGNATURE_DOWNLOAD_HOSTS" in failure.message
        assert entries(msa.sandbox, "download") == []


async def test_what_we_know_is_kept_without_payloads_and_each_payload_apart(dev_server: str, tmp_path: Path) -> None:
    async with stage_ended_request(tmp_path, await own_namespace(dev_server)) as msa:
        await msa.store.evidence.keep_part(WORKFLOW, file_part("f" * 64), b'{"kind":"customer-contract"}')
        await msa.keep_evidence(repeated=True)
        content = await msa.content()
        assert (content.workflow_id, content.file, content.adopted) == (WORKFLOW, "file-" + "f" * 16, False)
        assert content.request["brief"]["title"] == "Master services agreement"
        first, second = content.runs
        assert (first.not_kept, second.not_kept, second.decoded) == (None, None, True)
        events = [json.loads(line) for line in await msa.lines(second.history or "")]
        assert events[0]["type"] == "WORKFLOW_EXECUTION_STARTED"
        assert (events[-1]["type"], events[-1]["ids"]["activity_type.name"]) == (
            "ACTIVITY_TASK_SCHEDULED",
            "keep_evidence",
        )
        histories = b"".join([*await msa.lines(first.history or ""), *await msa.lines(second.history or "")])
        assert b"Master services agreement" not in histories and b"customer-signer" not in histories
        payloads = [json.loads(line) for line in await msa.lines(second.payloads or "")]
        assert any("Master services agreement" in payload["text"] for payload in payloads)
        by_event = {event["id"]: event for event in events}
        for payload in payloads:
            sha256 = hashlib.sha256(bytes.fromhex(payload["random"]) + payload["text"].encode()).hexdigest()
            assert by_event[payload["event"]]["payloads"][payload["place"]] == sha256
        assert [len(event["payloads"]) for event in events].count(0) < len(events)
        people = {person.person: person.sha256 for person in content.people}
        assert list(people) == ["legal-desk", "customer-signer", "chief-executive"]
        for line in await msa.lines("people"):
            assert people[json.loads(line)["person"]] == hashlib.sha256(line).hexdigest()
        assert "Acme" not in content.model_dump_json() and "@" not in content.model_dump_json()


@pytest.mark.long
async def test_a_run_that_temporal_has_forgotten_is_listed_and_stands_in_the_way_of_no_erasure(
    dev_server: str, tmp_path: Path
) -> None:
    async with stage_ended_request(tmp_path, await own_namespace(dev_server)) as msa:
        await msa.keep_evidence(forgotten=True)
        first, second = (await msa.content()).runs
        assert (first.not_kept, first.history, first.events) == ("Temporal has forgotten it", None, 0)
        assert (second.not_kept, second.history) == (None, "history-2")
        events = [json.loads(line) for line in await msa.lines("history-2")]
        assert events[0]["ids"]["continued_execution_run_id"] == first.run_id
        erased_at = datetime(2027, 1, 4, 9, tzinfo=UTC)
        await msa.store.erasures.carry_out(
            Erasure(WORKFLOW, "customer-signer", "desk", "asked", erased_at, erased_at), ()
        )
        assert not [name for name in await msa.store.evidence.parts(WORKFLOW) if name.startswith("payloads")]
        assert await msa.lines("history-2")


@pytest.mark.long
async def test_evidence_is_kept_once_and_stays_when_the_provider_replaces_its_document(
    dev_server: str, tmp_path: Path
) -> None:
    async with stage_ended_request(tmp_path, await own_namespace(dev_server)) as msa:
        files, evidence_before = await msa.keep_evidence(), await msa.store.evidence.read(WORKFLOW)
        [document] = list(msa.sandbox.state.database.documents)
        document.final = msa.sandbox.state.database.files.save(b"%PDF-1.4 another")
        assert await msa.keep_evidence() == files
        assert await msa.store.evidence.read(WORKFLOW) == evidence_before
        assert len(entries(msa.sandbox, "download")) == 2


FILLED: list[dict[str, object]] = [
    {"external_id": "order-number", "text": "4711"},
    {"external_id": "newsletter", "checkbox_value": False},
    {"external_id": "from", "date_value": "2027-01-04"},
    {"external_id": "empty", "text": ""},
]
FIELDS_KEPT = [
    {"id": "order-number", "value": "4711"},
    {"id": "newsletter", "value": False},
    {"id": "from", "value": "2027-01-04"},
]


async def test_what_signers_filled_in_is_kept_apart_until_somebody_of_the_request_is_erased(
    dev_server: str, tmp_path: Path
) -> None:
    temporal = await own_namespace(dev_server)
    async with stage_ended_request(tmp_path, temporal, filled=FILLED) as msa:
        await msa.keep_evidence()
        assert json.loads(await msa.store.evidence.part(WORKFLOW, FIELDS) or b"") == FIELDS_KEPT
        history = await temporal.get_workflow_handle(WORKFLOW).fetch_history()
        assert "4711" not in str(history.to_json())
        erased_at = datetime(2027, 1, 4, 9, tzinfo=UTC)
        await msa.store.erasures.carry_out(
            Erasure(WORKFLOW, "customer-signer", "desk", "asked for it", erased_at, erased_at), ()
        )
        assert await msa.store.evidence.part(WORKFLOW, FIELDS) is None


async def test_of_a_kind_that_keeps_the_log_alone_no_field_is_kept(dev_server: str, tmp_path: Path) -> None:
    async with stage_ended_request(tmp_path, await own_namespace(dev_server), filled=FILLED) as msa:
        await msa.keep_evidence(log_only=True)
        assert await msa.store.evidence.part(WORKFLOW, FIELDS) is None


def test_of_ten_times_as_many_fields_ten_times_as_long_the_first_are_kept_and_cut() -> None:
    long = "é" * (10 * VALUE_CHARACTERS_AT_MOST)
    inputs = [{"type": "t", "external_id": f"tag-{n}", "text": long} for n in range(10 * FIELDS_AT_MOST)]
    strange = [{"type": "t", "external_id": "half", "text": "a\ud800"}, {"type": "s", "external_id": "x", "text": "y"}]
    odd = [
        7,
        {"type": ["t"]},
        {"external_id": None, "type": "t", "text": "nameless"},
        {"type": "c", "external_id": "b"},
    ]
    signer = {"email": "ada@acme.test", "inputs": [*odd, *strange, *strange, *inputs]}
    read = WireDocument.model_validate(
        {"uuid": "d", "status": "si", "signrequest": {"uuid": "r", "signers": [signer, signer]}}
    )
    fields = filled_in(read)
    assert fields[0] == {"id": "half", "value": "a?"}
    assert (len(fields), fields[1]["id"]) == (FIELDS_AT_MOST, "tag-0")
    assert {len(str(field["value"])) for field in fields[1:]} == {VALUE_CHARACTERS_AT_MOST}
    assert filled_in(read.model_copy(update={"request": None})) == []


async def test_without_a_document_only_what_we_know_is_kept(dev_server: str, tmp_path: Path) -> None:
    async with stage_ended_request(tmp_path, await own_namespace(dev_server)) as msa:
        assert (await msa.keep_evidence(document=None)).document is None
        assert await msa.store.evidence.signed(WORKFLOW) is None
        assert (await msa.content()).fingerprint == "f" * 64


async def _fails(msa: Ending) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as failed:
        await msa.keep_evidence()
    assert isinstance(failed.value.cause, ActivityError)
    cause = failed.value.cause.cause
    last = cause if isinstance(cause, ApplicationError) else cause and cause.__cause__
    assert isinstance(last, ApplicationError)
    return last


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EDQUOT, errno.EROFS], ids=["full", "quota", "read_only"])
async def test_a_store_that_is_full_or_read_only_costs_an_attempt_and_nothing_else(
    fault: int, dev_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage_ended_request(tmp_path, await own_namespace(dev_server)) as msa:
        full = [OSError(fault, os.strerror(fault))] * 2
        append = files._append

        def fails_at_first(file: Path, content: bytes) -> None:
            if full:
                raise full.pop()
            append(file, content)

        monkeypatch.setattr(files, "_append", fails_at_first)
        kept_files = await msa.keep_evidence()
        assert kept_files.document and kept_files.document.sha256 == (await msa.read()).security_hash
        assert full == []
        assert list((tmp_path / "store" / "unfinished").iterdir()) == [], "nothing of the failed attempt keeps room"


@pytest.mark.long
async def test_a_killed_worker_and_a_reset_workflow_keep_each_file_once(
    dev_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 in the middle of the download; later an operator resets the run that has ended."""
    monkeypatch.setattr(service, "FOR_THE_REST", 0.0)
    async with stage_ended_request(tmp_path, await own_namespace(dev_server)) as msa:
        arm(msa.sandbox, method="GET", path="/dl/*/document.pdf", fault="drip", delay=30)
        async with msa.killed() as handle:
            half = tmp_path / "store" / "unfinished"
            for pause in glances():
                if half.exists() and any(path.stat().st_size for path in half.iterdir()):
                    break
                await asyncio.sleep(pause)
        async with msa.at_work():
            files = await handle.result()
            read, content = await msa.read(), await msa.store.evidence.read(WORKFLOW)
            assert files.document and files.signing_log and files.document.sha256 == read.security_hash
            file_names = {path.name for path in (tmp_path / "store" / SIGNED).iterdir()}
            assert file_names == {files.document.sha256, files.signing_log.sha256}
            fetched = len(entries(msa.sandbox, "download"))
            await msa.temporal.workflow_service.reset_workflow_execution(
                ResetWorkflowExecutionRequest(
                    namespace=msa.temporal.namespace,
                    workflow_execution=WorkflowExecution(workflow_id=WORKFLOW),
                    reason="by hand",
                    request_id="reset",
                    workflow_task_finish_event_id=4,
                )
            )
            assert await msa.temporal.get_workflow_handle(WORKFLOW, result_type=KeptFiles).result() == files
        assert len(entries(msa.sandbox, "download")) == fetched
        assert await msa.store.evidence.read(WORKFLOW) == content


@pytest.mark.long
async def test_without_the_database_it_is_tried_again_and_says_so(dev_server: str, tmp_path: Path) -> None:
    async with stage_ended_request(tmp_path, await own_namespace(dev_server)) as msa:
        with take_table_away(msa.store, "evidence"):
            failure = await _fails(msa)
        assert "the database cannot be used" in failure.message
        [details] = failure.details
        assert set(details) == {"document", "signing_log"}, "the files are kept all the same"
        assert (await msa.keep_evidence()).document is not None


async def test_of_somebody_who_was_erased_before_nothing_personal_is_kept_late(dev_server: str, tmp_path: Path) -> None:
    async with stage_ended_request(tmp_path, await own_namespace(dev_server), filled=FILLED) as msa:
        erased_at = datetime(2027, 1, 4, 9, tzinfo=UTC)
        erased = Erasure(WORKFLOW, "customer-signer", "desk", "asked for it", erased_at, erased_at)
        await msa.store.erasures.carry_out(erased, ())
        await msa.keep_evidence()
        assert await msa.store.evidence.part(WORKFLOW, FIELDS) is None
        people = [json.loads(line)["person"] for line in await msa.lines("people")]
        assert people == ["legal-desk", "chief-executive"]
        assert not [name for name in await msa.store.evidence.parts(WORKFLOW) if name.startswith("payloads")]
