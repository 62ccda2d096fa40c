"""What the workflow is started with, and what its readings of the document carry for the settled record."""

from datetime import date
from typing import Annotated

from pydantic import AwareDatetime, Field

from workflows.model import Brief, Model, Policy
from workflows.progress import Progress


class SignatureRequest(Model):
    """Input of the workflow; `carried` is set by continue-as-new only."""

    brief: Brief
    policy: Policy
    due: Annotated[AwareDatetime | date | None, Field(union_mode="left_to_right")] = None
    fingerprint: str = ""
    subscribers: tuple[str, ...] = ()
    carried: Progress | None = None


class Observation(Model):
    """Read the document, and what is needed to write the settled record if it has ended.

    `document` is None when there is nothing to read: the record is then written from `progress` alone.
    """

    request: SignatureRequest
    progress: Progress
    document: str | None
    run_id: str
    now: AwareDatetime
