"""What a test patches must be what the product reads: after a move, a patch of the old name stays green in silence."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache

from tests.test_house import ROOT, TOP, files, module_of, parsed


@cache
def known(tree: ast.Module) -> Mapping[str, set[str]]:
    """What a name of a file may stand for: what it imports, its constant texts, and what a loop gives it."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.setdefault(alias.asname or alias.name.partition(".")[0], set()).add(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found.setdefault(alias.asname or alias.name, set()).add(f"{node.module}.{alias.name}")
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                found.setdefault(ast.unparse(target), set()).add(str(node.value.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple):
            meant = {one for each in node.iter.elts for one in meanings(each, found)}
            found.setdefault(ast.unparse(node.target), set()).update(meant)
    return found


def meanings(node: ast.expr, names: Mapping[str, set[str]]) -> set[str]:
    """The dotted names, or the texts, that an expression may stand for; none where only running it tells."""
    if isinstance(node, ast.Constant):
        return {str(node.value)}
    if isinstance(node, ast.Attribute):
        return {f"{one}.{node.attr}" for one in meanings(node.value, names)}
    return names.get(node.id, set()) if isinstance(node, ast.Name) else set()


def patches(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and the dotted name of all that is patched, told as `(module, "name", …)` or `("module.name", …)`."""
    names = known(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr":
            target, *rest = node.args
            inner = meanings(rest[0], names) if len(rest) > 1 else {""}
            yield from ((node.lineno, f"{one}.{name}".rstrip(".")) for one in meanings(target, names) for name in inner)


def is_read(patched: str, trees: Mapping[str, ast.Module]) -> bool:
    """Whether running code reads this name of a module through the module, or that of a class as an attribute."""
    owner, _, name = patched.rpartition(".")
    if owner in trees and name in read_in_calls(trees[owner]):
        return True
    reached = ((tree, node) for tree in trees.values() for node in attributes(tree).get(name, ()))
    return any(owner not in trees or patched in meanings(node, known(tree)) for tree, node in reached)


@cache
def attributes(tree: ast.Module) -> Mapping[str, list[ast.Attribute]]:
    """Where each attribute is read."""
    found: dict[str, list[ast.Attribute]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found.setdefault(node.attr, []).append(node)
    return found


@cache
def read_in_calls(tree: ast.Module) -> set[str]:
    """The names that are read in calls, not once when the module is imported."""
    made = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    inside = (node for one in made for statement in one.body for node in ast.walk(statement))
    return {node.id for node in inside if isinstance(node, ast.Name)}


def is_ours(patched: str, trees: Mapping[str, ast.Module]) -> bool:
    """Whether it belongs to a module of the product, or to a class of one."""
    owner = patched.rpartition(".")[0]
    return owner in trees or owner.rpartition(".")[0] in trees


def dead(tree: ast.Module, trees: Mapping[str, ast.Module]) -> list[str]:
    """The patches of our names that nothing reads, by line."""
    found = sorted(set(patches(tree)))
    return [f"{line}: {name}" for line, name in found if is_ours(name, trees) and not is_read(name, trees)]


def test_every_patch_is_of_a_name_that_the_product_reads() -> None:
    product = {module_of(file): parsed(file) for folder in TOP for file in files(folder)}
    texts = {str(file.relative_to(ROOT)): file.read_text() for file in (ROOT / "tests").rglob("*.py")}
    found = {file: dead(ast.parse(text), product) for file, text in texts.items() if ".setattr(" in text}
    assert {file: lines for file, lines in found.items() if lines} == {}, "patch the module in which the name is read"


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
