"""Plays the demo until its end or Ctrl-C: `python -m deploy.demo [--keep] [--json]`."""

import argparse
import asyncio
import signal

from deploy.demo.telling import DemoResult, run, verdict
from deploy.local.stack import in_one_line
from starter.boot import exits
from starter.boot.refusals import REFUSALS
from starter.cli.printing import print_answer
from starter.errors import Exit, Termination
from starter.telemetry import logs


def main() -> int:
    """0 only if every step was seen; `Refusal` without a stack."""
    logs.configure("error")
    options = _parser().parse_args()
    with in_one_line("countersign demo"):
        result = asyncio.run(_play_demo(keep=options.keep, quiet=options.json))
    print_answer(result, verdict(result), as_json=options.json)
    return Exit.DONE if result.ok else Exit.REFUSED


async def _play_demo(*, keep: bool, quiet: bool) -> DemoResult:
    # SIGTERM cancels it like Ctrl-C: an exception while a process starts would leave that running.
    story = asyncio.ensure_future(run(keep=keep, quiet=quiet))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, story.cancel)
    try:
        return await story
    except asyncio.CancelledError:
        if (current_task := asyncio.current_task()) and current_task.cancelling():
            raise
        raise Termination(Exit.TERMINATED) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo", description="One onboarding, checked.")
    parser.add_argument("--keep", action="store_true", help="leave the stack running afterwards, until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="print the steps as JSON")
    return parser


if __name__ == "__main__":
    exits.run(main, refusals=lambda: REFUSALS)
