"""The description of the API (OpenAPI 3.1): what FastAPI says of the routes, with the shapes of the files that starts
take, links from a start to its commands, and the events under `webhooks`.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from activities.files.reading import FileModel
from activities.hand_off.schemas import EVENTS, schema
from activities.launch.request_file import RequestFile
from activities.launch.task_file import TaskFile
from activities.onboarding.file import StageEntry
from starter.boot.processes import release
from starter.web.api.kinds import API_COMMANDS, EXAMPLES, FILES
from starter.web.api.problems import ProblemDetails
from starter.web.api.starting import FILE, WHOLE, RevisionBody
from workflows.kinds import Kind

Schema = dict[str, Any]
_REF: Final = "#/components/schemas/{model}"
_BYTES: Final[Schema] = {
    "base64": {"type": "string", "contentEncoding": "base64", "description": "The PDF itself, at most 1 MB"},
    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "Of a PDF that was uploaded before"},
}
"""How a document is named beside `file`, which is a part of the body, and `template`."""
_ID_OF_PART: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,48}$"}
_OF_STAGES: Final[Mapping[str, tuple[type[FileModel], tuple[str, ...], Schema]]] = {
    "agreements": (RequestFile, ("kind", "document", "signers"), {}),
    "tasks": (TaskFile, ("title",), {"team": {"type": "string"}, "tell_customer": {"type": "boolean"}}),
    "steps": (TaskFile, ("title",), {"delegate": {"type": "boolean"}}),
}
"""The parts of a stage: the file of each, what it needs, and what else it takes."""
REVISION_BODY: Final[Schema] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": _REF.format(model=RevisionBody.__name__)}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {FILE: {"type": "string", "format": "binary"}, "changes": {"type": "string"}},
                    "required": [FILE],
                }
            },
        },
    }
}
"""The body of a new version: the PDF as a part, or as JSON names it."""


def start_body(kind: Kind) -> Schema:
    """The body of a start, as JSON or with its files."""
    shape = {"$ref": _REF.format(model=FILES[kind].__name__)}
    file = {"type": "string", "format": "binary"}
    parts = {"type": "object", "properties": {WHOLE: shape}, "required": [WHOLE], "additionalProperties": file}
    content = {
        "application/json": {"schema": shape, "example": EXAMPLES[kind]},
        "multipart/form-data": {"schema": parts, "encoding": {WHOLE: {"contentType": "application/json"}}},
    }
    return {"requestBody": {"required": True, "content": content}}


def description_of(app: FastAPI, root: str) -> Schema:
    """The description of these routes below `root`."""
    description = get_openapi(
        title="Countersign",
        version=release(),
        openapi_version="3.1.0",
        summary="Signature requests, tasks, onboardings and campaigns as durable workflows",
        routes=app.routes,
    )
    description["servers"] = [{"url": root}]
    parts = description.setdefault("components", {})
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    parts["schemas"] = {**_schemas_of((ProblemDetails, RevisionBody)), **parts["schemas"], **_start_schemas()}
    description["security"] = [{"token": []}]
    for kind in API_COMMANDS:
        actions = ("show", *API_COMMANDS[kind])
        links = {
            action: {"operationId": f"{kind}_{action}", "parameters": {"id": "$response.body#/id"}}
            for action in actions
        }
        description["paths"][f"/{kind.spec.desk}"]["post"]["responses"]["201"]["links"] = links
    description["webhooks"] = {}
    for event in EVENTS:
        data, models = _event_schemas(event)
        description["webhooks"][event] = _webhook(event, data)
        parts["schemas"] |= models
    for name, model in parts["schemas"].items():
        _prepare_for_generators(name, model)
    return description


def _prepare_for_generators(name: str, model: Schema) -> None:
    """Generators of clients name a class by the title, and read no default that is an object."""
    model["title"] = name
    for field in model.get("properties", {}).values():
        if isinstance(field.get("default"), dict):
            del field["default"]


def _schemas_of(models: Iterable[Any]) -> Schema:
    """Their schemas, and of what they are made of, by name."""
    schemas: Schema = {}
    for model in models:
        model_schema = model.model_json_schema(ref_template=_REF)
        schemas |= {**model_schema.pop("$defs", {}), model.__name__: model_schema}
    return schemas


def _start_schemas() -> Schema:
    schemas = _schemas_of(FILES.values())
    for file_schema in schemas.values():
        if {"file", "template"} <= file_schema.get("properties", {}).keys():
            file_schema["properties"] |= _BYTES
    stage = schemas[StageEntry.__name__]["properties"]
    for parts, (model, required, further_fields) in _OF_STAGES.items():
        file = schemas[model.__name__]
        name = f"{parts.removesuffix('s').capitalize()}OfStage"
        schemas[name] = {
            **file,
            "title": name,
            "properties": {**file["properties"], **further_fields, "id": _ID_OF_PART},
            "required": [*required],
        }
        stage[parts]["items"] = {"$ref": _REF.format(model=name)}
    return schemas


def _event_schemas(event: str) -> tuple[Schema, Schema]:
    """The schema of an event's data, and those that it refers to, by names that begin with the event's."""
    text = json.dumps(schema(event)).replace('"#/$defs/', f'"{_REF.format(model=event)}.')
    data: Schema = json.loads(text)
    data.pop("$schema")
    return data, {f"{event}.{name}": model for name, model in data.pop("$defs").items()}


def _webhook(event: str, data: Schema) -> Schema:
    """The call that a target of the hand-off gets."""
    body = {
        "type": "object",
        "properties": {"type": {"const": event}, "timestamp": {"type": "string", "format": "date-time"}, "data": data},
        "required": ["type", "timestamp", "data"],
    }
    return {
        "post": {
            "summary": f"{event}, signed by Standard Webhooks (docs/hand-off.md)",
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": {"2XX": {"description": "Heard"}},
        }
    }
