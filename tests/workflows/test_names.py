"""Names are data that histories, other programs and operators rely on: changing one is a break, not a refactoring."""

import ast
from pathlib import Path

from workflows import names, ports
from workflows.kinds import Kind
from workflows.ports import Port


def test_names_are_pinned() -> None:
    assert Kind.REQUEST.workflow_id("msa-0042") == "signature-request:msa-0042"
    assert (names.sign_in_workflow_id("chair", "a1"), names.SIGN_IN) == ("sign-in:chair:a1", "SignIn")
    assert names.sign_in_used_workflow_id("chair", "a1") == "sign-in-used:chair:a1"
    assert (names.nexus_call_workflow_id("a/handoff/b"), names.NEXUS_CALL) == ("nexus-call:a/handoff/b", "NexusCall")
    assert names.MEMO_ORIGIN == "origin"
    assert (names.absence_workflow_id("a1", back=False), names.ABSENCE_TOLD) == ("absence:a1:away", "Absence")
    assert (names.absence_workflow_id("a1", back=True), names.ABSENCE) == ("absence:a1:back", "absence")
    assert names.notice_key("msa-0042", "reminder-3", "chair") == "msa-0042/reminder-3/chair"
    assert names.handoff_key("msa-0042", "finance") == "msa-0042/handoff/finance"
    assert (names.WORKFLOW_QUEUE, names.SIGNATURE_QUEUE) == ("countersign", "countersign-core-signature")
    assert (names.URGENT_SIGNATURE_QUEUE, names.URGENT) == ("countersign-core-signature-urgent", 1)
    assert names.EVIDENCE_QUEUE == "countersign-evidence"
    assert (names.CAMPAIGN_QUEUE, names.SWEEP_QUEUE) == ("countersign-campaigns", "countersign-reconciliation")
    assert names.BATCH_QUEUE == "countersign-batches"
    assert (names.SIGNATURE_REQUEST, names.PROVIDER_EVENT) == ("SignatureRequest", "provider_event")
    assert names.ACKNOWLEDGEMENT_CAMPAIGN == "acknowledgement-campaign"
    assert (names.CAMPAIGN_OPENING, names.OPENING_PREFIX) == ("CampaignOpening", "campaign-opening")
    assert (names.RECONCILIATION, names.RECONCILIATION_SCHEDULE) == ("Reconciliation", "reconciliation")
    assert (names.RETENTION, names.RETENTION_SCHEDULE) == ("Retention", "retention")
    assert (names.RECONCILIATION_NOW, names.BULK) == ("reconciliation-now", 5)
    assert (names.SIGNATURE_SETTLED, names.SHOW, names.PLANNING) == ("signature_settled", "show", "planning")
    assert (names.CANCEL, names.REMIND, names.DELEGATE, names.EXTEND) == ("cancel", "remind", "delegate", "extend")
    assert (names.PAUSE, names.RESUME, names.SNOOZE) == ("pause", "resume", "snooze")
    assert (names.ASK, names.ANSWER, names.OPERATION) == ("ask", "answer", "operation")
    assert (names.DONE, names.WAIVE, names.BLOCK, names.UNBLOCK) == ("done", "waive", "block", "unblock")
    assert (names.SUBSCRIBE, names.UNSUBSCRIBE, names.REPLAY) == ("subscribe", "unsubscribe", "replay")
    assert [key.name for key in names.SEARCH_ATTRIBUTES] == [
        "CsStatus", "CsKind", "CsParent", "CsStage", "CsProblem", "CsDueAt",
        "CsRequester", "CsWaitingFor", "CsTurnAt", "CsHandoff", "CsTeams",
    ]  # fmt: skip


def test_no_message_has_its_name_from_a_method_that_somebody_may_rename() -> None:
    decorators = [
        (f"{file.name}: {node.name}", decorator)
        for file in Path(names.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for decorator in node.decorator_list
        if ast.unparse(decorator).startswith(("command_update", "workflow.update", "workflow.signal", "workflow.query"))
    ]
    assert len(decorators) > 20
    assert [place_in_code for place_in_code, decorator in decorators if not _is_named(decorator)] == []


def _is_named(decorator: ast.expr) -> bool:
    """Whether it says `name=` with a constant of `workflows/names.py`."""
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    named = [ast.unparse(keyword.value).removeprefix("names.") for keyword in keywords if keyword.arg == "name"]
    return any(isinstance(getattr(names, name, None), str) for name in named)


def test_activity_names_are_pinned() -> None:
    declared = {
        getattr(method, "__port_activity_name__")  # noqa: B009
        for port in Port.__subclasses__()
        if port.__module__ == ports.__name__
        for method in vars(port).values()
        if hasattr(method, "__port_activity_name__")
    }
    assert declared == {
        "create_signature_request", "observe_document", "cancel_signature_request", "forward_signer",
        "deliver_notices", "plan_schedule", "check_stand_in", "hand_off", "read_hand_off", "send_sign_in",
            "withdraw_sign_in", "start_parts", "read_parts", "end_parts",
            "freeze_audience", "run_batch", "change_audience", "check_audience", "settle_audience",
            "open_year", "reconcile_events", "keep_evidence", "apply_retention", "notify_of_absence",
    }  # fmt: skip
