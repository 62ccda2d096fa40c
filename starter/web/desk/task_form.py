"""A new task at the desk: what is to be done, by whom and until when, and the plan."""

import copy
from collections.abc import Mapping
from typing import Any, Final

from activities.launch.task_file import ANSWER_LINES_AT_MOST
from activities.people.language import phrase
from activities.records.drafts import Draft
from starter.web.desk.draft_forms import Content, DraftForm, FilledStep, Step, lines_of, put, with_fields
from starter.web.desk.people_fields import IN_FULL, languages, person_in_full
from starter.web.desk.plan_view import PlanView
from starter.web.desk.sessions import Visitor
from starter.web.http.bodies import PostedDocuments
from workflows.kinds import Kind

_TASK: Final = Step("task", phrase("Task"), "draft_task.html", ("kind", "title", "text", "answer", "owner"))
_WHO: Final = Step("who", phrase("Who and until when"), "draft_who.html", ("who", "due"))
_PLAN: Final = Step("plan", phrase("Plan"), "draft_plan.html")


class TaskForm(DraftForm):
    kind = Kind.TASK
    heading = phrase("New task")
    steps = (_TASK, _WHO, _PLAN)

    async def suits(self, kind: str) -> bool:
        return await self.kinds.stays_open(kind)

    async def fill(self, step: Step, draft: Draft, posted: PostedDocuments, visitor: Visitor) -> FilledStep:
        if step is _TASK:
            return FilledStep(_described(draft.content, posted.fields), draft.files)
        return await self._with_people(draft, posted.fields, visitor)

    async def template_values(self, step: Step, draft: Draft, visitor: Visitor) -> Mapping[str, Any]:
        if step is _TASK:
            required = (draft.content.get("answer") or {}).get("required", True)
            return {**await self.choices(visitor), "required": required, "lines_at_most": ANSWER_LINES_AT_MOST}
        if step is _WHO:
            assignee = draft.content.get("who") or {}
            is_person = bool(assignee) and "group" not in assignee
            row = await self.people.row(assignee, visitor, signs=False) if is_person else None
            return {"row": row, "group": assignee.get("group", ""), "languages": languages()}
        return {}

    async def preview(self, prepared: Any, visitor: Visitor) -> Mapping[str, Any]:
        plan: Any = await self.starts.plan(prepared)
        return await PlanView(visitor, self.people.names).of_task(plan, prepared.people)

    async def _with_people(self, draft: Draft, fields: Mapping[str, str], visitor: Visitor) -> FilledStep:
        content = with_fields(dict(draft.content), fields, "due")
        assignee = content.get("who") or {}
        if "email" in assignee or "name" in assignee:
            for name in IN_FULL:
                put(assignee, name, " ".join(fields.get(f"who.{name}", "").split()))
            content["who"] = {"name": "", **assignee}
        act, _, target = fields.get("do", "").partition(":")
        matches, focused_field = dict[str, Any](), ""
        if act in ("find", "enter", "next") and fields.get("find", "").strip():
            matches = await self.people.find(fields["find"], groups=True)
            if only := matches["only"]:
                (act, _, target), matches = only.partition(":"), {}
        match act:
            case "add" if await self.people.is_known(target):
                content["who"] = {"person": target}
            case "group":
                content["who"] = {"group": target}
            case "full":
                content["who"] = {name: text for name, text in person_in_full(visitor).items() if name != "role"}
                focused_field = "who.name"
            case "remove":
                content.pop("who", None)
        return FilledStep(content, draft.files, {}, matches, focused_field)


def _described(content_before: Mapping[str, Any], fields: Mapping[str, str]) -> Content:
    content = with_fields(copy.deepcopy(dict(content_before)), fields, "kind", "owner", "title", "answer.label")
    put(content, "text", lines_of(fields.get("text", "")))
    if "answer" in content:
        lines = fields.get("answer.lines", "")
        content["answer"]["required"] = "answer.required" in fields
        content["answer"]["lines"] = int(lines) if lines.isdecimal() and len(lines) <= 3 else 1
    return content
