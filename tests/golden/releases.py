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
        models_by_name, parts_by_name = ({class_.__name__: class_ for class_ in classes} for classes in (models, parts))
        migrations = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(MIGRATIONS.glob("*.py"))
        }
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
    def from_code(cls, version: str, code: Code, wire: Mapping[str, Any], histories: Mapping[str, str]) -> Self:
        """A release of this code."""
        fields = {name: samples.defaults(part) for name, part in code.parts.items()}
        return cls(version, wire, fields, code.words, code.migrations, histories)

    @property
    def runs(self) -> list[WorkflowHistory]:
        """Its histories."""
        return [WorkflowHistory.from_json(name, history) for name, history in self.histories.items()]


def faults(release: Release, code: Code) -> Iterator[str]:
    """What this code would not read of what the release has written, by model and field; migrations that differ."""
    yield from _of_fields(release, code)
    for file, digest in release.migrations.items():
        if code.migrations.get(file) != digest:
            yield f"the migration {file} is changed or gone, and databases of {release.version} ran it: write one more"
    for kind, kind_words in release.words.items():
        if lost_words := sorted(set(kind_words) - set(code.words.get(kind, ()))):
            yield f"{kind} has lost {', '.join(lost_words)}"
    for name, written in release.wire.items():
        if name not in code.models:
            yield f"{name} is gone: what was written as it is read by nothing"
            continue
        # A history leaves out what is as by default: the least that was written has the required fields alone.
        for form, content in (("whole", written), ("least", _least(written, name, release))):
            try:
                samples.read(content, code.models[name])
            except (ValidationError, RuntimeError) as unread:
                message = " ".join(str(unread).split())[:200]
                yield f"{name} as {release.version} wrote it ({form}) is not read: {message}"


def _of_fields(release: Release, code: Code) -> Iterator[str]:
    for name, fields_before in release.fields.items():
        if (part := code.parts.get(name)) is None:
            continue  # What it was a part of says so.
        now = samples.defaults(part)
        for field, default in now.items():
            if field not in fields_before and default == samples.REQUIRED:
                yield f"{name}.{field} is newly required: give it the default that it had while it was not there"
        for field, default in fields_before.items():
            if field not in now:
                yield f"{name}.{field} is gone: what was written in it is lost"
            elif now[field] != default:
                yield f"{name}.{field} means {now[field]!r} where nothing is written, and meant {default!r}"


def _least(written: Any, name: str, release: Release) -> Any:
    """A sample without what the release might have left out."""
    if not isinstance(written, dict) or name not in release.fields:
        return written
    return {field: value for field, value in written.items() if release.fields[name].get(field) == samples.REQUIRED}


def frozen() -> list[Release]:
    """All releases, the oldest first; none before the first."""
    paths = sorted(FOLDER.glob("*.json.gz"), key=lambda path: _numbers(path.name.removesuffix(".json.gz")))
    return [Release(**json.loads(gzip.decompress(path.read_bytes()))) for path in paths]


def freeze(version: str, folder: Path = FOLDER) -> Path:
    """Freeze the code as this release; `FileExistsError` for one that is."""
    path = folder / f"{version}.json.gz"
    if path.exists():
        raise FileExistsError(f"{version} is frozen: what a release has written down is never changed")
    wire = {model.__name__: samples.sample(model) for model in samples.models()}
    paths_by_name = {path.name.removesuffix(".json.gz"): path for path in corpus.FOLDER.glob("*.json.gz")}
    good = {
        name: gzip.decompress(path.read_bytes()).decode() for name, path in paths_by_name.items() if "bad-" not in name
    }
    folder.mkdir(exist_ok=True)
    content = json.dumps(Release.from_code(version, Code.today(), wire, good)._asdict(), sort_keys=True)
    path.write_bytes(gzip.compress(content.encode(), mtime=0))
    return path


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


if __name__ == "__main__":
    print(freeze(sys.argv[1]))
