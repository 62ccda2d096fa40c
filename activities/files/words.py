"""pydantic's errors in the words of the person who wrote the file: what is wrong, and what would be right."""

import re
from collections.abc import Mapping, Sized
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from activities.files.quoting import word
from activities.files.yaml_lines import FieldPath
from activities.spelling import did_you_mean

_TEXT: Final = "a text"
_EXPECTED: Final = {
    "string_type": _TEXT,
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a map of names",
    "model_type": "a map of fields",
    "model_attributes_type": "a map of fields",
}
_SENTENCES: Final = {
    "missing": "is missing",
    "value_error": "{error}",
    "string_too_long": "is {size:,} characters long, at most {max_length:,} are allowed",
    "string_too_short": "is empty",
    "too_short": "needs at least {min_length}",
    "int_from_float": "must be a whole number, not one with a fraction",
    "finite_number": "must be a whole number",
    "too_long": "has more than {max_length:,} entries",
    "enum": "must be one of {expected}",
    "literal_error": "must be one of {expected}",
    "less_than_equal": "must be at most {le}",
    "greater_than_equal": "must be at least {ge}",
}
_ENUM_MEMBER: Final = re.compile(r"<[\w.]+: ('[^']*')>")


def in_words(error: ValidationError, model: type[BaseModel]) -> dict[FieldPath, str]:
    """A sentence per faulty field, in the order of validation."""
    found: dict[FieldPath, str] = {}
    details = error.errors(include_url=False)
    for detail in details:
        path = tuple(step for step in detail["loc"] if step != "[key]")
        if not _too_short_for_faulty_items(detail, details):
            found.setdefault(path, _sentence(detail, path, model))
    return found


def written_path(path: FieldPath) -> str:
    """`signers[1].order`, as people write it; a step that is no short word may be anything and is not repeated."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{word(step)}" for step in path).removeprefix(".")


def _too_short_for_faulty_items(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """pydantic counts only the items that are right: a list whose items are all faulty is not empty."""
    at = detail["loc"]
    return detail["type"] == "too_short" and any(
        len(other["loc"]) > len(at) and other["loc"][: len(at)] == at for other in details
    )


def _sentence(detail: ErrorDetails, path: FieldPath, model: type[BaseModel]) -> str:
    kind, given = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        cut_off = " (if it is the rest of a text with a comma in it, put that in quotes)" if given is None else ""
        return f"unknown{_close_key(path, model)}{cut_off}"
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, not {_kind_of(given)}{_quotes_help(_EXPECTED[kind], given)}"
    if kind in _SENTENCES:
        told = _SENTENCES[kind].format(**{"size": _size(given), **detail.get("ctx", {})})
        return _ENUM_MEMBER.sub(r"\1", told)
    return detail["msg"][:1].lower() + detail["msg"][1:]


def _size(given: object) -> int:
    return len(given) if isinstance(given, Sized) else 0


def _kind_of(given: object) -> str:
    match given:
        case None:
            return "empty"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case Mapping():
            return "a map"
        case _:
            return "a list"


def _quotes_help(expected: str, given: object) -> str:
    return " (put it in quotes)" if expected == _TEXT and isinstance(given, bool | int | float) else ""


def _close_key(path: FieldPath, model: type[BaseModel]) -> str:
    holder = _model_at(model, path[:-1])
    if holder is None:
        return ""
    known = [field.alias or name for name, field in holder.model_fields.items()]
    return did_you_mean(str(path[-1]), known) or f", known are {', '.join(known)}"


def _model_at(model: type[BaseModel], path: FieldPath) -> type[BaseModel] | None:
    """The model that the map at `path` is read as."""
    here: type[BaseModel] | None = model
    for step in path:
        if isinstance(step, int) or here is None:
            continue
        field = next((field for name, field in here.model_fields.items() if step in (name, field.alias)), None)
        # A step that is no field is the key of a map of models: the model stays.
        here = _model_in(field.annotation) if field else here
    return here


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType, list, tuple, dict):
        return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
    return None
