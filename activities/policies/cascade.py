"""The cascade that makes one policy of layers, and remembers which layer each of its values comes from.

Maps merge, lists replace, `null` removes: what lower layers said of that field does not count.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from workflows.model.policy import Policy

DEFAULT: Final = "default"
REQUEST: Final = "request"
_DEFAULTS: Final[Mapping[str, Any]] = {"hours": "working"}
"""What no layer needs to say, beyond the defaults of the model: nobody is nudged at night."""
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
"""What `null` makes of these fields; it gives every other one back to its default."""

Layer: TypeAlias = tuple[str, Mapping[str, Any]]
"""A layer's name and what it says itself, as it is written in files."""


@dataclass(frozen=True)
class Resolved:
    """A policy, the names of its layers from the lowest, and by field the layer its value comes from."""

    policy: Policy
    layers: tuple[str, ...]
    sources: Mapping[str, str]

    def layer(self, field: str) -> str:
        """The layer that the value of `reminders.first` comes from; that of `reminders` if it was written as one."""
        while field not in self.sources and "." in field:
            field = field.rpartition(".")[0]
        return self.sources.get(field, DEFAULT)

    def rank(self, layer: str) -> int:
        """How high a layer lies; the request lies above all, even one that says nothing."""
        return len(self.layers) if layer == REQUEST else self.layers.index(layer)


def resolve(layers: Iterable[Layer]) -> Resolved:
    """One policy of all layers, the lowest first."""
    merged: dict[str, Any] = {}
    sources: dict[str, str] = {}
    names = []
    for name, written in ((DEFAULT, _DEFAULTS), *layers):
        names.append(name)
        merged = _merge(merged, written)
        for field in _fields(written):
            for covered in [known for known in sources if known.startswith(f"{field}.")]:
                del sources[covered]
            sources[field] = name
    _second_trigger_first(merged, sources)
    return Resolved(Policy.model_validate({**_DEFAULTS, **_without_nulls(merged)}), tuple(names), sources)


def without_trigger(layers: Iterable[Layer]) -> bool:
    """Whether there is an escalation that nothing would ever set off."""
    merged: dict[str, Any] = {}
    for _, written in layers:
        merged = _merge(merged, written)
    escalation = merged.get("escalation")
    return escalation is not None and escalation.get("after", ...) is None and escalation.get("or", ...) is None


def _second_trigger_first(merged: dict[str, Any], sources: dict[str, str]) -> None:
    """An escalation without its first trigger has the second one in its place, from the layer that gave that one."""
    escalation = merged.get("escalation")
    if escalation is not None and escalation.get("after", ...) is None:
        merged["escalation"] = {**escalation, "after": escalation.get("or") or _SHARE, "or": None}
        first, second = "escalation.after", "escalation.or"
        sources[first], sources[second] = sources.get(second, DEFAULT), sources.get(first, DEFAULT)


def _without_nulls(merged: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in merged.items():
        field = f"{within}{key}"
        if isinstance(value, dict):
            found[key] = _without_nulls(value, f"{field}.")
        elif value is not None or field in _OFF:
            found[key] = _OFF[field] if value is None else value
    return found


def _merge(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        lower = merged.get(key)
        merged[key] = _merge(lower, value) if isinstance(lower, dict) and isinstance(value, Mapping) else value
    return merged


def _fields(written: Mapping[str, Any], within: str = "") -> Iterator[str]:
    for key, value in written.items():
        if isinstance(value, Mapping) and value:
            yield from _fields(value, f"{within}{key}.")
        else:
            yield f"{within}{key}"
