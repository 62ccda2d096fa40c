"""Models of retention: what is removed each day."""

from pydantic import AwareDatetime

from workflows.model.base import Model


class RetentionOrder(Model):
    """`now` is the workflow's instant: what is due by then is removed."""

    now: AwareDatetime | None = None


class RetentionResult(Model):
    """How many people were erased, of how many requests the signed files were removed, and how many rows that are used
    up were dropped.
    """

    erased: int = 0
    removed: int = 0
    rows: int = 0

    @property
    def details(self) -> str:
        """For the Web UI, in Markdown."""
        return "\n".join(
            [
                f"- erased as asked: {self.erased:,} people",
                f"- signed files removed after their retention: of {self.removed:,} requests",
                f"- rows that were used up: {self.rows:,}",
            ]
        )
