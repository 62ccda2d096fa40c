"""The table of docs/settings.md, made from the settings themselves."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from starter.config.environment import PREFIX
from starter.config.settings import is_secret, named_fields


@dataclass(frozen=True)
class SettingLine:
    """One row of the settings table; `name` has its prefix."""

    name: str
    default: str
    secret: bool
    sentence: str


def table() -> tuple[SettingLine, ...]:
    """Every setting, in the order of the groups."""
    return tuple(
        SettingLine(
            name=f"{PREFIX}{name}",
            default=_default_text(field.get_default()),
            secret=is_secret(field.annotation),
            sentence=field.description or "",
        )
        for name, field in named_fields()
    )


def _default_text(value: object) -> str:
    match value:
        case None | "" | () | {} | SecretStr():
            return ""
        case timedelta():
            return _duration_text(value)
        case tuple():
            return ":".join(str(part) for part in value)
        case Path():
            return value.name
        case _:
            return f"{value:g}" if isinstance(value, float) else str(value)


def _duration_text(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    size, unit = next((size, unit) for size, unit in ((3600, "h"), (60, "m"), (1, "s")) if seconds % size == 0)
    return f"{seconds // size}{unit}"
