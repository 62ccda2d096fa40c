"""What of the list of events lies behind the pages that were looked at, so that none moves up past the next one."""

from typing import Any, Final, Self

from activities.core_signature.client import Listed
from workflows.model.base import Model

BACK_AT_MOST: Final = 200
"""Pages that one pass goes back over: a list whose length is never told twice alike is come through all the same."""


class PageDrift(Model):
    """How many events follow what was looked at, counted from the end of the list: there nothing moves them when some
    are deleted or come at its head. None when the list does not tell its length. `size` is that of a whole page,
    `back` how many pages were gone back over."""

    left: int | None = None
    size: int = 1
    back: int = 0

    def lost(self, page: int, listed: Listed[Any]) -> int:
        """How many events, at most, have moved up past this page since the one before it was read."""
        behind = _from_here(page, listed)
        return 0 if self.left is None or behind is None else max(0, self.left - behind)

    def after(self, page: int, listed: Listed[Any]) -> tuple[Self, int]:
        """With this page looked at, and the page to read next: an earlier one where events have moved up."""
        here = self.replace(size=max(self.size, len(listed.found)))
        pages = min(page, -(-self.lost(page, listed) // here.size))
        if 0 < pages <= BACK_AT_MOST - self.back:
            return here.replace(back=self.back + pages), max(1, page - pages)
        behind = _from_here(page, listed)
        left = None if behind is None else behind - len(listed.found)
        return here.replace(left=left), page + 1


def _from_here(page: int, listed: Listed[Any]) -> int | None:
    """How many events the list has from the first one of this page on."""
    if listed.count is None:
        return None
    return listed.count - (page - 1) * len(listed.found) if listed.more else len(listed.found)
