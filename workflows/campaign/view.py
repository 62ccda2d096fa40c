"""The campaign's view (`campaign show`) from its state, and the facts of its end."""

from datetime import datetime
from typing import Final

import workflows.follow_up.view as follow_up
from workflows.campaign.state import CampaignInput, CampaignState
from workflows.follow_up.view import stamp
from workflows.model.campaign import Counts, last_day_before
from workflows.model.hand_off import SettledCampaign
from workflows.model.views import CampaignShow, NextAction, NextStep

_BAR: Final = 20


def show(request: CampaignInput, state: CampaignState, now: datetime) -> CampaignShow:
    """The view at `now`; its counts are as of the last check."""
    campaign, tally = request.campaign, state.tally.outcome
    facts = dict(follow_up.facts(request.subject, state, now))
    following = facts["next"] if state.status.has_ended or state.problems.current else _next(state)
    return CampaignShow(
        **{
            **facts,
            "next": following,
            "says": _sentence(state, facts["says"]),
            "title": campaign.title,
            "campaign": campaign,
            "fingerprint": request.fingerprint,
            "version": campaign.document.version,
            "effective": campaign.document.effective,
            "approver": campaign.document.approver,
            "opens_at": state.window.opens_at,
            "due": state.window.everybodys_due,
            "frozen": state.audience.frozen,
            "changes": state.audience.changes,
            "changed": state.audience.head,
            "asked": state.audience.asked,
            "changes_asked": state.audience.changes_asked,
            "counts": state.tally.counts,
            "counted_at": state.tally.counted_at,
            "errors": state.tally.counts.faulty,
            "outcomes": tally and tally.outcomes,
            "came": tally.came if tally else 0,
            "left": tally.left if tally else 0,
            "people_now": tally and tally.people_now,
        }
    )


def settled(request: CampaignInput, state: CampaignState) -> SettledCampaign:
    """The facts to hand off."""
    if state.lifecycle.settled_at is None:
        raise ValueError("the campaign has not ended")
    return SettledCampaign(
        campaign=request.campaign.id,
        kind=request.campaign.kind,
        outcome=state.status,
        at=state.lifecycle.settled_at,
        late=state.tally.counts.late > 0,
        counts=state.tally.counts,
        audience_sha256=state.audience.frozen and state.audience.frozen.sha256,
        outcomes_sha256=state.tally.outcome and state.tally.outcome.outcomes,
    )


def details(view: CampaignShow, namespace: str, workflow_id: str) -> str:
    """Web UI details in Markdown: progress bar, counts, link to its requests."""
    counts = view.counts
    lines = [f"### {view.says}", "", f"`{bar(counts)}` {counts.done_count} of {counts.required_count}", ""]
    if view.asked and 0 < counts.not_told == counts.required_count:
        # The opening has asked them since; "not asked yet" would read like an outage until the first check.
        lines.append(f"- asked: {view.asked}; how each stands is counted once a day, and by `campaign show`")
    else:
        lines += [f"- {label}: {count}" for label, count in counts.in_words]
        lines += [f"- as of {stamp(view.counted_at)}"] if view.counted_at else []
    lines += [f"- opens {stamp(view.opens_at)}", f"- last day {view.due}"]
    lines += [f"- closes {stamp(view.closes_at)}"] if view.closes_at else []
    query = f"CsParent%3D%22{workflow_id.replace(':', '%3A')}%22"
    lines.append(f"- [its requests](/namespaces/{namespace}/workflows?query={query})")
    lines += [f"- to be told: {line.target} · {line.state} · {line.attempts} attempts" for line in view.handoffs]
    return "\n".join(lines)


def bar(counts: Counts) -> str:
    """A fraction as a bar of characters."""
    filled = _BAR * counts.done_count // counts.required_count if counts.required_count else 0
    return "█" * filled + "░" * (_BAR - filled)


def recounted(view: CampaignShow, counts: Counts, counted_at: datetime) -> CampaignShow:
    """The view with counts as of `counted_at`; of an open campaign its sentence as well."""
    open_ = view.says == how_far(view.counts, view.closes_at, as_of=view.counted_at)
    sentence = how_far(counts, view.closes_at) if open_ else view.says
    return view.replace(counts=counts, counted_at=counted_at, errors=counts.faulty, says=sentence)


def how_far(counts: Counts, closes_at: datetime | None, *, as_of: datetime | None = None) -> str:
    """The sentence of an open campaign; `as_of` is when the counts were made, None for now."""
    closing_clause = f"; open until {last_day_before(closes_at):%a %d %b %Y}" if closes_at else ""
    acknowledged = f"had acknowledged on {stamp(as_of)}" if as_of else "have acknowledged"
    return f"{counts.done_count} of {counts.required_count} {acknowledged}{closing_clause}"


def _next(state: CampaignState) -> NextAction:
    if state.audience.frozen is None:
        return NextAction(what=NextStep.WAIT, at=state.window.opens_at, why="it opens")
    if state.lifecycle.ending:
        return NextAction(what=NextStep.END, at=None, why="its open requests are being ended")
    if state.jobs.running:
        batch = state.jobs.running[0]
        return NextAction(what=NextStep.WAIT, at=batch.again_at, why=f"{batch.work}: {batch.after} done")
    if state.closes_at and state.look_due_at < state.closes_at:
        return NextAction(
            what=NextStep.WAIT,
            at=state.look_due_at,
            why="the daily look: who joined, who left, who is still to acknowledge",
        )
    return NextAction(what=NextStep.EXPIRE, at=state.closes_at, why="it closes, and the record is made")


def _sentence(state: CampaignState, ended_or_troubled: str) -> str:
    if state.status.has_ended or state.problems.current:
        return ended_or_troubled
    if state.lifecycle.ending:
        return f"Being {state.lifecycle.ending.outcome}: its open requests are ended first"
    if state.audience.frozen is None:
        return f"Opens {stamp(state.window.opens_at)}"
    if state.phase == "opening":
        return f"Opening: {state.audience.asked} of {state.audience.frozen.rows} asked"
    return how_far(state.tally.counts, state.closes_at, as_of=state.tally.counted_at)
