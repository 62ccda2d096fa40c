"""Names on the wire: workflow ids, task queues, signals, updates, search attributes, idempotency keys.

Pinned by a test.
"""

import base64
import hashlib
from typing import Final

from temporalio.common import SearchAttributeKey

WORKFLOW_QUEUE: Final = "countersign"
"""Workflows but those of campaigns, and their activities that need no call to Core Signature.

A first notice may need one all the same: the mail for a signer whose last phone died since the request was made.
"""
SIGNATURE_QUEUE: Final = "countersign-core-signature"
"""Activities that call Core Signature; a rate limit set at it is the rate of the calls (starter/temporal/rates.py)."""
URGENT_SIGNATURE_QUEUE: Final = "countersign-core-signature-urgent"
"""The same for whatever is `URGENT`: a server asks the partitions of a queue in turn, whatever waits in each."""
CAMPAIGN_QUEUE: Final = "countersign-campaigns"
"""Campaigns and their members' workflows, with the same activities of theirs: a crowd takes nothing of the others.

A server ages no priority: in one queue with all others a campaign would not begin as long as anything else waits.
"""
BATCH_QUEUE: Final = "countersign-batches"
"""The batches over an audience, each for minutes: beside them, members would wait for a place."""
SWEEP_QUEUE: Final = "countersign-reconciliation"
"""Parts of sweeps, one at a time for each worker: in the queue of the calls a crowd would come before them, and at a
low pace one would have the only place there for most of a minute."""
EVIDENCE_QUEUE: Final = "countersign-evidence"
"""Downloads of what is kept at the end of a request: a slow one holds up nothing else."""
WORKFLOW_QUEUES: Final = (WORKFLOW_QUEUE, CAMPAIGN_QUEUE)
"""Those with workflows in them."""
QUEUES: Final = (
    WORKFLOW_QUEUE,
    CAMPAIGN_QUEUE,
    BATCH_QUEUE,
    SIGNATURE_QUEUE,
    URGENT_SIGNATURE_QUEUE,
    SWEEP_QUEUE,
    EVIDENCE_QUEUE,
)
URGENT: Final = 1
"""The priority key of what goes first."""
BULK: Final = 5
"""The priority key of what goes last."""
SIGNATURE_REQUEST: Final = "SignatureRequest"
REQUEST_PREFIX: Final = "signature-request"
"""What stands before the colon in the workflow id of a request."""
TASK: Final = "Task"
CUSTOMER_ONBOARDING: Final = "CustomerOnboarding"
SIGN_IN: Final = "SignIn"
BULK_NOTICE: Final = "BulkNotice"
NEXUS_CALL: Final = "NexusCall"
CAMPAIGN: Final = "AcknowledgementCampaign"
ACKNOWLEDGEMENT_CAMPAIGN: Final = "acknowledgement-campaign"
"""What stands before the colon in the workflow id of a campaign."""
CAMPAIGN_OPENING: Final = "CampaignOpening"
OPENING_PREFIX: Final = "campaign-opening"
"""What stands before the colon in the id of a yearly campaign's schedule; a workflow that it starts has its id, a dash
and the instant it was due."""
HAND_OFF: Final = "HandOff"
RECONCILIATION: Final = "Reconciliation"
RECONCILIATION_SCHEDULE: Final = "reconciliation"
"""Id of the schedule; a workflow that it starts has its id, a dash and the instant it was due."""
RECONCILIATION_NOW: Final = "reconciliation-now"
"""Workflow id of the sweep that somebody asks for."""
RECONCILIATION_CALLED: Final = "reconciliation-called"
"""Workflow id of the sweep that a callback about a document of nobody's asks for."""
RETENTION: Final = "Retention"
RETENTION_SCHEDULE: Final = "retention"
"""Id of the schedule; a workflow that it starts has its id, a dash and the instant it was due."""
ABSENCE_TOLD: Final = "Absence"
ABSENCE: Final = "absence"
PROVIDER_EVENT: Final = "provider_event"
SIGNATURE_SETTLED: Final = "signature_settled"
TASK_SETTLED: Final = "task_settled"
ONBOARDING_SETTLED: Final = "onboarding_settled"
CAMPAIGN_SETTLED: Final = "campaign_settled"
HAND_OFF_NOW: Final = "hand_off_now"
PART_TURN: Final = "part_turn"
CANCEL: Final = "cancel"
REMIND: Final = "remind"
DELEGATE: Final = "delegate"
LINK: Final = "link"
EXTEND: Final = "extend"
PAUSE: Final = "pause"
RESUME: Final = "resume"
SNOOZE: Final = "snooze"
ASK: Final = "ask"
ANSWER: Final = "answer"
DONE: Final = "done"
WAIVE: Final = "waive"
BLOCK: Final = "block"
UNBLOCK: Final = "unblock"
SUBSCRIBE: Final = "subscribe"
UNSUBSCRIBE: Final = "unsubscribe"
REPLAY: Final = "replay"
DECIDE: Final = "decide"
SEND_LINK: Final = "send_link"
EXEMPT: Final = "exempt"
RETRY: Final = "retry"
REVIEW: Final = "review"
REVISE: Final = "revise"
TAKE: Final = "take"
TAKE_PLACE: Final = "take_place"
SHOW: Final = "show"
PLANNING: Final = "planning"
OPERATION: Final = "operation"
MEMO_FINGERPRINT: Final = "fingerprint"
MEMO_DOCUMENT: Final = "document"
"""The name of the document, so that a list needs no query a row; encrypted like every payload where there are keys."""
MEMO_ORIGIN: Final = "origin"
"""The door that it came through, when it was not ours: only through that one it is shown and cancelled there."""
STATUS: Final = SearchAttributeKey.for_keyword("CsStatus")
KIND: Final = SearchAttributeKey.for_keyword("CsKind")
PARENT: Final = SearchAttributeKey.for_keyword("CsParent")
STAGE: Final = SearchAttributeKey.for_keyword("CsStage")
PROBLEM: Final = SearchAttributeKey.for_keyword("CsProblem")
DUE_AT: Final = SearchAttributeKey.for_datetime("CsDueAt")
REQUESTER: Final = SearchAttributeKey.for_keyword("CsRequester")
WAITING_FOR: Final = SearchAttributeKey.for_keyword_list("CsWaitingFor")
TURN_AT: Final = SearchAttributeKey.for_datetime("CsTurnAt")
HANDOFF: Final = SearchAttributeKey.for_keyword("CsHandoff")
"""Of what is open: that a target which is to hear of an escalation was tried in vain."""
TEAMS: Final = SearchAttributeKey.for_keyword_list("CsTeams")
"""Of an onboarding: the people and groups that may look at it because they are its teams; of a task, the group that is
asked.
"""
SEARCH_ATTRIBUTES: Final = (
    STATUS,
    KIND,
    PARENT,
    STAGE,
    PROBLEM,
    DUE_AT,
    REQUESTER,
    WAITING_FOR,
    TURN_AT,
    HANDOFF,
    TEAMS,
)
LATENESS: Final = "countersign_notification_lateness"
"""The histogram of how late planned notifications are sent."""
_ADOPTED: Final = "adopted-"
_HEX: Final = frozenset("0123456789abcdef")


def adopted_id(document: str | None) -> str | None:
    """The request id for a document that was sent at Core Signature by hand; None for an invalid uuid."""
    return f"{_ADOPTED}{document}" if document and _is_uuid(document) else None


def adopted_document(request: str) -> str | None:
    """The document uuid of an adopted request's id; None for a request that we sent."""
    uuid = request.removeprefix(_ADOPTED)
    return uuid if uuid != request and _is_uuid(uuid) else None


def nexus_call_workflow_id(key: str) -> str:
    """Workflow id of the Nexus call of this hand-off key."""
    return f"nexus-call:{key}"


def sign_in_workflow_id(person: str, ask: str) -> str:
    """Workflow id of a sign-in: one per message."""
    return f"sign-in:{person}:{ask}"


def sign_in_used_workflow_id(person: str, ask: str) -> str:
    """Workflow id for withdrawing the notification of a used sign-in."""
    return f"sign-in-used:{person}:{ask}"


def bulk_notice_workflow_id(reference: str) -> str:
    """Workflow id of a bulk notice."""
    return f"bulk-notice:{reference}"


def absence_workflow_id(id: str, *, back: bool) -> str:
    """Workflow id for telling of an absence, or of its end."""
    return f"absence:{id}:{'back' if back else 'away'}"


def hand_off_workflow_id(reference: str) -> str:
    """Workflow id of a replay after the run is closed: one at a time per ending."""
    return f"hand-off:{reference}"


def noticed_as(request: str, round: int) -> str:
    """What notices of a request are identified by: each round of its review has its own."""
    return f"{request}:{round}" if round else request


def notice_key(request: str, stage: str, person: str) -> str:
    """Idempotency key of a notification: the same on every attempt, also after a reset or continue-as-new."""
    return f"{request}/{stage}/{person}"


def alert_key(request: str, stage: str, person: str, silent_person: str) -> str:
    """Idempotency key of an alert: one per silent signer, however many the person is alerted for."""
    return f"{notice_key(request, stage, person)}/{silent_person}"


def handoff_key(request: str, target: str) -> str:
    """Idempotency key of a hand-off: the same for retries and replays."""
    return f"{request}/handoff/{target}"


def webhook_id(key: str) -> str:
    """The `webhook-id` of a call, the same on every attempt; without dots (Standard Webhooks)."""
    return f"msg_{base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()).decode()[:22]}"


def _is_uuid(text: str) -> bool:
    """Whether it is a lower-case uuid, with all hyphens or none."""
    digits = text.replace("-", "")
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return len(digits) == 32 and _HEX.issuperset(digits) and text in (digits, "-".join(parts))
