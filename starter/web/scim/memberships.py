"""A change of a group, operation by operation: of a group of thousands only the members that change are touched."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError
from scim2_models import (
    Context,
    InvalidValueException,
    MutabilityException,
    NoTargetException,
    PatchOp,
    PatchOperation,
)

from activities.people.pushed import group_name
from activities.records.directory import GroupChange, MemberChange
from starter.web.scim.resources import GroupMember, UserGroup

_ONE_MEMBER: Final = re.compile(r'members\[value\s+eq\s+("(?:[^"\\]|\\.)*")\](?:\.value)?', re.IGNORECASE)
_ALL: Final = MemberChange(replaces=True)
_GroupPatch: Final = PatchOp[UserGroup]


def group_change(body: Any) -> GroupChange:
    """Raises `SCIMException`, `ValidationError`."""
    patch = _GroupPatch.model_validate(body, scim_ctx=Context.RESOURCE_PATCH_REQUEST)
    texts: dict[str, str] = {}
    members: list[MemberChange] = []
    for operation in patch.operations or ():
        for attribute, content in _assignments(operation):
            if attribute.casefold() == "members" or _ONE_MEMBER.fullmatch(attribute):
                members.append(_member_change(operation.op, attribute, content))
            elif attribute.casefold() in ("displayname", "externalid"):
                texts[attribute.casefold()] = _text(operation.op, attribute, content)
            # Other attributes are none of ours, as with users.
    display_name = texts.get("displayname")
    return GroupChange(
        named_group(display_name) if display_name else None, display_name, texts.get("externalid"), members
    )


def whole_group(group: UserGroup) -> GroupChange:
    """All of a group, for one that has them in place of what it had."""
    change = MemberChange(frozenset(_ids(group.members or [])), replaces=True)
    display_name = str(group.display_name)
    return GroupChange(named_group(display_name), display_name, group.external_id, [change])


def named_group(display_name: str) -> str:
    """The name by which files and the catalogue know it. Raises `InvalidValueException`."""
    if name := group_name(display_name):
        return name
    raise InvalidValueException(detail="displayName has no letters or digits that can name a group")


def _assignments(operation: PatchOperation[UserGroup]) -> Iterator[tuple[str, Any]]:
    """The attributes that an operation is about, with what it says of each."""
    if operation.path is not None and str(operation.path):
        yield re.sub(r"^urn:[^ \[]*:Group:", "", str(operation.path), flags=re.IGNORECASE), operation.value
    elif isinstance(operation.value, Mapping):
        yield from operation.value.items()
    else:
        raise InvalidValueException(detail="an operation without a path needs an object with attributes")


def _member_change(op: PatchOperation.Op, attribute: str, content: Any) -> MemberChange:
    if match := _ONE_MEMBER.fullmatch(attribute):
        id = json.loads(match[1])
        if op is not PatchOperation.Op.remove:
            raise NoTargetException(detail="a member is added by its id in members, not by a filter")
        return MemberChange(removed=frozenset((id,)))
    ids = frozenset(_ids(content if isinstance(content, list) else [content])) if content is not None else frozenset()
    if op is PatchOperation.Op.remove:
        return MemberChange(removed=ids) if content else _ALL
    return MemberChange(added=ids, replaces=op is PatchOperation.Op.replace_)


def _ids(members: list[Any]) -> Iterator[str]:
    for member in members:
        try:
            id = GroupMember.model_validate(member).value
        except ValidationError:
            raise InvalidValueException(detail="members is a list of objects with the id of a user as value") from None
        if not id:
            raise InvalidValueException(detail="a member has no value: the id of a user is expected")
        yield id


def _text(op: PatchOperation.Op, attribute: str, content: Any) -> str:
    if op is PatchOperation.Op.remove and attribute.casefold() == "displayname":
        raise MutabilityException(detail="displayName is required")
    if op is PatchOperation.Op.remove:
        return ""
    if not isinstance(content, str) or not content.strip() or len(content) > 1_000:
        raise InvalidValueException(detail=f"{attribute} is a text")
    return content
