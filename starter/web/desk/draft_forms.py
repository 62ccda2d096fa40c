"""What a form of a draft is made of, whatever its kind: steps, and fields that are named by the paths of the file which
the draft becomes. So a fault of that file stands at its field.
"""

import copy
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from activities.files.yaml_lines import FieldPath
from activities.launch.intake import GroupRule
from activities.people.language import phrase
from activities.records.drafts import Draft, DraftFile, Drafts
from starter.web.api.starting import StartIntake
from starter.web.desk.people_fields import PeopleFields
from starter.web.desk.sessions import Visitor
from starter.web.http.bodies import PostedDocuments
from starter.web.intake.catalogue import KindCatalogue
from starter.web.rights import ReaderRoles
from workflows.kinds import Kind
from workflows.model.messages import Message
from workflows.model.subject import group_word

Content = dict[str, Any]
"""A plain file (docs/files.md)."""
_ONE_SEES_TO_IT: Final = phrase("{group}: one sees to it")
_ALL_HEAR: Final = phrase("{group}: all hear of it")
_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[([0-9]{1,3})\]")


@dataclass(frozen=True)
class Step:
    """A page of a draft; `asks` are the paths of its fields, each with all below it. A fault of the whole draft stands
    at one of its fields.
    """

    name: str
    title: str
    template: str
    asks: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)

    def has(self, path: str) -> bool:
        return any(path == field or path.startswith((f"{field}.", f"{field}[")) for field in self.asks)


@dataclass(frozen=True)
class FilledStep:
    """What a posted step makes of a draft: `faults` by path, `values` are shown once more."""

    content: Content
    files: Mapping[str, DraftFile]
    faults: Mapping[str, Message] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    at: str = ""
    """The button that gets the focus."""


class DraftForm(ABC):
    """How things of a kind are begun at the desk."""

    kind: ClassVar[Kind]
    heading: ClassVar[str]
    steps: ClassVar[tuple[Step, ...]]
    """The last one shows what would happen, and sends it."""
    asker: ClassVar[str] = "owner"
    """The field of its file that says who asks."""

    def __init__(
        self, drafts: Drafts, people: PeopleFields, kinds: KindCatalogue, roles: ReaderRoles, starts: StartIntake
    ) -> None:
        self.drafts = drafts
        self.people = people
        self.kinds = kinds
        self.roles = roles
        self.starts = starts
        self.megabytes: Final = starts.settings.signature.max_upload_mb

    async def startable(self, visitor: Visitor) -> tuple[str, ...]:
        """The kinds of the catalogue that the visitor may begin with it."""
        role = await self.roles.role_of(visitor.id)
        return tuple([kind for kind in sorted(role.starts) if await self.suits(kind)])

    async def suits(self, kind: str) -> bool:
        """Whether a kind of the catalogue is one for this form: mostly those of documents."""
        return await self.kinds.closes(kind)

    async def choices(self, visitor: Visitor) -> Mapping[str, Any]:
        """What a first step has to choose from: the kinds, and the groups in whose name it is asked for."""
        language, askers = visitor.reader.language, list[tuple[str, str]]()
        for group in await self.people.asking_groups(visitor.id):
            askers.append((group_word(group), language.say(_ONE_SEES_TO_IT, group=group)))
            askers.append((f"{group_word(group)}:{GroupRule.ALL}", language.say(_ALL_HEAR, group=group)))
        startable_kinds, labels = await self.startable(visitor), await self.kinds.choices(language)
        kinds = [(kind, label) for kind, label in labels if kind in startable_kinds]
        return {"kinds": kinds, "asker": self.asker, "askers": askers}

    @abstractmethod
    async def fill(self, step: Step, draft: Draft, posted: PostedDocuments, visitor: Visitor) -> FilledStep:
        """Take over what was posted, whether or not it is right. Raises `StoreFailure`, `DirectoryFailure`."""

    @abstractmethod
    async def template_values(self, step: Step, draft: Draft, visitor: Visitor) -> Mapping[str, Any]:
        """What the template of a step needs beside the content."""

    def file(self, draft: Draft, visitor: Visitor) -> Content:
        """The file that the draft is by now, with an id of its own; the visitor asks, if no group is chosen."""
        kind = draft.content.get("kind", "")
        return {self.asker: visitor.id, **draft.content, "id": f"{kind}-{draft.id}"}

    @abstractmethod
    async def preview(self, prepared: Any, visitor: Visitor) -> Mapping[str, Any]:
        """What the template of the last step needs of a `PreparedStart`. Raises `FileFaults`, `DirectoryFailure`."""

    async def unconfirmed(self, prepared: Any, fields: Mapping[str, str]) -> Mapping[str, Message]:
        """What is to be ticked on the last step before it is sent, by path; mostly nothing."""
        return {}


def title_of(draft: Draft) -> str:
    """What its author calls it; empty if it has no name yet."""
    document, customer = draft.content.get("document") or {}, draft.content.get("customer") or {}
    named = (draft.content.get("title"), document.get("name"), document.get("file"))
    return str(next(filter(None, (*named, customer.get("company"), customer.get("name"))), ""))


def steps_of(path: str) -> FieldPath:
    """`signers[1].order` → its steps."""
    return tuple(name or int(number) for name, number in _STEP.findall(path))


def value_of(content: Any, path: str) -> str:
    """What stands at a path, as text; empty if there is nothing."""
    for step in steps_of(path):
        try:
            content = content[step]
        except (KeyError, IndexError, TypeError):
            return ""
    return "" if content is None or isinstance(content, dict | list) else str(content)


def with_fields(content: Content, posted: Mapping[str, str], *paths: str) -> Content:
    """With the posted texts at these paths, in one line each; an empty one is left out."""
    copied = copy.deepcopy(content)
    for path in paths:
        text = posted.get(path)
        if text is not None:
            put(copied, path, " ".join(text.split()))
    return copied


def put(content: Content, path: str, value: Any) -> None:
    """Put a value at a path of maps; None or an empty text removes it, with maps that are then empty."""
    *above, last = steps_of(path)
    container: Any = content
    maps = [container]
    for step in above:
        container = container[step] if isinstance(step, int) else container.setdefault(step, {})
        maps.append(container)
    if value in (None, ""):
        container.pop(last, None)
        for step, outer, inner in zip(reversed(above), reversed(maps[:-1]), reversed(maps[1:]), strict=True):
            if not inner and isinstance(outer, dict):
                outer.pop(step, None)
    else:
        container[last] = value


def lines_of(text: str) -> str:
    """What was typed in several lines, as a file has it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
