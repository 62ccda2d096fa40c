"""A process of the laptop stack: log file, readiness, end within a grace."""

import asyncio
import http.client
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self
from urllib.parse import urlsplit

Probe = Callable[[], Awaitable[bool]]
_LAUNCHER = Path(__file__).with_name("launcher.py")
_GLANCE = 0.05
_LOG_TAIL = 3
_PATIENCE = 2.0


class StackFailure(Exception):
    """The text is for the terminal."""


class NotReadyYet(StackFailure):
    """The process still runs."""


@dataclass(frozen=True)
class Program:
    """After `grace` seconds of SIGTERM it is killed."""

    name: str
    title: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready: Probe
    address: str
    grace: float
    ready_file: Path | None = None
    """Written once it is ready; removed before each start."""
    revived: bool = False
    """Whether it is restarted if it ends by itself."""


class RunningProgram:
    """A started program; it dies with this process."""

    def __init__(self, program: Program, process: asyncio.subprocess.Process, log: Path) -> None:
        self.program = program
        self.log = log
        self._process = process

    @classmethod
    async def start(cls, program: Program, logs: Path) -> Self:
        """In a session of its own, so that Ctrl-C reaches this process only."""
        log = logs / f"{program.name}.log"
        if program.ready_file:
            program.ready_file.unlink(missing_ok=True)
        with _open_log(log) as stream:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), *program.command),
                env=dict(program.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        return cls(program, process, log)

    async def until_ready(self, timeout_seconds: float | None = None) -> None:
        """`StackFailure` if it ends before; `NotReadyYet` if it is not ready `within` these seconds."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not await self.program.ready():
                    if self._process.returncode is not None:
                        raise self.failure()
                    await asyncio.sleep(_GLANCE)
        except TimeoutError:
            raise NotReadyYet(
                f"{self.program.title} was not ready within {timeout_seconds:.0f} s{self._log_tail()}"
            ) from None

    async def ended(self) -> StackFailure:
        await self._process.wait()
        return self.failure()

    def failure(self) -> StackFailure:
        """With the last lines of its log."""
        return StackFailure(f"{self.program.title} ended by itself ({self.ending}){self._log_tail()}")

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL after its grace."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), self.program.grace)
        except TimeoutError:
            self.kill()
            await self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Negative for a signal; None while it runs."""
        return self._process.returncode

    def kill(self) -> None:
        """Kill it and its children."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    @property
    def ending(self) -> str:
        code = self._process.returncode or 0
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def _log_tail(self) -> str:
        with suppress(OSError):
            if last := self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL:]:
                return "\n  ".join([f"; the end of {self.log}:", *(line[:300] for line in last)])
        return f"; see {self.log}"


def answers(url: str) -> Probe:
    """Ready when a GET of `url` returns 200."""

    async def probe() -> bool:
        return await asyncio.to_thread(_status, url) == http.client.OK

    return probe


def written(file: Path) -> Probe:
    """Ready when `file` exists."""

    async def probe() -> bool:
        return await asyncio.to_thread(file.is_file)

    return probe


def _open_log(log: Path) -> BinaryIO:
    log.parent.mkdir(parents=True, exist_ok=True)
    return log.open("ab")


def _status(url: str) -> int | None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_PATIENCE)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
