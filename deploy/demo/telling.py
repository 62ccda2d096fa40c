"""Tells the story on a stack of its own, step by step, until one is not seen."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from time import monotonic

from activities.http.calling import ServiceFailure
from activities.store.home import StoragePrefix
from deploy.demo import folders
from deploy.demo.report import DemoTold, StepTold, StoryReport
from deploy.demo.scene import Scene
from deploy.demo.story import CUSTOMER, EXECUTIVE, STORY, StoryStep
from deploy.environment import looks_of
from deploy.loopback import LOOPBACK
from deploy.running import planned
from starter import settings
from starter.context import opened
from starter.error_types import Refusal
from starter.needs import Need
from workflows.kinds import Kind


async def run(*, keep: bool, quiet: bool) -> DemoTold:
    """Play the whole story on a stack that ends with it, or with `keep` stays until Ctrl-C.

    `StackFailure` when there is no stack to play on, or none to keep.
    """
    began = monotonic()
    report = StoryReport(quiet=quiet)
    folder = await asyncio.to_thread(folders.fresh)
    async with planned(folder, LOOPBACK, looks_of(os.environ)) as stack, stack.up(report.say):
        async with _scene(folder) as scene:
            steps = [step async for step in _told(scene, report)]
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
    """Where a second terminal would be, that looks for the stack in its folder."""
    found = settings.load(Need.PEOPLE, environment={"COUNTERSIGN_DATA_DIR": str(folder)})
    async with opened(found) as context, aclosing(Scene(context, found)) as scene:
        yield scene


async def _told(scene: Scene, report: StoryReport) -> AsyncIterator[StepTold]:
    """Each step's outcome; after one that was not seen the rest is not played."""
    story_goes_on = True
    for step in STORY:
        if story_goes_on:
            with report.going_on(step.name):
                told = await _played(step, scene)
            report.step(told)
            story_goes_on = told.seen
        else:
            told = StepTold(name=step.name, seen=False, says="not played: an earlier step was not seen")
        yield told


async def _played(step: StoryStep, scene: Scene) -> StepTold:
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
