"""The document and record store: one fsspec URL, shared by starters and workers."""

from activities.store.devices import DeviceFolder, device_hash
from activities.store.document import StoredDocument
from activities.store.failures import (
    DocumentDamaged,
    DocumentMissing,
    RecordConflict,
    StoreAway,
    StoreFailure,
    TextDamaged,
)
from activities.store.home import Home, owner_in
from activities.store.row import Row
from activities.store.store import AUDIENCES, Store
from activities.store.texts import Reference

__all__ = [
    "AUDIENCES",
    "DeviceFolder",
    "DocumentDamaged",
    "DocumentMissing",
    "Home",
    "RecordConflict",
    "Reference",
    "Row",
    "Store",
    "StoreAway",
    "StoreFailure",
    "StoredDocument",
    "TextDamaged",
    "device_hash",
    "owner_in",
]
