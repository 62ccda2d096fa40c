"""What comes with an operation becomes a request like any other, or is refused by the names of its fields."""

import base64
import uuid
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import nexusrpc
import pytest
from temporalio.service import RPCError, RPCStatusCode

from activities.files.reading import TOLD_AT_MOST, FileFaults
from activities.launch.doors import CheckContext
from activities.launch.request_file import RequestFile, SignerEntry, prepare_request
from activities.policies.policy_file import EscalationLayer, PolicyLayer
from starter.cli.doctor.health import PartHealth
from starter.cli.doctor.temporal import nexus
from starter.nexus import contract
from starter.nexus import service as given
from starter.nexus.endpoint import ensure_endpoint
from starter.nexus.service import UnvalidatedSignatures, of_settled
from starter.temporal.search_attributes import SetUpResult
from tests.activities.launch.papers import NOW, REQUEST, Desk
from tests.faults.population import PDF
from tests.servers import own_namespace
from workflows.model.hand_off import SettledRequest, SettledSigner

WHOLE = {"kind": "customer-contract", "document": {"name": "Agreement", "pdf": base64.b64encode(PDF).decode()}}


def test_a_document_that_comes_along_is_the_one_of_the_file() -> None:
    file, documents = given.read(dict(WHOLE))
    assert file.plain == {**WHOLE, "document": {"name": "Agreement", "file": "document.pdf"}}
    assert documents.read(file.folder, "document.pdf") == PDF


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"document": {"name": "x", "pdf": "no base64!"}}, "document.pdf: must be a PDF in base64"),
        ({"document": {"name": "x", "pdf": 7}}, "document.pdf: must be a PDF in base64"),
        ({"document": {"name": "x", "pdf": ""}}, "document.pdf: is an empty file"),
        ({"document": {"name": "x", "pdf": "aGVsbG8="}}, "document.pdf: is not a PDF file"),
        ({"document": {"pdf": WHOLE["document"]["pdf"]}}, "document.name: is missing"),  # type: ignore[index]
        ({"document": {"name": "x", "file": "/etc/passwd"}}, "document.file: no file comes with an operation"),
        ({"signers": [{"person": "a"}, {"email": "b@c.test"}]}, "signers[1]: must be a person of the directory"),
        ({"subscribers": ["their-workflow"]}, "subscribers: cannot be given here"),
        ({"policy": {"handoff": []}}, "policy.handoff: cannot be given here"),
    ],
)
def test_what_no_operation_may_bring_is_refused_by_its_field(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(FileFaults) as refused:
        given.read({**WHOLE, **changed})
    assert given.own_faults(refused.value).startswith(message)


async def _start_refused(desk: Desk, **changed: Any) -> str:
    """What a caller is told of a request that differs in this from one that is right."""
    request_fields = {key: value for key, value in REQUEST.items() if key != "document"}
    with pytest.raises(FileFaults) as refused:
        file, documents = given.read({**request_fields, "document": WHOLE["document"], **changed})
        await prepare_request(file, CheckContext(desk.catalogue, desk.directory, NOW, documents))
    return given.own_faults(refused.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kind": "customer-contrac"}, "kind: no kind of catalogue"),
        ({"requester": "legal-desc"}, "requester: not in directory"),
        ({"signers": [{"person": "customer-signe"}]}, "signers[0].person: not in directory"),
        (
            {"policy": {"escalation": {"after": "2d", "to": ["alternates"], "alternates": ["chief-executiv"]}}},
            "policy.escalation.alternates[0]: not in directory",
        ),
        ({"policy": {"windo": "3d"}}, "policy: unknown field"),
        ({"policy": {"legal.desk.windo": "3d"}}, "policy: unknown field"),
        ({"windo": "3d"}, "request: unknown field"),
        ({"signers": [{"person": "chair"}] * 2}, "signers[1].person: signer twice"),
        ({"signers": [{"person": "chair", "role": "sing"}]}, "signers[0].role: must be one of 'sign', 'approve'"),
        ({"signers": []}, "signers: needs at least 1"),
        ({"due": "tomorrow"}, "due: must be a date such as 2026-12-11"),
        ({"policy": {"fallback_after": "60w"}}, "policy.fallback_after: passes due"),
        ({"policy": {"warnings": ["2d", "2d"]}}, "policy.warnings: given twice"),
        ({"message": 7}, "message: must be a text, not a number"),
    ],
)
async def test_a_fault_is_told_by_its_field_and_a_fixed_word(
    changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """What is nearly an id, a kind or a field gets no suggestion: it would tell who is in our directory."""
    fault_text = await _start_refused(Desk(tmp_path), **changed)
    assert fault_text.startswith(message)
    assert "\n" not in fault_text


async def test_no_fault_repeats_what_was_given_whatever_field_it_stands_in(tmp_path: Path) -> None:
    desk, canary = Desk(tmp_path), "Kanarienvogel"
    shapes: list[Any] = [canary, {canary: canary}, [canary], [{canary: canary}], [canary, canary]]
    for shape in shapes:
        changes: list[dict[str, Any]] = [{"policy": {name: shape}} for name in PolicyLayer.model_fields]
        changes += [{"policy": {"escalation": {name: shape}}} for name in EscalationLayer.model_fields]
        changes += [{"signers": [{"person": "chair", name: shape}]} for name in SignerEntry.model_fields]
        changes += [{"document": {"name": "x", name: shape}} for name in ("file", "template", "pdf")]
        changes += [{name: shape} for name in (*RequestFile.model_fields, canary) if name not in ("id", "message")]
        for changed in changes:
            if changed == {"prefill": {canary: canary}}:
                continue  # which is right
            assert canary not in await _start_refused(desk, **changed), changed


async def test_of_ten_times_as_many_faults_as_are_told_the_others_are_left_out(tmp_path: Path) -> None:
    signers: list[dict[str, str]] = [{} for _ in range(10 * TOLD_AT_MOST)]
    lines = (await _start_refused(Desk(tmp_path), signers=signers)).splitlines()
    assert (len(lines), lines[-1]) == (TOLD_AT_MOST + 1, "and 900 more")


def test_a_document_ten_times_too_large_is_refused_before_it_is_looked_at() -> None:
    large = base64.b64encode(PDF + bytes(10 * given.PDF_MEGABYTES_AT_MOST * 1024 * 1024)).decode()
    with pytest.raises(FileFaults, match=r"document.pdf: is 10.0 MB large, at most 1 MB can be sent"):
        given.read({**WHOLE, "document": {"name": "x", "pdf": large}})


def test_the_contract_says_of_a_settlement_what_the_hand_off_says() -> None:
    assert {field.name for field in fields(contract.Settlement)} == set(SettledRequest.model_fields) - {"link"} | {
        "signed_sha256"
    }
    assert {field.name for field in fields(contract.Signer)} == set(SettledSigner.model_fields)
    settled = SettledRequest.model_validate(
        {
            "request": "msa",
            "external_id": "msa",
            "kind": "customer-contract",
            "outcome": "signed",
            "at": "2026-11-27T21:00:00Z",
            "signers": [{"person": "anna", "state": "signed"}],
        }
    )
    settlement = of_settled(settled)
    assert (settlement.request, settlement.at, settlement.signers) == (
        "msa",
        "2026-11-27T21:00:00Z",
        [contract.Signer("anna", "signed")],
    )


def test_the_service_that_is_at_work_is_the_one_of_the_contract() -> None:
    [promised, served] = [
        nexusrpc.get_service_definition(service) for service in (contract.Signatures, UnvalidatedSignatures)
    ]
    assert promised is not None and served is not None
    assert promised.name == served.name
    assert {name: operation.output_type for name, operation in promised.operation_definitions.items()} == {
        name: operation.output_type for name, operation in served.operation_definitions.items()
    }


@pytest.mark.real_server
async def test_the_endpoint_is_made_once_and_one_that_leads_elsewhere_is_left_alone(dev_server: str) -> None:
    """`init` may be repeated; `doctor` says in a row of its own how it stands."""
    own_client, other_client = await own_namespace(dev_server), await own_namespace(dev_server)
    name = f"e-{uuid.uuid4().hex[:12]}"
    assert (await nexus(own_client, name)).says.startswith(f"no endpoint {name}: run `countersign init`")
    outcomes = [(await ensure_endpoint(own_client, name)).made for _ in range(2)]
    assert outcomes == [SetUpResult.CREATED, SetUpResult.EXISTS]
    assert (await nexus(own_client, name)).state is PartHealth.OK
    refused, part = await ensure_endpoint(other_client, name), await nexus(other_client, name)
    assert (refused.made, part.state) == (SetUpResult.FAILED, PartHealth.WARNING)
    assert f"leads to queue countersign of {own_client.namespace}" in refused.says
    assert (await nexus(own_client, name)).state is PartHealth.OK


@pytest.mark.real_server
@pytest.mark.parametrize("call", ["list_nexus_endpoints", "create_nexus_endpoint"])
async def test_where_nobody_may_make_an_endpoint_it_is_said_and_hinders_nothing(
    dev_server: str, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in Temporal Cloud, whose endpoints are made by another interface."""

    async def refused(*arguments: Any, **options: Any) -> NoReturn:
        raise RPCError("Request unauthorized.", RPCStatusCode.PERMISSION_DENIED, b"")

    client, name = await own_namespace(dev_server), f"e-{uuid.uuid4().hex[:12]}"
    monkeypatch.setattr(client.operator_service, call, refused)
    result = await ensure_endpoint(client, name)
    assert result.made is SetUpResult.NOT_PERMITTED
    assert result.says == "only for workflows of other teams: docs/nexus.md says who makes it"
    assert (await nexus(client, name)).state is PartHealth.WARNING
