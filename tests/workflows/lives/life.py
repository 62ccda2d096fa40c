"""One life by chance: a request, its people, what they do and what is away, all of it from one seed."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from temporalio.exceptions import ApplicationError

from activities.people.person import Absence, Person
from tests.activities.book import Book, make_person
from tests.workflows.lives.runtime import UPDATE, ContinueAsNew, Runtime
from tests.workflows.lives.virtual_time import START, VirtualTime
from tests.workflows.lives.world import World
from workflows.follow_up.hand_off import BACKGROUND
from workflows.follow_up.lifecycle import allow
from workflows.model.commands import (
    Answer,
    Cancellation,
    Delegation,
    Extension,
    PauseCommand,
    Question,
    ReminderCommand,
    Resumption,
    SnoozeCommand,
)
from workflows.model.hand_off import SettledRequest
from workflows.model.policy import ESCALATED, Escalation, EscalationAction, Overdue, Policy, Reminders, Target
from workflows.model.signature import Document, ProviderEvent, SignatureBrief, SignerState
from workflows.model.subject import Participant, Status
from workflows.signature.state import SignatureInput, SignatureState
from workflows.signature.workflow import SignatureRequestWorkflow

ERP: Final = Target(target="erp", url="https://erp.example/hooks", on=(Status.SIGNED, ESCALATED))
"""Told of escalations, in every third life."""
DAY: Final = 86_400.0
_SPAN: Final = 40 * DAY
_ZONES: Final = ["Europe/Amsterdam", "America/New_York", "Asia/Tokyo", "Asia/Kolkata", "Pacific/Auckland"]
_MANAGERS: Final = {"s1": "m1", "s2": "m1", "s3": "m2", "m1": "m2", "deputy": "m1"}
_IDS: Final = ("requester", "s1", "s2", "s3", "m1", "m2", "alternate", "deputy", "fallback")


class Watched(SignatureRequestWorkflow):
    """The real workflow, whose every state is kept."""

    def __init__(self, request: SignatureInput, watch: Callable[[SignatureState], None]) -> None:
        self._watch = watch
        super().__init__(request)

    @property
    def state(self) -> SignatureState:
        return self._now_known

    @state.setter
    def state(self, progress: SignatureState) -> None:
        self._now_known = progress
        self._watch(progress)


class Life:
    """Everything of one life, before and after it was lived."""

    def __init__(self, seed: int, loop: VirtualTime | None = None) -> None:
        self.random = Random(seed)  # noqa: S311 - it has to be the same again for the same seed
        self.loop = loop or VirtualTime()
        self.people = {id: self._person(id) for id in _IDS}
        # A chance of its own, so that lives without an overdue phase stay the lives they were.
        policy = self._with_grace(self._policy(), Random(-1 - seed))  # noqa: S311
        self.policy = policy.replace(handoff=(ERP,)) if seed % 3 == 0 else policy
        self.request = self._request(seed)
        self.history: list[tuple[datetime, SignatureState]] = []
        self._outages = {name: self._spans(2) for name in ("core", "push", "people")}
        self._workflow: Watched | None = None
        self._events = 0
        self.world = World(
            random=self.random,
            book=Book(*self.people.values()),
            now=self.loop.now,
            callback=self._call_back,
            later=self._later,
            is_away=lambda name: any(begin <= self.loop.time() < end for begin, end in self._outages[name]),
            phones={id: len(person.devices) for id, person in self.people.items()},
            deafness=self.random.choice([0, 0, 0.2]),
            signers={person.person: (SignerState.TURN, person.order) for person in self.request.brief.people},
        )
        self.runtime = Runtime(self.loop, self.random, self.world)

    def live(self) -> SettledRequest:
        """Live it to its end."""
        self.loop.worker_outages = self._spans(5)
        self.runtime.renewals = sorted(self._sometime() for _ in range(self.random.choice([0, 0, 3])))
        self._let_things_happen()
        with self.runtime.in_place():
            try:
                return self.loop.run_until_complete(self._runs())
            finally:
                self._workflow = None
                self.loop.close()

    async def _runs(self) -> SettledRequest:
        request = self.request
        while True:
            carried = SignatureInput.model_validate_json(request.model_dump_json(by_alias=True))
            self._workflow = Watched(carried, lambda progress: self.history.append((self.loop.now(), progress)))
            self.runtime.renewing = False
            self._run = self.loop.create_task(self._workflow.run(carried))
            try:
                return await asyncio.shield(self._run)
            except ContinueAsNew as anew:
                for task in asyncio.all_tasks():
                    if task.get_name() == BACKGROUND:
                        task.cancel()
                request = anew.request

    def _let_things_happen(self) -> None:
        chance = self.random
        for signer in self.request.brief.people:
            for state in (SignerState.VIEWED, chance.choice([SignerState.SIGNED] * 9 + [SignerState.DECLINED])):
                if chance.random() < 0.6:
                    self._call_at(self._sometime(), self.world.act, signer.person, state)
        for happening in (self._pause, self._ask, self._snooze, self._extend, self._delegate, self._remind):
            for happens_at in (self._sometime() for _ in range(chance.choice([0, 0, 1, 2]))):
                self._call_at(happens_at, happening)
                self._call_at(happens_at + 30, chance.choice([happening, self._extend, self._nothing]))
        if chance.random() < 0.1:
            cancellation = Cancellation(actor="op", reason="off")
            self._call_at(
                self._sometime(), chance.choice([lambda: self._update("cancel", cancellation), self._cut_off])
            )

    def _nothing(self) -> None:
        """Nothing happens."""

    def _pause(self) -> None:
        self._update("pause", PauseCommand(actor="op"))
        self._later(lambda: self._update("resume", Resumption(actor="op")))

    def _ask(self) -> None:
        for person in self._pending():
            self._update("ask", Question(person=person, text="why?"))
            if self.random.random() < 0.7:
                self._later(lambda: self._update("answer", Answer(actor="requester", text="so")))

    def _snooze(self) -> None:
        snooze_until = self.loop.now() + timedelta(hours=self.random.choice([3, 24, 72]))
        for person in self._pending():
            self._update("snooze", SnoozeCommand(person=person, until=snooze_until))

    def _extend(self) -> None:
        due = self.loop.now() + timedelta(days=self.random.randint(1, 30))
        self._update("extend", Extension(actor="op", due=self.random.choice([due, due.date()])))

    def _delegate(self) -> None:
        for person in self._pending():
            self._update("delegate", Delegation(actor="op", signer=person, to=self.random.choice(["deputy", "m1"])))

    def _remind(self) -> None:
        self._update("remind", ReminderCommand(actor="op"))

    def _cut_off(self) -> None:
        if self._workflow:
            self._run.cancel()

    def _update(self, name: str, command: Any) -> None:
        flow = self._workflow
        if flow is None:
            return
        if self.runtime.renewing:
            self._call_at(self.loop.time() + 1, self._update, name, command)
            return
        self._events += 1
        context = copy_context()
        context.run(UPDATE.set, f"update-{self._events}")
        # A refusal is an answer like any other.
        with suppress(ApplicationError):
            context.run(lambda: allow(flow.state.commands, command, flow.refusal(command)))
            context.run(getattr(flow, name), command)

    def _call_back(self) -> None:
        self._events += 1
        event = ProviderEvent(id=f"event-{self._events}", type="signer_signed", at=self.loop.now())
        if self.random.random() < 0.8:
            self._call_at(self.loop.time() + 1, lambda: self._workflow and self._workflow.provider_event(event))

    def _pending(self) -> list[str]:
        pending = [slot.person for slot in self.history[-1][1].slots.pending] if self.history else []
        return pending[:1]

    def _call_at(self, seconds: float, happening: Callable[..., object], *arguments: object) -> None:
        self.loop.call_at(seconds, happening, *arguments)

    def _later(self, happening: Callable[[], object]) -> None:
        self._call_at(self.loop.time() + self.random.choice([3_600, 3 * DAY]) * self.random.random(), happening)

    def _sometime(self) -> float:
        return self.random.random() ** 2 * _SPAN

    def _spans(self, days: float) -> list[tuple[float, float]]:
        begins = [self._sometime() for _ in range(self.random.choice([0, 0, 1, 2]))]
        return [(begin, begin + self.random.random() * days * DAY) for begin in begins]

    def _person(self, id: str) -> Person:
        chance = self.random
        begin = START.date() + timedelta(days=chance.randint(0, 30))
        absence = {"from": begin.isoformat(), "until": (begin + timedelta(days=chance.randint(0, 9))).isoformat()}
        return make_person(
            id,
            chance.choice(_ZONES),
            hours=chance.choice(["09:00-18:00", "09:00-18:00", "22:00-23:59"]),
            days=chance.choice(["mon-fri", "sun-thu", "mon,wed"]),
            calendar=chance.choice([None, "NL", "US", "JP"]),
            manager=_MANAGERS.get(id),
            delegate=chance.choice([None, "deputy"]),
            devices=tuple(
                {"token": f"{id}~{number}", "platform": "ios"} for number in range(chance.choice([0, 1, 1, 2]))
            ),
            absent=chance.choice([(), (), (Absence.model_validate(absence),)]),
        )

    def _policy(self) -> Policy:
        chance, triggers = self.random, ["used-up", "60%", "1d", "3d"]
        spans = ["12h", "1d", "2d", "3d", "1w"]
        urgent = chance.random() < 0.2
        return Policy(
            window=chance.choice(["1d", "2d", "5d", "14d", "30d"]),
            hours="any" if urgent else chance.choice(["working", "working", "any", "10:00-16:00"]),
            urgent=urgent,
            reminders=chance.choice(
                [None, Reminders(first=chance.choice(spans), every=chance.choice(spans), most=chance.randint(1, 5))]
            ),
            warnings=tuple(chance.sample(["4h", "1d", "2d", "1w"], chance.randint(0, 3))),
            escalation=Escalation(
                after=chance.choice(triggers),
                or_=chance.choice([None, *triggers]),
                action=chance.choice(list(EscalationAction)),
                alternates=chance.choice([(), ("alternate",)]),
                depth=chance.randint(1, 3),
                fallback=chance.choice([None, "fallback"]),
            ),
        )

    def _with_grace(self, policy: Policy, chance: Random) -> Policy:
        overdue_every, overdue_at_most = chance.choice(["2h", "12h", "1d", "3d"]), chance.choice([None, 1, 3])
        overdue = Overdue(every=overdue_every, most=overdue_at_most, escalate=chance.random() < 0.5)
        warnings = (*policy.warnings, "0d") if chance.random() < 0.3 else policy.warnings
        if chance.random() < 0.5:
            return policy.replace(warnings=warnings)
        grace = chance.choice(["4h", "1d", "1w", "14d"])
        return policy.replace(warnings=warnings, grace=grace, overdue=chance.choice([overdue, overdue, None]))

    def _request(self, seed: int) -> SignatureInput:
        chance, together = self.random, self.random.random() < 0.4
        due = START + timedelta(days=chance.randint(2, 40), hours=chance.randint(0, 23))
        signers = tuple(
            Participant(person=f"s{number}", order=1 if together else number)
            for number in range(1, chance.randint(1, 3) + 1)
        )
        brief = SignatureBrief(
            id=f"r{seed}",
            kind="k",
            title="D",
            document=Document(sha256="a" * 64),
            requester="requester",
            people=signers,
            urgent=self.policy.urgent,
        )
        return SignatureInput(brief=brief, policy=self.policy, due=chance.choice([None, None, due, due.date()]))
