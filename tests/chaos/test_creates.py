"""Three hundred creations whose answers are lost."""

import time
from pathlib import Path

import pytest

from tests.chaos.conftest import Note
from tests.faults.creates import Counted, count_creations, cut_one_answer_each, start_all, until_sent
from tests.faults.evidence import gather
from tests.faults.oracle import judge
from tests.faults.town import Conditions, ids, start_town

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(900)]
HIDDEN = Conditions(sandbox={"SANDBOX_LIST_LAG": "5"})


async def test_300_creates_with_cut_answers_make_exactly_300_documents_and_requests(tmp_path: Path, note: Note) -> None:
    """B1, B2: each loses one answer after the commit; a new document is missing from lists for five seconds."""
    names, began = list(ids("cut", 300)), time.monotonic()
    async with start_town(tmp_path / "data", HIDDEN) as town:
        await cut_one_answer_each(town, names)
        await start_all(town, names)
        await until_sent(town, names, timeout_seconds=400)
        count = await count_creations(town, names)
        findings = judge(await gather(town, {}, "cut-"))
    note(f"creates: {count.documents} documents, {count.requests} requests of 300, {time.monotonic() - began:.0f} s")
    assert count == Counted(documents=300, requests=300, cut=300)
    assert findings == []
