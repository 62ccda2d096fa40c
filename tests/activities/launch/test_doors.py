"""The one intake: nothing is started that was not checked and admitted by it."""

import ast

import pytest

from activities.launch.doors import CHECKS, Intake, NotPermitted, TrustedCaller, admit
from activities.policies.catalogue import Catalogue
from tests.activities.launch.papers import NOW, Desk
from tests.test_house import files, module_of, parsed
from workflows.kinds import Kind

LAUNCH = "activities.launch.launch"
INTAKE = "activities.launch.doors"


def names_of_launch(tree: ast.Module) -> set[str]:
    """What the module calls `activities.launch.launch`, and what it calls its `start`."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in (LAUNCH, LAUNCH.rpartition(".")[0]):
            wanted = ("start",) if node.module == LAUNCH else ("launch",)
            names |= {alias.asname or alias.name for alias in node.names if alias.name in wanted}
    return names


def starts(tree: ast.Module) -> list[int]:
    """The lines where the module reaches for `launch.start`, whether it calls it or passes it on."""
    names = names_of_launch(tree)
    of_module = (
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "start" and isinstance(node.value, ast.Name)
        if node.value.id in names
    )
    imported = (node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in names & {"start"})
    return sorted([*of_module, *imported])


@pytest.mark.long
def test_nothing_but_the_one_intake_calls_the_start_of_a_workflow() -> None:
    found = {
        module_of(file): lines
        for folder in ("activities", "starter", "worker")
        for file in files(folder)
        if (lines := starts(parsed(file)))
    }
    assert found.keys() == {INTAKE}, "start what `Intake.check` or `admit` of activities/launch/doors.py returns"


@pytest.mark.parametrize(
    "code",
    [
        "from activities.launch import launch as path\npath.start(client, store, prepared)",
        "from activities.launch import launch\npartial(launch.start, client)",
        "from activities.launch.launch import start\nstart(client, store, prepared)",
    ],
)
def test_a_start_past_the_intake_is_found(code: str) -> None:
    assert starts(ast.parse(code)) == [2]


@pytest.mark.long
def test_every_kind_of_the_product_has_a_check() -> None:
    import activities.campaign.intake
    import activities.onboarding.intake  # noqa: F401

    assert {Kind.REQUEST, Kind.TASK, Kind.ONBOARDING, Kind.CAMPAIGN} <= CHECKS.keys()


class Stranger(TrustedCaller):
    def may_begin(self, kind: str, requester: str) -> bool:
        return False


async def test_a_right_file_is_not_started_for_a_caller_who_may_not_begin_its_kind(desk: Desk) -> None:
    prepared = await desk.prepare()
    with pytest.raises(NotPermitted, match="may not start customer-contract for legal-desk"):
        admit(prepared, Stranger("token:crm"))
    assert admit(prepared, TrustedCaller("hook:crm")).actor == "hook:crm"


async def test_many_files_are_checked_against_one_reading_of_the_catalogue(desk: Desk) -> None:
    read = []

    def catalogue() -> Catalogue:
        read.append(1)
        return desk.catalogue

    intake = Intake(desk.directory, catalogue, lambda: NOW)
    once = await intake.with_one_catalogue()
    for _ in range(3):
        await once.read_check_context()
    assert len(read) == 1
    await intake.read_check_context()
    await intake.read_check_context()
    assert len(read) == 3
