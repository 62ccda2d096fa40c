"""The one arrow of the house: no room imports one on its right, and none reaches into another by a file's path."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from workflows.kinds import Kind

ROOT = Path(__file__).parents[1]
ARROW = {
    "workflows": {"workflows"},
    "activities": {"workflows", "activities"},
    "starter": {"workflows", "activities", "starter"},
    "worker.py": {"workflows", "activities", "starter"},
    "deploy": {"workflows", "activities", "starter", "deploy"},
}
FOUNDATIONS = {"__init__.py", "names.py", "kinds.py"}
"""What everything in `workflows` may import."""
FLOORS = {
    "workflows/model": {"model"},
    "workflows/ports.py": {"model", "ports"},
    "workflows/follow_up": {"model", "ports", "follow_up"},
    "workflows/task": {"model", "ports", "follow_up", "task"},
    "workflows/signature": {"model", "ports", "follow_up", "signature"},
    "workflows/campaign": {"model", "ports", "follow_up", "campaign"},
    "workflows/onboarding": {"model", "ports", "follow_up", "onboarding"},
    "workflows/hand_off": {"model", "ports", "follow_up", "hand_off"},
    "workflows/reconciliation/workflow.py": {"model", "ports", "follow_up"},
    "workflows/sign_in/workflow.py": {"model", "ports", "follow_up"},
    "workflows/bulk_notice/workflow.py": {"model", "ports", "follow_up"},
    "workflows/hand_off/workflow.py": {"model", "follow_up"},
}
"""The arrow inside the first room: what is promised of whatever waits for people knows nothing of signatures."""
KNOWING = ("workflows", "activities", "starter")
"""The rooms that know what is followed up; the sandbox has kinds of its own."""
ROOMS = {"workflows", "activities", "starter", "worker", "deploy", "tests"}
PLACES = {"workflows", "activities", "starter", "worker.py", "deploy", "tests"}


def modules(tree: ast.AST) -> set[str]:
    """The modules that are imported, by their full names."""
    nodes = list(ast.walk(tree))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def imported(tree: ast.AST) -> set[str]:
    """The rooms that are imported."""
    return {name.partition(".")[0] for name in modules(tree)} & ROOMS


def floors(tree: ast.AST) -> set[str]:
    """The floors of `workflows` that are imported."""
    named = {name.split(".")[1] for name in modules(tree) if name.startswith("workflows.")}
    return named - {file.removesuffix(".py") for file in FOUNDATIONS}


def reached(tree: ast.AST) -> set[str]:
    """The rooms that are named as a part of a path, such as `ROOT / "deploy"` or `"deploy/local/launcher.py"`."""
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text.partition("/")[0] for text in texts} & PLACES


def sources(room: str) -> Iterator[tuple[str, ast.AST]]:
    """The files of a room."""
    place = ROOT / room
    for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
        yield str(file.relative_to(ROOT)), ast.parse(file.read_text())


@pytest.mark.parametrize("room", ARROW)
def test_nothing_on_the_left_imports_anything_on_its_right(room: str) -> None:
    wrong = {file: found for file, tree in sources(room) if (found := imported(tree) - ARROW[room])}
    assert wrong == {}, "the arrow: workflows <- activities <- starter <- worker.py; deploy is spawned, never imported"


@pytest.mark.parametrize("room", ARROW)
def test_no_room_reaches_around_the_arrow_by_a_path(room: str) -> None:
    wrong = {file: found for file, tree in sources(room) if (found := reached(tree) - ARROW[room])}
    assert wrong == {}, "start a module of that room with starter/boot/processes.py"


@pytest.mark.parametrize("floor", FLOORS)
def test_what_waits_for_people_knows_nothing_of_signatures(floor: str) -> None:
    wrong = {file: found for file, tree in sources(floor) if (found := floors(tree) - FLOORS[floor])}
    assert wrong == {}, "the arrow inside: model <- follow_up <- signature"


def test_every_floor_has_a_row() -> None:
    found = {place.name for place in (ROOT / "workflows").iterdir() if place.name != "__pycache__"}
    assert found - FOUNDATIONS == {floor.removeprefix("workflows/") for floor in FLOORS}, "a new room has no guard yet"


def test_the_guards_bite() -> None:
    assert imported(ast.parse("import deploy.local.launcher\nfrom starter.boot.exits import run")) == {
        "deploy",
        "starter",
    }
    assert reached(ast.parse('ROOT / "deploy" / "launcher.py"')) == {"deploy"}
    assert reached(ast.parse('Path("deploy/local/launcher.py")')) == {"deploy"}
    assert floors(ast.parse("import workflows.signature.view as show")) == {"signature"}
    assert floors(ast.parse("from workflows.names import SHOW")) == set()
    assert reached(ast.parse('modules.become("deploy.local")')) == set()


def tables_of_kinds(tree: ast.AST) -> Iterator[tuple[int, set[str]]]:
    """The line and the rows of each table that has a row for a kind of follow-up."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            rows = {
                key.attr for key in node.keys if isinstance(key, ast.Attribute) and ast.unparse(key.value) == "Kind"
            }
            if rows:
                yield node.lineno, rows


def test_a_kind_has_a_row_in_every_table_of_kinds() -> None:
    found = [
        (f"{file}:{line}", rows)
        for room in KNOWING
        for file, tree in sources(room)
        for line, rows in tables_of_kinds(tree)
    ]
    kinds = {kind.name for kind in Kind}
    assert len(found) > 1
    assert {place: kinds - rows for place, rows in found if rows != kinds} == {}
