"""A new campaign at the desk: the document, the audience, the window, and who is asked when."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

from activities.campaign import population
from activities.campaign.intake import PreparedCampaign
from activities.people.language import Language, phrase
from activities.records.audiences import MemberRow
from activities.records.drafts import Draft
from starter.plan.campaign import NotedRow
from starter.web.acting.messages import message_text
from starter.web.desk.document_field import DocumentField, file_name, size_of
from starter.web.desk.draft_forms import Content, DraftForm, FilledStep, Step, lines_of, put, with_fields
from starter.web.desk.plan_view import PlanView
from starter.web.desk.sessions import Visitor
from starter.web.http.bodies import PostedDocuments
from workflows.kinds import Kind
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message

ROWS_AT_MOST: Final = 100
"""Wrong rows, and people who cannot be reached, that the last step names."""
SAMPLE: Final = (
    "Person,Name,E-Mail,Time zone,Department,Manager\r\n"
    "id-in-the-directory,,,,Sales,\r\n"
    ",First and last name,name@example.com,Europe/Amsterdam,Sales,id-in-the-directory\r\n"
)
"""A table to fill in: a row by id, and one of somebody in full."""
_TABLE: Final = "audience.file"
_DOCUMENT: Final = Step(
    "document",
    phrase("Document"),
    "draft_campaign_document.html",
    ("kind", "document", "owner"),
    defaults={"document": "document.file"},
)
_AUDIENCE: Final = Step(
    "audience",
    phrase("Audience"),
    "draft_audience.html",
    ("audience", "joiners", "leavers"),
    defaults={"audience": _TABLE},
)
_TIME: Final = Step("time", phrase("Time and message"), "draft_window.html", ("opens", "window", "grace", "message"))
_PLAN: Final = Step("plan", phrase("Plan"), "draft_campaign_plan.html", ("without",))


class CampaignForm(DraftForm):
    kind = Kind.CAMPAIGN
    heading = phrase("New campaign")
    steps = (_DOCUMENT, _AUDIENCE, _TIME, _PLAN)

    @property
    def _document(self) -> DocumentField:
        return DocumentField(self.drafts, self.megabytes)

    async def fill(self, step: Step, draft: Draft, posted: PostedDocuments, visitor: Visitor) -> FilledStep:
        fields = posted.fields
        match step.name:
            case _DOCUMENT.name:
                paths = ("name", "template", "version", "effective", "approver")
                content = with_fields(
                    dict(draft.content), fields, "kind", self.asker, *(f"document.{path}" for path in paths)
                )
                return await self._document.fill_in(draft, content, posted)
            case _AUDIENCE.name:
                return await self._with_audience(draft, posted)
            case _:
                content = with_fields(dict(draft.content), fields, "opens")
                for path in ("window", "grace"):
                    put(content, path, f"{days}d" if (days := fields.get(path, "").strip()) else "")
                put(content, "message", lines_of(fields.get("message", "")))
                return FilledStep(content, draft.files)

    async def template_values(self, step: Step, draft: Draft, visitor: Visitor) -> Mapping[str, Any]:
        language = visitor.reader.language
        match step.name:
            case _DOCUMENT.name:
                return {**await self.choices(visitor), **self._document.template_values(draft, language)}
            case _AUDIENCE.name:
                audience = draft.content.get("audience") or {}
                size = size_of(draft.files.get(audience.get("file", "")), language)
                return {
                    "group": audience.get("group", ""),
                    "table": audience.get("file", ""),
                    "size": size,
                    "sample": SAMPLE,
                }
            case _TIME.name:
                return {path: str(draft.content.get(path, "")).removesuffix("d") for path in ("window", "grace")}
        return {}

    def file(self, draft: Draft, visitor: Visitor) -> Content:
        return {"kind": "", **super().file(draft, visitor), "id": f"campaign-{draft.id}"}

    async def preview(self, prepared: Any, visitor: Visitor) -> Mapping[str, Any]:
        plan: Any = await self.starts.plan(prepared)
        view = await PlanView(visitor, self.people.names).of_campaign(plan)
        return {
            **view,
            "who": plan.who,
            "wrong": _rows(plan.who.errors, visitor.reader.language),
            "away": _rows(plan.who.not_reached, visitor.reader.language),
            "other_days": plan.who.asked - plan.alike,
        }

    async def unconfirmed(self, prepared: Any, fields: Mapping[str, str]) -> Mapping[str, Message]:
        """Nothing is started while one row is wrong, unless just as many were seen and ticked."""
        wrong = len(await self._wrong_rows(prepared))
        return {"without": FileFault.WRONG_ROWS.to_message()} if wrong and fields.get("without") != str(wrong) else {}

    async def _wrong_rows(self, prepared: PreparedCampaign) -> list[MemberRow]:
        source = prepared.workflow_input.campaign.source
        rows = await population.audience(source, prepared.rows, self.starts.directory)
        return [row for row in rows if row.says]

    async def _with_audience(self, draft: Draft, posted: PostedDocuments) -> FilledStep:
        content, files, fields = dict(draft.content), dict(draft.files), posted.fields
        audience, uploaded = dict(content.get("audience") or {}), posted.files.get(_TABLE)
        act, _, target = fields.get("do", "").partition(":")
        matches = dict[str, Any]()
        if uploaded is None and act in ("find", "enter", "next") and fields.get("find", "").strip():
            matches = await self.people.find(fields["find"], groups=True, people=False)
            if only := matches["only"]:
                (act, _, target), matches = only.partition(":"), {}
        if uploaded is not None:
            files.pop(audience.get("file", ""), None)
            name = file_name(uploaded, "audience.csv")
            audience, files[name] = {"file": name}, await self.drafts.put(uploaded.content)
        elif act == "group":
            files.pop(audience.get("file", ""), None)
            audience = {"group": target}
        elif act == "remove":
            files.pop(audience.get("file", ""), None)
            audience = {}
        content["audience"] = audience
        put(content, "joiners", {"rule": "add"} if "joiners" in fields and "group" in audience else None)
        put(content, "leavers", "drop" if "leavers" in fields and "group" in audience else None)
        return FilledStep(content, files, {}, matches)


def _rows(rows: Iterable[NotedRow], language: Language) -> list[NotedRow]:
    """The first ones, with their remarks in a language."""
    return [row.replace(says=message_text(language, row.message)) for row in islice(rows, ROWS_AT_MOST)]
