"""What crosses a boundary of the workflow, found by asking the code: every message, input and result, and its parts."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel
from temporalio import workflow

from starter.temporal.plugin import workflows
from workflows.model.hand_off import EndedFacts, EscalationData
from workflows.model.records import SettledRecord
from workflows.model.views import FollowUpShow
from workflows.ports import Port

_ACTIVITY_NAME = "__port_activity_name__"
ELSEWHERE = (SettledRecord,)
"""What outlives the code in the store instead of in a history."""


def questions() -> dict[str, Any]:
    """The input model of every activity, by the activity's name."""
    return {name: next(iter(get_type_hints(method).values())) for name, method in _activities()}


def answers() -> dict[str, Any]:
    """What every activity returns, by its name."""
    return {name: get_type_hints(method)["return"] for name, method in _activities()}


def boundary_models() -> list[type[BaseModel]]:
    """The models that Temporal or the store keeps, by name; what they are made of is not listed."""
    hinted_models = {
        model for method in _methods() for hint in get_type_hints(method).values() for model in models_in(hint)
    }
    return sorted({*hinted_models, *ELSEWHERE}, key=lambda model: model.__name__)


def parts(model: type[BaseModel]) -> set[type[BaseModel]]:
    """A model and all models inside it."""
    inner_models: set[type[BaseModel]] = set()
    waiting = [model]
    while waiting:
        inner_model = waiting.pop()
        if inner_model not in inner_models:
            inner_models.add(inner_model)
            waiting += [inner for field in inner_model.model_fields.values() for inner in models_in(field.annotation)]
    return inner_models


def enumerations(model: type[BaseModel]) -> set[type[StrEnum]]:
    """The enumerations whose values a model, or a model inside it, carries."""
    fields = [field for part in parts(model) for field in part.model_fields.values()]
    return {kind for field in fields for kind in _types(field.annotation) if issubclass(kind, StrEnum)}


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models an annotation names, also inside tuples and unions."""
    return (kind for kind in _types(annotation) if issubclass(kind, BaseModel))


def of_all_kinds(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The models of our kinds, where a field has the one of any kind."""
    return [subclass for subclass in model.__subclasses__() if subclass.__module__.startswith("workflows.")]


def _types(annotation: Any) -> Iterator[type[Any]]:
    if annotation in (FollowUpShow, EndedFacts, EscalationData):
        yield from of_all_kinds(annotation)
    elif isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for inner in get_args(annotation):
        yield from _types(inner)


def _methods() -> Iterator[Any]:
    for followed_up in (
        workflow_class for workflow_class in workflows() if workflow_class.__module__.startswith("workflows.")
    ):
        messages = workflow._Definition.must_from_class(followed_up)
        yield messages.run_fn
        for kind in (messages.signals, messages.queries, messages.updates):
            yield from (message.fn for message in kind.values() if message.name)
    yield from (method for _, method in _activities())


def _activities() -> Iterator[tuple[str, Any]]:
    """Of every port, wherever it is declared; what implements one inherits the names."""
    for method in (method for port in Port.__subclasses__() for method in vars(port).values()):
        if name := getattr(method, _ACTIVITY_NAME, None):
            yield name, method
