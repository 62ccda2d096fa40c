"""What each release has written down, frozen with it: whatever began under it must be read and gone on with for ever.

`python -m tests.golden.releases 1.0.0` freezes a release, once: the models of the boundary with their defaults and
words, a sample of each, the replay corpus, and the migrations of the database by their SHA-256. From then on `faults`
says what today's code would not read, and which migration is not the one that databases out there have run.
"""

import gzip
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from pydantic import BaseModel, ValidationError
from temporalio.client import WorkflowHistory

from tests.golden import samples
from tests.markdown import ROOT
from tests.workflows import corpus

FOLDER: Final = Path(__file__).parent / "releases"
MIGRATIONS: Final = ROOT / "activities" / "records" / "migrations" / "versions"


class Code(NamedTuple):
    """The models that cross a boundary, all their parts, the words they carry; migrations' SHA-256 by their files."""

    models: Mapping[str, type[BaseModel]]
    parts: Mapping[str, type[BaseModel]]
    words: Mapping[str, list[str]]
    migrations: Mapping[str, str]

    @classmethod
    def today(cls) -> Self:
        """Of the code as it is."""
        models, parts = samples.models(), samples.all_parts()
        models_by_name, parts_by_name = ({one.__name__: one for one in some} for some in (models, parts))
        migrations = {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in sorted(MIGRATIONS.glob("*.py"))}
        return cls(models_by_name, parts_by_name, samples.vocabulary(), migrations)


class Release(NamedTuple):
    """What a release has frozen."""

    version: str
    wire: Mapping[str, Any]
    fields: Mapping[str, Mapping[str, Any]]
    words: Mapping[str, list[str]]
    migrations: Mapping[str, str]
    histories: Mapping[str, str]

    @classmethod
    def of(cls, version: str, code: Code, wire: Mapping[str, Any], histories: Mapping[str, str]) -> Self:
        """A release of this code."""
        fields = {name: samples.defaults(part) for name, part in code.parts.items()}
        return cls(version, wire, fields, code.words, code.migrations, histories)

    @property
    def runs(self) -> list[WorkflowHistory]:
        """Its histories."""
        return [WorkflowHistory.from_json(name, told) for name, told in self.histories.items()]


def faults(release: Release, code: Code) -> Iterator[str]:
    """What this code would not read of what the release has written, by model and field; migrations that differ."""
    yield from _of_fields(release, code)
    for file, digest in release.migrations.items():
        if code.migrations.get(file) != digest:
            yield f"the migration {file} is changed or gone, and databases of {release.version} ran it: write one more"
    for kind, words in release.words.items():
        if gone := sorted(set(words) - set(code.words.get(kind, ()))):
            yield f"{kind} has lost {', '.join(gone)}"
    for name, told in release.wire.items():
        if name not in code.models:
            yield f"{name} is gone: what was written as it is read by nothing"
            continue
        # A history leaves out what is as by default: the least that was written has the required fields alone.
        for what, content in (("whole", told), ("least", _least(told, name, release))):
            try:
                samples.read(content, code.models[name])
            except (ValidationError, RuntimeError) as unread:
                why = " ".join(str(unread).split())[:200]
                yield f"{name} as {release.version} wrote it ({what}) is not read: {why}"


def _of_fields(release: Release, code: Code) -> Iterator[str]:
    for name, before in release.fields.items():
        if (part := code.parts.get(name)) is None:
            continue  # What it was a part of says so.
        now = samples.defaults(part)
        for field, default in now.items():
            if field not in before and default == samples.REQUIRED:
                yield f"{name}.{field} is newly required: give it the default that it had while it was not there"
        for field, default in before.items():
            if field not in now:
                yield f"{name}.{field} is gone: what was written in it is lost"
            elif now[field] != default:
                yield f"{name}.{field} means {now[field]!r} where nothing is written, and meant {default!r}"


def _least(told: Any, name: str, release: Release) -> Any:
    """A sample without what the release might have left out."""
    if not isinstance(told, dict) or name not in release.fields:
        return told
    return {field: value for field, value in told.items() if release.fields[name].get(field) == samples.REQUIRED}


def frozen() -> list[Release]:
    """All releases, the oldest first; none before the first."""
    paths = sorted(FOLDER.glob("*.json.gz"), key=lambda path: _numbers(path.name.removesuffix(".json.gz")))
    return [Release(**json.loads(gzip.decompress(path.read_bytes()))) for path in paths]


def freeze(version: str, folder: Path = FOLDER) -> Path:
    """Freeze the code as this release; `FileExistsError` for one that is."""
    path = folder / f"{version}.json.gz"
    if path.exists():
        raise FileExistsError(f"{version} is frozen: what a release has written down is never changed")
    wire = {one.__name__: samples.sample(one) for one in samples.models()}
    kept = {one.name.removesuffix(".json.gz"): one for one in corpus.FOLDER.glob("*.json.gz")}
    good = {name: gzip.decompress(one.read_bytes()).decode() for name, one in kept.items() if "bad-" not in name}
    folder.mkdir(exist_ok=True)
    content = json.dumps(Release.of(version, Code.today(), wire, good)._asdict(), sort_keys=True)
    path.write_bytes(gzip.compress(content.encode(), mtime=0))
    return path


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(one) for one in version.split("."))


if __name__ == "__main__":
    print(freeze(sys.argv[1]))
