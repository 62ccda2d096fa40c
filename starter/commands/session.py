"""What every command does first: read the settings it cannot do without, and keep the log out of its answer."""

from starter import logs, settings
from starter.needs import Need
from starter.settings import Settings


def ready(*needs: Need) -> Settings:
    """The settings, complete for `needs`; the log of a command begins at warnings unless it is asked to say more."""
    found = settings.load(*needs)
    logs.configure("debug" if found.log_level == "debug" else "error" if found.log_level == "error" else "warning")
    return found
