"""A new task at the desk: what is to be done, by whom and until when, and the plan."""

import copy
from collections.abc import Mapping
from typing import Any, Final

from activities.launch.task_file import ANSWER_LINES_AT_MOST
from activities.people.language import phrase
from activities.records.drafts import Draft
from starter.web.api.starting import Starts
from starter.web.bodies import PostedDocuments
from starter.web.catalogue import KindCatalogue
from starter.web.desk.draft_forms import Content, Filled, Step, lines_of, put, with_fields
from starter.web.desk.people_fields import IN_FULL, PeopleFields, languages, person_in_full
from starter.web.desk.plan_view import PlanView
from starter.web.desk.sessions import Visitor
from starter.web.rights import ReaderRoles
from workflows.kinds import Kind

_TASK: Final = Step("task", phrase("Task"), "draft_task.html", ("kind", "title", "text", "answer"))
_WHO: Final = Step("who", phrase("Who and until when"), "draft_who.html", ("who", "due"))
_PLAN: Final = Step("plan", phrase("Plan"), "draft_plan.html")


class TaskForm:
    kind: Final = Kind.TASK
    heading: Final = phrase("New task")
    steps: Final = (_TASK, _WHO, _PLAN)

    def __init__(self, people: PeopleFields, kinds: KindCatalogue, roles: ReaderRoles, starts: Starts) -> None:
        self._people = people
        self._kinds = kinds
        self._roles = roles
        self._starts = starts

    async def startable(self, visitor: Visitor) -> tuple[str, ...]:
        kinds = await self._kinds.startable(await self._roles.of(visitor.id))
        return tuple([kind for kind in kinds if await self._kinds.stays_open(kind)])

    async def fill(self, step: Step, draft: Draft, posted: PostedDocuments, visitor: Visitor) -> Filled:
        if step is _TASK:
            return Filled(_described(draft.content, posted.fields), draft.files)
        return await self._with_people(draft, posted.fields, visitor)

    async def shown(self, step: Step, draft: Draft, visitor: Visitor) -> Mapping[str, Any]:
        language = visitor.reader.language
        if step is _TASK:
            own, answer = await self.startable(visitor), draft.content.get("answer") or {}
            kinds = [(kind, label) for kind, label in await self._kinds.labels(language) if kind in own]
            return {"kinds": kinds, "required": answer.get("required", True), "lines_at_most": ANSWER_LINES_AT_MOST}
        if step is _WHO:
            who = draft.content.get("who") or {}
            row = await self._people.row(who, visitor) if who and "group" not in who else None
            return {"row": row, "group": who.get("group", ""), "languages": languages()}
        return {}

    def file(self, draft: Draft, visitor: Visitor) -> Content:
        kind = draft.content.get("kind", "")
        return {**draft.content, "id": f"{kind}-{draft.id}", "owner": visitor.id}

    async def preview(self, prepared: Any, visitor: Visitor) -> Mapping[str, Any]:
        plan: Any = await self._starts.plan(prepared)
        return await PlanView(visitor, self._people.names).of_task(plan, prepared.people)

    async def unconfirmed(self, prepared: Any, fields: Mapping[str, str]) -> Mapping[str, str]:
        return {}

    async def _with_people(self, draft: Draft, fields: Mapping[str, str], visitor: Visitor) -> Filled:
        content = with_fields(dict(draft.content), fields, "due")
        who = content.get("who") or {}
        if "email" in who or "name" in who:
            for name in IN_FULL:
                put(who, name, " ".join(fields.get(f"who.{name}", "").split()))
            content["who"] = {"name": "", **who}
        act, _, about = fields.get("do", "").partition(":")
        found, at = dict[str, Any](), ""
        match act:
            case "find" | "enter" if fields.get("find", "").strip():
                found = await self._people.find(fields["find"], groups=True)
                if one := found.get("only"):
                    found, content["who"] = {}, {"person": one}
            case "add" if await self._people.known(about):
                content["who"] = {"person": about}
            case "group":
                content["who"] = {"group": about}
            case "full":
                content["who"] = {name: text for name, text in person_in_full(visitor).items() if name != "role"}
                at = "who.name"
            case "remove":
                content.pop("who", None)
        return Filled(content, draft.files, {}, found, at)


def _described(before: Mapping[str, Any], fields: Mapping[str, str]) -> Content:
    content = with_fields(copy.deepcopy(dict(before)), fields, "kind", "title", "answer.label")
    put(content, "text", lines_of(fields.get("text", "")))
    if "answer" in content:
        lines = fields.get("answer.lines", "")
        content["answer"]["required"] = "answer.required" in fields
        content["answer"]["lines"] = int(lines) if lines.isdecimal() and len(lines) <= 3 else 1
    return content
