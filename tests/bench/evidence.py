"""`make bench BENCH=evidence [N=10000]`: packs of one request and of a campaign, written and verified."""

import asyncio
import resource
import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.text import Text

from activities.evidence.verification import verify
from activities.records.store import Store
from tests.activities.evidence.kept import CONDUCT, MSA, acknowledged, kept_at_the_end, packer, signed

NAME: Final = "evidence"
PEOPLE: Final = 10_000
_TIMES: Final = 20
_MEMORY_MB: Final = 500


@dataclass
class Measured:
    """Of a request the medians in ms; of the campaign seconds and MB; `peak_mb` is of the whole process."""

    people: int
    request_export_ms: float
    request_verify_ms: float
    campaign_export_s: float
    campaign_verify_s: float
    campaign_mb: float
    peak_mb: float

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        return {NAME: vars(self)}

    def in_words(self) -> Text:
        """Two lines, the second one green within its memory."""
        request = (
            f"one request: written in {self.request_export_ms:.0f} ms, verified in {self.request_verify_ms:.0f} ms"
        )
        campaign = (
            f"{self.people:,} outcomes: written in {self.campaign_export_s:.1f} s, verified in "
            f"{self.campaign_verify_s:.1f} s, {self.campaign_mb:.1f} MB, peak memory {self.peak_mb:.0f} MB"
        )
        return Text(f"{request}\n").append(campaign, style="green" if self.peak_mb < _MEMORY_MB else "red")


async def measure(people: int) -> Measured:
    """Fill a store, and write and verify both."""
    with tempfile.TemporaryDirectory() as name:
        return await _measured(Path(name), people)


async def _measured(folder: Path, people: int) -> Measured:
    with closing(Store(str(folder / "kept"))) as store:
        await signed(store)
        await kept_at_the_end(store)
        await acknowledged(store, people)
        packs, made, checked = packer(store, folder), list[float](), list[float]()
        for _ in range(_TIMES):
            begun = time.perf_counter()
            await packs.export(MSA, folder / "msa.zip")
            made.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            await asyncio.to_thread(verify, folder / "msa.zip")
            checked.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        exported = await packs.export(CONDUCT, folder / "conduct.zip")
        written = time.perf_counter()
        found = await asyncio.to_thread(verify, folder / "conduct.zip")
        verified = time.perf_counter()
    if not found.ok:
        raise ValueError(found.faults)
    return Measured(
        people=people,
        request_export_ms=statistics.median(made) * 1000,
        request_verify_ms=statistics.median(checked) * 1000,
        campaign_export_s=written - begun,
        campaign_verify_s=verified - written,
        campaign_mb=exported.bytes / 1e6,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
