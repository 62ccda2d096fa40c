"""docs/security.md is true: each control names a test that exists."""

import re

from tests.markdown import ROOT, table

CONTROLS = table((ROOT / "docs" / "security.md").read_text(), "Controls")
_TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")


def test_every_control_names_a_test_that_exists() -> None:
    tests = [match for row in CONTROLS if (match := _TEST.fullmatch(row["Test"]))]
    assert len(tests) == len(CONTROLS) >= 30
    assert [test.group() for test in tests if not _defines(*test.groups())] == []


def test_every_boundary_has_a_control() -> None:
    boundaries = " ".join(row["Boundary"] for row in CONTROLS)
    expected = ("link", "number", "OIDC", "API token", "SCIM", "callback", "webhook", "web push", "payload", "image")
    assert [boundary for boundary in (*expected, "database") if boundary not in boundaries] == []


def _defines(file: str, name: str) -> bool:
    return bool(re.search(rf"^(async )?def {name}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE))
