"""`make rehearse`: prints what was lost, done twice and killed; 1 if anything was."""

import argparse
import asyncio
import os
import random
import sys
import tempfile
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from starter.boot import processes
from tests.image.containers import at_hand
from tests.postgresql import HOW_TO_HAVE_IT, program
from tests.rehearsal.machines import WEB, WORKERS, installation
from tests.rehearsal.rehearsal import Outcome, rehearse


def main() -> int:
    parser = argparse.ArgumentParser(prog="make rehearse", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--image", action="store_true", help="run workers and web processes from the image")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="repeats a run's choices")  # noqa: S311
    options = parser.parse_args()
    if program("postgres") is None:
        print(HOW_TO_HAVE_IT, file=sys.stderr)
        return int(os.environ.get("REQUIRE_POSTGRESQL") == "1")
    say = partial(print, file=sys.stderr, flush=True)
    say(f"seed {options.seed}")
    processes.load_kinds()
    with tempfile.TemporaryDirectory(prefix="countersign-rehearsal-", ignore_cleanup_errors=True) as folder:
        outcome = asyncio.run(_run(Path(folder) / "data", options.seed, say, image=options.image))
    print(outcome.as_json() if options.json else outcome.as_table())
    return 0 if outcome.ok else 1


async def _run(folder: Path, seed: int, say: "partial[None]", *, image: bool) -> Outcome:
    async with AsyncExitStack() as closing:
        images = dict.fromkeys((*WORKERS, *WEB), closing.enter_context(at_hand())) if image else {}
        return await rehearse(await closing.enter_async_context(installation(folder, images)), seed, say)


if __name__ == "__main__":
    sys.exit(main())
