"""The upgrade of docs/deploying.md with two images, an earlier commit's and today's, and back again: `make upgrade`.

Requests of the old one wait, are signed, called back and reminded while schema, canary, ramp, current and drained come.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus

from deploy.image.build import ROOT, build, revision_of, version_of
from starter.boot import processes
from tests.faults import population
from tests.faults.evidence import gather
from tests.faults.oracle import judge
from tests.faults.town import connect, eventually
from tests.image.containers import Image, at_hand
from tests.rehearsal.machines import WEB, WORKERS, Installation, installation
from tests.versions.commands import run_command
from workflows.kinds import Kind

REQUESTS: Final = 20
"""Begun by the old image, of two signers each."""
DURING_THE_RAMP: Final = 6
OLD, NEW = "before", "today"
"""Build ids."""
_PREFIX: Final = "up"
_WAITS: Final = timedelta(days=3, hours=1)
"""Until the first reminder, which minutes divide from those of others that began at once."""
_WITHIN: Final = 60.0
_SOON: Final = tuple(
    argument
    for setting in (
        'matching.wv.VersionDrainageStatusVisibilityGracePeriod="1s"',
        'matching.wv.VersionDrainageStatusRefreshInterval="1s"',
    )
    for argument in ("--dynamic-config-value", setting)
)
"""What takes the server minutes by default."""
_FROZEN: Final = ("tests/histories", "activities/records/migrations/versions")
"""What only grows once something is released; until then a commit may change it, and takes over nothing."""


@dataclass
class Drill:
    """One upgrade, step by step."""

    installed: Installation
    old_image: Image
    new: Image
    say: Callable[[str], None]
    acknowledged: dict[str, str] = field(default_factory=dict)
    reminded: list[str] = field(default_factory=list)
    _fresh: list[str] = field(default_factory=list)
    """Begun by the old image, with nothing done yet."""

    async def run(self, connected: Callable[[], Awaitable[None]]) -> Sequence[str]:
        """What is wrong, in words; nothing if nothing was lost or done twice."""
        old_worker, new_worker = WORKERS
        old_web, new_web = WEB
        installed = self.installed
        installed.furnish()
        await self._typed(self.old_image, "database", "upgrade")
        await self._typed(self.old_image, "init")
        await installed.start(old_worker, old_web)
        await self._type("back")
        await self._begin_all()

        await self._typed(self.new, "database", "upgrade")
        self.say("the new schema is there, the old image works on it")
        await connected()
        await self._life_goes_on()
        replayed = await self._typed(self.new, "python3", "-m", "deploy.rollout", entry=False)
        self.say(replayed.splitlines()[-1])

        await installed.start(new_worker, new_web)
        await installed.end(old_web)
        self.say("the new image works beside the old one, and has all of the web")
        await self._life_goes_on()

        canary = self._fresh.pop()
        await self._type("canary", REQUEST=canary)
        await installed.sign(canary)
        await eventually(lambda: self._has_been_at(canary, NEW), _WITHIN)
        self.say(f"the canary was at {' and '.join(sorted(await self._builds(canary)))}")

        await self._type("ramp")
        ramped = [f"{_PREFIX}-ramp-{number}" for number in range(DURING_THE_RAMP)]
        for id in ramped:
            self.acknowledged[id] = (await installed.ask(id, *_signers(0), finance=self._finance)).run_id
        await self._life_goes_on()

        await self._type("current")
        await self._life_goes_on()
        await eventually(lambda: self._is_drained(OLD), _WITHIN)
        assert (await installed.end(old_worker))[0] == 0, installed.log(old_worker)
        await self._life_goes_on()
        self.say("the old version is drained and gone")

        await installed.start(old_worker, old_web)
        await self._type("back")
        await self._life_goes_on()
        await eventually(lambda: self._is_drained(NEW), _WITHIN)
        for name in (new_worker, new_web):
            assert (await installed.end(name))[0] == 0, installed.log(name)
        await self._life_goes_on()
        self.say("back at the old version, the new one is drained and gone")

        await self._all_sign()
        return await self._wrong()

    @property
    def _finance(self) -> str:
        return f"{self.installed.vendor.url}/_sandbox/targets/finance"

    async def _begin_all(self) -> None:
        """By the command of the old image."""
        ids, files = [f"{_PREFIX}-{number:02}" for number in range(REQUESTS)], self.installed.machine(WEB[0])
        (files / population.CONTRACT).write_bytes(population.PDF)
        for number, id in enumerate(ids):
            population.write_request(files, id, *_signers(number), finance=self._finance)
        output = await self._typed(self.old_image, "request", "start", *(f"/data/{id}.json" for id in ids), "--json")
        self.acknowledged = {started["id"]: started["run_id"] for started in json.loads(output)}
        assert len(self.acknowledged) == REQUESTS, output
        await eventually(self._all_are_asked, _WITHIN)
        self._fresh = ids
        self.say(f"{REQUESTS} requests were begun by the old image")

    async def _all_are_asked(self) -> bool:
        return len(await self.installed.vendor.waiting()) == REQUESTS

    async def _life_goes_on(self) -> None:
        """One is signed, which Core Signature calls back about; the timer of another fires, which reminds."""
        signed, waiting = self._fresh.pop(), self._fresh.pop()
        await self.installed.sign(signed)
        await self.installed.forward(waiting, _WAITS)
        await eventually(lambda: self._is_told(signed, "ready", 2), _WITHIN)
        await eventually(lambda: self._is_told(waiting, "reminder", 1), _WITHIN)
        self.reminded.append(waiting)

    async def _is_told(self, id: str, stage: str, people: int) -> bool:
        pushes = await self.installed.vendor.pushes(id)
        return len({push["person"] for push in pushes if push["data"]["stage"].startswith(stage)}) >= people

    async def _all_sign(self) -> None:
        async def have_all_ended() -> bool:
            for signer in await self.installed.vendor.waiting():
                await self.installed.vendor.sign(signer)
            described = [await self.installed.handle(id).describe() for id in self.acknowledged]
            return all(description.status is WorkflowExecutionStatus.COMPLETED for description in described)

        await eventually(have_all_ended, 3 * _WITHIN)

    async def _wrong(self) -> Sequence[str]:
        violations = judge(await gather(self.installed, self.acknowledged, _PREFIX))
        workflows = [Kind.REQUEST.workflow_id(id) for id in self.acknowledged]
        lost = (await self.installed.context.store.records.read_many(workflows)).count(None)
        by_build = Counter([build for id in self.acknowledged for build in await self._builds(id)])
        tasks_by_build = ", ".join(f"{build} had {count}" for build, count in sorted(by_build.items()))
        self.say(f"{len(workflows)} requests, {len(self.reminded)} reminded: {tasks_by_build}; {lost} lost")
        missing = [build for build in (OLD, NEW) if not by_build[build]]
        return [
            *(f"{violation.request}: {violation.invariant}: {violation.says}" for violation in violations),
            *(f"{lost} have no record" for _ in range(min(lost, 1))),
            *(f"no request was ever at {build}" for build in missing),
        ]

    async def _builds(self, id: str) -> set[str]:
        """The versions that have done a task of a request."""
        events = (await self.installed.handle(id).fetch_history()).events
        completed_tasks = [
            event for event in events if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        ]
        return {event.workflow_task_completed_event_attributes.deployment_version.build_id for event in completed_tasks}

    async def _has_been_at(self, id: str, build: str) -> bool:
        return build in await self._builds(id)

    async def _is_drained(self, build: str) -> bool:
        return "drained" in await self._type("drained", OLD=build)

    async def _type(self, name: str, **variables: str) -> str:
        """A command of docs/deploying.md, typed until the server takes it: it knows a version once its workers ask."""
        address = self.installed.environment["TEMPORAL_ADDRESS"]

        async def has_been_taken() -> str | None:
            code, output = await run_command(name, address, **{"OLD": OLD, "NEW": NEW, **variables})
            return output or name if code == 0 else None

        return await eventually(has_been_taken, _WITHIN)

    async def _typed(self, image: Image, *arguments: str, entry: bool = True) -> str:
        typed = await self.installed.run_in_image(image, *arguments, entry=entry)
        assert typed.returncode == 0, f"{arguments}: {typed.stdout}{typed.stderr}"
        return typed.stdout


def _signers(number: int) -> tuple[str, str]:
    return population.colleague(2 * number), population.colleague(2 * number + 1)


async def drill(folder: Path, old_image: Image, new_image: Image, say: Callable[[str], None]) -> Sequence[str]:
    """What is wrong with an upgrade from one image to the other and back."""
    images = dict(zip((*WORKERS, *WEB), (old_image, new_image, old_image, new_image), strict=True))
    builds = dict(zip(WORKERS, (OLD, NEW), strict=True))
    async with AsyncExitStack() as closing:
        installed = await closing.enter_async_context(
            installation(folder, images, builds, temporal=_SOON, set_up=False)
        )
        return await Drill(installed, old_image, new_image, say).run(partial(connect, installed, closing))


def main() -> int:
    parser = argparse.ArgumentParser(prog="make upgrade", description=__doc__)
    parser.add_argument("--before", default="HEAD~1", help="the commit that is upgraded from; default: the one before")
    parser.add_argument("--base", default="", help="as of `make image`")
    options = parser.parse_args()
    say, began = partial(print, file=sys.stderr, flush=True), time.monotonic()
    processes.load_kinds()
    earlier_commit = _find_earlier_commit(options.before, say)
    with (
        tempfile.TemporaryDirectory(prefix="countersign-upgrade-", ignore_cleanup_errors=True) as name,
        at_hand(_built(earlier_commit, options.base, Path(name) / "before")) as old_image,
        at_hand() as new_image,
    ):
        wrong = asyncio.run(drill(Path(name) / "data", old_image, new_image, say))
    for line in wrong:
        say(line)
    print(
        f"upgrade: {'NOT as it must be' if wrong else 'nothing lost, nothing twice'}, {time.monotonic() - began:.0f} s"
    )
    return int(bool(wrong))


def _find_earlier_commit(commit: str, say: Callable[[str], None]) -> str:
    """The commit to upgrade from: today's own where the wanted one cannot be taken over by policy, or has no image."""
    changed = _git("diff", "--name-only", "--diff-filter=MDR", commit, "HEAD", "--", *_FROZEN)
    has_image = _git("ls-tree", "--name-only", commit, "deploy/image/Dockerfile")
    if has_image and not changed:
        return commit
    reason = "has no image" if not has_image else f"wrote what today's code need not read ({changed.splitlines()[0]})"
    say(f"{commit} {reason}: upgraded from today's own image, as another version")
    return "HEAD"


def _built(commit: str, base: str, folder: Path) -> str:
    """The image of a commit, from its own files."""
    folder.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True)  # noqa: S603, S607
    subprocess.run(["tar", "-x"], cwd=folder, check=True, input=archive.stdout)  # noqa: S607
    revision = revision_of(commit)
    return build(folder, "before", base, version_of(revision), revision)


def _git(*arguments: str) -> str:
    typed = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603, S607
    return typed.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
