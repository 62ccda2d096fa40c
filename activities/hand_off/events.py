"""Bodies of hand-off calls (webhook events, CloudEvents)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from activities.people.directory import Directory, UnknownPerson
from activities.records.rows import StoragePrefix
from activities.records.store import Store
from activities.records.user_texts import DAMAGED, ERASED, words_of
from workflows.model.base import Model
from workflows.model.hand_off import EndedFacts, Told
from workflows.model.policy import Format, Target
from workflows.model.records import SettledRecord
from workflows.model.subject import Subject
from workflows.model.views import Shown

SOURCE: Final = "/countersign"
"""`source` of a CloudEvent."""
PING: Final = "ping"
CONTENT_TYPES: Final[Mapping[Format, str]] = {
    Format.STANDARD: "application/json",
    Format.CLOUDEVENTS: "application/cloudevents+json; charset=utf-8",
}


class Personal(Model):
    """Fields that `personal` adds to each person in an event's data, where known."""

    name: str | None = None
    email: str | None = None
    reason: str | None = None
    """Why they declined."""


class PersonalTitle(Model):
    """Fields that `personal` adds to an event's data: names of the document and the task, the customer's company."""

    title: str


class PersonalAnswer(Model):
    """Fields that `personal` adds for a task with an answer: the label of its field, and the answer."""

    label: str
    text: str


def data_of(told: Told) -> dict[str, Any]:
    """The event's `data` without personal fields (docs/schemas)."""
    return told.model_dump(mode="json")


def people_in(fields: Mapping[str, Any]) -> str | None:
    """The field of an event's data that holds people, or None."""
    return next((name for name in ("signers", "people") if name in fields), None)


def ping(target: Target, id: str, at: datetime) -> dict[str, Any]:
    """The body of a test call, to check that the target answers and can verify our signature."""
    of = {"id": id, "type": PING, "subject": target.name, "time": at.isoformat()}
    return _enveloped(target.format, of, {"version": 1, "target": target.name})


def _enveloped(format: Format, of: Mapping[str, str], data: dict[str, Any]) -> dict[str, Any]:
    if format is Format.STANDARD:
        return {"type": of["type"], "timestamp": of["time"], "data": data}
    return {"specversion": "1.0", "source": SOURCE, **of, "datacontenttype": "application/json", "data": data}


@dataclass(frozen=True)
class Events:
    """Builds event bodies; personal data is read only for targets with `personal`."""

    directory: Directory
    store: Store

    async def body(self, target: Target, id: str, subject: Subject, told: Told) -> dict[str, Any]:
        """The body of the call with this `webhook-id`, equal at every attempt."""
        data = data_of(told)
        if target.personal:
            data |= await self._personal(data, subject)
        spec = subject.type.spec
        type_ = spec.event if isinstance(told, EndedFacts) else spec.escalated_event
        of = {"id": id, "type": type_, "subject": subject.reference, "time": data["at"]}
        return _enveloped(target.format, of, data)

    async def _personal(self, data: Mapping[str, Any], subject: Subject) -> dict[str, Any]:
        whole, asked = PersonalTitle(title=subject.title).model_dump(), people_in(data)
        if asked is None:
            return whole
        shown = await self._shown(subject)
        reasons = await self._reasons(subject, shown)
        whole |= await self._answer(subject, shown)
        people = [{**one, **await self._of(one["person"], subject, reasons)} for one in data[asked]]
        return {**whole, asked: people}

    async def _of(self, person: str, subject: Subject, reasons: Mapping[str, str]) -> dict[str, str]:
        told = Personal(reason=reasons.get(person))
        try:
            known = await self.directory.person(person, subject.workflow_id)
        except UnknownPerson:  # A person who has left the directory must not cost the call.
            pass
        else:
            told = told.replace(name=known.name, email=known.email)
        return told.model_dump(exclude_none=True)

    async def _shown(self, subject: Subject) -> Shown | None:
        content = await self.store.read_record(StoragePrefix.of(subject.workflow_id))
        return SettledRecord.model_validate_json(content).show if content else None

    async def _answer(self, subject: Subject, shown: Shown | None) -> dict[str, Any]:
        given = shown.given_answer if shown else None
        if given is None or given.text is None:
            return {}
        text = await words_of(self.store, StoragePrefix.of(subject.workflow_id), given.text)
        known = text not in (ERASED, DAMAGED)
        return {"answer": PersonalAnswer(label=given.label, text=text).model_dump()} if known else {}

    async def _reasons(self, subject: Subject, shown: Shown | None) -> dict[str, str]:
        home = StoragePrefix.of(subject.workflow_id)
        given = shown.reasons if shown else {}
        told = {person: await words_of(self.store, home, reason) for person, reason in given.items()}
        return {person: reason for person, reason in told.items() if reason not in (ERASED, DAMAGED)}
