"""`make bench BENCH=evidence [N=10000]`: packs of a request, of one with a hundred signers and of a campaign, written
and verified; how soon a settled request's files are stored, beside the same downloads and writes without us; and what
keeping them adds to a request's history.
"""

import asyncio
import hashlib
import os
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from rich.text import Text
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from activities.evidence.pack import Packer
from activities.evidence.verification import verify
from activities.records.store import Store
from tests.activities.core_signature.conftest import config_for
from tests.activities.core_signature.requests import PDF, brief
from tests.activities.evidence.kept import (
    CONDUCT,
    MSA,
    keep_campaign,
    keep_evidence,
    keep_signed_request,
    make_request_of_signers,
    packer,
    settle,
)
from tests.activities.evidence.stage import Ending, stage_ended_request
from tests.bench import memory
from tests.bench.contender import QUIET, Contender, course, park, settling_ms
from tests.bench.history import HistorySize, read_history_size
from tests.plain_http import plain_client
from tests.servers import own_namespace, real_server
from workflows.kinds import Kind, WorkflowName
from workflows.model.policy import EvidenceLevel

NAME: Final = "evidence"
PEOPLE: Final = 10_000
SIGNERS: Final = 100
_CROWD: Final = WorkflowName(Kind.REQUEST, "crowd")
_TIMES: Final = 20
_REQUESTS: Final = 4
_MEMORY_MB: Final = 500
_DOCUMENT: Final = PDF + bytes(500_000)
"""Half a megabyte, as a contract of some pages with pictures."""


@dataclass
class Measured:
    """Of requests the medians in ms; of the campaign seconds and MB; `peak_mb` is of the whole process."""

    people: int
    request_export_ms: float
    request_verify_ms: float
    crowd_export_ms: float
    crowd_verify_ms: float
    stored_ms: float
    stored_floor_ms: float
    events_added: float
    bytes_added: float
    campaign_export_s: float
    campaign_verify_s: float
    campaign_mb: float
    peak_mb: float

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        return {NAME: vars(self)}

    def in_words(self) -> Text:
        """A line for each, the last one green within its memory."""
        lines = (
            f"one request: written in {self.request_export_ms:.0f} ms, verified in {self.request_verify_ms:.0f} ms",
            f"{SIGNERS} signers: written in {self.crowd_export_ms:.0f} ms, verified in {self.crowd_verify_ms:.0f} ms",
            f"settled → signed document stored: {self.stored_ms:.0f} ms, floor {self.stored_floor_ms:.0f} ms",
            f"keeping it adds to a request: {self.events_added:.0f} events, {self.bytes_added:,.0f} bytes",
        )
        campaign = (
            f"{self.people:,} outcomes: written in {self.campaign_export_s:.1f} s, verified in "
            f"{self.campaign_verify_s:.1f} s, {self.campaign_mb:.1f} MB, peak memory {self.peak_mb:.0f} MB"
        )
        green = "green" if self.peak_mb < _MEMORY_MB else "red"
        return Text("\n".join(lines) + "\n").append(campaign, style=green)


async def measure(people: int) -> Measured:
    """The campaign first: the peak of memory is its own."""
    with tempfile.TemporaryDirectory() as name:
        packs = await _packs(Path(name), people)
    with tempfile.TemporaryDirectory() as name:
        async with real_server(*QUIET) as env:
            client = await own_namespace(env.client.service_client.config.target_host)
            stored = await _stored(Path(name), client)
    added = await _added()
    return Measured(people=people, **packs, **stored, **added)


async def _packs(folder: Path, people: int) -> dict[str, float]:
    with closing(Store(str(folder / "kept"))) as store:
        await keep_campaign(store, people)
        packs = packer(store, folder)
        started_at = time.perf_counter()
        exported = await packs.export(CONDUCT, folder / "conduct.zip")
        exported_at = time.perf_counter()
        verified = await asyncio.to_thread(verify, folder / "conduct.zip")
        checked = time.perf_counter()
        peak_mb = memory.peak_mb()
        if not verified.ok:
            raise ValueError(verified.faults)
        await keep_signed_request(store)
        await keep_evidence(store)
        await settle(store, make_request_of_signers(_CROWD.id, SIGNERS))
        await keep_evidence(store, _CROWD)
        request, crowd = [await _of_request(packs, workflow_name, folder) for workflow_name in (MSA, _CROWD)]
    return {
        "request_export_ms": request[0],
        "request_verify_ms": request[1],
        "crowd_export_ms": crowd[0],
        "crowd_verify_ms": crowd[1],
        "campaign_export_s": exported_at - started_at,
        "campaign_verify_s": checked - exported_at,
        "campaign_mb": exported.bytes / 1e6,
        "peak_mb": peak_mb,
    }


async def _of_request(packs: Packer, workflow_name: WorkflowName, folder: Path) -> tuple[float, float]:
    """Milliseconds to write and to verify."""
    export_seconds, verify_seconds = list[float](), list[float]()
    for _ in range(_TIMES):
        started_at = time.perf_counter()
        await packs.export(workflow_name, folder / "request.zip")
        export_seconds.append(time.perf_counter() - started_at)
        started_at = time.perf_counter()
        await asyncio.to_thread(verify, folder / "request.zip")
        verify_seconds.append(time.perf_counter() - started_at)
    return statistics.median(export_seconds) * 1_000, statistics.median(verify_seconds) * 1_000


async def _stored(folder: Path, client: Client) -> dict[str, float]:
    """From the event that asks for it to the one that says that it is stored, and the floor."""
    product_ms, floor = list[float](), list[float]()
    async with stage_ended_request(folder, client, pdf=_DOCUMENT) as first:
        token = await _token(first)
        async with plain_client(first.sandbox.url) as plain:
            with closing(sqlite3.connect(folder / "floor.sqlite3", isolation_level=None)) as database:
                database.execute("PRAGMA journal_mode=WAL")
                database.execute("CREATE TABLE kept (id TEXT PRIMARY KEY, sha256 TEXT)")
                for number in range(_TIMES):
                    ending = await first.another(brief(first.signature_input.brief.document.sha256, id=f"msa-{number}"))
                    started_at = time.perf_counter()
                    await _keep_plainly(plain, token, ending, folder, database)
                    floor.append((time.perf_counter() - started_at) * 1_000)
                    await ending.keep_evidence()
                    product_ms.append(await _kept_within_ms(client, ending))
    return {"stored_ms": statistics.median(product_ms), "stored_floor_ms": statistics.median(floor)}


async def _token(ending: Ending) -> str:
    credentials = config_for(ending.sandbox).credentials
    async with plain_client() as client:
        answer = await client.post(
            credentials.token_url,
            data={"grant_type": "client_credentials"},
            auth=(credentials.client_id, credentials.client_secret.get_secret_value()),
        )
    return str(answer.json()["access_token"])


async def _keep_plainly(
    plain: httpx.AsyncClient, token: str, ending: Ending, folder: Path, database: sqlite3.Connection
) -> None:
    """The same reading, downloads and writes: two files, and two rows that are committed."""
    bearer = {"authorization": f"Bearer {token}"}
    read = (await plain.get(f"/api/v1/documents/{ending.document}/", headers=bearer)).raise_for_status().json()

    async def fetch(file: dict[str, Any]) -> None:
        digest, path = hashlib.sha256(), folder / f"{file['security_hash']}.floor"
        async with plain.stream("GET", file["pdf"]) as answer:
            with path.open("wb") as opened:
                async for piece in answer.aiter_raw(1 << 16):
                    digest.update(piece)
                    opened.write(piece)
                opened.flush()
                os.fsync(opened.fileno())
        if digest.hexdigest() != file["security_hash"]:
            raise ValueError("the floor's file is another")

    await asyncio.gather(fetch(read), fetch(read["signing_log"]))
    for kind in ("document", "evidence"):
        database.execute(
            "INSERT INTO kept VALUES (?, ?)", (f"{kind} of {ending.signature_input.brief.id}", read["security_hash"])
        )


async def _kept_within_ms(client: Client, ending: Ending) -> float:
    history = await client.get_workflow_handle(ending.signature_input.brief.workflow_id).fetch_history()
    nanoseconds_by_type = {event.event_type: event.event_time.ToNanoseconds() for event in history.events}
    took = (
        nanoseconds_by_type[EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED]
        - nanoseconds_by_type[EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]
    )
    return took / 1e6


async def _added() -> dict[str, float]:
    """What a request with evidence has more than one without, on a real server."""
    figures_by_level = dict[EvidenceLevel, list[HistorySize]]()
    async with course() as client:
        for level, calls in ((EvidenceLevel.FULL, 8), (EvidenceLevel.NONE, 7)):
            handles = await park(client, Contender.OURS, _REQUESTS, level)
            for handle in handles:
                await settling_ms(handle)
            figures_by_level[level] = [await read_history_size(handle, calls) for handle in handles]
    events, sizes = (
        {
            level: statistics.median(getattr(history_figures, attribute) for history_figures in level_figures)
            for level, level_figures in figures_by_level.items()
        }
        for attribute in ("events", "size")
    )
    with_evidence, without_evidence = EvidenceLevel.FULL, EvidenceLevel.NONE
    return {
        "events_added": events[with_evidence] - events[without_evidence],
        "bytes_added": sizes[with_evidence] - sizes[without_evidence],
    }
