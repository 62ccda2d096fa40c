"""What makes a class a port: its abstract methods are activities, which its implementations take over by name."""

from abc import ABC
from collections.abc import Callable
from typing import Any, TypeVar

from temporalio import activity

Method = TypeVar("Method", bound=Callable[..., Any])

_NAME = "__port_activity_name__"


def asks(name: str) -> Callable[[Method], Method]:
    """Declare an abstract method as the activity `name`; implementations take the name over by overriding it."""

    def declare(method: Method) -> Method:
        setattr(method, _NAME, name)
        return activity.defn(name=name)(method)

    return declare


class Port(ABC):  # noqa: B024 - the ports below it have the abstract methods
    """Base of all ports. `activities` is what a worker registers."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for method_name, name in _declared(cls).items():
            method = vars(cls).get(method_name)
            if method is not None and not hasattr(method, _NAME):
                asks(name)(method)

    def activities(self) -> list[Callable[..., Any]]:
        """The implemented activities, bound to this instance."""
        return [getattr(self, method_name) for method_name in _declared(type(self))]


def _declared(cls: type[Port]) -> dict[str, str]:
    found: dict[str, str] = {}
    for base in cls.__mro__:
        for method_name, method in vars(base).items():
            if hasattr(method, _NAME):
                found.setdefault(method_name, getattr(method, _NAME))
    return found
