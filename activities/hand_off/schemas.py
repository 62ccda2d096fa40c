"""The JSON Schemas of the events that targets receive (docs/schemas/, and the API's description of itself)."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from activities.hand_off.http_call import Personal, PersonalAnswer, PersonalField, PersonalTitle, people_in
from workflows.kinds import Kind
from workflows.model import hand_off
from workflows.model.subject import Status

EVENTS: Final[Mapping[str, type[BaseModel]]] = {
    Kind.REQUEST.spec.event: hand_off.SettledRequest,
    Kind.TASK.spec.event: hand_off.SettledTask,
    Kind.ONBOARDING.spec.event: hand_off.SettledOnboarding,
    Kind.CAMPAIGN.spec.event: hand_off.SettledCampaign,
    Kind.REQUEST.spec.escalated_event: hand_off.EscalatedRequest,
    Kind.TASK.spec.escalated_event: hand_off.EscalatedTask,
}
"""The model of each event's data."""


def schema(event: str) -> dict[str, Any]:
    """The schema of an event's data, with what `personal` and links of files add, which may be missing."""
    document = _schema_of(EVENTS[event])
    fields, parts = document["properties"], document["$defs"]
    fields["version"] = {"const": EVENTS[event].model_fields["version"].default}
    if "outcome" in fields:
        fields["outcome"] = {"enum": [status for status in parts.pop("Status")["enum"] if Status(status).has_ended]}
    fields |= _schema_of(PersonalTitle)["properties"]
    if event == Kind.REQUEST.spec.event:
        fields["signed_sha256"] = fields["document_sha256"]
        document["required"].append("signed_sha256")
        fields["fields"] = {"type": "array", "items": _schema_of(PersonalField)}
        parts["KeptFile"]["properties"] |= {
            "url": {"type": "string", "format": "uri"},
            "expires_at": {"type": "string", "format": "date-time"},
        }
    if event == Kind.TASK.spec.event:
        fields["answer"] = _schema_of(PersonalAnswer)
    if people_key := people_in(fields):
        person = parts[fields[people_key]["items"]["$ref"].rpartition("/")[2]]
        person["properties"] |= {name: {"type": "string"} for name in Personal.model_fields}
    return {"$schema": GenerateJsonSchema.schema_dialect, **document, "title": f"The data of {event}"}


class _SentFields(GenerateJsonSchema):
    """Every field is always sent, also where it has its default."""

    def field_is_required(
        self,
        field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
        total: bool,
    ) -> bool:
        return True

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        return {key: constraint for key, constraint in super().enum_schema(schema).items() if key in ("enum", "type")}


def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(mode="serialization", schema_generator=_SentFields)
