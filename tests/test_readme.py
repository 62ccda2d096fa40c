"""README and docs say nothing that is not so: settings, words, files; and what cites a page finds it."""

import ast
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from textwrap import indent

import pytest
from rich.console import Console

from starter.cli.app import app
from tests.markdown import ROOT, anchors, citations, headings, ragged, rows, table
from tests.settings_table import table as list_settings
from workflows.model.subject import Code

README = (ROOT / "README.md").read_text()
SETTINGS = ROOT / "docs" / "settings.md"
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
_README_LINES_AT_MOST = 133
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_ROOMS = ("workflows", "activities", "starter", "deploy", "tests", "docs")
_RUN = ("workflows/signature/workflow.py", "starter/examples/nexus_caller.py")
_SHOWN = re.findall(r"```python\n(.*?)```", README + (ROOT / "docs" / "nexus.md").read_text(), re.S)
_CITING = (".py", ".md", ".yaml", ".toml", ".po", ".cfg")
_GROUPS = "request|task|onboard|campaign|handoff|people|person|token"
_COMMAND = re.compile(rf"`(?:countersign )?((?:{_GROUPS}) [a-z-]+\b|(?<=countersign )[a-z-]+)")
_NAMED = _COMMAND.findall(README + (ROOT / "docs" / "commands.md").read_text() + RUNBOOK)
COMMANDS = sorted({tuple(command.split()) for command in _NAMED})


def settings_table() -> str:
    """The settings as their page shows them."""
    rows = [
        f"| `{line.name}`{' (secret)' if line.secret else ''} | {f'`{line.default}`' if line.default else ''} "
        f"| {line.sentence} |"
        for line in list_settings()
    ]
    return "\n".join(["| Setting | Default | Meaning |", "| --- | --- | --- |", *rows])


def test_the_settings_table_is_the_settings() -> None:
    written = SETTINGS.read_text().partition("<!-- settings -->\n")[2].partition("\n<!-- /settings -->")[0]
    assert written == settings_table(), "run: python -m tests.test_readme"


def test_the_first_page_is_read_in_two_minutes() -> None:
    assert len(README.splitlines()) <= _README_LINES_AT_MOST, "what is for later belongs to a page of docs/"


@pytest.mark.parametrize("example", _SHOWN, ids=lambda example: example.splitlines()[0])
def test_workflows_that_are_shown_are_those_that_are_run(example: str) -> None:
    """Nothing of them is left out but what their docstrings say."""
    sources_shown = [re.sub(r'^ +""".*"""\n\n?', "", (ROOT / file).read_text(), flags=re.M) for file in _RUN]
    assert any(example in source or indent(example, "    ") in source for source in sources_shown)


def test_the_index_has_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert set(re.findall(r"^- \[([\w-]+\.md)\]\(\1\): ", index, re.MULTILINE)) == pages


@pytest.mark.parametrize("house", ["workflows", "activities", "starter"])
def test_the_page_of_the_architecture_names_every_folder(house: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    folders = [file.parent.name for file in (ROOT / house).glob("*/__init__.py")]
    assert [folder for folder in folders if not re.search(rf"\b{folder}\b", page)] == []


def defines(file: Path, function: str) -> bool:
    """Whether a module has a function or method of that name."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return any(isinstance(node, functions) and node.name == function for node in ast.walk(ast.parse(file.read_text())))


def test_what_decides_each_question_of_the_architecture_exists() -> None:
    questions = table((ROOT / "docs" / "architecture.md").read_text(), "Where it is decided")
    assert len(questions) >= 12
    for row in questions:
        deciders = re.findall(r"`([\w/]+\.py)`(?:: `(\w+)`)?", row["Decided in"])
        assert deciders, row["Question"]
        missing = [f"{file}: {name}" for file, name in deciders if name and not defines(ROOT / file, name)]
        assert missing == []


def test_every_setting_that_is_named_exists() -> None:
    setting_names = {
        name for line in list_settings() for name in (line.name, *((f"{line.name}_FILE",) if line.secret else ()))
    }
    named = set(re.findall(r"COUNTERSIGN_[A-Z_]+[A-Z]", "".join(page.read_text() for page in PAGES)))
    assert named <= setting_names


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_that_is_named_exists(command: tuple[str, ...]) -> None:
    app([*command, "--help"], console=Console(file=(paper := StringIO())))
    assert f"countersign {' '.join(command)}" in paper.getvalue()


@pytest.mark.parametrize("code", [code for code in Code if not code.terminal])
def test_every_problem_has_a_row_that_says_what_to_do(code: Code) -> None:
    assert f"| `problem {code}` |" in RUNBOOK


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_picture_that_is_named_exists(page: Path) -> None:
    text = page.read_text()
    linked = set(re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text))
    assert [target for target in linked if not (page.parent / target).exists()] == []
    named = set(re.findall(r"`((?:workflows|activities|starter|deploy|tests|docs)/[\w./-]*)`", text))
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_section_that_is_linked_exists(page: Path) -> None:
    linked = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text())
    targets = [(page.parent / target if target else page, anchor) for target, anchor in linked]
    assert [anchor for target, anchor in targets if anchor not in anchors(target.read_text())] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_running_text_is_wrapped(page: Path) -> None:
    assert ragged(page.read_text()) == []


def test_a_line_that_is_too_wide_or_broken_too_early_is_found() -> None:
    text = f"# A page\n\n{'wide ' * 30}\n\nThe stub\nof a line.\n\n| {'a table ' * 30} |\n"
    assert ragged(text) == [f"{'wide ' * 30}", "The stub"]


def sources() -> Iterator[Path]:
    """Every file that may cite a page."""
    yield from (path for path in ROOT.iterdir() if path.suffix in _CITING)
    for room in _ROOMS:
        yield from (path for path in (ROOT / room).rglob("*") if path.suffix in _CITING)


def not_found(source: Path) -> Iterator[str]:
    """What a file cites and a reader would look for in vain."""
    for page, section in citations(source.read_text()):
        cited_page = next((folder / page for folder in (source.parent, ROOT) if (folder / page).exists()), None)
        if cited_page is None:
            yield f"{source.relative_to(ROOT)}: {page}"
        elif section and section not in {*headings(text := cited_page.read_text()), *rows(text)}:
            yield f"{source.relative_to(ROOT)}: {page}, {section}"


def test_every_page_and_section_that_is_cited_exists() -> None:
    assert [citation for source in sources() for citation in not_found(source)] == []


def test_a_citation_is_a_page_and_the_section_behind_its_comma() -> None:
    text = 'Cut (tests/faults/catalogue.toml, B14); docs/core-signature.md, Callbacks. CONTRIBUTING.md, not "limits.md"'
    cited = [("tests/faults/catalogue.toml", "B14"), ("docs/core-signature.md", "Callbacks"), ("CONTRIBUTING.md", "")]
    assert citations(text) == cited


@pytest.mark.parametrize("target", re.findall(r"^make ([a-z-]+)", README, re.M))
def test_every_make_target_that_is_named_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)


if __name__ == "__main__":
    text_before, _, text_after_mark = SETTINGS.read_text().partition("<!-- settings -->\n")
    _, end, text_after = text_after_mark.partition("<!-- /settings -->")
    SETTINGS.write_text(f"{text_before}<!-- settings -->\n{settings_table()}\n{end}{text_after}")
