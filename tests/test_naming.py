"""Names say what they hold, functions are verbs, a class name means one thing, and a file begins with its public parts.

A failing test names file and line.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ROOT: Final = Path(__file__).parents[1]
pytestmark = pytest.mark.long

PRODUCT: Final = ("workflows", "activities", "starter", "deploy")
SAYING_NOTHING: Final = words(
    "about after again all any around asked at away before begun below beside beyond both by came chosen "
    "done each either else ended every far found given gone had held here him his how it its kept known "
    "last left less like made manner many met mine moment more most moved much near needed none of off "
    "old on once one ones other others ours out over own past place read rest said same says seen shown "
    "since some somebody something stand stands such taken that them then there these they thing things "
    "this those to told tried until up us wanted was we went were what whatever when where which while "
    "who whoever whole whom whose why will wish with within without word words yet you"
)
"""Pronouns, participles, prepositions and question words."""
IN_PLAIN_USE: Final = frozenset(("all", "any", "last", "on", "read", "with"))
"""Words of the list that name something where they have no underscore: `read` is a verb, `last` an end."""
KEYS_OF_THE_CONTRACT: Final = words(
    "after at before by most of read says since to until what when where who why within"
)
"""Fields that files, events and answers name like this."""
PREPOSITIONS: Final = words(
    "about above after at before behind below beside between beyond by for from in into near of on onto "
    "over past since through to toward under until up upon with within without"
)
AT_MOST: Final = {"product": 0.005, "tests": 0.01}


@cache
def trees(*folders: str) -> tuple[tuple[Path, ast.Module], ...]:
    paths = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return tuple((path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))) for path in paths)


def bindings(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Each name that a module binds, with its line; fields of a class that the outside contract names are left out."""
    exempt = {
        id(statement.target)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        if statement.target.id in KEYS_OF_THE_CONTRACT
    }
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) if id(node) not in exempt:
                yield name, node.lineno
            case ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name, node.lineno
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node.lineno
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name, node.lineno


def says_nothing(name: str) -> bool:
    return name.strip("_") in SAYING_NOTHING and name not in IN_PLAIN_USE


def vague_bindings(*folders: str) -> tuple[list[str], int]:
    """Where names say nothing, and how many names are bound."""
    places, total = [], 0
    for path, tree in trees(*folders):
        for name, line in bindings(tree):
            total += 1
            if says_nothing(name):
                places.append(f"{path}:{line} {name}")
    return places, total


@pytest.mark.parametrize(("part", "folders"), [("product", PRODUCT), ("tests", ("tests",))])
def test_few_names_say_nothing(part: str, folders: tuple[str, ...]) -> None:
    places, total = vague_bindings(*folders)
    assert len(places) <= AT_MOST[part] * total, f"{len(places)} of {total}: " + "\n".join(places)


def test_no_function_is_named_by_a_preposition_alone() -> None:
    places = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in trees(*PRODUCT)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.strip("_") in PREPOSITIONS
    ]
    assert not places, "\n".join(places)


def test_no_two_public_classes_share_a_name() -> None:
    places: dict[str, list[str]] = {}
    for path, tree in trees("workflows", "activities", "starter"):
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(f"{path}:{node.lineno}")
    shared = {name: lines for name, lines in places.items() if len(lines) > 1}
    assert not shared


def names_used(*nodes: ast.AST | None) -> set[str]:
    return {name.id for node in nodes if node is not None for name in ast.walk(node) if isinstance(name, ast.Name)}


def names_needed_at_import(node: ast.AST) -> set[str]:
    """What a statement names when it is executed: of a function the decorators, defaults and annotations."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return names_used(*node.decorator_list, node.args, node.returns)
        case ast.ClassDef():
            inner = (names_needed_at_import(statement) for statement in node.body)
            return names_used(*node.decorator_list, *node.bases, *node.keywords).union(*inner)
    return names_used(node)


def private_definitions_above_public_ones(tree: ast.Module) -> Iterator[ast.stmt]:
    """Private functions and classes above a public one that nothing needs while the module is imported."""
    definitions = [
        node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    uses = {node.name: names_used(node) for node in definitions}
    needed = set().union(*map(names_needed_at_import, tree.body)) & uses.keys()
    while not_followed := set().union(*(uses[name] for name in needed)) & uses.keys() - needed:
        needed |= not_followed
    last_public = max((number for number, node in enumerate(definitions) if not node.name.startswith("_")), default=-1)
    for node in definitions[: max(last_public, 0)]:
        if node.name.startswith("_") and node.name not in needed:
            yield node


def test_the_public_parts_of_a_file_stand_above_its_private_ones() -> None:
    places = [
        f"{path}:{node.lineno} {getattr(node, 'name', '')}"
        for path, tree in trees("workflows", "activities", "starter")
        for node in private_definitions_above_public_ones(tree)
    ]
    assert not places, "\n".join(places)


def test_the_guards_bite() -> None:
    tree = ast.parse(
        "class Line:\n    at: str\n    one: str\n"
        "def of(it):\n    for given in it: known = given\n    return [who for who in known]\n"
    )
    assert Counter(name for name, _ in bindings(tree) if says_nothing(name)) == Counter(
        ("one", "of", "it", "given", "known", "who")
    )
    above = ast.parse("def _load(): ...\ndef _default(): ...\ndef render(text=_default()): return _load()\n")
    assert [getattr(node, "name", "") for node in private_definitions_above_public_ones(above)] == ["_load"]
