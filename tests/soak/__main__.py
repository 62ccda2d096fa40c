"""`make soak`: keeps requests open at a steady rate while parts die, and prints what is lost, late or grows.

Exit code 1 if something is lost or grows, with --strict also if something is late.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

from starter.boot import processes
from tests.postgresql import HOW_TO_HAVE_IT, program
from tests.rehearsal.machines import installation
from tests.soak.outcome import Outcome
from tests.soak.samples import Progress
from tests.soak.soak import Soak, SoakPlan

_VARIABLES: Final = {"COUNTERSIGN_NOTICES_MOST": "0"}
"""A few people get the notifications of thousands of requests."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3, help="of the steady time; default: 3")
    parser.add_argument("--open", type=int, default=60, help="requests that are open at any time; default: 60")
    parser.add_argument("--rate", type=float, default=0.4, help="requests that end and begin each second; default: 0.4")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="repeats a run's choices")  # noqa: S311
    parser.add_argument("--strict", action="store_true", help="fail for lateness too")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.add_argument("--progress", type=Path, default=Path("dist/soak.jsonl"), help="each sample as a JSON line")
    options = parser.parse_args()
    if program("postgres") is None:
        print(HOW_TO_HAVE_IT, file=sys.stderr)
        return int(os.environ.get("REQUIRE_POSTGRESQL") == "1")
    plan = SoakPlan(options.minutes, options.open, options.rate, options.seed, options.strict)
    say = partial(print, file=sys.stderr, flush=True)
    say(f"seed {plan.seed}; samples are written to {options.progress}")
    processes.load_kinds()
    outcome = asyncio.run(_run(plan, Progress(options.progress), say))
    print(outcome.to_json() if options.json else outcome.to_table())
    return int(bool(outcome.reasons))


async def _run(plan: SoakPlan, progress: Progress, say: "partial[None]") -> Outcome:
    with tempfile.TemporaryDirectory(prefix="countersign-soak-", ignore_cleanup_errors=True) as folder:
        async with installation(Path(folder) / "data", variables=_VARIABLES) as installed:
            return await Soak(installed, plan, progress, say).run()


if __name__ == "__main__":
    sys.exit(main())
