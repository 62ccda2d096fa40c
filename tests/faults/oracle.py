"""The judge of every fault run: compares the ledger of the outside with Temporal's histories (docs/reliability.md).

Pure. It knows nothing of the faults that were injected: an activity that was tried twice may have sent twice, and
nothing else may have.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from temporalio.client import WorkflowExecutionStatus

from activities.records.devices import device_hash
from activities.records.outcomes import MemberStatus
from tests.faults.evidence import Asked, Evidence, Joined, Life
from tests.faults.vendor import Entry, instant
from tests.lines import counted
from workflows.model.hand_off import HandoffState
from workflows.model.notifications import Channel, NotificationOutcome
from workflows.model.signature import WITHOUT_EFFECT, SignerState
from workflows.model.subject import Role, Status
from workflows.model.views import PartLine
from workflows.names import handoff_key, webhook_id

_ENDINGS: Final = {"si": Status.SIGNED, "de": Status.DECLINED, "ca": Status.CANCELLED, "xp": Status.EXPIRED}
_ENDING_EVENTS: Final = ("signed", "declined", "cancelled", "expired")
_OF_THE_END: Final = ("settled", "withdrawal")
_ASKED: Final = (
    MemberStatus.TOLD,
    MemberStatus.OPENED,
    MemberStatus.ACKNOWLEDGED,
    MemberStatus.LATE,
    MemberStatus.DECLINED,
    MemberStatus.EXPIRED,
)
"""How somebody stands who has been asked, and told so."""
_UNASKED: Final = (MemberStatus.ERROR, MemberStatus.NOT_STARTED)
_ENDED_BY_US: Final = (Status.CANCELLED, Status.EXPIRED, None)
_AT_PROVIDER: Final[Mapping[str, tuple[Status | None, ...]]] = {
    MemberStatus.ACKNOWLEDGED: (Status.SIGNED,),
    MemberStatus.LATE: (Status.SIGNED,),
    MemberStatus.DECLINED: (Status.DECLINED,),
    MemberStatus.EXPIRED: (Status.EXPIRED, Status.CANCELLED),
    MemberStatus.CANCELLED: _ENDED_BY_US,
    MemberStatus.EXEMPT: (*_ENDED_BY_US, Status.DECLINED),
    MemberStatus.DROPPED: (*_ENDED_BY_US, Status.DECLINED),
    MemberStatus.ERROR: (None,),
    MemberStatus.NOT_STARTED: (None,),
}
"""How a document may stand of somebody who stands so."""


class Invariant(StrEnum):
    """What must hold when all has come to rest."""

    STARTS = "I1: every acknowledged start has one workflow, every document belongs to one"
    OUTCOMES = "I2: what has ended at the provider has ended alike with us"
    TRUTH = "I3: signed only if the provider says so"
    ONCE = "I4: one document and one request each"
    NOTICES = "I5: each notice on each phone, at most once to see, sent no more often than it was tried"
    SILENCE = "I6: nothing more is sent after the end"
    HAND_OFF = "I7: every target called, with one effect"
    CLOCKS = "I8: no timer is over before its time"
    HEALTH = "I9: no failing workflow task, nothing left pending"
    PRIVACY = "I10: nobody and no secret is in logs, spans, figures and lists"
    TRAIL = "I11: the timeline only goes forward"
    PARTS = "I12: each part of an onboarding is begun once, and none is lost"
    STAGES = "I13: no stage begins before the one before it is over"
    AUDIENCE = "I14: everybody of a frozen audience is asked once, by one workflow and one document, and nobody else"
    SUMS = "I15: rows in = told + errors + exempt + dropped + not started, and nobody stands there twice"
    KEYS = "I17: one webhook-id per target for ever, whatever is retried or replayed"
    TIMERS = "I18: whatever is said to be due has a timer that will wake it"
    CALLBACKS = "I19: what was acknowledged is heard, also what came before the creation's answer"
    RECORD = "I16: each line of a campaign's record says what the provider has seen"


@dataclass(frozen=True)
class Violation:
    """An invariant that does not hold, and of which request."""

    invariant: Invariant
    request: str
    says: str


def judge(evidence: Evidence) -> list[Violation]:
    """All that is wrong; empty when nothing was lost and nobody was bothered twice."""
    found = [violation for rule in _OF_ALL for violation in rule(evidence)]
    return found + [one for life in evidence.lives.values() for rule in _OF_EACH for one in rule(evidence, life)]


def repeated_sends(evidence: Evidence) -> int:
    """Raw sends beyond the first of each notice to each phone: what the deaths cost, invisible to people."""
    sends = Counter((push["data"]["request"], push["data"]["stage"], push["token"]) for push in _shown(evidence))
    return sum(count - 1 for count in sends.values())


def judge_onboarding(joined: Joined) -> list[Violation]:
    """All that is wrong with how an onboarding was joined; its agreements are judged as all requests are."""
    return [violation for rule in _OF_ONBOARDINGS for violation in rule(joined)]


def judge_campaign(asked: Asked) -> list[Violation]:
    """All that is wrong with whom a campaign has asked, how often, and what its record says of it."""
    return [violation for rule in _OF_CAMPAIGNS for violation in rule(asked)]


def most_sends(those: Joined | Asked) -> int:
    """How often one notice was sent to one phone at most."""
    pushes = those.pushes() if isinstance(those, Joined) else [one for one in those.ledger if one["type"] == "push"]
    sends = Counter((one["data"]["request"], one["data"]["stage"], one["token"]) for one in pushes)
    return max(sends.values(), default=0)


def _asked_once(asked: Asked) -> Iterator[Violation]:
    begun = Counter(one.workflow.partition(":")[2] for one in asked.begun)
    documents, pushed, mailed = asked.of("document_created"), asked.of("push"), asked.of("mail")
    for line in asked.lines:
        request, many = line.request, (begun[line.request], len(documents.get(line.request, [])))
        if line.status in _ASKED and many != (1, 1):
            says = f"{line.status}, with {many[0]} workflows and {many[1]} documents"
            yield Violation(Invariant.AUDIENCE, request, says)
        if line.status in _ASKED and not any(
            _invites(one) for one in (*pushed.get(request, []), *mailed.get(request, []))
        ):
            yield Violation(Invariant.AUDIENCE, request, f"{line.status}, and nobody was told")
        if line.status in _UNASKED and (any(many) or request in pushed):
            yield Violation(Invariant.AUDIENCE, request or line.person, f"{line.status}, and asked all the same")
        if max(many) > 1:
            yield Violation(Invariant.AUDIENCE, request, f"{many[0]} workflows and {many[1]} documents")
    of_lines = {attempt for line in asked.lines for attempt in _attempts(line.request)}
    for stranger in sorted({*begun, *documents, *pushed} - of_lines):
        yield Violation(Invariant.AUDIENCE, stranger, "asked, and nobody of the audience")


def _invites(entry: Entry) -> bool:
    """Whether a notice, or a mail, is the one that asks."""
    return entry["type"] == "mail" or (bool(entry["visible"]) and entry["data"]["stage"] == "ready")


def _attempts(request: str) -> Iterator[str]:
    """The id of a request, and those of the attempts before it."""
    yield request
    if again := re.fullmatch(r"(.+)\.r(\d+)", request):
        yield again[1]
        yield from (f"{again[1]}.r{number}" for number in range(2, int(again[2])))


def _asking_notices(asked: Asked) -> Iterator[Violation]:
    for request, pushes in asked.of("push").items():
        sends = Counter((one["data"]["stage"], one["token"]) for one in pushes)
        for (stage, token), count in sends.items():
            if count > 1 + asked.kills:
                says = f"{stage} sent {count} times to {token}, with {asked.kills} kills"
                yield Violation(Invariant.NOTICES, request, says)
        keys = {(one["token"], one["key"]) for one in pushes}
        if len(keys) > len({token for token, _ in keys}):
            yield Violation(Invariant.NOTICES, request, "notices side by side on one phone")


def _audience_in_silence(asked: Asked) -> Iterator[Violation]:
    for request, pushes in asked.of("push").items():
        for one in pushes if asked.ended else ():
            late = asked.ended is not None and instant(one) > asked.ended
            if late and one["visible"] and one["data"]["stage"] not in _OF_THE_END:
                says = f"{one['data']['stage']} at {one['at']}, ended {asked.ended}"
                yield Violation(Invariant.SILENCE, request, says)


def _sums(asked: Asked) -> Iterator[Violation]:
    id, shown, counts = asked.shown.id, asked.shown, counted(asked.lines)
    if counts != shown.counts:
        yield Violation(Invariant.SUMS, id, f"counts {shown.counts}, its lines are {counts}")
    if shown.frozen and len(asked.lines) < shown.frozen.rows:
        yield Violation(Invariant.SUMS, id, f"{len(asked.lines)} lines of {shown.frozen.rows} rows")
    people = Counter(line.person for line in asked.lines if line.status != MemberStatus.ERROR)
    yield from (Violation(Invariant.SUMS, id, f"{one} stands there twice") for one, many in people.items() if many > 1)
    if shown.status.ended and counts.open:
        yield Violation(Invariant.SUMS, id, f"ended, and {counts.open} are open")


def _record_is_true(asked: Asked) -> Iterator[Violation]:
    said = {request: _ENDINGS.get(entries[-1]["status"]) for request, entries in asked.of("document_status").items()}
    for line in asked.lines:
        at_provider = said.get(line.request)
        wanted = _AT_PROVIDER.get(line.status, (None,) if line.open else None)
        if wanted is not None and at_provider not in wanted:
            says = f"{line.status} in the record, {at_provider or 'open'} at the provider"
            yield Violation(Invariant.RECORD, line.request, says)
        if bool(line.signed_at) != (line.status in (MemberStatus.ACKNOWLEDGED, MemberStatus.LATE)):
            yield Violation(Invariant.RECORD, line.request, f"{line.status}, signed at {line.signed_at or 'no time'}")


def _campaign_health(asked: Asked) -> Iterator[Violation]:
    id = asked.shown.id
    yield from (Violation(Invariant.HEALTH, id, failure) for failure in asked.failed_tasks)
    if asked.ended and not all(call.closed for call in asked.calls):
        yield Violation(Invariant.HEALTH, id, "something is still pending")
    if asked.ended and asked.waiting:
        yield Violation(Invariant.HEALTH, id, f"ended, and {len(asked.waiting)} requests go on")
    instants = [entry.at for entry in asked.shown.timeline]
    if instants != sorted(instants):
        yield Violation(Invariant.TRAIL, id, "the timeline goes back")


def _parts_once(joined: Joined) -> Iterator[Violation]:
    begun = Counter(one.workflow for one in joined.parts)
    yield from (Violation(Invariant.PARTS, id, f"begun {count} times") for id, count in begun.items() if count > 1)
    for line in _lines(joined):
        if line.workflow is not None and line.workflow not in begun:
            yield Violation(Invariant.PARTS, line.workflow, "shown, and nothing of the onboarding's")


def _stages_in_order(joined: Joined) -> Iterator[Violation]:
    over = joined.shown.timeline[0].at
    for number, stage in enumerate(joined.shown.stages, start=1):
        begins = f"{joined.shown.id}.{number}."
        for part in joined.parts:
            if part.workflow.partition(":")[2].startswith(begins) and part.started < over:
                yield Violation(Invariant.STAGES, part.workflow, f"begun at {part.started}, before {over}")
        ends = [part.at for part in stage.parts] + [notice.at for notice in stage.notices]
        over = max([over, *(at for at in ends if at)])


def _news_once(joined: Joined) -> Iterator[Violation]:
    allowed: Counter[tuple[str, str]] = Counter()
    for call in joined.calls:
        allowed.update({(notice.stage, notice.person): call.attempts for notice in call.notices})
    keys, sends = defaultdict(set), Counter[tuple[str, str, str]]()
    for push in joined.pushes(joined.request):
        keys[push["token"]].add(push["key"])
        sends[push["data"]["stage"], push["person"], push["token"]] += 1
    yield from (
        Violation(Invariant.NOTICES, joined.request, f"{len(seen)} notices side by side on {token}")
        for token, seen in keys.items()
        if len(seen) > 1
    )
    for (stage, person, token), count in sends.items():
        if count > allowed[stage, person]:
            says = f"{stage} sent {count} times to {token}, tried {allowed[stage, person]} times"
            yield Violation(Invariant.NOTICES, joined.request, says)


def _customer_in_silence(joined: Joined) -> Iterator[Violation]:
    for push in joined.pushes():
        if push["person"] not in joined.customers or instant(push) <= joined.ended:
            continue
        if push["visible"] and push["data"]["stage"] not in _OF_THE_END:
            says = f"{push['data']['stage']} at {push['at']}, ended {joined.ended}"
            yield Violation(Invariant.SILENCE, push["data"]["request"], says)


def _joined_health(joined: Joined) -> Iterator[Violation]:
    if not all(call.closed for call in joined.calls):
        yield Violation(Invariant.HEALTH, joined.request, "something is still pending")
    instants = [entry.at for entry in joined.shown.timeline]
    if instants != sorted(instants):
        yield Violation(Invariant.TRAIL, joined.request, "the timeline goes back")
    twice = [what for what, count in Counter(entry.what for entry in joined.shown.timeline).items() if count > 1]
    if twice:
        yield Violation(Invariant.TRAIL, joined.request, f"more than one line: {twice}")


def _lines(joined: Joined) -> Iterator[PartLine]:
    for stage in joined.shown.stages:
        yield from stage.parts


def _starts(evidence: Evidence) -> Iterator[Violation]:
    for request, run_id in evidence.acknowledged.items():
        life = evidence.lives.get(request)
        if life is None or life.run_id != run_id:
            yield Violation(Invariant.STARTS, request, f"started as {run_id}, found {life and life.run_id}")
    for request in {entry["external_id"] for entry in evidence.ledger if entry["type"] == "document_created"}:
        if request not in evidence.lives:
            yield Violation(Invariant.STARTS, request, "a document that no workflow knows")


def _outcomes(evidence: Evidence, life: Life) -> Iterator[Violation]:
    ended = [_ENDINGS[entry["status"]] for entry in _status_entries(evidence, life) if entry["status"] in _ENDINGS]
    if ended and life.shown.status is not ended[-1]:
        yield Violation(Invariant.OUTCOMES, life.request, f"{ended[-1]} at the provider, {life.shown.status} with us")


def _truth(evidence: Evidence, life: Life) -> Iterator[Violation]:
    said = {entry["status"] for entry in _status_entries(evidence, life)}
    if life.shown.status is Status.SIGNED and "si" not in said:
        yield Violation(Invariant.TRUTH, life.request, f"signed, but the provider said {sorted(said)}")


def _once(evidence: Evidence, life: Life) -> Iterator[Violation]:
    for made in ("document_created", "request_created"):
        count = len(evidence.entries(made, life.request))
        if count != 1:
            yield Violation(Invariant.ONCE, life.request, f"{count} times {made}")


def _notices_taken(evidence: Evidence, life: Life) -> Iterator[Violation]:
    """Nobody who was to be told was missed, and what our ledger calls accepted was accepted."""
    told = {(line.stage, line.person) for line in life.shown.notifications}
    for signer in life.shown.signers:
        had_turn = signer.state not in (SignerState.WAITING, SignerState.COPIED) and signer.role is not Role.COPY
        if had_turn and ("ready", signer.person) not in told and not life.shown.status.ended:
            yield Violation(Invariant.NOTICES, life.request, f"{signer.person} was never told")
    taken = {(push["data"]["stage"], device_hash(push["token"])) for push in evidence.entries("push", life.request)}
    for line in life.shown.notifications:
        for device in line.devices if line.channel is Channel.PUSH else ():
            if device.outcome is NotificationOutcome.ACCEPTED and (line.stage, device.device) not in taken:
                yield Violation(Invariant.NOTICES, life.request, f"{line.stage} of {line.person} was not sent")


def _notices_once(evidence: Evidence, life: Life) -> Iterator[Violation]:
    """One identity on the screen, and no more raw sends than the activities that carried the notice had attempts."""
    allowed: Counter[tuple[str, str]] = Counter()
    for call in life.calls:
        allowed.update({(notice.stage, notice.person): call.attempts for notice in call.notices})
    keys, sends = defaultdict(set), Counter[tuple[str, str, str]]()
    for push in evidence.entries("push", life.request):
        keys[push["token"]].add(push["key"])
        sends[push["data"]["stage"], push["person"], push["token"]] += 1
    for token, seen in keys.items():
        if len(seen) > 1:
            yield Violation(Invariant.NOTICES, life.request, f"{len(seen)} notices side by side on {token}")
    for (stage, person, token), count in sends.items():
        # A group's members have no notice of their own in the history; the one attempt of its call is their measure.
        most = allowed[stage, person] or max(
            (call.attempts for call in life.calls if call.name == "hand_off"), default=0
        )
        if count > most:
            yield Violation(
                Invariant.NOTICES, life.request, f"{stage} sent {count} times to {token}, tried {most} times"
            )


def _silence(evidence: Evidence, life: Life) -> Iterator[Violation]:
    """The end counts from when we were told of it; the one delivery decided on before may still be under way."""
    told = evidence.entries("callback", life.request)
    ends = [instant(one) for one in told if one["status"] == 200 and one["event_type"] in _ENDING_EVENTS]
    if not ends:
        return
    late = [push for push in evidence.entries("push", life.request) if instant(push) > min(ends)]
    begun = [call for call in life.calls if call.name == "deliver_notices" and call.decided < min(ends)]
    running = {notice.stage for call in begun[-1:] for notice in call.notices}
    for push in late:
        if push["data"]["stage"] not in (*_OF_THE_END, *running):
            yield Violation(
                Invariant.SILENCE, life.request, f"{push['data']['stage']} at {push['at']}, ended {min(ends)}"
            )


def _hand_off(evidence: Evidence, life: Life) -> Iterator[Violation]:
    for line in life.shown.handoffs:
        calls = [one for one in evidence.entries("downstream", life.request) if one["target"] == line.target]
        identities = {call["headers"].get("webhook-id") for call in calls}
        if calls and (
            identities != {webhook_id(handoff_key(life.request, line.target))} or len({c["raw"] for c in calls}) > 1
        ):
            yield Violation(Invariant.HAND_OFF, life.request, f"{line.target} was called as {identities}")
        if line.target == "finance" and line.state == "done" and not calls:
            yield Violation(Invariant.HAND_OFF, life.request, "finance is done but was never called")
    if life.shown.status is Status.SIGNED and not life.shown.handoffs:
        yield Violation(Invariant.HAND_OFF, life.request, "signed, and nobody downstream was told")


def _one_key(evidence: Evidence, life: Life) -> Iterator[Violation]:
    """The key that is shown is the one that was called with, by whatever attempt or replay."""
    called = defaultdict(set)
    for one in evidence.entries("downstream", life.request):
        called[one["target"]].add(one["headers"].get("webhook-id"))
    for target, keys in called.items():
        shown = {line.key for line in life.shown.handoffs if line.target == target}
        if len(keys | shown) != 1:
            says = f"{target} is called as {sorted(map(str, keys))}, shown as {sorted(shown)}"
            yield Violation(Invariant.KEYS, life.request, says)


def _wakes(_: Evidence, life: Life) -> Iterator[Violation]:
    if life.status is not WorkflowExecutionStatus.RUNNING or life.busy:
        return
    pending = [line for line in life.shown.handoffs if line.state is HandoffState.PENDING]
    for line in pending:
        if line.due_at is None:
            yield Violation(Invariant.TIMERS, life.request, f"{line.target} is pending, and never due")
    due = bool(pending) or (life.shown.next is not None and life.shown.next.at is not None)
    if due and not life.timers:
        yield Violation(Invariant.TIMERS, life.request, "something is due, and no timer will say so")


def _never_early(_: Evidence, life: Life) -> Iterator[Violation]:
    for timer in life.fired:
        if timer.at < timer.due:
            yield Violation(Invariant.CLOCKS, life.request, f"due at {timer.due}, over at {timer.at}")


def _heard(evidence: Evidence, life: Life) -> Iterator[Violation]:
    """By itself or with others; of a callback whose body lied about its document another request hears."""
    if life.heard is None:
        return
    for one in evidence.entries("callback", life.request):
        at = instant(one)
        in_time = life.closed is None or at < life.closed
        wanted = one["event_type"] not in WITHOUT_EFFECT and one.get("fault") != "swap"
        if one["status"] == 200 and in_time and wanted and one["event"] not in life.heard:
            says = f"{one['event_type']} at {one['at']} was acknowledged, and never heard"
            yield Violation(Invariant.CALLBACKS, life.request, says)


def _keeps_quiet(evidence: Evidence) -> Iterator[Violation]:
    """What was found is not said: these are words that nobody is to read."""
    for place, text in evidence.places.items():
        if found := sum(canary in text for canary in evidence.canaries):
            yield Violation(Invariant.PRIVACY, place, f"{found} of what nobody is to read there")


def _health(_: Evidence, life: Life) -> Iterator[Violation]:
    yield from (Violation(Invariant.HEALTH, life.request, failure) for failure in life.failed_tasks)
    if life.busy or not all(call.closed for call in life.calls):
        yield Violation(Invariant.HEALTH, life.request, "something is still pending")
    if life.status not in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED):
        yield Violation(Invariant.HEALTH, life.request, f"the workflow is {life.status}")


def _trail(_: Evidence, life: Life) -> Iterator[Violation]:
    instants = [entry.at for entry in life.shown.timeline]
    if instants != sorted(instants):
        yield Violation(Invariant.TRAIL, life.request, "the timeline goes back")
    endings = [entry.what for entry in life.shown.timeline if entry.what in [status.value for status in Status]]
    endings = [what for what in endings if Status(what).ended and not _is_of_a_signer(life, what)]
    if len(endings) > 1:
        yield Violation(Invariant.TRAIL, life.request, f"ended more than once: {endings}")


def _is_of_a_signer(life: Life, what: str) -> bool:
    """Signers are signed and declined by the same words as requests."""
    return any(
        entry.what == what and entry.who in {s.person for s in life.shown.signers} for entry in life.shown.timeline
    )


def _status_entries(evidence: Evidence, life: Life) -> list[Entry]:
    return evidence.entries("document_status", life.request)


def _shown(evidence: Evidence) -> list[Entry]:
    return [push for push in evidence.entries("push") if push["visible"]]


_OF_ALL: Final[tuple[Callable[[Evidence], Iterator[Violation]], ...]] = (_starts, _keeps_quiet)
_OF_EACH: Final[tuple[Callable[[Evidence, Life], Iterator[Violation]], ...]] = (
    _outcomes,
    _truth,
    _once,
    _notices_taken,
    _notices_once,
    _silence,
    _hand_off,
    _one_key,
    _wakes,
    _never_early,
    _heard,
    _health,
    _trail,
)
_OF_CAMPAIGNS: Final[tuple[Callable[[Asked], Iterator[Violation]], ...]] = (
    _asked_once,
    _asking_notices,
    _audience_in_silence,
    _sums,
    _record_is_true,
    _campaign_health,
)
_OF_ONBOARDINGS: Final[tuple[Callable[[Joined], Iterator[Violation]], ...]] = (
    _parts_once,
    _stages_in_order,
    _news_once,
    _customer_in_silence,
    _joined_health,
)
