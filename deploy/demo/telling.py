"""Plays the demo on a stack of its own, step by step, until one fails."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISDIR
from time import monotonic
from typing import Final

from pydantic import AwareDatetime
from rich.console import Group
from rich.table import Table
from rich.text import Text

from activities.http.client import ServiceFailure
from activities.records.rows import StoragePrefix
from deploy.demo.scene import Scene
from deploy.demo.story import CUSTOMER, EXECUTIVE, STORY, StoryStep
from deploy.local.environment import LOOPBACK, looks_of
from deploy.local.folder import DataFolder
from deploy.local.running import planned
from starter.boot.context import opened
from starter.config import settings
from starter.config.settings import Need
from starter.errors import Refusal
from starter.terminal.terminal import Terminal
from workflows.kinds import Kind
from workflows.model.base import Model

_PREFIX: Final = "countersign-demo-"


def fresh() -> Path:
    """Removes earlier demo folders without a running stack."""
    for earlier in _ours():
        DataFolder(earlier).discard()
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def _ours() -> Iterator[Path]:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):
            known = folder.lstat()
            if S_ISDIR(known.st_mode) and known.st_uid == os.getuid():
                yield folder


_DATE_WIDTH: Final = len("Wed 25 Nov 13:22 UTC")


class StepTold(Model):
    """`at` is the request's date, `says` what was seen, or what was there instead."""

    name: str
    seen: bool
    at: AwareDatetime | None = None
    says: str = ""


class DemoTold(Model):
    """The answer of `demo`; `ok` only if every step was seen. `seconds` are real ones."""

    ok: bool
    seconds: float
    steps: tuple[StepTold, ...]


class StoryReport:
    """Prints progress; silent with `--json`."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Terminal(quiet=quiet, highlight=False)

    def say(self, line: str) -> None:
        self._console.print(Text(line, "dim"))

    @contextmanager
    def going_on(self, name: str) -> Iterator[None]:
        """Show the current wait, on a terminal."""
        with self._console.status(Text(name)):
            yield

    def step(self, told: StepTold) -> None:
        line = Table.grid(padding=(0, 1))
        line.add_column(style="cyan", width=_DATE_WIDTH, no_wrap=True)
        line.add_column(style="green" if told.seen else "bold red")
        line.add_column()
        line.add_row(_date(told.at), "✓" if told.seen else "✗", Text(told.says))
        self._console.print(line)

    def look(self, lines: tuple[tuple[str, str], ...]) -> None:
        """Where to look at the results."""
        self._console.print()
        for what, where in lines:
            self._console.print(Text(f"  {what:<24}", "dim").append(where, "default"), soft_wrap=True)


def verdict(told: DemoTold) -> Group:
    """The last line."""
    days = _days(told.steps)
    if told.ok:
        line = Text(f"Every step was seen: {days} days of the calendar in {told.seconds:.0f} s.", "bold green")
    else:
        first, *others = [step.name for step in told.steps if not step.seen]
        line = Text(
            f"Not seen: {first}; {len(others)} steps after it were not played ({told.seconds:.0f} s).", "bold red"
        )
    return Group(Text(), line)


def _days(steps: tuple[StepTold, ...]) -> int:
    dates = [step.at for step in steps if step.at]
    return (max(dates) - min(dates)).days if dates else 0


def _date(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%a %d %b %H:%M} UTC" if at else ""


async def run(*, keep: bool, quiet: bool) -> DemoTold:
    """With `keep` the stack stays until Ctrl-C. Raises `StackFailure`."""
    began = monotonic()
    report = StoryReport(quiet=quiet)
    folder = await asyncio.to_thread(fresh)
    async with planned(folder, LOOPBACK, looks_of(os.environ)) as stack, stack.up(report.say):
        async with _scene(folder) as scene:
            steps = [step async for step in _play_all(scene, report)]
            told = DemoTold(ok=all(s.seen for s in steps), seconds=round(monotonic() - began, 1), steps=tuple(steps))
            for failure in stack.failures:
                report.say(str(failure))
            report.look(_places(scene, folder, keep=keep))
        if keep:
            report.say("\nCtrl-C ends the stack")
            raise await stack.until_one_ends()
    return told


@asynccontextmanager
async def _scene(folder: Path) -> AsyncIterator[Scene]:
    # Finds the stack by its folder, as a second terminal would.
    found = settings.load(Need.PEOPLE, environment={"COUNTERSIGN_DATA_DIR": str(folder)})
    async with opened(found) as context, aclosing(Scene(context, found)) as scene:
        yield scene


async def _play_all(scene: Scene, report: StoryReport) -> AsyncIterator[StepTold]:
    """Each step's result; ends after the first failure."""
    story_goes_on = True
    for step in STORY:
        if story_goes_on:
            with report.going_on(step.name):
                told = await _play(step, scene)
            report.step(told)
            story_goes_on = told.seen
        else:
            told = StepTold(name=step.name, seen=False, says="not played: an earlier step was not seen")
        yield told


async def _play(step: StoryStep, scene: Scene) -> StepTold:
    try:
        says = await step.play(scene)
    except (Refusal, ServiceFailure) as failure:
        return StepTold(name=step.name, seen=False, says=f"{step.name}: {failure}")
    return StepTold(name=step.name, seen=True, at=await scene.now(), says=says)


def _places(scene: Scene, folder: Path, *, keep: bool) -> tuple[tuple[str, str], ...]:
    phones = [(f"phone, {who}", f"{scene.addresses.sandbox}/inbox/{who}") for who in (CUSTOMER, EXECUTIVE)]
    web_ui = scene.context.url(Kind.ONBOARDING.workflow_id(scene.onboarding)) or scene.addresses.web_ui
    living = (("Web UI", web_ui), ("the customer's page", scene.journey_link), *phones)
    kept = (
        (
            "record",
            str(folder / "store" / StoragePrefix.of(Kind.ONBOARDING.workflow_id(scene.onboarding)).file("records")),
        ),
        ("logs", str(folder / "logs")),
        ("all of it again", f"countersign dev --data {folder}"),
    )
    return (*living, *kept) if keep else kept
