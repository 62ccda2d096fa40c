"""Merges policy layers, and records the layer of each value. Maps merge, lists replace, `null` removes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from workflows.model.policy import Policy

DEFAULT: Final = "default"
REQUEST: Final = "request"
_DEFAULTS: Final[Mapping[str, Any]] = {"hours": "working"}
"""Below all layers, besides the model's defaults: no notices at night."""
_SHARE: Final = "60%"
_OFF: Final[Mapping[str, Any]] = {
    "reminders": None,
    "warnings": (),
    "overdue": None,
    "overdue.most": None,
    "snooze": 0,
    "self_delegate": False,
    "escalation": None,
    "escalation.or": None,
    "handoff": (),
    "fallback_after": None,
}
"""Values of `null` for these fields; other fields get their default."""

Layer: TypeAlias = tuple[str, Mapping[str, Any]]
"""A layer's name and its content, as in files."""


@dataclass(frozen=True)
class ResolvedPolicy:
    """A policy, its layers' names from the lowest, and the layer of each field."""

    policy: Policy
    layers: tuple[str, ...]
    sources: Mapping[str, str]

    def layer(self, field: str) -> str:
        """The layer of `reminders.first`; that of `reminders` if written as one."""
        while field not in self.sources and "." in field:
            field = field.rpartition(".")[0]
        return self.sources.get(field, DEFAULT)

    def rank(self, layer: str) -> int:
        """A layer's height; the request is above all, even without a layer of its own."""
        return len(self.layers) if layer == REQUEST else self.layers.index(layer)


def resolve(layers: Iterable[Layer]) -> ResolvedPolicy:
    merged: dict[str, Any] = {}
    sources: dict[str, str] = {}
    names = []
    for name, written in ((DEFAULT, _DEFAULTS), *layers):
        names.append(name)
        merged = _merge(merged, written)
        for field in _fields(written):
            for covered in [source_field for source_field in sources if source_field.startswith(f"{field}.")]:
                del sources[covered]
            sources[field] = name
    _second_trigger_first(merged, sources)
    return ResolvedPolicy(Policy.model_validate({**_DEFAULTS, **_without_nulls(merged)}), tuple(names), sources)


def without_trigger(layers: Iterable[Layer]) -> bool:
    """Whether there is an escalation without a trigger."""
    merged: dict[str, Any] = {}
    for _, written in layers:
        merged = _merge(merged, written)
    escalation = merged.get("escalation")
    return escalation is not None and escalation.get("after", ...) is None and escalation.get("or", ...) is None


def _second_trigger_first(merged: dict[str, Any], sources: dict[str, str]) -> None:
    """An escalation without its first trigger uses the second one, with that one's layer."""
    escalation = merged.get("escalation")
    if escalation is not None and escalation.get("after", ...) is None:
        merged["escalation"] = {**escalation, "after": escalation.get("or") or _SHARE, "or": None}
        first, second = "escalation.after", "escalation.or"
        sources[first], sources[second] = sources.get(second, DEFAULT), sources.get(first, DEFAULT)


def _without_nulls(merged: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in merged.items():
        field = f"{prefix}{key}"
        if isinstance(value, dict):
            fields[key] = _without_nulls(value, f"{field}.")
        elif value is not None or field in _OFF:
            fields[key] = _OFF[field] if value is None else value
    return fields


def _merge(lower_layer: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(lower_layer)
    for key, value in above.items():
        lower = merged.get(key)
        merged[key] = _merge(lower, value) if isinstance(lower, dict) and isinstance(value, Mapping) else value
    return merged


def _fields(written: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in written.items():
        if isinstance(value, Mapping) and value:
            yield from _fields(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
