"""Keeps what is to outlive an ended request: the hand-off waits a minute for it, what is missing comes beside it."""

import asyncio
from collections.abc import Mapping

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    from workflows.follow_up.calls import call_failure_of, nothing
    from workflows.follow_up.options import ActivityOptions
    from workflows.follow_up.workflow import FollowUpWorkflow
    from workflows.model.evidence import EvidenceOrder, KeptFiles
    from workflows.model.policy import EvidenceLevel, end_of_retention
    from workflows.model.subject import Status
    from workflows.ports import EvidenceService
    from workflows.signature.state import SignatureState

_WITH_FILES = (Status.SIGNED, Status.DECLINED)
"""Endings of which the provider has a document and a log."""


class RequestEvidence:
    """The provider's files, and what is known of the request at its end."""

    def __init__(self, owner: FollowUpWorkflow[SignatureState]) -> None:
        self._owner = owner
        self._later: asyncio.Task[None] | None = None

    async def keep(self) -> None:
        """Keep it within a minute; else begin to try on, which the next history continues."""
        owner = self._owner
        if owner.request.policy.evidence is EvidenceLevel.NONE or owner.state.document.evidence.over:
            return
        if owner.state.document.evidence.problem is None:
            await self._try(options.EVIDENCE)
        if problem := owner.state.document.evidence.problem:
            time_left = options.EVIDENCE_LASTS - (workflow.now() - problem.since)
            self._later = asyncio.create_task(self._try(options.evidence_later(time_left), last=True))

    def is_over(self) -> bool:
        """Whether nothing more is tried."""
        return self._later is None or self._later.done()

    async def _try(self, activity_options: ActivityOptions, *, last: bool = False) -> None:
        owner, former_files = self._owner, self._owner.state.document.evidence.files
        try:
            files_kept = await owner.calls.attempt(
                EvidenceService.keep, self._order, activity_options, "keep the evidence", nothing()
            )
        except FailureError as failure:
            files, explanation = _files_of(failure) or former_files, call_failure_of(failure).says
            evidence = owner.state.document.evidence.missing(files, explanation, workflow.now(), is_final=last)
        else:
            evidence = owner.state.document.evidence.with_kept_files(files_kept)
        owner.state = owner.state.update_part("document", evidence=evidence)
        if last:
            owner.publish()

    @property
    def _order(self) -> EvidenceOrder:
        state, subject, first = self._owner.state, self._owner.subject, self._owner.request.subject
        start_people = (subject.requester, *(participant.person for participant in first.people))
        reviewed = (*state.review.people, *(slot.person for slot in state.slots.signers))
        later = (
            *(escalation.person for escalation in subject.people),
            *reviewed,
            *(escalation.to for escalation in state.escalated),
        )
        keep, settled_at = self._owner.request.policy.keep, state.lifecycle.settled_at
        return EvidenceOrder(
            document=state.document.id if state.status in _WITH_FILES else None,
            log_only=self._owner.request.policy.evidence is EvidenceLevel.LOG,
            people=tuple(dict.fromkeys(person for person in later if person not in start_people)),
            until=end_of_retention(settled_at, keep) if settled_at and keep else None,
        )


def _files_of(failure: FailureError) -> KeptFiles | None:
    """What is kept all the same, as the failure of a call says."""
    cause = failure.cause if isinstance(failure, ActivityError) and failure.cause else failure
    last = cause if isinstance(cause, ApplicationError) else cause.__cause__
    details = last.details[0] if isinstance(last, ApplicationError) and last.details else None
    return KeptFiles.model_validate(details) if isinstance(details, Mapping) else None
