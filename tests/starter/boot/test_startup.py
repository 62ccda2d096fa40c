"""What every command does first: what hardly any needs is not waited for, and comes when it is needed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from starter.boot import processes as modules

_SCRIPT = """
import logging, sys
from starter.cli import show
from starter.boot.startup import ready
ready()
print(*sorted({"structlog", "rich.traceback", "temporalio.worker"} & set(sys.modules)))
logging.getLogger("temporalio.core").warning("the first line of %s", "many")
logging.getLogger("temporalio.core").warning("the second")
logging.getLogger("temporalio.core").info("nobody asked")
"""


@pytest.mark.long
def test_a_command_sets_up_its_log_when_it_has_something_to_say(tmp_path: Path) -> None:
    process = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", _SCRIPT],
        env={**modules.environment(), "COUNTERSIGN_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (process.returncode, process.stdout.split()) == (0, [])
    assert [json.loads(line)["event"] for line in process.stderr.splitlines()] == [
        "the first line of many",
        "the second",
    ]
