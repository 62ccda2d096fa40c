"""What may be wrong with a store, in words that say what would help."""


class StoreFailure(Exception):
    """The store cannot do what it must; the text says what would help."""


class StoreAway(StoreFailure):
    """The storage itself does not do what it was asked now; it may pass by itself, and nothing is known to be lost."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the store cannot be used: {why}")


class DocumentMissing(StoreFailure):
    """The store of this process has no bytes for a document that somebody stored."""

    def __init__(self, sha256: str) -> None:
        super().__init__(
            f"the store has no document {sha256[:12]}…: processes on different machines need one shared "
            "COUNTERSIGN_STORE (an fsspec URL such as s3://bucket/countersign)"
        )


class DocumentDamaged(StoreFailure):
    """The bytes in the store are not the ones that were put there."""

    def __init__(self, sha256: str) -> None:
        super().__init__(
            f"the document {sha256[:12]}… in the store does not match its hash: restore it from its source"
        )


class TextDamaged(StoreFailure):
    """A text of somebody's is not the one that was kept."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the text {name} in the store does not match its hash")


class RecordConflict(StoreFailure):
    """Something else was already recorded under this id."""

    def __init__(self, id: str) -> None:
        super().__init__(f"the store already has another record {id}: records are written once and never changed")
