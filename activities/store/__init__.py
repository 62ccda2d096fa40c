"""The document and record store: one fsspec URL, shared by starters and workers."""

from activities.store.document import StoredDocument
from activities.store.failures import DocumentDamaged, DocumentMissing, RecordConflict, StoreFailure
from activities.store.home import Home
from activities.store.store import Store, device_hash

__all__ = [
    "DocumentDamaged",
    "DocumentMissing",
    "Home",
    "RecordConflict",
    "Store",
    "StoreFailure",
    "StoredDocument",
    "device_hash",
]
