"""The JSON Schemas of docs/schemas/: what the data of each event is, for whoever receives it."""

from pathlib import Path

from activities.hand_off.schemas import EVENTS, schema

__all__ = ["EVENTS", "FOLDER", "path_of", "schema"]

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


def path_of(event: str) -> Path:
    """Where the schema of an event's data is."""
    return FOLDER / f"{event}.json"
