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
from tests.faults.evidence import CampaignEvidence, Evidence, OnboardingEvidence, RequestEvidence
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
    violations = [violation for rule in _OF_ALL for violation in rule(evidence)]
    return violations + [
        violation for life in evidence.lives.values() for rule in _OF_EACH for violation in rule(evidence, life)
    ]


def repeated_sends(evidence: Evidence) -> int:
    """Raw sends beyond the first of each notice to each phone: what the deaths cost, invisible to people."""
    sends = Counter(
        (push["data"]["request"], push["data"]["stage"], push["token"]) for push in _visible_pushes(evidence)
    )
    return sum(count - 1 for count in sends.values())


def judge_onboarding(joined: OnboardingEvidence) -> list[Violation]:
    """All that is wrong with how an onboarding was joined; its agreements are judged as all requests are."""
    return [violation for rule in _OF_ONBOARDINGS for violation in rule(joined)]


def judge_campaign(campaign: CampaignEvidence) -> list[Violation]:
    """All that is wrong with whom a campaign has asked, how often, and what its record says of it."""
    return [violation for rule in _OF_CAMPAIGNS for violation in rule(campaign)]


def most_sends(evidence: OnboardingEvidence | CampaignEvidence) -> int:
    """How often one notice was sent to one phone at most."""
    pushes = (
        evidence.pushes()
        if isinstance(evidence, OnboardingEvidence)
        else [entry for entry in evidence.ledger if entry["type"] == "push"]
    )
    sends = Counter((push["data"]["request"], push["data"]["stage"], push["token"]) for push in pushes)
    return max(sends.values(), default=0)


def _asked_once(campaign: CampaignEvidence) -> Iterator[Violation]:
    run_counts = Counter(run.workflow.partition(":")[2] for run in campaign.runs)
    documents, pushed, mailed = (
        campaign.entries_by_request("document_created"),
        campaign.entries_by_request("push"),
        campaign.entries_by_request("mail"),
    )
    for line in campaign.lines:
        request, made_counts = line.request, (run_counts[line.request], len(documents.get(line.request, [])))
        if line.status in _ASKED and made_counts != (1, 1):
            message = f"{line.status}, with {made_counts[0]} workflows and {made_counts[1]} documents"
            yield Violation(Invariant.AUDIENCE, request, message)
        if line.status in _ASKED and not any(
            _invites(entry) for entry in (*pushed.get(request, []), *mailed.get(request, []))
        ):
            yield Violation(Invariant.AUDIENCE, request, f"{line.status}, and nobody was told")
        if line.status in _UNASKED and (any(made_counts) or request in pushed):
            yield Violation(Invariant.AUDIENCE, request or line.person, f"{line.status}, and asked all the same")
        if max(made_counts) > 1:
            yield Violation(Invariant.AUDIENCE, request, f"{made_counts[0]} workflows and {made_counts[1]} documents")
    of_lines = {attempt for line in campaign.lines for attempt in _attempts(line.request)}
    for stranger in sorted({*run_counts, *documents, *pushed} - of_lines):
        yield Violation(Invariant.AUDIENCE, stranger, "asked, and nobody of the audience")


def _invites(entry: Entry) -> bool:
    """Whether a notice, or a mail, is the one that asks."""
    return entry["type"] == "mail" or (bool(entry["visible"]) and entry["data"]["stage"] == "ready")


def _attempts(request: str) -> Iterator[str]:
    """The id of a request, and those of the attempts before it."""
    yield request
    if attempt_match := re.fullmatch(r"(.+)\.r(\d+)", request):
        yield attempt_match[1]
        yield from (f"{attempt_match[1]}.r{number}" for number in range(2, int(attempt_match[2])))


def _asking_notices(campaign: CampaignEvidence) -> Iterator[Violation]:
    for request, pushes in campaign.entries_by_request("push").items():
        sends = Counter((push["data"]["stage"], push["token"]) for push in pushes)
        for (stage, token), count in sends.items():
            if count > 1 + campaign.kills:
                message = f"{stage} sent {count} times to {token}, with {campaign.kills} kills"
                yield Violation(Invariant.NOTICES, request, message)
        keys = {(push["token"], push["key"]) for push in pushes}
        if len(keys) > len({token for token, _ in keys}):
            yield Violation(Invariant.NOTICES, request, "notices side by side on one phone")


def _audience_in_silence(campaign: CampaignEvidence) -> Iterator[Violation]:
    for request, pushes in campaign.entries_by_request("push").items():
        for push in pushes if campaign.ended_at else ():
            late = campaign.ended_at is not None and instant(push) > campaign.ended_at
            if late and push["visible"] and push["data"]["stage"] not in _OF_THE_END:
                message = f"{push['data']['stage']} at {push['at']}, ended {campaign.ended_at}"
                yield Violation(Invariant.SILENCE, request, message)


def _sums(campaign: CampaignEvidence) -> Iterator[Violation]:
    id, view, counts = campaign.view.id, campaign.view, counted(campaign.lines)
    if counts != view.counts:
        yield Violation(Invariant.SUMS, id, f"counts {view.counts}, its lines are {counts}")
    if view.frozen and len(campaign.lines) < view.frozen.rows:
        yield Violation(Invariant.SUMS, id, f"{len(campaign.lines)} lines of {view.frozen.rows} rows")
    people = Counter(line.person for line in campaign.lines if line.status != MemberStatus.ERROR)
    yield from (
        Violation(Invariant.SUMS, id, f"{person} stands there twice") for person, count in people.items() if count > 1
    )
    if view.status.has_ended and counts.open:
        yield Violation(Invariant.SUMS, id, f"ended, and {counts.open} are open")


def _record_is_true(campaign: CampaignEvidence) -> Iterator[Violation]:
    statuses = {
        request: _ENDINGS.get(entries[-1]["status"])
        for request, entries in campaign.entries_by_request("document_status").items()
    }
    for line in campaign.lines:
        at_provider = statuses.get(line.request)
        expected_statuses = _AT_PROVIDER.get(line.status, (None,) if line.open else None)
        if expected_statuses is not None and at_provider not in expected_statuses:
            message = f"{line.status} in the record, {at_provider or 'open'} at the provider"
            yield Violation(Invariant.RECORD, line.request, message)
        if bool(line.signed_at) != (line.status in (MemberStatus.ACKNOWLEDGED, MemberStatus.LATE)):
            yield Violation(Invariant.RECORD, line.request, f"{line.status}, signed at {line.signed_at or 'no time'}")


def _campaign_health(campaign: CampaignEvidence) -> Iterator[Violation]:
    id = campaign.view.id
    yield from (Violation(Invariant.HEALTH, id, failure) for failure in campaign.failed_tasks)
    if campaign.ended_at and not all(call.closed for call in campaign.calls):
        yield Violation(Invariant.HEALTH, id, "something is still pending")
    if campaign.ended_at and campaign.waiting:
        yield Violation(Invariant.HEALTH, id, f"ended, and {len(campaign.waiting)} requests go on")
    instants = [entry.at for entry in campaign.view.timeline]
    if instants != sorted(instants):
        yield Violation(Invariant.TRAIL, id, "the timeline goes back")


def _parts_once(joined: OnboardingEvidence) -> Iterator[Violation]:
    begin_counts = Counter(part.workflow for part in joined.parts)
    yield from (
        Violation(Invariant.PARTS, id, f"begun {count} times") for id, count in begin_counts.items() if count > 1
    )
    for line in _lines(joined):
        if line.workflow is not None and line.workflow not in begin_counts:
            yield Violation(Invariant.PARTS, line.workflow, "shown, and nothing of the onboarding's")


def _stages_in_order(joined: OnboardingEvidence) -> Iterator[Violation]:
    stage_over_at = joined.view.timeline[0].at
    for number, stage in enumerate(joined.view.stages, start=1):
        begins = f"{joined.view.id}.{number}."
        for part in joined.parts:
            if part.workflow.partition(":")[2].startswith(begins) and part.started < stage_over_at:
                yield Violation(Invariant.STAGES, part.workflow, f"begun at {part.started}, before {stage_over_at}")
        ends = [part.at for part in stage.parts] + [notice.at for notice in stage.notices]
        stage_over_at = max([stage_over_at, *(ended_at for ended_at in ends if ended_at)])


def _news_once(joined: OnboardingEvidence) -> Iterator[Violation]:
    allowed: Counter[tuple[str, str]] = Counter()
    for call in joined.calls:
        allowed.update({(notice.stage, notice.person): call.attempts for notice in call.notices})
    keys, sends = defaultdict(set), Counter[tuple[str, str, str]]()
    for push in joined.pushes(joined.request):
        keys[push["token"]].add(push["key"])
        sends[push["data"]["stage"], push["person"], push["token"]] += 1
    yield from (
        Violation(Invariant.NOTICES, joined.request, f"{len(shown_notices)} notices side by side on {token}")
        for token, shown_notices in keys.items()
        if len(shown_notices) > 1
    )
    for (stage, person, token), count in sends.items():
        if count > allowed[stage, person]:
            message = f"{stage} sent {count} times to {token}, tried {allowed[stage, person]} times"
            yield Violation(Invariant.NOTICES, joined.request, message)


def _customer_in_silence(joined: OnboardingEvidence) -> Iterator[Violation]:
    for push in joined.pushes():
        if push["person"] not in joined.customers or instant(push) <= joined.ended_at:
            continue
        if push["visible"] and push["data"]["stage"] not in _OF_THE_END:
            message = f"{push['data']['stage']} at {push['at']}, ended {joined.ended_at}"
            yield Violation(Invariant.SILENCE, push["data"]["request"], message)


def _joined_health(joined: OnboardingEvidence) -> Iterator[Violation]:
    if not all(call.closed for call in joined.calls):
        yield Violation(Invariant.HEALTH, joined.request, "something is still pending")
    instants = [entry.at for entry in joined.view.timeline]
    if instants != sorted(instants):
        yield Violation(Invariant.TRAIL, joined.request, "the timeline goes back")
    twice = [
        event_name for event_name, count in Counter(entry.what for entry in joined.view.timeline).items() if count > 1
    ]
    if twice:
        yield Violation(Invariant.TRAIL, joined.request, f"more than one line: {twice}")


def _lines(joined: OnboardingEvidence) -> Iterator[PartLine]:
    for stage in joined.view.stages:
        yield from stage.parts


def _starts(evidence: Evidence) -> Iterator[Violation]:
    for request, run_id in evidence.acknowledged.items():
        life = evidence.lives.get(request)
        if life is None or life.run_id != run_id:
            yield Violation(Invariant.STARTS, request, f"started as {run_id}, found {life and life.run_id}")
    for request in {entry["external_id"] for entry in evidence.ledger if entry["type"] == "document_created"}:
        if request not in evidence.lives:
            yield Violation(Invariant.STARTS, request, "a document that no workflow knows")


def _outcomes(evidence: Evidence, life: RequestEvidence) -> Iterator[Violation]:
    endings = [_ENDINGS[entry["status"]] for entry in _status_entries(evidence, life) if entry["status"] in _ENDINGS]
    if endings and life.view.status is not endings[-1]:
        yield Violation(Invariant.OUTCOMES, life.request, f"{endings[-1]} at the provider, {life.view.status} with us")


def _truth(evidence: Evidence, life: RequestEvidence) -> Iterator[Violation]:
    statuses = {entry["status"] for entry in _status_entries(evidence, life)}
    if life.view.status is Status.SIGNED and "si" not in statuses:
        yield Violation(Invariant.TRUTH, life.request, f"signed, but the provider said {sorted(statuses)}")


def _check_creations(evidence: Evidence, life: RequestEvidence) -> Iterator[Violation]:
    for entry_type in ("document_created", "request_created"):
        count = len(evidence.entries(entry_type, life.request))
        if count != 1:
            yield Violation(Invariant.ONCE, life.request, f"{count} times {entry_type}")


def _notices_taken(evidence: Evidence, life: RequestEvidence) -> Iterator[Violation]:
    """Nobody who was to be told was missed, and what our ledger calls accepted was accepted."""
    notified = {(line.stage, line.person) for line in life.view.notifications}
    for signer in life.view.signers:
        had_turn = signer.state not in (SignerState.WAITING, SignerState.COPIED) and signer.role is not Role.COPY
        if had_turn and ("ready", signer.person) not in notified and not life.view.status.has_ended:
            yield Violation(Invariant.NOTICES, life.request, f"{signer.person} was never told")
    pushed = {(push["data"]["stage"], device_hash(push["token"])) for push in evidence.entries("push", life.request)}
    for line in life.view.notifications:
        for device in line.devices if line.channel is Channel.PUSH else ():
            if device.outcome is NotificationOutcome.ACCEPTED and (line.stage, device.device) not in pushed:
                yield Violation(Invariant.NOTICES, life.request, f"{line.stage} of {line.person} was not sent")


def _notices_once(evidence: Evidence, life: RequestEvidence) -> Iterator[Violation]:
    """One identity on the screen, and no more raw sends than the activities that carried the notice had attempts."""
    allowed: Counter[tuple[str, str]] = Counter()
    for call in life.calls:
        allowed.update({(notice.stage, notice.person): call.attempts for notice in call.notices})
    keys, sends = defaultdict(set), Counter[tuple[str, str, str]]()
    for push in evidence.entries("push", life.request):
        keys[push["token"]].add(push["key"])
        sends[push["data"]["stage"], push["person"], push["token"]] += 1
    for token, shown_notices in keys.items():
        if len(shown_notices) > 1:
            yield Violation(Invariant.NOTICES, life.request, f"{len(shown_notices)} notices side by side on {token}")
    for (stage, person, token), count in sends.items():
        # A group's members have no notice of their own in the history; the one attempt of its call is their measure.
        sends_at_most = allowed[stage, person] or max(
            (call.attempts for call in life.calls if call.name == "hand_off"), default=0
        )
        if count > sends_at_most:
            yield Violation(
                Invariant.NOTICES, life.request, f"{stage} sent {count} times to {token}, tried {sends_at_most} times"
            )


def _silence(evidence: Evidence, life: RequestEvidence) -> Iterator[Violation]:
    """The end counts from when we were told of it; the one delivery decided on before may still be under way."""
    callbacks = evidence.entries("callback", life.request)
    ends = [
        instant(callback)
        for callback in callbacks
        if callback["status"] == 200 and callback["event_type"] in _ENDING_EVENTS
    ]
    if not ends:
        return
    late = [push for push in evidence.entries("push", life.request) if instant(push) > min(ends)]
    begun_calls = [call for call in life.calls if call.name == "deliver_notices" and call.decided < min(ends)]
    running = {notice.stage for call in begun_calls[-1:] for notice in call.notices}
    for push in late:
        if push["data"]["stage"] not in (*_OF_THE_END, *running):
            yield Violation(
                Invariant.SILENCE, life.request, f"{push['data']['stage']} at {push['at']}, ended {min(ends)}"
            )


def _hand_off(evidence: Evidence, life: RequestEvidence) -> Iterator[Violation]:
    for line in life.view.handoffs:
        calls = [entry for entry in evidence.entries("downstream", life.request) if entry["target"] == line.target]
        identities = {call["headers"].get("webhook-id") for call in calls}
        if calls and (
            identities != {webhook_id(handoff_key(life.request, line.target))} or len({c["raw"] for c in calls}) > 1
        ):
            yield Violation(Invariant.HAND_OFF, life.request, f"{line.target} was called as {identities}")
        if line.target == "finance" and line.state == "done" and not calls:
            yield Violation(Invariant.HAND_OFF, life.request, "finance is done but was never called")
    if life.view.status is Status.SIGNED and not life.view.handoffs:
        yield Violation(Invariant.HAND_OFF, life.request, "signed, and nobody downstream was told")


def _one_key(evidence: Evidence, life: RequestEvidence) -> Iterator[Violation]:
    """The key that is shown is the one that was called with, by whatever attempt or replay."""
    called = defaultdict(set)
    for entry in evidence.entries("downstream", life.request):
        called[entry["target"]].add(entry["headers"].get("webhook-id"))
    for target, keys in called.items():
        shown_keys = {line.key for line in life.view.handoffs if line.target == target}
        if len(keys | shown_keys) != 1:
            message = f"{target} is called as {sorted(map(str, keys))}, shown as {sorted(shown_keys)}"
            yield Violation(Invariant.KEYS, life.request, message)


def _wakes(_: Evidence, life: RequestEvidence) -> Iterator[Violation]:
    if life.status is not WorkflowExecutionStatus.RUNNING or life.busy:
        return
    pending = [line for line in life.view.handoffs if line.state is HandoffState.PENDING]
    for line in pending:
        if line.due_at is None:
            yield Violation(Invariant.TIMERS, life.request, f"{line.target} is pending, and never due")
    due = bool(pending) or (life.view.next is not None and life.view.next.at is not None)
    if due and not life.timers:
        yield Violation(Invariant.TIMERS, life.request, "something is due, and no timer will say so")


def _never_early(_: Evidence, life: RequestEvidence) -> Iterator[Violation]:
    for timer in life.fired:
        if timer.at < timer.due:
            yield Violation(Invariant.CLOCKS, life.request, f"due at {timer.due}, over at {timer.at}")


def _heard(evidence: Evidence, life: RequestEvidence) -> Iterator[Violation]:
    """By itself or with others; of a callback whose body lied about its document another request hears."""
    if life.heard is None:
        return
    for callback in evidence.entries("callback", life.request):
        called_at = instant(callback)
        in_time = life.closed is None or called_at < life.closed
        is_to_be_heard = callback["event_type"] not in WITHOUT_EFFECT and callback.get("fault") != "swap"
        if callback["status"] == 200 and in_time and is_to_be_heard and callback["event"] not in life.heard:
            message = f"{callback['event_type']} at {callback['at']} was acknowledged, and never heard"
            yield Violation(Invariant.CALLBACKS, life.request, message)


def _keeps_quiet(evidence: Evidence) -> Iterator[Violation]:
    """What was found is not said: these are words that nobody is to read."""
    for source, text in evidence.places.items():
        if canary_count := sum(canary in text for canary in evidence.canaries):
            yield Violation(Invariant.PRIVACY, source, f"{canary_count} of what nobody is to read there")


def _health(_: Evidence, life: RequestEvidence) -> Iterator[Violation]:
    yield from (Violation(Invariant.HEALTH, life.request, failure) for failure in life.failed_tasks)
    if life.busy or not all(call.closed for call in life.calls):
        yield Violation(Invariant.HEALTH, life.request, "something is still pending")
    if life.status not in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED):
        yield Violation(Invariant.HEALTH, life.request, f"the workflow is {life.status}")


def _trail(_: Evidence, life: RequestEvidence) -> Iterator[Violation]:
    instants = [entry.at for entry in life.view.timeline]
    if instants != sorted(instants):
        yield Violation(Invariant.TRAIL, life.request, "the timeline goes back")
    endings = [entry.what for entry in life.view.timeline if entry.what in [status.value for status in Status]]
    endings = [ending for ending in endings if Status(ending).has_ended and not _is_of_a_signer(life, ending)]
    if len(endings) > 1:
        yield Violation(Invariant.TRAIL, life.request, f"ended more than once: {endings}")


def _is_of_a_signer(life: RequestEvidence, ending: str) -> bool:
    """Signers are signed and declined by the same words as requests."""
    return any(
        entry.what == ending and entry.who in {s.person for s in life.view.signers} for entry in life.view.timeline
    )


def _status_entries(evidence: Evidence, life: RequestEvidence) -> list[Entry]:
    return evidence.entries("document_status", life.request)


def _visible_pushes(evidence: Evidence) -> list[Entry]:
    return [push for push in evidence.entries("push") if push["visible"]]


_OF_ALL: Final[tuple[Callable[[Evidence], Iterator[Violation]], ...]] = (_starts, _keeps_quiet)
_OF_EACH: Final[tuple[Callable[[Evidence, RequestEvidence], Iterator[Violation]], ...]] = (
    _outcomes,
    _truth,
    _check_creations,
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
_OF_CAMPAIGNS: Final[tuple[Callable[[CampaignEvidence], Iterator[Violation]], ...]] = (
    _asked_once,
    _asking_notices,
    _audience_in_silence,
    _sums,
    _record_is_true,
    _campaign_health,
)
_OF_ONBOARDINGS: Final[tuple[Callable[[OnboardingEvidence], Iterator[Violation]], ...]] = (
    _parts_once,
    _stages_in_order,
    _news_once,
    _customer_in_silence,
    _joined_health,
)
