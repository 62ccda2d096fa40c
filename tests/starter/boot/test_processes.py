"""When a process collects garbage."""

import subprocess
import sys
from typing import Final

from starter.boot.processes import OBJECTS_BEFORE_COLLECTION

_PROGRAM: Final = """
import gc
print(*gc.get_threshold())
from starter.boot import processes
processes.begin_imports()
print(gc.get_threshold()[0])
import pydantic
processes.end_imports()
print(*gc.get_threshold())
print(gc.get_freeze_count() > 10_000)
"""


def test_garbage_is_seldom_collected_while_a_process_imports_and_as_python_does_afterwards() -> None:
    command = [sys.executable, "-c", _PROGRAM]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603  our own program
    default, while_importing, after_imports, are_imports_frozen = printed.splitlines()
    assert while_importing == f"{OBJECTS_BEFORE_COLLECTION}"
    assert after_imports == default
    assert are_imports_frozen == "True"
