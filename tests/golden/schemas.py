"""The JSON Schemas of docs/schemas/: what the data of each event is, for whoever receives it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from activities.hand_off.schemas import EVENTS, schema

__all__ = ["EVENTS", "FOLDER", "path_of", "schema", "validator"]

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


def path_of(event: str) -> Path:
    """Where the schema of an event's data is."""
    return FOLDER / f"{event}.json"


def validator(schema: Mapping[str, Any]) -> Any:
    """What says of data whether it keeps to this schema, which is checked as well; a second to import."""
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
