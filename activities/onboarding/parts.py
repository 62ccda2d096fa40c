"""The parts of an onboarding: each becomes a request or task file with the onboarding's people."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from activities.files.reading import FileFaults, PlainFile, written_path
from activities.files.yaml_lines import FieldPath
from activities.onboarding.content import PartWords
from activities.onboarding.file import (
    CUSTOMER,
    ID_AT_MOST,
    OWNER,
    SHORT_ID,
    NoticeEntry,
    OnboardingChecks,
    OnboardingFile,
)
from activities.people.person import SignersFile
from activities.policies.onboarding_template import MergedTemplate, TemplatePosition
from workflows.model.onboarding import PartKind, PartPlan, StagePlan

TEAM_TASK: Final = "team-task"
CUSTOMER_STEP: Final = "customer-step"
_LISTS: Final = {"agreements": PartKind.AGREEMENT, "tasks": PartKind.TASK, "steps": PartKind.STEP}
_OURS: Final = {"team": PartKind.TASK, "tell_customer": PartKind.TASK, "delegate": PartKind.STEP}
"""Keys of a part that its own file does not have, and the kinds of parts that may have them."""


@dataclass(frozen=True)
class PartDraft:
    """A part and its own file; None for news."""

    plan: PartPlan
    place: TemplatePosition
    file: PlainFile | None = None
    text: str = ""
    """Text of news."""

    def faults(self, found: FileFaults) -> FileFaults:
        """Faults of the part's file, as faults of the onboarding file."""
        at = written_path(self.place.path)
        return FileFaults(
            type(one)(one.file, one.line, f"{at}.{path}" if (path := self._written(one.path)) else at, one.says)
            for one in found.faults
        )

    def _written(self, path: str) -> str:
        """The field as people wrote it: for a team's task, the team."""
        of_team = self.plan.what is PartKind.TASK and self.plan.team is not None
        return "team" if of_team and path.partition(".")[0] == "who" else path


@dataclass
class PartDrafts:
    """All parts of an otherwise valid file, by stage, with their faults."""

    file: OnboardingFile
    merged: MergedTemplate
    checks: OnboardingChecks
    deputy: str
    """Who is notified of the owner's tasks."""
    in_full: tuple[str | None, ...]
    """Ids of customer and colleagues described in full, None for those of the directory."""
    stages: list[list[PartDraft]] = field(default_factory=list)
    wrong: list[FileFaults] = field(default_factory=list)
    _counts: dict[PartKind, int] = field(default_factory=dict)
    _ids: set[str] = field(default_factory=set)

    def read(self) -> None:
        for number, stage in enumerate(self.file.stages):
            drafts: list[PartDraft] = []
            for key, what in _LISTS.items():
                for at, entry in enumerate(getattr(stage, key)):
                    self._add(drafts, what, entry, self.merged.places[number, key].within(at))
            for at, notice in enumerate(stage.notices):
                self._add(drafts, PartKind.NOTICE, notice, self.merged.places[number, "notices"].within(at))
            self.stages.append(drafts)

    @property
    def plans(self) -> tuple[StagePlan, ...]:
        return tuple(
            StagePlan(name=stage.name, parts=tuple(draft.plan for draft in drafts))
            for stage, drafts in zip(self.file.stages, self.stages, strict=True)
        )

    @property
    def all(self) -> Iterator[PartDraft]:
        for drafts in self.stages:
            yield from drafts

    def _add(self, drafts: list[PartDraft], what: PartKind, entry: Any, place: TemplatePosition) -> None:
        self._counts[what] = self._counts.get(what, 0) + 1
        try:
            plan = PartPlan(id=self._id(what, entry), what=what, number=len(drafts) + 1, title="")
            drafts.append(
                self._notice(plan, entry, place) if what is PartKind.NOTICE else self._part(plan, entry, place)
            )
        except _PartFault as wrong:
            self.wrong.append(place.file.faults([((*place.path, *wrong.at), wrong.says)]))

    def _id(self, what: PartKind, entry: Any) -> str:
        given = entry.id if isinstance(entry, NoticeEntry) else entry.get("id")
        id = f"{what}-{self._counts[what]}" if given is None else given
        if not isinstance(id, str) or not re.fullmatch(SHORT_ID, id):
            raise _PartFault(("id",), f"must be 1-{ID_AT_MOST} characters of A-Z a-z 0-9 _ -")
        if id in self._ids:
            raise _PartFault(("id",), f"{id} is the id of another part")
        self._ids.add(id)
        return id

    def _notice(self, plan: PartPlan, entry: NoticeEntry, place: TemplatePosition) -> PartDraft:
        people = self._recipients(entry.to)
        news = plan.replace(title=f"news for {entry.to}", team=entry.to, asked=people)
        return PartDraft(news, place, text=entry.text)

    def _recipients(self, word: str) -> tuple[str, ...]:
        if word == CUSTOMER:
            return (self.customer_id,)
        if word == OWNER:
            return (self.file.owner,)
        return self.checks.team(self._team(word, "to"))

    def _team(self, word: object, at: str) -> str:
        try:
            return self.file.people_of(str(word))
        except ValueError as unknown:
            raise _PartFault((at,), str(unknown)) from None

    @property
    def customer_id(self) -> str:
        return self.contacts[0]

    @property
    def contacts(self) -> tuple[str, ...]:
        """Ids of the customer and their colleagues."""
        everyone = (self.file.customer, *self.file.customer.colleagues)
        return tuple(one.person or id or "" for one, id in zip(everyone, self.in_full, strict=True))

    @property
    def people(self) -> bytes | None:
        """The people described in full, as stored."""
        return SignersFile.of(
            (one.in_full for one in (self.file.customer, *self.file.customer.colleagues)), self.in_full
        )

    @property
    def contacts_plain(self) -> tuple[dict[str, Any], ...]:
        """The customer and their colleagues, as a part names them."""
        return tuple(map(_plain, (self.file.customer, *self.file.customer.colleagues)))

    def _part(self, plan: PartPlan, entry: dict[str, Any], place: TemplatePosition) -> PartDraft:
        for key in _OURS.keys() & entry.keys():
            if _OURS[key] is not plan.what:
                raise _PartFault((key,), f"is for a {_OURS[key]}, not for {_with_article(plan.what)}")
        own = {key: value for key, value in entry.items() if key not in ("id", *_OURS)}
        match plan.what:
            case PartKind.AGREEMENT:
                file = self._agreement(own)
                known = self._agreement_plan(plan, own, file)
            case PartKind.TASK:
                file = self._task(own, entry)
                known = self._task_plan(plan, entry, file)
            case _:
                place_of = self._contact(own["who"]) if own.get("who") is not None else 0
                file = self._step(own, entry, place_of)
                known = plan.replace(team=CUSTOMER, asked=(self.contacts[place_of],))
        title = own.get("title") if plan.what is not PartKind.AGREEMENT else _document_name(own)
        told = known.replace(title=str(title or plan.id), kind=str(file.get("kind", "")))
        return PartDraft(told, place, place.holding(file))

    def _agreement(self, own: dict[str, Any]) -> dict[str, Any]:
        signers = own.get("signers")
        if isinstance(signers, list):
            own = {**own, "signers": [self._somebody(one) for one in signers]}
        return {"requester": self.file.owner, **own}

    def _agreement_plan(self, plan: PartPlan, own: dict[str, Any], file: dict[str, Any]) -> PartPlan:
        words, people = _persons(own), _persons(file)
        if CUSTOMER in words or self.file.customer.person in people:
            return plan.replace(team=CUSTOMER, asked=(self.customer_id,))
        return plan.replace(team=words[0], asked=(people[0],)) if words and words[0] and people[0] else plan

    def _somebody(self, entry: Any) -> Any:
        """A signer with the person in place of a word."""
        words = PartWords(customer=self._customer, owner=self.file.owner, teams=self.file.teams)
        return words.somebody(entry)

    def _task(self, own: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
        who = own.get("who")
        if "team" in entry and who is not None:
            raise _PartFault(("team",), "and who say the same: only one of them can be given")
        if "team" in entry:
            id = self._team(entry["team"], "team")
            who = {"group": id} if id in self.checks.groups else {"person": id}
        if who is None:
            raise _PartFault(
                (), f"needs team: one of {', '.join(self.file.teams) or 'teams, which the file does not have'}"
            )
        owner = self.deputy if who == {"person": self.file.owner} else self.file.owner
        return {"kind": TEAM_TASK, "owner": owner, **own, "who": who}

    def _task_plan(self, plan: PartPlan, entry: dict[str, Any], file: dict[str, Any]) -> PartPlan:
        who = file["who"] if isinstance(file["who"], dict) else {}
        asked = who.get("person") or who.get("group")
        known = plan.replace(team=entry.get("team"), tell_customer=self._flag(entry, "tell_customer"))
        return known.replace(asked=(asked,)) if isinstance(asked, str) else known

    def _contact(self, who: Any) -> int:
        """Index of the person whom a step asks: `customer`, an id, or an address."""
        if who == {"person": CUSTOMER}:
            return 0
        for place, one in enumerate(self.contacts_plain):
            if isinstance(who, dict) and who.keys() & {"person", "email"} and who.items() <= one.items():
                return place
        known = [CUSTOMER, *(str(one.get("person") or one["email"]) for one in self.contacts_plain)]
        raise _PartFault(
            ("who",), f"must be the customer or one of customer.colleagues: {', '.join(dict.fromkeys(known))}"
        )

    def _step(self, own: dict[str, Any], entry: dict[str, Any], asked: int) -> dict[str, Any]:
        """The task file of a step for the contact at index `asked`."""
        step = {"kind": CUSTOMER_STEP, "owner": self.file.owner, **own, "who": self.contacts_plain[asked]}
        if "delegate" in entry and "colleagues" in own:
            raise _PartFault(("colleagues",), "and delegate say the same: only one of them can be given")
        if self._flag(entry, "delegate"):
            if not self.file.customer.colleagues:
                raise _PartFault(("delegate",), "needs customer.colleagues: only they can be given it")
            step["colleagues"] = [one for place, one in enumerate(self.contacts_plain) if place != asked]
        return step

    def _flag(self, entry: dict[str, Any], name: str) -> bool:
        value = entry.get(name, False)
        if not isinstance(value, bool):
            raise _PartFault((name,), "must be true or false")
        return value

    @property
    def _customer(self) -> dict[str, Any]:
        return _plain(self.file.customer)


def _with_article(what: PartKind) -> str:
    return f"an {what}" if what is PartKind.AGREEMENT else f"a {what}"


class _PartFault(Exception):
    def __init__(self, at: FieldPath, says: str) -> None:
        super().__init__(says)
        self.at = at
        self.says = says


def _plain(somebody: Any) -> dict[str, Any]:
    if somebody.person is not None:
        return {"person": somebody.person}
    in_full: dict[str, Any] = somebody.in_full.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return in_full


def _persons(file: Mapping[str, Any]) -> list[Any]:
    """Signer ids of an agreement in order; None for people described in full."""
    signers = file.get("signers")
    return [one.get("person") for one in signers if isinstance(one, dict)] if isinstance(signers, list) else []


def _document_name(own: Mapping[str, Any]) -> str | None:
    document = own.get("document")
    if not isinstance(document, dict):
        return None
    name, file = document.get("name"), document.get("file")
    return str(name) if name else str(file).rpartition("/")[2].removesuffix(".pdf") if file else None
