"""Errors of the store, with texts that say what would help."""


class StoreFailure(Exception):
    """The store failed; the text says what would help."""


class StoreAway(StoreFailure):
    """The storage is unavailable; temporary, and nothing is known to be lost."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the store cannot be used: {why}")


class DocumentMissing(StoreFailure):
    def __init__(self, sha256: str) -> None:
        super().__init__(
            f"the store has no document {sha256[:12]}…: processes on different machines need one shared "
            "COUNTERSIGN_STORE (an fsspec URL such as s3://bucket/countersign)"
        )


class DocumentDamaged(StoreFailure):
    def __init__(self, sha256: str) -> None:
        super().__init__(
            f"the document {sha256[:12]}… in the store does not match its hash: restore it from its source"
        )


class TextDamaged(StoreFailure):
    """A stored text does not match its hash."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the text {name} in the store does not match its hash")


class RecordConflict(StoreFailure):
    def __init__(self, id: str) -> None:
        super().__init__(f"the store already has another record {id}: records are written once and never changed")
