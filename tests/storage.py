"""Storage that is away: what is asked of it fails, as a disk or a bucket does."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from activities.records.store import Store


@contextmanager
def away(store: Store, shelf: str) -> Iterator[None]:
    """Nothing on this shelf of a store in a folder can be read or written: where the shelf was, there is a file."""
    folder = Path(urlsplit(store.address).path) / shelf
    kept = folder.rename(folder.with_name(f"{shelf}.kept")) if folder.exists() else None
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()
        if kept:
            kept.rename(folder)
