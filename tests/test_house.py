"""The architecture: folders are layers, imports point downwards, and nobody reaches around an import by a path.

A failing test names the file, what it imports, and where the code would belong.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOP: Mapping[str, tuple[str, ...]] = {
    "workflows": (),
    "activities": ("workflows",),
    "starter": ("workflows", "activities"),
    "worker": ("workflows", "activities", "starter"),
    "deploy": ("workflows", "activities", "starter"),
}
"""What each top-level folder may import beside itself. `deploy` is spawned, never imported."""
LAYERS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "workflows": (
        ("names",),
        ("command_words",),
        ("kinds",),
        ("model",),
        ("ports",),
        ("follow_up",),
        (
            "absence",
            "bulk_notice",
            "campaign",
            "hand_off",
            "onboarding",
            "reconciliation",
            "retention",
            "sign_in",
            "signature",
            "task",
        ),
    ),
    "activities": (
        ("alerts", "errors"),
        ("keys", "metrics"),
        ("calendar", "documents", "http"),
        ("files", "records"),
        ("people",),
        ("policies", "temporal"),
        ("absence", "core_signature", "launch", "schedule"),
        ("evidence", "notifications"),
        ("onboarding", "reconciliation", "retention"),
        ("campaign", "hand_off"),
    ),
    "starter": (
        ("errors",),
        ("config", "telemetry"),
        ("temporal",),
        ("boot", "queries"),
        ("plan",),
        ("nexus", "web"),
        ("tenant",),
        ("cli",),
        ("__main__", "examples"),
    ),
    "deploy": (("grafana", "image", "local", "rollout", "sandbox", "validate"), ("demo",)),
    "deploy/sandbox": (
        ("state",),
        ("http",),
        ("core_signature", "oidc", "push"),
        ("control",),
        ("server",),
        ("__main__",),
    ),
    "starter/web": (
        ("http", "rights"),
        ("acting", "figures", "receivers"),
        ("intake", "screens"),
        ("absences", "downloads", "proofs"),
        ("api", "pages"),
        ("desk", "scim"),
        ("app",),
    ),
}
"""The folders and loose files of each folder, lowest layer first. A layer imports lower layers only."""
LOOSE = {
    "activities": {"alerts", "errors", "keys", "metrics"},
    "starter": {"errors", "__main__"},
    "deploy": {"rollout", "validate"},
    "deploy/sandbox": {"server", "__main__"},
    "starter/web": {"absences", "app", "downloads", "figures", "proofs", "rights"},
}
"""The only files that lie loose in these folders."""


def files(folder: str) -> Iterator[Path]:
    """The Python files below a folder, or the file of that name."""
    path = ROOT / folder
    yield from sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


@cache
def parsed(file: Path) -> ast.Module:
    """Each file is read once for all tests of the house."""
    return ast.parse(file.read_text())


def module_of(file: Path) -> str:
    """`activities.http.client` of `activities/http/client.py`."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and the full name of each module or member that is imported, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def unit_of(folder: str, module: str) -> str:
    """What lies directly below the folder: `http` of `activities.http.client`; empty outside the folder."""
    relative_name = module.removeprefix(folder.replace("/", ".") + ".")
    return "" if relative_name == module else relative_name.partition(".")[0]


def layer_of(folder: str, unit: str) -> int:
    """The number of its layer from below; KeyError for a unit that no layer has."""
    return {unit_of_layer: number for number, layer in enumerate(LAYERS[folder]) for unit_of_layer in layer}[unit]


def arrows_up(folder: str, module: str, tree: ast.AST) -> Iterator[str]:
    """Each import of a unit that does not lie below the module's own, in words."""
    own_unit = unit_of(folder, module)
    for line, name in imports(tree):
        other_unit = unit_of(folder, name)
        if other_unit in ("", own_unit):
            continue
        if layer_of(folder, other_unit) >= layer_of(folder, own_unit):
            yield (
                f"{module}:{line} imports {name}: `{other_unit}` does not lie below `{own_unit}`; "
                f"what both need belongs into a layer below `{own_unit}`, "
                f"and what only `{other_unit}` needs into `{other_unit}`"
            )


def edges(trees: Mapping[str, ast.AST]) -> dict[str, set[str]]:
    """Which module imports which, of those given; itself included."""
    imports_by_module: dict[str, set[str]] = {}
    for module, tree in trees.items():
        names = {name for _, name in imports(tree)}
        reached = {name if name in trees else name.rpartition(".")[0] for name in names}
        imports_by_module[module] = reached & trees.keys()
    return imports_by_module


def units_of(folder: str) -> dict[str, set[str]]:
    """Which folder or loose file of a folder imports which others of it."""
    graph: dict[str, set[str]] = {}
    for file in files(folder):
        if own := unit_of(folder, module_of(file)):
            others = {unit_of(folder, name) for _, name in imports(parsed(file))}
            graph.setdefault(own, set()).update(others - {"", own})
    return graph


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """One circle of the graph, empty when there is none."""
    visited: set[str] = set()

    def follow(node: str, way: list[str]) -> list[str]:
        if node in way:
            return [*way[way.index(node) :], node]
        if node in visited:
            return []
        visited.add(node)
        return next(
            (
                circle_found
                for neighbour in sorted(graph.get(node, ()))
                if (circle_found := follow(neighbour, [*way, node]))
            ),
            [],
        )

    return next((circle_found for node in sorted(graph) if (circle_found := follow(node, []))), [])


@pytest.mark.parametrize("folder", TOP)
def test_a_top_level_folder_imports_only_what_lies_before_it(folder: str) -> None:
    allowed = {folder, *TOP[folder]}
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for file in files(folder)
        for line, name in imports(parsed(file))
        if (top := name.split(".")[0]) in {*TOP, "tests"} and top not in allowed
    ]
    assert wrong == [], "workflows <- activities <- starter <- worker.py; deploy is spawned, never imported"


@pytest.mark.parametrize("folder", TOP)
def test_nobody_reaches_another_top_level_folder_by_a_path(folder: str) -> None:
    allowed = {folder, f"{folder}.py", *TOP[folder]}
    other_folders = {*TOP, "worker.py", "tests"} - allowed
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno} names {node.value}"
        for file in files(folder)
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.partition("/")[0] in other_folders
        if node.value not in ("worker",)
    ]
    assert wrong == [], "start a module of that folder with starter/boot/processes.py"


@pytest.mark.parametrize("folder", LAYERS)
def test_imports_point_to_lower_layers(folder: str) -> None:
    wrong = [
        arrow
        for file in files(folder)
        for arrow in arrows_up(folder, module_of(file), parsed(file))
        if unit_of(folder, module_of(file))
    ]
    assert wrong == []


@pytest.mark.parametrize("folder", LAYERS)
def test_every_folder_has_a_layer_and_no_file_lies_loose(folder: str) -> None:
    named = {unit for layer in LAYERS[folder] for unit in layer}
    paths = {path for path in (ROOT / folder).iterdir() if path.name not in ("__pycache__", "__init__.py")}
    code = {path.stem for path in paths if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert code == named, "a new folder gets a layer in LAYERS, one that is gone leaves it"
    if folder in LOOSE:
        assert {path.stem for path in paths if path.suffix == ".py"} == LOOSE[folder], "each file belongs to a folder"


def test_the_web_folder_has_few_units_layers_and_arrows() -> None:
    graph = units_of("starter/web")
    arrows = sum(len(others) for others in graph.values())
    assert (len(graph) <= 20, len(LAYERS["starter/web"]) <= 7, arrows <= 65) == (True, True, True), (len(graph), arrows)


def test_no_file_imports_in_a_circle() -> None:
    trees = {module_of(file): parsed(file) for folder in TOP for file in files(folder)}
    assert circle(edges(trees)) == []


def test_the_guards_bite() -> None:
    tree_importing_up = ast.parse(
        "from activities.campaign.population import Population\nimport activities.http.client"
    )
    arrows = list(arrows_up("activities", "activities.people.person", tree_importing_up))
    assert [arrow.partition(":")[0] for arrow in arrows] == ["activities.people.person"]
    assert "`campaign` does not lie below `people`" in arrows[0]
    inner = ast.parse("from deploy.sandbox.push.phones import PhoneNetwork")
    assert len(list(arrows_up("deploy/sandbox", "deploy.sandbox.http.front", inner))) == 1
    trees = {"a": ast.parse("import b"), "b": ast.parse("from c import x"), "c": ast.parse("import a.y\nimport a")}
    assert circle(edges(trees)) == ["a", "b", "c", "a"]
    assert circle(edges({"a": ast.parse("from a import x")})) == ["a", "a"]
    assert circle({"a": {"b"}, "b": set()}) == []


FEATURES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "absence": {
        "workflows": ("model/absence.py",),
        "activities": ("absence/service.py", "people/absences.py"),
        "starter": ("queries/absences.py", "web/absences.py", "web/pages/away.py"),
    },
    "evidence": {
        "workflows": ("model/evidence.py", "signature/evidence.py"),
        "activities": ("evidence/erasure.py", "evidence/signing.py", "records/evidence.py"),
        "starter": ("boot/evidence.py", "cli/audit.py"),
    },
    "campaign": {
        "workflows": ("campaign/opening.py", "campaign/view.py", "model/campaign.py"),
        "activities": ("campaign/intake.py", "campaign/population.py", "records/outcomes.py"),
        "starter": ("plan/campaign.py", "queries/campaign.py"),
    },
}
"""The files of a feature that the rest of the product imports, by floor; its further files are their parts."""
WORDS_OF_FEATURES = {"absence": ("absence", "away"), "campaign": ("campaign", "audience", "outcomes")}
"""By which words the path of a file says that it is of a feature, if by more than its name."""
ASSEMBLERS = {
    *("worker", "activities.records.store", "starter.temporal.plugin"),
    *("starter.cli.app", "starter.web.app", "starter.web.api.api", "starter.web.desk.desk"),
}
"""What only puts things together imports the parts of each feature."""


def feature_of(module: str) -> str:
    """`evidence` of `activities.evidence.campaign_parts`: the first folder or file that bears the word decides."""
    for part in module.split("."):
        for feature in FEATURES:
            if any(word in part for word in WORDS_OF_FEATURES.get(feature, (feature,))):
                return feature
    return "evidence" if module == "starter.cli.audit" else ""


@pytest.mark.parametrize("feature", FEATURES)
def test_the_product_imports_at_most_three_files_of_a_feature_on_each_floor(feature: str) -> None:
    trees = {module_of(file): parsed(file) for floor in (*FEATURES[feature], "worker") for file in files(floor)}
    imported = {
        module.replace(".", "/") + ".py"
        for importer, modules in edges(trees).items()
        if importer not in ASSEMBLERS and feature_of(importer) != feature
        for module in modules
        if feature_of(module) == feature
    }
    assert imported == {f"{floor}/{path}" for floor, paths in FEATURES[feature].items() for path in paths}
    assert max(map(len, FEATURES[feature].values())) <= 3, "a feature is reached by three files of a floor"


def test_contributing_names_the_files_by_which_a_feature_is_reached() -> None:
    rows = {
        floor: tuple(", ".join(f"`{path}`" for path in FEATURES[feature][floor]) for feature in FEATURES)
        for floor in ("workflows", "activities", "starter")
    }
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert [floor for floor, cells in rows.items() if f"| `{floor}/` | {' | '.join(cells)} |" not in text] == []


DESCRIPTIONS: Mapping[str, str] = {
    "workflows/kinds.py": "KindSpec",
    "activities/notifications/words.py": "TEXTS",
    "starter/cli/tables.py": "TABLES",
    "starter/web/acting/kinds.py": "KIND_PAGES",
    "starter/web/api/kinds.py": "API_COMMANDS",
    "starter/web/api/starting.py": "PREPARE",
    "starter/web/screens/view_reader.py": "LOOKS",
    "starter/web/pages/link_screens.py": "DOING",
}
"""Where a kind is described, beside its own models (CONTRIBUTING.md, "A further kind"), and by which table."""
KINDS = {"Kind.REQUEST", "Kind.TASK", "Kind.ONBOARDING", "Kind.CAMPAIGN"}


def branches_on_a_kind(tree: ast.AST) -> Iterator[int]:
    """The lines at which code asks which kind it has: a comparison, a `case`, a type of view, a row of a table."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare():
                names_told = {name for operand in (node.left, *node.comparators) for name in names_in(operand)}
            case ast.MatchValue():
                names_told = {ast.unparse(node.value)}
            case ast.Tuple() | ast.List() | ast.Set():
                names_told = names_in(node)
            case ast.Dict():
                names_told = {ast.unparse(key) for key in node.keys if key}
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, types]):
                names_told = {name for name in names_in(types) if name.endswith("Show")} and KINDS
            case _:
                continue
        if names_told & KINDS:
            yield node.lineno


def names_in(node: ast.AST) -> set[str]:
    """The names that an expression is, or has in a tuple or a union."""
    match node:
        case ast.Tuple(elts=inner) | ast.List(elts=inner) | ast.Set(elts=inner):
            return {name for element in inner for name in names_in(element)}
        case ast.BinOp(left=left, right=right):
            return names_in(left) | names_in(right)
        case _:
            return {ast.unparse(node)}


def test_no_branch_on_a_kind_is_left_outside_its_descriptions() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{line}"
        for folder in ("workflows", "activities", "starter")
        for file in files(folder)
        if str(file.relative_to(ROOT)) not in DESCRIPTIONS
        for line in branches_on_a_kind(parsed(file))
    ]
    assert wrong == [], "what differs belongs into the kind's description, or is a property of its view"


@pytest.mark.parametrize(
    "code",
    [
        *(
            "KINDS = (Kind.REQUEST, Kind.TASK)",
            "kind is Kind.TASK",
            "x.type in (Kind.TASK, Kind.CAMPAIGN)",
            "{Kind.REQUEST: 1}",
        ),
        *("isinstance(shown, TaskShow)", "isinstance(shown, RequestShow | TaskShow)"),
        "match kind:\n    case Kind.TASK:\n        pass",
    ],
)
def test_a_branch_on_a_kind_is_found(code: str) -> None:
    assert list(branches_on_a_kind(ast.parse(code)))


def test_what_is_no_branch_is_left_alone() -> None:
    code = "isinstance(told, EndedFacts)\nKind.TASK.workflow_id(id)\nstop is StopKind.PAUSE"
    assert not list(branches_on_a_kind(ast.parse(code)))


EXPRESSIONS = {"compile", "match", "search", "fullmatch", "sub", "split", "findall", "finditer"}
SENTENCE = re.compile(r"[a-z]{2,} [a-z]{2,}")


def reads_prose(node: ast.AST) -> bool:
    """Whether it is a regular expression over a sentence, or one that is put together from texts."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=attr), args=[pattern, *_]) if (
            attr in EXPRESSIONS
        ):
            texts = [inner.value for inner in ast.walk(pattern) if isinstance(inner, ast.Constant)]
            joined = isinstance(pattern, ast.Call) and ast.unparse(pattern.func) != "re.escape"
            return joined or any(isinstance(text, str) and SENTENCE.search(text) for text in texts)
        case _:
            return False


def test_no_regular_expression_reads_a_sentence() -> None:
    readers = {
        str(file.relative_to(ROOT))
        for folder in ("workflows", "activities", "starter")
        for file in files(folder)
        if any(map(reads_prose, ast.walk(parsed(file))))
    }
    assert not readers, "what code reads is a code with values (workflows/model/messages.py)"
