"""Models of the day of evidence."""

from pydantic import AwareDatetime

from workflows.model.base import Model


class DailyEvidence(Model):
    """`now` is the workflow's instant: what was written until then is under the root."""

    now: AwareDatetime | None = None


class DailyEvidenceResult(Model):
    """The root by its number, how many records are under it, how many people were erased before, and of how many
    requests the signed files were removed.
    """

    number: int
    records: int
    root: str
    signed: bool
    stamped: bool
    erased: int = 0
    removed: int = 0

    @property
    def details(self) -> str:
        """For the Web UI, in Markdown."""
        how = "signed" if self.signed else "**not signed**: the worker has no key (`countersign doctor`)"
        how += " and stamped" if self.stamped else ""
        lines = [f"### Root {self.number} over {self.records:,} records", "", f"`{self.root}`", "", f"- {how}"]
        lines += [f"- erased as asked: {self.erased:,} people"] if self.erased else []
        lines += (
            [f"- signed files removed, their retention being over: of {self.removed:,} requests"]
            if self.removed
            else []
        )
        return "\n".join(lines)
