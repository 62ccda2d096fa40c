"""What every command and process does first: read the settings it cannot do without, and set up its log."""

import logging
import sys

from starter.config import settings
from starter.config.settings import Need, Settings


def ready(*needs: Need) -> Settings:
    """The settings of a command, complete for `needs`; its log begins at warnings unless it is asked to say more."""
    found = settings.load(*needs)
    level = found.log_level if found.log_level in ("debug", "error") else "warning"
    # Hardly any command logs a line, and what formats one takes a tenth of its time to import. Whoever logs by
    # structlog has it imported by now, and it must not fall back on its own ways.
    if level == "debug" or "structlog" in sys.modules:
        _log(level)
    else:
        logging.basicConfig(level=level.upper(), handlers=[_FirstLine(level)], force=True)
    return found


def on_duty(*needs: Need, json: bool) -> Settings:
    """The settings of a process that stays, complete for `needs`; `json` has it log in JSON on a terminal, too."""
    found = settings.load(*needs)
    _log(found.log_level, json=json or None)
    return found


class _FirstLine(logging.Handler):
    """Sets up the log when there is something to say."""

    def __init__(self, begins: str) -> None:
        super().__init__()
        self._begins = begins

    def emit(self, record: logging.LogRecord) -> None:
        _log(self._begins)
        logging.getLogger(record.name).handle(record)


def _log(level: str, *, json: bool | None = None) -> None:
    from starter.telemetry import logs  # noqa: PLC0415

    logs.configure(level, json=json)
