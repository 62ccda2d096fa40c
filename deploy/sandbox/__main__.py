"""The sandbox as a process: `python -m deploy.sandbox --port 0 --data DIR --ready-file FILE`."""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from deploy.sandbox.server import running
from deploy.sandbox.state.settings import SandboxSettings


def main() -> int:
    """Serve until SIGTERM or SIGINT; 0 at a clean end, 1 if it could not start."""
    options = _parser().parse_args()
    try:
        settings = SandboxSettings.from_environment(**({"data": options.data} if options.data else {}))
        asyncio.run(_serve(settings, options))
    except (ValueError, OSError) as problem:
        print(f"sandbox: {problem}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.sandbox", description="A stand-in for the vendors.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--data", type=Path, help="folder to keep everything in (default: memory only)")
    parser.add_argument("--ready-file", type=Path, help='written once it listens: {"url": …}')
    return parser


async def _serve(settings: SandboxSettings, options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(settings, host=options.host, port=options.port) as sandbox:
        print(f"sandbox: listening on {sandbox.url}", flush=True)  # noqa: T201
        if options.ready_file:
            _announce(options.ready_file, sandbox.url)
        await stop.wait()


def _announce(ready_file: Path, url: str) -> None:
    # Renamed into place, so that a reader never gets half of it.
    half = ready_file.with_name(ready_file.name + ".half")
    half.write_text(json.dumps({"url": url}))
    half.replace(ready_file)


if __name__ == "__main__":
    sys.exit(main())
