"""People in their order on a form of the desk, signers or reviewers: found, added, moved, asked at the same time."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from activities.records.drafts import Draft
from starter.web.desk.draft_forms import Content, Filled, put
from starter.web.desk.people_fields import IN_FULL, PeopleFields, person_in_full
from starter.web.desk.sessions import Visitor


@dataclass(frozen=True)
class PeopleInOrder:
    """A list of a file at `path`. An entry names a person or a group, or describes somebody in full."""

    people: PeopleFields
    path: str
    person: Mapping[str, str]
    """What a new entry of a person has beside them."""
    again: str
    """The fault of `{id}` who is in it already."""
    groups: bool = False
    """Whether it names groups instead of describing people in full."""

    def entries(self, content: Mapping[str, Any]) -> list[Content]:
        return list(content.get(self.path) or ())

    async def filled(self, draft: Draft, fields: Mapping[str, str], visitor: Visitor) -> Filled:
        """With the posted texts, and after the press on one of its buttons."""
        content = copy.deepcopy(dict(draft.content))
        entries = [_filled(one, f"{self.path}[{n}]", fields) for n, one in enumerate(self.entries(content))]
        together = [f"{self.path}[{n}].together" in fields for n in range(len(entries))]
        act, _, about = fields.get("do", "").partition(":")
        faults, found, at = dict[str, str](), dict[str, Any](), ""
        match act:
            case "find" | "enter" | "next" if fields.get("find", "").strip():
                found = await self.people.find(fields["find"], groups=self.groups)
                if only := found["only"]:
                    (act, _, about), found = only.partition(":"), {}
            case "full" if not self.groups:
                entries.append(person_in_full(visitor))
                at = f"{self.path}[{len(entries) - 1}].name"
            case "remove" | "up" | "down" | "move":
                entries, together, at = _moved(act, about, entries, together)
        if new := await self._added(act, about):
            if about in (one.get("person") or one.get("group") for one in entries):
                faults["find"] = self.again.format(id=about)
            else:
                entries.append(new)
        put(content, self.path, _in_order(entries, [*together, False]))
        return Filled(content, draft.files, faults, found, at)

    async def shown(self, content: Mapping[str, Any], visitor: Visitor) -> Mapping[str, Any]:
        """What the template needs of it."""
        entries = self.entries(content)
        together = [n > 0 and one.get("order") == entries[n - 1].get("order") for n, one in enumerate(entries)]
        return {"rows": [await self.people.row(one, visitor) for one in entries], "together": together}

    async def _added(self, act: str, id: str) -> Content | None:
        """A new entry; None for nonsense, and without a press."""
        if act == "add" and await self.people.known(id):
            return {"person": id, **self.person}
        return {"group": id, "rule": "first"} if act == "group" and self.groups else None


def _filled(entry: Content, path: str, fields: Mapping[str, str]) -> Content:
    """An entry with what was posted of it."""
    made, in_full = dict(entry), not {"person", "group"} & entry.keys()
    for name in ("role", "rule", *(IN_FULL if in_full else ())):
        if (text := fields.get(f"{path}.{name}")) is not None:
            put(made, name, " ".join(text.split()))
    # Somebody in full whose fields are all empty is one still.
    return {"name": "", **made} if in_full else made


def _moved(
    act: str, about: str, entries: Sequence[Content], together: Sequence[bool]
) -> tuple[list[Content], list[bool], str]:
    """The entries after a press on a button of one; `move` has two places. Nonsense changes nothing."""
    numbers = [int(one) for one in about.split(":") if one.isdecimal() and len(one) <= 3]
    order, pairs = list(entries), list(together)
    if not numbers or numbers[0] >= len(order):
        return order, pairs, ""
    here = numbers[0]
    to = {"up": here - 1, "down": here + 1, "remove": here}.get(act, numbers[-1])
    if not 0 <= to < len(order):
        return order, pairs, f"{act}:{here}"
    one = order.pop(here)
    if act == "remove":
        pairs.pop(here)
        return order, pairs, ""
    order.insert(to, one)
    return order, pairs, f"{act if act != 'move' else 'up'}:{to}"


def _in_order(entries: Sequence[Content], together: Sequence[bool]) -> list[Content]:
    """Each with its number; those who are asked together have the same one."""
    order, made = 0, []
    for number, one in enumerate(entries):
        order += not (number and together[number])
        made.append({**{key: value for key, value in one.items() if key != "order"}, "order": order})
    return made
