"""The search attributes of our workflows: created once per namespace, checked before a worker starts."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from workflows.names import SEARCH_ATTRIBUTES

NOT_OURS_TO_MAKE: Final = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.UNIMPLEMENTED)

REPORTED: Final = SearchAttributeKey.for_keyword_list("TemporalReportedProblems")
"""The server's own, set after five failed workflow tasks in a row, within one or two minutes."""
STUCK: Final = f"ExecutionStatus = 'Running' AND {REPORTED.name} IS NOT NULL"


class SetUpResult(StrEnum):
    EXISTS = "exists"
    CREATED = "created"
    MENDED = "mended"
    NOT_PERMITTED = "not permitted"
    OTHER_TYPE = "exists with another type"
    FAILED = "failed"

    @property
    def usable(self) -> bool:
        return self in (SetUpResult.EXISTS, SetUpResult.CREATED, SetUpResult.MENDED)


@dataclass(frozen=True)
class SetUp:
    """Something created or found; `says` explains a failure and what to do."""

    name: str
    made: SetUpResult
    says: str = ""


async def ensure_search_attributes(client: Client) -> tuple[SetUp, ...]:
    """Create the missing ones in the client's namespace; each has its own result."""
    existing = await _existing(client)
    return tuple([await _ensured(client, key, existing) for key in SEARCH_ATTRIBUTES])


async def missing_search_attributes(client: Client) -> tuple[str, ...]:
    """Names missing or of another type."""
    existing = await _existing(client)
    return tuple(key.name for key in SEARCH_ATTRIBUTES if existing.get(key.name) != _type(key))


def _type(key: SearchAttributeKey[Any]) -> int:
    return int(key.indexed_value_type)


async def _existing(client: Client) -> dict[str, int]:
    """Each with its type. Without permission to list them a query tells whether there is one, and nothing of its type:
    in Temporal Cloud they are made by other means.
    """
    try:
        answer = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError as error:
        if error.status not in NOT_OURS_TO_MAKE:
            raise
        return {key.name: _type(key) for key in SEARCH_ATTRIBUTES if await _answers(client, key.name)}
    return {name: int(kind) for name, kind in answer.custom_attributes.items()}


async def _answers(client: Client, name: str) -> bool:
    """Whether the server knows what the query is about; where it answers no query, that is left to the worker."""
    try:
        await client.count_workflows(f"{name} IS NOT NULL")
    except RPCError as error:
        return error.status is not RPCStatusCode.INVALID_ARGUMENT
    return True


async def _ensured(client: Client, key: SearchAttributeKey[Any], existing: dict[str, int]) -> SetUp:
    if key.name in existing:
        if existing[key.name] == _type(key):
            return SetUp(key.name, SetUpResult.EXISTS)
        return SetUp(key.name, SetUpResult.OTHER_TYPE, "use another namespace, or remove the attribute there")
    type_by_name = {key.name: IndexedValueType.ValueType(_type(key))}
    request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=type_by_name)
    try:
        await client.operator_service.add_search_attributes(request)
    except RPCError as error:
        return _describe_refusal(key.name, error)
    return SetUp(key.name, SetUpResult.CREATED)


def _describe_refusal(name: str, error: RPCError) -> SetUp:
    if error.status == RPCStatusCode.ALREADY_EXISTS:
        return SetUp(name, SetUpResult.EXISTS)
    if error.status in NOT_OURS_TO_MAKE:
        return SetUp(
            name,
            SetUpResult.NOT_PERMITTED,
            "have it made by whoever runs the namespace; in Temporal Cloud: docs/cluster.md#cloud",
        )
    return SetUp(name, SetUpResult.FAILED, error.message)
