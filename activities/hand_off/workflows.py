"""Onboardings, workflows of other teams and Nexus operations that a target starts. Ids derive from subject and target,
so that a repeated call finds its workflow.
"""

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from nexusrpc import HandlerError
from temporalio import activity
from temporalio.api.operatorservice.v1 import ListNexusEndpointsRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, NexusOperationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.files.reading import FileFaults, PlainFile
from activities.hand_off.http_call import data_of
from activities.launch import launch
from activities.launch.doors import Clock, Intake, admit, wall_clock
from activities.onboarding.file import ID_AT_MOST
from activities.onboarding.intake import PreparedOnboarding
from activities.people.directory import Directory, UnknownPerson
from activities.policies.onboarding_template import kick_off, kick_off_file, person_of, places_in
from activities.records.store import Store
from activities.temporal import executions
from workflows import names
from workflows.follow_up.options import OPERATION_TAKEN_WITHIN
from workflows.follow_up.outbox import key_of
from workflows.kinds import Kind, WorkflowName
from workflows.model.hand_off import EndedFacts, HandoffResult, OperationOrder, Told
from workflows.model.policy import ESCALATED, NexusOperation, StartTarget, Target
from workflows.model.subject import Subject
from workflows.names import handoff_key

DEADLINE: Final = timedelta(seconds=10)
"""For Temporal to answer."""
DEPTH_AT_MOST: Final = 10
"""Length of a chain of onboardings that start each other through targets."""
_HOPELESS: Final = (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.PERMISSION_DENIED)
_HASH: Final = 16
"""Hexadecimal digits that tell apart onboardings of targets with one name."""
LOOKED_FOR: Final = timedelta(seconds=10)
"""How long an attempt waits for the operation to begin; the next one looks again."""
_NOT_OURS_TO_LOOK: Final = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.UNIMPLEMENTED)


def onboarding_id(key: str, target: str) -> str:
    """The id of the onboarding that the hand-off of this key starts: readable, and unique to the target."""
    name = re.sub(r"[^A-Za-z0-9_-]", "-", target)[: ID_AT_MOST - _HASH - 1]
    return f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:_HASH]}"


def workflow_id(reference: str, target: str) -> str:
    """The id of another team's workflow: `<request>.<target>`; the target has no dot."""
    return f"{reference}.{target}"


@dataclass(frozen=True)
class StartTargets:
    """`policies` is the catalogue, read anew for each onboarding like the files beside it."""

    client: Client
    store: Store
    directory: Directory
    policies: Path
    now: Clock = wall_clock

    async def start(self, target: Target, start: StartTarget, subject: Subject, news: Told) -> HandoffResult:
        """Start the workflow or find it started. Faults in a file are retried, since they can be corrected."""
        try:
            if start.workflow:
                await self._start_workflow(target, start.workflow, start.queue or "", subject, news)
            else:
                fields = {form_field.place: form_field.text for form_field in start.fields}
                await self._start_onboarding(target, start.onboarding or "", fields, subject, news)
        except launch.IdTaken:
            # The id cannot be taken by others: the first attempt started it from a file that has changed since.
            pass
        except (launch.BrokenOff, _NotOurs, _Endless) as lost:
            return HandoffResult(target=target.target, ok=False, gone=True, why=str(lost))
        except FileFaults as faults:
            return HandoffResult(target=target.target, ok=False, why=faults.in_short)
        except RPCError as error:
            hopeless = error.status in _HOPELESS
            return HandoffResult(target=target.target, ok=False, gone=hopeless, why=f"Temporal: {error.status.name}")
        return HandoffResult(target=target.target, ok=True)

    async def _start_workflow(self, target: Target, type_: str, queue: str, subject: Subject, news: Told) -> None:
        id = workflow_id(subject.reference, target.target)
        try:
            await self.client.start_workflow(
                type_,
                data_of(news),
                id=id,
                task_queue=queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                rpc_timeout=DEADLINE,
            )
        except WorkflowAlreadyStartedError:
            if (other_type := (await executions.described(self.client, id)).type) != type_:
                raise _NotOurs(f"{id} is the id of a {other_type} already") from None

    async def _start_onboarding(
        self, target: Target, name: str, fields: Mapping[str, str], subject: Subject, news: Told
    ) -> None:
        if subject.depth >= DEPTH_AT_MOST:
            raise _Endless(f"{name} would be started by a circle: {DEPTH_AT_MOST} onboardings have started each other")
        id = onboarding_id(handoff_key(subject.reference, target.target), target.target)
        try:
            file = await asyncio.to_thread(kick_off_file, self.policies.parent, name, fields)
            values = {**await self._values(places_in(file), subject, news), **fields}
            prepared = await self._prepared(kick_off(file, id, values), subject.depth + 1)
            await admit(prepared).start(self.client, self.store)
        except FileFaults as faults:
            # An earlier attempt may have started it while the file was valid.
            await launch.recognise(self.client, self.store, WorkflowName(Kind.ONBOARDING, id), "", faults)

    async def _prepared(self, file: PlainFile, depth: int) -> PreparedOnboarding:
        intake = Intake.from_policies_file(self.policies, self.directory, self.now)
        prepared: PreparedOnboarding = (await intake.check(Kind.ONBOARDING, file)).prepared
        onboarding_input = prepared.workflow_input
        return replace(
            prepared,
            workflow_input=onboarding_input.replace(onboarding=onboarding_input.onboarding.replace(depth=depth)),
        )

    async def _values(self, placeholders: frozenset[str], subject: Subject, news: Told) -> Mapping[str, str]:
        """Values for these placeholders; empty for unknown persons or facts."""
        facts: dict[str, Any] = {
            "id": subject.id,
            "kind": subject.kind,
            "title": subject.title,
            "requester": subject.requester,
            "outcome": news.outcome.value if isinstance(news, EndedFacts) else ESCALATED,
        }
        people = {placeholder: reference for placeholder in placeholders if (reference := person_of(placeholder))}
        return {
            **facts,
            **{
                placeholder: await self._read_attribute(number, attribute, subject)
                for placeholder, (number, attribute) in people.items()
            },
        }

    async def _read_attribute(self, number: int, attribute: str | None, subject: Subject) -> str:
        if number > len(subject.people):
            return ""
        id = subject.people[number - 1].person
        if attribute is None:
            return id
        try:
            person = await self.directory.person(id, subject.workflow_id)
        except UnknownPerson:
            return ""
        return str(getattr(person, attribute) or "")


@dataclass(frozen=True)
class NexusOperations:
    """Calls each operation once: a retry finds the first attempt's call."""

    client: Client
    looked_for: timedelta = LOOKED_FOR

    async def call(self, target: Target, operation: NexusOperation, subject: Subject, news: Told) -> HandoffResult:
        """Done once the operation has started, in any attempt; dead when its handler refuses it."""
        key = key_of(target, subject.reference)
        order = OperationOrder(operation=operation, told=news, key=key)
        try:
            # A workflow that names a missing endpoint would be stuck.
            if not await self._is_there(operation.endpoint):
                return _not_done(target, f"there is no Nexus endpoint {operation.endpoint}")
            return await self._await_start(target, await self._start(order))
        except WorkflowAlreadyStartedError:
            return HandoffResult(target=target.target, ok=True)
        except RPCError as error:
            return _not_done(target, f"Temporal: {error.status.name}")

    async def _start(self, order: OperationOrder) -> WorkflowHandle[object, object]:
        return await self.client.start_workflow(
            names.NEXUS_CALL,
            order,
            id=names.nexus_call_workflow_id(order.key),
            # That of a campaign for its members: theirs take nothing of requests.
            task_queue=activity.info().task_queue if activity.in_activity() else names.WORKFLOW_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            execution_timeout=2 * OPERATION_TAKEN_WITHIN,
            rpc_timeout=self.looked_for,
        )

    async def _await_start(self, target: Target, call: WorkflowHandle[object, object]) -> HandoffResult:
        try:
            await asyncio.wait_for(call.result(), self.looked_for.total_seconds())
        except TimeoutError:
            return _not_done(target, "nobody has taken the operation yet")
        except WorkflowFailureError as failure:
            return _result_of_failure(target, failure)
        return HandoffResult(target=target.target, ok=True)

    async def _is_there(self, endpoint: str) -> bool:
        try:
            answer = await self.client.operator_service.list_nexus_endpoints(ListNexusEndpointsRequest(name=endpoint))
        except RPCError as error:
            if error.status in _NOT_OURS_TO_LOOK:
                return True
            raise
        return bool(answer.endpoints)


class _NotOurs(Exception):
    """Another starter has taken the workflow id."""


class _Endless(Exception):
    """Onboardings would start each other in a circle."""


def _result_of_failure(target: Target, failure: WorkflowFailureError) -> HandoffResult:
    """The result by type of refusal: the handler's text may name people."""
    cause = failure.cause.cause if isinstance(failure.cause, NexusOperationError) else None
    if isinstance(cause, HandlerError):
        return _not_done(target, f"its handler: {cause.type.value}", is_final=not cause.retryable)
    if isinstance(cause, ApplicationError):
        return _not_done(target, "the operation has failed", is_final=True)
    return _not_done(target, "nobody has taken the operation in time")


def _not_done(target: Target, reason: str, *, is_final: bool = False) -> HandoffResult:
    return HandoffResult(target=target.target, ok=False, gone=is_final, why=reason)
