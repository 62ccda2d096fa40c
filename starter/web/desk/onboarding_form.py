"""A new onboarding at the desk: a template, the customer, the teams and documents that it names, and its calendar."""

import asyncio
import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from activities.files.pdf import check_pdf
from activities.files.reading import FileFaults, FileText
from activities.onboarding.file import CUSTOMER, OWNER
from activities.people.language import Language, phrase
from activities.policies.onboarding_template import PARTS
from activities.records.drafts import Draft
from starter.plan.onboarding import OnboardingPlan
from starter.web.desk.document_field import size_of
from starter.web.desk.draft_forms import Content, DraftForm, FilledStep, Step, put, value_of, with_fields
from starter.web.desk.people_fields import IN_FULL, languages, person_in_full
from starter.web.desk.sessions import Visitor
from starter.web.http.bodies import PostedDocuments
from workflows.kinds import Kind
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message

TEMPLATES_AT_MOST: Final = 50
"""Files of the catalogue's folder that are offered, and read for it."""
_CUSTOMER: Final = Step(
    "customer",
    phrase("Customer"),
    "draft_customer.html",
    ("template", "customer", "owner"),
    defaults={"customer": "customer.name"},
)
_PARTS: Final = Step("parts", phrase("Teams and documents"), "draft_parts.html", ("teams", "documents"))
_PLAN: Final = Step("plan", phrase("Plan"), "draft_onboarding_plan.html")
_MISSING: Final = FileFault.MISSING.to_message()
_OWN_KIND: Final = Kind.ONBOARDING.spec.prefix


class OnboardingForm(DraftForm):
    kind = Kind.ONBOARDING
    heading = phrase("New onboarding")
    steps = (_CUSTOMER, _PARTS, _PLAN)

    async def startable(self, visitor: Visitor) -> tuple[str, ...]:
        """Its one kind, where there is a template to begin it from."""
        role = await self.roles.role_of(visitor.id)
        return (_OWN_KIND,) if _OWN_KIND in role.starts and await self._templates() else ()

    async def fill(self, step: Step, draft: Draft, posted: PostedDocuments, visitor: Visitor) -> FilledStep:
        if step.name == _CUSTOMER.name:
            paths = (f"customer.{name}" for name in ("company", *IN_FULL))
            content = with_fields(dict(draft.content), posted.fields, "template", self.asker, *paths)
            return FilledStep(content, draft.files, {} if content.get("template") else {"template": _MISSING})
        return await self._with_parts(draft, posted)

    async def template_values(self, step: Step, draft: Draft, visitor: Visitor) -> Mapping[str, Any]:
        templates = await self._templates()
        if step.name == _CUSTOMER.name:
            customer = {**person_in_full(visitor), **(draft.content.get("customer") or {})}
            row = await self.people.row({key: text for key, text in customer.items() if key != "role"}, visitor)
            named = [(name, _in_words(name)) for name in templates]
            return {**await self.choices(visitor), "templates": named, "row": row, "languages": languages()}
        if step.name == _PARTS.name:
            stages = templates.get(draft.content.get("template", ""), [])
            language = visitor.reader.language
            files = [(label, size_of(draft.files.get(name), language)) for name, label in _files_of(stages).items()]
            teams = [await self._team(name, draft, language) for name in await self._teams(stages)]
            return {"teams": teams, "files": files, "megabytes": self.megabytes}
        return {}

    def file(self, draft: Draft, visitor: Visitor) -> Content:
        return {**super().file(draft, visitor), "id": f"onboarding-{draft.id}"}

    async def preview(self, prepared: Any, visitor: Visitor) -> Mapping[str, Any]:
        plan: Any = await self.starts.plan(prepared)
        return {"stages": _list_stages(plan, visitor), "ends": visitor.reader.date(visitor.reader.day(plan.ends_at))}

    async def _with_parts(self, draft: Draft, posted: PostedDocuments) -> FilledStep:
        stages = (await self._templates()).get(draft.content.get("template", ""), [])
        act, *arguments = posted.fields.get("do", "").split(":")
        content = copy.deepcopy(dict(draft.content))
        faults, matches_by_path = dict[str, Message](), dict[str, Any]()
        for number, name in enumerate(await self._teams(stages)):
            path, pressed = f"teams.{name}", arguments[-1:] == [str(number)]
            typed = " ".join(posted.fields.get(path, value_of(content, path)).split())
            if pressed and act in ("add", "group", "remove"):
                typed = arguments[0] if act != "remove" else ""
            elif typed and not await self.people.describe(typed):
                offer = await self.people.find(typed, groups=True)
                if only := offer["only"]:
                    typed = only.partition(":")[2]
                elif pressed or act == "next":
                    matches_by_path[path] = offer
                    fits = FileFault.FITS_SEVERAL if offer["people"] or offer["groups"] else FileFault.FITS_NOBODY
                    faults[path] = fits.to_message()
            put(content, path, typed)
            if not typed:
                faults[path] = _MISSING
        file_names = _files_of(stages)
        files = {name: file for name, file in draft.files.items() if name in file_names}
        for number, name in enumerate(file_names):
            if uploaded := posted.files.get(f"documents[{number}]"):
                try:
                    check_pdf(uploaded.content, self.megabytes)
                    files[name] = await self.drafts.put(uploaded.content)
                except ValueError as fault:
                    faults[f"documents[{number}]"] = fault.args[0]
            elif name not in files:
                faults[f"documents[{number}]"] = _MISSING
        if act != "next":
            faults = {path: fault for path, fault in faults.items() if fault != _MISSING}
        return FilledStep(content, files, faults, matches_by_path)

    async def _team(self, name: str, draft: Draft, language: Language) -> Mapping[str, str]:
        """The field of a team: whom it names, else the words that name nobody yet."""
        typed = value_of(draft.content, f"teams.{name}")
        team = await self.people.describe(typed) if typed else {}
        size = int(team.get("count") or 0)
        size_text = language.say_count("{count} person", "{count} people", size) if size else ""
        label = {"label": _in_words(name), "path": f"teams.{name}", "words": typed}
        return {**label, "name": team.get("name", ""), "about": size_text}

    async def _teams(self, stages: list[Any]) -> list[str]:
        """The words of which the file has to say who they are, in their order."""
        people_words = (person_word for person_word in _words_of(stages) if person_word not in (CUSTOMER, OWNER))
        return [
            person_word for person_word in dict.fromkeys(people_words) if not await self.people.is_known(person_word)
        ]

    async def _templates(self) -> dict[str, list[Any]]:
        """The stages of each template beside the catalogue, by its name."""
        return await asyncio.to_thread(_read, self.starts.settings.policies)


def _read(catalogue: Path) -> dict[str, list[Any]]:
    stages_by_template = dict[str, list[Any]]()
    for file in sorted(catalogue.parent.glob("*.yaml"))[:TEMPLATES_AT_MOST]:
        if file == catalogue:
            continue
        try:
            plain = FileText.read(file).parse().plain
        except FileFaults:
            continue
        if isinstance(plain, dict) and isinstance(plain.get("stages"), list) and "customer" not in plain:
            stages_by_template[file.stem] = plain["stages"]
    return stages_by_template


def _parts_of(stages: list[Any]) -> Iterator[dict[str, Any]]:
    for stage in stages:
        if isinstance(stage, dict):
            for key in PARTS:
                yield from (part for part in stage.get(key) or () if isinstance(part, dict))


def _words_of(stages: list[Any]) -> Iterator[str]:
    """Teams and people, as its parts call them."""
    for part in _parts_of(stages):
        named = (part.get("team"), part.get("to"), *(signer.get("person") for signer in part.get("signers") or ()))
        yield from (str(person_word) for person_word in named if person_word)


def _files_of(stages: list[Any]) -> dict[str, str]:
    """The files of its agreements, which lie beside no template of the desk, with the names of the documents."""
    documents = [
        document
        for part in _parts_of(stages)
        if isinstance(document := part.get("document"), dict) and document.get("file")
    ]
    return {
        str(document["file"]): str(document.get("name") or _in_words(Path(str(document["file"])).stem))
        for document in documents
    }


def _in_words(key: str) -> str:
    """`customer-success` → `Customer success`."""
    spaced = " ".join(key.replace("-", " ").replace("_", " ").split())
    return spaced[:1].upper() + spaced[1:]


def _list_stages(plan: OnboardingPlan, visitor: Visitor) -> list[dict[str, Any]]:
    reader = visitor.reader
    return [
        {
            "name": stage.name,
            "ends": reader.date(reader.day(stage.ends_at)),
            "parts": [
                (part.title, reader.date(reader.day(part.due_at)) if part.due_at else "") for part in stage.parts
            ],
        }
        for stage in plan.stages
    ]
