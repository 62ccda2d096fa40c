"""Texts with `{places}` that values are put into.

What is put in are values, never YAML: a value cannot add a field.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from activities.files.yaml_lines import FieldPath

_PLACE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_BRACES: Final = {"{{": "{", "}}": "}"}
_DROPPED: Final = object()


def filled(content: Any, values: Mapping[str, str]) -> Any:
    """The content with the values put in; a field that is one place and whose value is empty is left out."""
    new = _filled(content, values)
    return None if new is _DROPPED else new


def places(content: Any) -> Iterator[tuple[FieldPath, str]]:
    """The fields that have places, each with the name of every one."""
    return ((path, name) for path, text in _texts(content) for name in _PLACE.findall(text) if name)


def gaps(content: Any, values: Mapping[str, str]) -> Iterator[tuple[FieldPath, str]]:
    """The fields in whose text something would be missing, each with the name of every place that has no value."""
    texts = ((path, text) for path, text in _texts(content) if not _PLACE.fullmatch(text))
    return ((path, name) for path, text in texts for name in _PLACE.findall(text) if name and not values[name])


def _texts(content: Any, path: FieldPath = ()) -> Iterator[tuple[FieldPath, str]]:
    if isinstance(content, dict):
        for key, item in content.items():
            yield from _texts(item, (*path, key))
    elif isinstance(content, list):
        for position, item in enumerate(content):
            yield from _texts(item, (*path, position))
    elif isinstance(content, str):
        yield path, content


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        fields = {key: new for key, item in value.items() if (new := _filled(item, values)) is not _DROPPED}
        return fields if fields or not value else _DROPPED
    if isinstance(value, list):
        return [new for item in value if (new := _filled(item, values)) is not _DROPPED]
    if not isinstance(value, str):
        return value
    whole = _PLACE.fullmatch(value)
    if whole and whole[1] and not values[whole[1]]:
        return _DROPPED
    return _PLACE.sub(lambda place: values[place[1]] if place[1] else _BRACES.get(place[0], place[0]), value)
