"""A second terminal: the command in a process of its own, as a person types it."""

import os
import subprocess
from pathlib import Path

from starter.boot import processes as modules
from tests import prompt


def make_complete_environment(folder: Path) -> dict[str, str]:
    """All that worker and receiver cannot do without, with a people file; nothing of it is called."""
    people = folder / "people.yaml"
    people.write_text("people: [{id: a, name: A, email: a@example.com, zone: Europe/Amsterdam}]\n")
    return {
        "COUNTERSIGN_DATA_DIR": str(folder),
        "COUNTERSIGN_PEOPLE": str(people),
        "COUNTERSIGN_SIGNATURE_URL": "http://127.0.0.1:1",
        "COUNTERSIGN_SIGNATURE_TOKEN_URL": "http://127.0.0.1:1/token",
        "COUNTERSIGN_SIGNATURE_CLIENT_ID": "id",
        "COUNTERSIGN_SIGNATURE_CLIENT_SECRET": "secret",
        "COUNTERSIGN_PUSH_DIALECT": "off",
        "COUNTERSIGN_WEBHOOK_URL": "https://sign.example",
        "COUNTERSIGN_WEBHOOK_SEGMENT": "s" * 32,
        "COUNTERSIGN_WEBHOOK_SECRETS": "secret",
        "COUNTERSIGN_LINK_BASE": "https://sign.example",
        "COUNTERSIGN_LINK_SECRET": "0123456789abcdef0123456789abcdef",
    }


def type_(*typed: str, stdin: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    """What came of a command; of this process's environment it has nothing that is ours or Temporal's."""
    return prompt.run("starter", *typed, stdin=stdin, environment={**_shell(), **environment})


def type_before_nobody(*typed: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """What came of a command whose output nobody reads, as before `| true`."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return prompt.run("starter", *typed, environment={**_shell(), **environment}, stdout=writer)
    finally:
        os.close(writer)


def _shell() -> dict[str, str]:
    return modules.environment(
        {name: text for name, text in os.environ.items() if not name.startswith(("COUNTERSIGN_", "TEMPORAL_"))}
    )
