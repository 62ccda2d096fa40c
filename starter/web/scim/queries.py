"""What a list of users or groups is asked for: the comparisons that directories send, and pages."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from scim2_models import InvalidFilterException, InvalidPathException, InvalidValueException

from activities.people.pushed import group_name
from activities.records.directory import Page
from starter.web.scim.resources import PAGE_AT_MOST

FILTER_AT_MOST: Final = 1_000
"""Characters of a filter."""
COMPARISONS_AT_MOST: Final = 3
OPERATIONS_AT_MOST: Final = 500
"""Of one PATCH; one operation may have thousands of members."""
PATH_AT_MOST: Final = 300
"""Characters of the path of an operation."""
_COMPARISON: Final = re.compile(
    r'\s*(?P<attribute>[A-Za-z:.0-9]+(?:\[type\s+eq\s+"work"\]\.value)?)\s+eq\s+(?P<text>"(?:[^"\\]|\\.)*")\s*',
    re.IGNORECASE,
)
_AND: Final = re.compile(r"and\b", re.IGNORECASE)
_MEMBER: Final = "member"
_USER_COLUMNS: Final = {
    "id": "id",
    "username": "user_name",
    "externalid": "external_id",
    "emails.value": "address",
    "emails": "address",
    'emails[type eq "work"].value': "address",
    "manager": "manager",
    "manager.value": "manager",
}
_GROUP_COLUMNS: Final = {
    "id": "id",
    "displayname": "name",
    "externalid": "external_id",
    "members": _MEMBER,
    "members.value": _MEMBER,
}
_FOLDED: Final = ("user_name", "address")
_SCHEMA: Final = re.compile(r"urn:ietf:params:scim:schemas:[a-z:]+:2\.0:(user|group):", re.IGNORECASE)


class UserFilter(NamedTuple):
    columns: Mapping[str, str]


class GroupFilter(NamedTuple):
    columns: Mapping[str, str]
    member: str = ""


def user_filter(written: str) -> UserFilter:
    """Raises `InvalidFilterException`."""
    columns = _columns(written, _USER_COLUMNS)
    return UserFilter({name: text.casefold() if name in _FOLDED else text for name, text in columns.items()})


def group_filter(written: str) -> GroupFilter:
    """Raises `InvalidFilterException`."""
    columns = _columns(written, _GROUP_COLUMNS)
    member = columns.pop(_MEMBER, "")
    return GroupFilter({name: group_name(text) if name == "name" else text for name, text in columns.items()}, member)


def page_of(parameters: Mapping[str, str]) -> Page:
    """`startIndex` counts from 1. Raises `InvalidValueException`."""
    first, limit = _number(parameters, "startIndex", 1), _number(parameters, "count", PAGE_AT_MOST)
    return Page(max(first, 1) - 1, min(max(limit, 0), PAGE_AT_MOST))


def refuse_large_patch(body: Mapping[str, Any]) -> None:
    """Raises `InvalidValueException` for operations that take long to read."""
    operations = body.get("Operations")
    if not isinstance(operations, list):
        return
    if len(operations) > OPERATIONS_AT_MOST:
        raise InvalidValueException(detail=f"there are more than {OPERATIONS_AT_MOST} operations")
    paths = (str(operation.get("path", "")) for operation in operations if isinstance(operation, Mapping))
    if any(len(path) > PATH_AT_MOST for path in paths):
        raise InvalidPathException(detail=f"a path is longer than {PATH_AT_MOST} characters")


def _columns(written: str, column_by_attribute: Mapping[str, str]) -> dict[str, str]:
    """Texts by the columns that must equal them."""
    columns: dict[str, str] = {}
    position = 0
    while written and len(written) <= FILTER_AT_MOST and len(columns) < COMPARISONS_AT_MOST:
        match = _COMPARISON.match(written, position)
        attribute = _SCHEMA.sub("", re.sub(r"\s+", " ", match["attribute"].casefold())) if match else ""
        column = column_by_attribute.get(attribute)
        if match is None or column is None or column in columns:
            break
        columns[column] = _text(match["text"])
        position = match.end()
        if position == len(written):
            return columns
        if (conjunction := _AND.match(written, position)) is None:
            break
        position = conjunction.end()
    if not written:
        return columns
    known = ", ".join(sorted({attribute for attribute in column_by_attribute if "[" not in attribute}))
    raise InvalidFilterException(detail=f'a filter compares one of {known} by eq "…", several joined by and')


def _text(written: str) -> str:
    try:
        text = str(json.loads(written))
        text.encode()
    except ValueError:
        raise InvalidFilterException(detail="a text of the filter is not JSON") from None
    if not text.isprintable():
        raise InvalidFilterException(detail="a text of the filter has control characters")
    return text


def _number(parameters: Mapping[str, str], name: str, default: int) -> int:
    written = parameters.get(name, "").strip()
    if not written:
        return default
    if not re.fullmatch(r"-?[0-9]{1,9}", written):
        raise InvalidValueException(detail=f"{name} is no number")
    return int(written)
