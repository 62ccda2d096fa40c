"""What a test patches must be what the product reads: after a move, a patch of the old name stays green in silence."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache

import pytest

from tests.test_house import ROOT, TOP, files, module_of, parsed


@cache
def find_meanings(tree: ast.Module) -> Mapping[str, set[str]]:
    """What a name of a file may stand for: what it imports, its constant texts, and what a loop gives it."""
    meanings_by_name: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                meanings_by_name.setdefault(alias.asname or alias.name.partition(".")[0], set()).add(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                meanings_by_name.setdefault(alias.asname or alias.name, set()).add(f"{node.module}.{alias.name}")
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                meanings_by_name.setdefault(ast.unparse(target), set()).add(str(node.value.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple):
            loop_meanings = {meaning for element in node.iter.elts for meaning in meanings(element, meanings_by_name)}
            meanings_by_name.setdefault(ast.unparse(node.target), set()).update(loop_meanings)
    return meanings_by_name


def meanings(node: ast.expr, names: Mapping[str, set[str]]) -> set[str]:
    """The dotted names, or the texts, that an expression may stand for; none where only running it tells."""
    if isinstance(node, ast.Constant):
        return {str(node.value)}
    if isinstance(node, ast.Attribute):
        return {f"{meaning}.{node.attr}" for meaning in meanings(node.value, names)}
    return names.get(node.id, set()) if isinstance(node, ast.Name) else set()


def patches(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and the dotted name of all that is patched, told as `(module, "name", …)` or `("module.name", …)`."""
    names = find_meanings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr":
            target, *other_arguments = node.args
            inner = meanings(other_arguments[0], names) if len(other_arguments) > 1 else {""}
            yield from (
                (node.lineno, f"{meaning}.{name}".rstrip(".")) for meaning in meanings(target, names) for name in inner
            )


def is_read(patched: str, trees: Mapping[str, ast.Module]) -> bool:
    """Whether running code reads this name of a module through the module, or that of a class as an attribute."""
    owner, _, name = patched.rpartition(".")
    if owner in trees and name in read_in_calls(trees[owner]):
        return True
    reached = ((tree, node) for tree in trees.values() for node in attributes(tree).get(name, ()))
    return any(owner not in trees or patched in meanings(node, find_meanings(tree)) for tree, node in reached)


@cache
def attributes(tree: ast.Module) -> Mapping[str, list[ast.Attribute]]:
    """Where each attribute is read."""
    nodes_by_attribute: dict[str, list[ast.Attribute]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            nodes_by_attribute.setdefault(node.attr, []).append(node)
    return nodes_by_attribute


@cache
def read_in_calls(tree: ast.Module) -> set[str]:
    """The names that are read in calls, not once when the module is imported."""
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    inside = (node for function in functions for statement in function.body for node in ast.walk(statement))
    return {node.id for node in inside if isinstance(node, ast.Name)}


def is_ours(patched: str, trees: Mapping[str, ast.Module]) -> bool:
    """Whether it belongs to a module of the product, or to a class of one."""
    owner = patched.rpartition(".")[0]
    return owner in trees or owner.rpartition(".")[0] in trees


def dead(tree: ast.Module, trees: Mapping[str, ast.Module]) -> list[str]:
    """The patches of our names that nothing reads, by line."""
    patches_found = sorted(set(patches(tree)))
    return [f"{line}: {name}" for line, name in patches_found if is_ours(name, trees) and not is_read(name, trees)]


@pytest.mark.long
def test_every_patch_is_of_a_name_that_the_product_reads() -> None:
    product = {module_of(file): parsed(file) for folder in TOP for file in files(folder)}
    texts = {str(file.relative_to(ROOT)): file.read_text() for file in (ROOT / "tests").rglob("*.py")}
    dead_by_file = {file: dead(ast.parse(text), product) for file, text in texts.items() if ".setattr(" in text}
    assert {file: lines for file, lines in dead_by_file.items() if lines} == {}, (
        "patch the module in which the name is read"
    )


def test_a_patch_of_a_name_that_moved_is_found() -> None:
    trees = {
        "a.bounds": ast.parse("MOST = 4\nLEAST = 1\ndef few(): return LEAST"),
        "a.reader": ast.parse("from a.bounds import MOST\nTWICE = 2 * MOST\ndef read(): return MOST"),
        "a.other": ast.parse(
            "from a import bounds\ndef read(): return bounds.ONCE\nclass House:\n def owner(self): ..."
        ),
    }
    test = ast.parse(
        "from a import bounds, other, reader\n"
        "PLACE = 'a.reader.TWICE'\n"
        "patch.setattr(bounds, 'MOST', 1)\n"
        "patch.setattr(bounds, 'LEAST', 1)\n"
        "patch.setattr(bounds, 'ONCE', 1)\n"
        "patch.setattr(reader, 'MOST', 1)\n"
        "patch.setattr(PLACE, 1)\n"
        "patch.setattr('a.reader.MOST', 1)\n"
        "patch.setattr(other.House, 'owner', None)\n"
        "for module in (bounds, reader):\n"
        "    patch.setattr(module, 'TWICE', 1)\n"
    )
    assert dead(test, trees) == [
        "3: a.bounds.MOST",
        "7: a.reader.TWICE",
        "9: a.other.House.owner",
        "11: a.bounds.TWICE",
        "11: a.reader.TWICE",
    ]
