"""The README says nothing that is not so: its settings, its words, its files."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from starter.settings import table
from workflows.model import Code

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_OF_REQUEST = "start|show|list|cancel|plan|remind|pause|resume|delegate|extend|answer"
WORDS = sorted({tuple(w.split()) for w in re.findall(rf"`countersign ([a-z-]+(?: (?:{_OF_REQUEST}))?)", README)})


def settings_table() -> str:
    """The settings as the README shows them."""
    rows = [
        f"| `{line.name}`{' (secret)' if line.secret else ''} | {f'`{line.default}`' if line.default else ''} "
        f"| {line.sentence} |"
        for line in table()
        if not line.reserved
    ]
    return "\n".join(["| Setting | Default | |", "| --- | --- | --- |", *rows])


def test_the_settings_table_is_the_settings() -> None:
    written = README.partition("<!-- settings -->\n")[2].partition("\n<!-- /settings -->")[0]
    assert written == settings_table(), "run: python -m tests.test_readme"


def test_every_setting_that_is_named_exists() -> None:
    known = {line.name for line in table()}
    named = set(re.findall(r"COUNTERSIGN_[A-Z_]+[A-Z]", "".join(page.read_text() for page in PAGES)))
    assert named <= known


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_every_word_of_the_command_exists(words: tuple[str, ...]) -> None:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "starter", *words, "--help"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"countersign {' '.join(words)}" in done.stdout


@pytest.mark.parametrize("code", [code for code in Code if not code.terminal])
def test_every_problem_has_a_row_that_says_what_to_do(code: Code) -> None:
    assert f"| `problem {code}` |" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_picture_that_is_named_exists(page: Path) -> None:
    text = page.read_text()
    linked = set(re.findall(r"\]\(([^)#:]+)\)", text))
    assert [target for target in linked if not (page.parent / target).exists()] == []
    named = set(re.findall(r"`((?:workflows|activities|starter|deploy|tests|docs)/[\w./-]*)`", text))
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("target", re.findall(r"^make ([a-z-]+)", README, re.M))
def test_every_make_target_that_is_named_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)


if __name__ == "__main__":
    before, _, rest = README.partition("<!-- settings -->\n")
    _, end, after = rest.partition("<!-- /settings -->")
    (ROOT / "README.md").write_text(f"{before}<!-- settings -->\n{settings_table()}\n{end}{after}")
