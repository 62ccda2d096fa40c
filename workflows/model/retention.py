"""Models of retention: what is removed each day."""

from pydantic import AwareDatetime

from workflows.model.base import Model


class RetentionOrder(Model):
    """`now` is the workflow's instant: what is due by then is removed."""

    now: AwareDatetime | None = None


class RetentionResult(Model):
    """How many people were erased, and of how many requests the signed files were removed."""

    erased: int = 0
    removed: int = 0

    @property
    def details(self) -> str:
        """For the Web UI, in Markdown."""
        return "\n".join(
            [
                f"- erased as asked: {self.erased:,} people",
                f"- signed files removed after their retention: of {self.removed:,} requests",
            ]
        )
