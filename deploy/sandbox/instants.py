"""Instants as the vendors write them."""

from datetime import UTC, datetime


def iso(instant: float | None) -> str | None:
    """RFC 3339 in UTC with microseconds of an instant in epoch seconds; None stays None."""
    if instant is None:
        return None
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
