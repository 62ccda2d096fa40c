"""Command line, API and desk have the commands of each kind that its one description says, and no others."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from temporalio.client import Client

from starter.cli.app import GROUPS
from starter.web.desk.access import ActionForm
from tests.starter.web.api.program import program
from tests.test_house import ROOT
from workflows.command_words import ELSEWHERE, HELP, OF_KIND, PENDING, Surface, offered
from workflows.kinds import Kind
from workflows.model.commands import COMMANDS, OURS
from workflows.names import TAKE_PLACE

KINDS = (Kind.REQUEST, Kind.TASK, Kind.ONBOARDING, Kind.CAMPAIGN)
OF_PARTS = {(Kind.ONBOARDING, "done"), (Kind.ONBOARDING, "answer"), (Kind.ONBOARDING, "link")}
"""Words about a part, which is a task or request of its own, and the link of a customer; a campaign's members are
reminded on its own page.
"""
OWN_HELP = {"decide", "extend", "retry", "review", "revise"}
"""Words whose command line is a function of its own, which explains their arguments."""
WORDS = sorted({command for kind in KINDS for command in kind.spec.commands})


def on_command_line(kind: Kind, command: str) -> bool:
    return command in GROUPS[kind.spec.command].commands and (kind, command) not in OF_PARTS


def at_desk(kind: Kind, command: str) -> bool:
    return ActionForm.from_address(command, kind) is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("surface", "has"), [(Surface.COMMAND, on_command_line), (Surface.DESK, at_desk)])
def test_command_line_and_desk_have_what_the_description_says(
    kind: Kind, surface: Surface, has: Callable[[Kind, str], bool]
) -> None:
    assert [command for command in WORDS if has(kind, command)] == sorted(offered(kind.spec.commands, surface))


@pytest.mark.long
async def test_the_api_has_what_the_description_says(tmp_path: Path) -> None:
    client = await Client.connect("127.0.0.1:1", lazy=True)
    async with program(tmp_path, client) as crm:
        paths = crm.api.description["paths"]
    ids = {operation["operationId"] for path in paths.values() for operation in path.values()}
    for kind in KINDS:
        described = [command for command in WORDS if f"{kind}_{command}" in ids]
        assert described == sorted(offered(kind.spec.commands, Surface.API)), kind


def test_every_word_is_explained_with_its_arguments_and_lacks_a_surface_for_a_reason() -> None:
    assert HELP.keys() == set(WORDS)
    assert {command for _, command in OF_KIND} | set(PENDING) <= {*WORDS, TAKE_PLACE}, "only the page has that one"
    missing = [
        f"{command}.{name}"
        for command in sorted({*WORDS} - OWN_HELP)
        for name, field in COMMANDS[command].model_fields.items()
        if name not in OURS and not field.description
    ]
    assert missing == [], "describe the field in workflows/model/commands.py"
    assert {command for _, command in ELSEWHERE} <= set(WORDS)


PAGE = ROOT / "docs" / "commands.md"
_TABLE = re.compile(r"(<!-- commands -->\n).*?(<!-- /commands -->)", re.DOTALL)


def render_table() -> str:
    rows = ["| Word | Does | Of | Not |", "| --- | --- | --- | --- |"]
    for command in WORDS:
        kind_names = ", ".join(kind for kind in KINDS if command in kind.spec.commands)
        lacks = "; ".join(
            f"{surface}: {reason}" for (surface, other_command), reason in ELSEWHERE.items() if other_command == command
        )
        rows.append(f"| `{command}` | {HELP[command]} | {kind_names} | {lacks} |")
    return "\n".join(rows) + "\n"


def render_page(page: str) -> str:
    return _TABLE.sub(lambda match: match[1] + render_table() + match[2], page)


def test_the_table_of_the_docs_is_the_description() -> None:
    assert PAGE.read_text() == render_page(PAGE.read_text()), "make messages writes it"
    assert render_table() in PAGE.read_text()


if __name__ == "__main__":
    PAGE.write_text(render_page(PAGE.read_text()))
