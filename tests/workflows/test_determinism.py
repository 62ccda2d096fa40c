"""Guards of `workflows/`: passed-through modules lose the sandbox's guard, so the source itself is read."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

WORKFLOWS = sorted((Path(__file__).parents[2] / "workflows").rglob("*.py"))
ALLOWED_ROOTS = {
    "abc", "asyncio", "base64", "calendar", "collections", "dataclasses", "datetime", "enum", "functools", "hashlib",
    "itertools", "json", "typing", "unicodedata",
    "pydantic", "temporalio", "workflows", "zlib",
}  # fmt: skip
FORBIDDEN_CALLS = {
    "now": "the wall clock: use workflow.now()",
    "utcnow": "the wall clock: use workflow.now()",
    "today": "the wall clock: use workflow.now()",
    "uuid4": "randomness: ids come from the business",
    "print": "I/O: use workflow.logger",
    "getenv": "the environment: settings travel in inputs",
    "set": "a set has no stable order: use a tuple or a frozenset that is never iterated",
    "sleep": "asyncio.sleep has no name in the Web UI: use PatientWorkflow.until",
}
FORBIDDEN_BUILTINS = {"open": "I/O: ask an activity", "input": "I/O: ask an activity"}
ALLOWED_CALLS = {("workflow", "now"), ("workflow", "sleep")}
"""`workflow.sleep` has a summary."""


def test_only_deterministic_libraries_are_imported() -> None:
    for path in WORKFLOWS:
        roots = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                roots |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                roots.add(node.module.split(".")[0])
        assert roots <= ALLOWED_ROOTS, f"{path.name} imports {roots - ALLOWED_ROOTS}: I/O belongs into activities/"


def test_no_clock_randomness_environment_or_io() -> None:
    for path in WORKFLOWS:
        assert _offences(path.read_text()) == [], path.name


def test_no_module_is_imported_from_the_package_itself() -> None:
    """The sandbox makes the package anew, so `from workflows import x` executes x again for every workflow."""
    for path in WORKFLOWS:
        imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        offences = [node.lineno for node in imports if node.module == "workflows"]
        assert offences == [], f"{path.name}: lines {offences}: write `import workflows.x as x`"


def test_the_guard_bites() -> None:
    assert _offences("import datetime\nx = datetime.datetime.now()") == ["line 2: the wall clock: use workflow.now()"]
    assert _offences("y = {1, 2}") == ["line 1: a set display has no stable order"]


@pytest.mark.long
def test_importing_the_workflows_loads_no_third_party_library_beyond_their_own() -> None:
    """A worker that imports httpx into the sandbox pays for it with every workflow."""
    code = (
        "import sys; before = set(sys.modules); import temporalio.workflow, temporalio.activity, pydantic;"
        "known = {name.split('.')[0] for name in sys.modules};"
        "import workflows.signature.workflow;"
        "new = {name.split('.')[0] for name in sys.modules} - known - set(sys.stdlib_module_names) - {'workflows'};"
        "print(sorted(name for name in new if not name.startswith('_')))"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert completed.stdout.strip() in ("[]", "['annotated_types']")


def _offences(source: str) -> list[str]:
    offences = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Set):
            offences.append(f"line {node.lineno}: a set display has no stable order")
        if isinstance(node, ast.Call) and (reason := _forbidden(node.func)):
            offences.append(f"line {node.lineno}: {reason}")
    return offences


def _forbidden(called: ast.expr) -> str | None:
    if isinstance(called, ast.Name):
        return (FORBIDDEN_CALLS | FORBIDDEN_BUILTINS).get(called.id)
    if isinstance(called, ast.Attribute):
        owner = called.value.id if isinstance(called.value, ast.Name) else ""
        return None if (owner, called.attr) in ALLOWED_CALLS else FORBIDDEN_CALLS.get(called.attr)
    return None
