"""What is kept of an ended request: the provider's files, by hash, and the order to keep them."""

from pydantic import AwareDatetime

from workflows.model.base import Model


class KeptFile(Model):
    """A file of the store, unaltered."""

    sha256: str
    bytes: int


class KeptFiles(Model):
    document: KeptFile | None = None
    """The signed or declined document."""
    signing_log: KeptFile | None = None

    @property
    def any(self) -> bool:
        return bool(self.document or self.signing_log)


class EvidenceOrder(Model):
    """Keep what is known of the request that asks at its end; `document` is the provider's uuid, None when it has no
    files.

    `people` were asked or alerted besides those whom the request names; the files are kept `until` then, or for good.
    """

    document: str | None = None
    log_only: bool = False
    people: tuple[str, ...] = ()
    until: AwareDatetime | None = None
