"""What a caller may do who is no person at the desk: rights, each an action that may be limited to a kind of the
catalogue and to a requester.

A right is written `read`, `start:offer-letter`, `change:offer-letter@hr-desk`, `read@group:sales`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from activities.errors import did_you_mean

RIGHTS_AT_MOST: Final = 50
"""Of one caller."""
_ID: Final = r"[A-Za-z0-9._-]{1,100}"
_WRITTEN: Final = re.compile(rf"(?P<may>[a-z]+)(?::(?P<of>{_ID}))?(?:@(?P<requester>(?:group:)?{_ID}))?")


class May(StrEnum):
    """What somebody may do with what their right is limited to."""

    READ = "read"
    START = "start"
    CHANGE = "change"
    """Each command about what is open, and the replay of a hand-off."""
    DIRECTORY = "directory"
    """Push people and groups (SCIM); nothing else, and without limits."""


@dataclass(frozen=True)
class TokenRight:
    """`of` is a kind of the catalogue; empty: any. `requester` as well."""

    may: May
    of: str = ""
    requester: str = ""

    @classmethod
    def read(cls, written: str) -> Self:
        """Raises `ValueError`."""
        match = _WRITTEN.fullmatch(written)
        if match is None:
            raise ValueError(f"{written!r} is no right: expected such as read, start:offer-letter, change@hr-desk")
        if match["may"] not in list(May):
            raise ValueError(f"{match['may']} is no right{did_you_mean(match['may'], May)}: there are {', '.join(May)}")
        if match["may"] == May.DIRECTORY and written != May.DIRECTORY:
            raise ValueError(f"{May.DIRECTORY} has no limits: write it alone")
        return cls(May(match["may"]), match["of"] or "", match["requester"] or "")

    @property
    def written(self) -> str:
        return f"{self.may}{f':{self.of}' if self.of else ''}{f'@{self.requester}' if self.requester else ''}"

    def covers(self, right: Self) -> bool:
        """Whether it is the same action, with no narrower limits."""
        limits = (self.of, right.of), (self.requester, right.requester)
        return self.may is right.may and all(own_limit in ("", theirs) for own_limit, theirs in limits)


@dataclass(frozen=True)
class TokenRights:
    all: tuple[TokenRight, ...] = ()

    @classmethod
    def read(cls, written: Iterable[str]) -> Self:
        """Raises `ValueError`, also for none and too many."""
        rights = tuple(dict.fromkeys(TokenRight.read(text) for text in written))
        if not rights or len(rights) > RIGHTS_AT_MOST:
            raise ValueError(f"{len(rights) or 'no'} rights were given: from 1 to {RIGHTS_AT_MOST} are expected")
        return cls(rights)

    @property
    def written(self) -> tuple[str, ...]:
        return tuple(right.written for right in self.all)

    def permit(self, may: May, kind: str = "", requester: str = "") -> bool:
        """Whether one of them covers it; an empty limit asks for all kinds, or all requesters."""
        asked_right = TokenRight(may, kind, requester)
        return any(right.covers(asked_right) for right in self.all)

    def find_rights(self, may: May) -> tuple[TokenRight, ...]:
        return tuple(right for right in self.all if right.may is may)
