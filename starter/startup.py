"""What every command and process does first: read the settings it cannot do without, and set up its log."""

from typing import Final

import structlog

from starter import logs, settings
from starter.needs import Need
from starter.settings import Settings

_LOGGER: Final = structlog.get_logger("countersign.settings")


def ready(*needs: Need) -> Settings:
    """The settings of a command, complete for `needs`; its log begins at warnings unless it is asked to say more."""
    found = settings.load(*needs)
    logs.configure("debug" if found.log_level == "debug" else "error" if found.log_level == "error" else "warning")
    _warn_of_idle(found)
    return found


def on_duty(*needs: Need, json: bool) -> Settings:
    """The settings of a process that stays, complete for `needs`; `json` has it log in JSON on a terminal, too."""
    found = settings.load(*needs)
    logs.configure(found.log_level, json=json or None)
    _warn_of_idle(found)
    return found


def _warn_of_idle(found: Settings) -> None:
    if found.idle:
        _LOGGER.warning("set, but has no effect yet", settings=found.idle)
