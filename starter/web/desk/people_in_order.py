"""People in their order on a form of the desk, signers or reviewers: found, added, moved, asked at the same time."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from activities.records.drafts import Draft
from starter.web.desk.draft_forms import Content, FilledStep, put
from starter.web.desk.people_fields import IN_FULL, PeopleFields, person_in_full
from starter.web.desk.sessions import Visitor
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message


@dataclass(frozen=True)
class PeopleInOrder:
    """A list of a file at `path`. An entry names a person or a group, or describes somebody in full."""

    people: PeopleFields
    path: str
    person: Mapping[str, str]
    """What a new entry of a person has beside them."""
    already_named_text: FileFault
    """The fault of a `person` who is in it already."""
    groups: bool = False
    """Whether it names groups instead of describing people in full."""

    def entries(self, content: Mapping[str, Any]) -> list[Content]:
        return list(content.get(self.path) or ())

    async def filled(self, draft: Draft, fields: Mapping[str, str], visitor: Visitor) -> FilledStep:
        """With the posted texts, and after the press on one of its buttons."""
        content = copy.deepcopy(dict(draft.content))
        entries = [_filled(entry, f"{self.path}[{n}]", fields) for n, entry in enumerate(self.entries(content))]
        together = [f"{self.path}[{n}].together" in fields for n in range(len(entries))]
        act, _, target = fields.get("do", "").partition(":")
        faults, matches, position = dict[str, Message](), dict[str, Any](), ""
        match act:
            case "find" | "enter" | "next" if fields.get("find", "").strip():
                matches = await self.people.find(fields["find"], groups=self.groups)
                if only := matches["only"]:
                    (act, _, target), matches = only.partition(":"), {}
            case "full" if not self.groups:
                entries.append(person_in_full(visitor))
                position = f"{self.path}[{len(entries) - 1}].name"
            case "remove" | "up" | "down" | "move":
                entries, together, position = _move(act, target, entries, together)
        if new := await self._added(act, target):
            if target in (entry.get("person") or entry.get("group") for entry in entries):
                faults["find"] = self.already_named_text.to_message(person=target)
            else:
                entries.append(new)
        put(content, self.path, _in_order(entries, [*together, False]))
        return FilledStep(content, draft.files, faults, matches, position)

    async def template_values(self, content: Mapping[str, Any], visitor: Visitor) -> Mapping[str, Any]:
        """What the template needs of it."""
        entries = self.entries(content)
        together = [n > 0 and entry.get("order") == entries[n - 1].get("order") for n, entry in enumerate(entries)]
        return {"rows": [await self.people.row(entry, visitor) for entry in entries], "together": together}

    async def _added(self, act: str, id: str) -> Content | None:
        """A new entry; None for nonsense, and without a press."""
        if act == "add" and await self.people.is_known(id):
            return {"person": id, **self.person}
        return {"group": id, "rule": "first"} if act == "group" and self.groups else None


def _filled(entry: Content, path: str, fields: Mapping[str, str]) -> Content:
    """An entry with what was posted of it."""
    filled, in_full = dict(entry), not {"person", "group"} & entry.keys()
    for name in ("role", "rule", *(IN_FULL if in_full else ())):
        if (text := fields.get(f"{path}.{name}")) is not None:
            put(filled, name, " ".join(text.split()))
    # Somebody in full whose fields are all empty is one still.
    return {"name": "", **filled} if in_full else filled


def _move(
    act: str, target: str, entries: Sequence[Content], together: Sequence[bool]
) -> tuple[list[Content], list[bool], str]:
    """The entries after a press on a button of one; `move` has two places. Nonsense changes nothing."""
    numbers = [int(number) for number in target.split(":") if number.isdecimal() and len(number) <= 3]
    order, pairs = list(entries), list(together)
    if not numbers or numbers[0] >= len(order):
        return order, pairs, ""
    index = numbers[0]
    new_index = {"up": index - 1, "down": index + 1, "remove": index}.get(act, numbers[-1])
    if not 0 <= new_index < len(order):
        return order, pairs, f"{act}:{index}"
    entry = order.pop(index)
    if act == "remove":
        pairs.pop(index)
        return order, pairs, ""
    order.insert(new_index, entry)
    return order, pairs, f"{act if act != 'move' else 'up'}:{new_index}"


def _in_order(entries: Sequence[Content], together: Sequence[bool]) -> list[Content]:
    """Each with its number; those who are asked together have the same one."""
    order, numbered = 0, []
    for number, entry in enumerate(entries):
        order += not (number and together[number])
        numbered.append({**{key: value for key, value in entry.items() if key != "order"}, "order": order})
    return numbered
