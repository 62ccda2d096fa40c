"""Calls that were made by released code are taken and answered by today's: each payload of the corpus is read.

A replay reads the answers only; the inputs are read by workers that may be newer, or older, than who asked.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payloads
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter

from tests.golden.boundary import answers, questions
from tests.workflows import corpus
from workflows.campaign.state import CampaignInput
from workflows.hand_off.state import ReplayInput
from workflows.model.absence import AbsenceOrder
from workflows.model.campaign import Series
from workflows.model.hand_off import ImmediateHandOff, OperationOrder, SettledRequest, SettledTask
from workflows.model.notifications import Delivery, SignInOrder
from workflows.model.reconciliation import Reconciliation
from workflows.model.retention import RetentionOrder
from workflows.model.signature import ProviderEvent
from workflows.names import (
    ABSENCE_TOLD,
    BULK_NOTICE,
    CAMPAIGN,
    CAMPAIGN_OPENING,
    CUSTOMER_ONBOARDING,
    HAND_OFF,
    HAND_OFF_NOW,
    NEXUS_CALL,
    PROVIDER_EVENT,
    RECONCILIATION,
    RETENTION,
    SIGN_IN,
    SIGNATURE_REQUEST,
    SIGNATURE_SETTLED,
    TASK,
    TASK_SETTLED,
)
from workflows.onboarding.state import OnboardingInput
from workflows.signature.state import SignatureInput
from workflows.task.state import TaskInput

QUESTIONS, ANSWERS = questions(), answers()
INPUTS: dict[str, Any] = {
    SIGNATURE_REQUEST: SignatureInput,
    TASK: TaskInput,
    CUSTOMER_ONBOARDING: OnboardingInput,
    CAMPAIGN: CampaignInput,
    CAMPAIGN_OPENING: Series,
    RECONCILIATION: Reconciliation,
    HAND_OFF: ReplayInput,
    NEXUS_CALL: OperationOrder,
    BULK_NOTICE: Delivery,
    SIGN_IN: SignInOrder,
    ABSENCE_TOLD: AbsenceOrder,
    RETENTION: RetentionOrder,
}
SIGNALS = {
    PROVIDER_EVENT: ProviderEvent,
    SIGNATURE_SETTLED: SettledRequest,
    TASK_SETTLED: SettledTask,
    HAND_OFF_NOW: ImmediateHandOff,
}
RELEASED = sorted(path for path in corpus.FOLDER.glob("*.json.gz") if not path.name.startswith("bad-"))


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.name.removesuffix(".json.gz"))
async def test_every_payload_is_still_read(path: Path) -> None:
    read = [
        value
        for payloads, kind in _payloads(corpus.load(path))
        for value in await pydantic_data_converter.decode(payloads.payloads, [kind])
    ]
    assert read


def _payloads(history: WorkflowHistory) -> Iterator[tuple[Payloads, Any]]:
    activity_types: dict[int, str] = {}
    for event in history.events:
        if event.HasField("workflow_execution_started_event_attributes"):
            started = event.workflow_execution_started_event_attributes
            yield started.input, INPUTS[started.workflow_type.name]
        elif event.HasField("workflow_execution_signaled_event_attributes"):
            signal = event.workflow_execution_signaled_event_attributes
            yield signal.input, SIGNALS[signal.signal_name]
        elif event.HasField("activity_task_scheduled_event_attributes"):
            call = event.activity_task_scheduled_event_attributes
            activity_types[event.event_id] = call.activity_type.name
            yield call.input, QUESTIONS[call.activity_type.name]
        elif event.HasField("activity_task_completed_event_attributes"):
            answer = event.activity_task_completed_event_attributes
            yield answer.result, ANSWERS[activity_types[answer.scheduled_event_id]]
