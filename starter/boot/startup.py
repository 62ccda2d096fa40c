"""First steps of every command and process: read its settings, set up its log."""

import logging
import sys

from starter.config import settings
from starter.config.settings import Need, Settings


def ready(*needs: Need) -> Settings:
    """The settings of a command, complete for `needs`; logs warnings unless set otherwise."""
    loaded = settings.load(*needs)
    level = loaded.log_level if loaded.log_level in ("debug", "error") else "warning"
    # Few commands log a line, and importing the formatter takes a tenth of their time. Modules that log by structlog
    # have imported it by now, and must not use its defaults.
    if level == "debug" or "structlog" in sys.modules:
        _log(level)
    else:
        logging.basicConfig(level=level.upper(), handlers=[_FirstLine(level)], force=True)
    return loaded


def load_service_settings(*needs: Need, json: bool) -> Settings:
    """The settings of a long-running process, complete for `needs`; `json` forces JSON logs on a terminal."""
    loaded = settings.load(*needs)
    _log(loaded.log_level, json=json or None)
    return loaded


class _FirstLine(logging.Handler):
    """Sets up the log at the first line."""

    def __init__(self, begins: str) -> None:
        super().__init__()
        self._begins = begins

    def emit(self, record: logging.LogRecord) -> None:
        _log(self._begins)
        logging.getLogger(record.name).handle(record)


def _log(level: str, *, json: bool | None = None) -> None:
    from starter.telemetry import logs  # noqa: PLC0415

    logs.configure(level, json=json)
