"""True exit codes: every process flushes and leaves here, without the interpreter's teardown, which may crash after the
Temporal client was used (tests/faults/catalogue.toml, D18).
"""

import contextlib
import errno
import logging
import os
import signal
import sys
from collections.abc import Callable
from io import TextIOWrapper
from types import FrameType
from typing import Final, NoReturn

from starter.boot import processes
from starter.errors import Exit, Refusal, Termination

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_LOGGER: Final = logging.getLogger("countersign.exits")

Refusals = Callable[[], tuple[type[Exception], ...]]


def run(
    main: Callable[[], object],
    *,
    refusals: Refusals = tuple,
    usage: tuple[type[Exception], ...] = (),
    service: bool = False,
    until_stopped: bool = False,
) -> NoReturn:
    """Call `main` and end the process with its integer, else 0. A `Refusal` or one of `refusals()` is printed, code 1;
    one of `usage` was printed already, code 2. Others are ours: one line, code 1, traceback in the log (debug; error
    for a `service`). SIGTERM ends a `service`, or anything `until_stopped`, with 0.
    """
    _use_utf8()
    signal.signal(signal.SIGTERM, _end_with_success if service or until_stopped else _terminate)
    code = _code_of(main, refusals, usage, logging.ERROR if service else logging.DEBUG)
    leave(_flushed(code))


def leave(code: int) -> NoReturn:
    """Flush and end the process now; no `atexit` function runs."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    logging.shutdown()
    os._exit(code)


def _use_utf8() -> None:
    """The locale of a cron job or an old system may lack the letters of names and tables."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.encoding.casefold() != "utf-8":
            stream.reconfigure(encoding="utf-8")


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Termination(Exit.TERMINATED)


def _end_with_success(number: int, frame: FrameType | None) -> NoReturn:
    raise Termination(Exit.DONE)


def _code_of(
    main: Callable[[], object],
    refusals: Refusals,
    usage: tuple[type[Exception], ...],
    trace_level: int,
) -> int:
    try:
        processes.release_signals()
        result = main()
    except SystemExit as ending:
        return _system_exit(ending)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return Exit.BROKEN_PIPE
    except Exception as error:
        return _report_error(_single_error(error), refusals, usage, trace_level)
    return result if isinstance(result, int) else Exit.DONE


def _system_exit(ending: SystemExit) -> int:
    if ending.code is None or isinstance(ending.code, int):
        return ending.code or Exit.DONE
    _say(str(ending.code))
    return Exit.REFUSED


def _single_error(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _report_error(error: Exception, refusals: Refusals, usage: tuple[type[Exception], ...], trace_level: int) -> int:
    if isinstance(error, usage):
        return Exit.USAGE
    if isinstance(error, OSError) and error.errno in _FULL:
        return _unwritten(error)
    if isinstance(error, Refusal) or any(isinstance(error, expected) for expected in refusals()):
        _LOGGER.debug("refused", exc_info=error)
        _say(str(error))
        return Exit.REFUSED
    _LOGGER.log(trace_level, "a fault of ours", exc_info=error)
    _say(f"internal error ({type(error).__name__}); COUNTERSIGN_LOG_LEVEL=debug logs the whole of it")
    return Exit.REFUSED


def _flushed(code: int) -> int:
    """`code`, unless the output could not be written."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return Exit.BROKEN_PIPE
    except OSError as error:
        return _unwritten(error)
    return code


def _unwritten(error: OSError) -> int:
    _say(f"not all could be written: {error.strerror}")
    return Exit.REFUSED


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201  the one place where a process says why it ends
