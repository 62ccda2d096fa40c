"""A changed meaning (a duration, an option, an input) passes every replay; here it turns red.

`tests/golden/silence.jsonl` is the life of a request that nobody ever signs. When a change of it is meant, look at each
line, ask what it means for requests that are open, and replace the file by what the failed test has written beside it.
"""

from pathlib import Path

import pytest

from tests.versions.changed import WithHalfTheWait, WithHasteInItsInput, WorkflowCode
from tests.versions.meaning import meaning
from tests.versions.replaying import refused_by
from tests.versions.stage import silence
from workflows.signature.workflow import SignatureRequestWorkflow

pytestmark = pytest.mark.long

GOLDEN = Path(__file__).parents[1] / "golden" / "silence.jsonl"


async def test_a_silent_signer_is_promised_what_was_always_promised(tmp_path: Path) -> None:
    today = meaning(await silence(SignatureRequestWorkflow))
    output_file = tmp_path / GOLDEN.name
    output_file.write_text(today)
    assert today.splitlines() == GOLDEN.read_text().splitlines(), f"today's is in {output_file}"


@pytest.mark.long
@pytest.mark.parametrize(
    ("code", "expected_text"),
    [(WithHalfTheWait, '"1 day, 12:00:00"'), (WithHasteInItsInput, '"reminders": {"first": "3h", "every": "3h"}')],
)
async def test_another_duration_or_input_is_seen_here_and_by_no_replay(code: WorkflowCode, expected_text: str) -> None:
    assert await refused_by(code) == []
    assert expected_text in meaning(await silence(code))
    assert expected_text not in GOLDEN.read_text()
