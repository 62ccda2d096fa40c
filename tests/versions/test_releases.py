"""What `tests.golden.releases` reports when code no longer reads what a release wrote: a newly required field, a
removed model or word, a changed migration. Today's code reads each release and continues its histories.
"""

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.golden import releases
from tests.golden.releases import Code, Release, faults
from tests.markdown import ROOT
from tests.workflows.test_replay import replay
from workflows.model.base import Model


class Brief(Model):
    """As it was released."""

    id: str
    title: str = ""


class BriefWithADefault(Model):
    """One field more, with what it was while it was not there."""

    id: str
    title: str = ""
    people: tuple[str, ...] = ()


class BriefThatNeedsPeople(Model):
    """The same, required: no history of the release has it."""

    id: str
    title: str = ""
    people: tuple[str, ...]


class BriefThatNeedsItsTitle(Model):
    """What the release might leave out is required."""

    id: str
    title: str


class BriefWithoutTitle(Model):
    """What the release has written is not read any more."""

    id: str


class BriefCalledOtherwise(Model):
    """What is not written means something else."""

    id: str
    title: str = "untitled"


FIRST = {"0001_first.py": "8f43"}


def code(model: type[Model], *status_words: str, migrations: Mapping[str, str] = FIRST) -> Code:
    return Code({"Brief": model}, {"Brief": model}, {"Status": list(status_words)}, migrations)


RELEASED = Release.from_code("1.0.0", code(Brief, "sent", "signed"), {"Brief": {"id": "msa", "title": "MSA"}}, {})


@pytest.mark.parametrize(
    ("today", "expected_faults"),
    [
        (code(Brief, "sent", "signed"), []),
        (code(BriefWithADefault, "sent", "signed", "declined"), []),
        (
            code(BriefThatNeedsPeople, "sent", "signed"),
            ["Brief.people is newly required", "Brief as 1.0.0 wrote it (whole)", "Brief as 1.0.0 wrote it (least)"],
        ),
        (
            code(BriefThatNeedsItsTitle, "sent", "signed"),
            ["Brief.title means '(required)' where nothing is written", "Brief as 1.0.0 wrote it (least)"],
        ),
        (code(BriefWithoutTitle, "sent", "signed"), ["Brief.title is gone"]),
        (code(BriefCalledOtherwise, "sent", "signed"), ["Brief.title means 'untitled' where nothing is written"]),
        (code(Brief, "sent"), ["Status has lost signed"]),
        (Code({}, {}, {"Status": ["sent", "signed"]}, FIRST), ["Brief is gone"]),
        (code(Brief, "sent", "signed", migrations={**FIRST, "0002_more.py": "51c0"}), []),
        (
            code(Brief, "sent", "signed", migrations={"0001_first.py": "51c0"}),
            ["the migration 0001_first.py is changed"],
        ),
        (
            code(Brief, "sent", "signed", migrations={"0002_more.py": "51c0"}),
            ["the migration 0001_first.py is changed"],
        ),
    ],
)
def test_what_a_release_has_written_and_this_code_would_not_read_is_named(
    today: Code, expected_faults: list[str]
) -> None:
    messages = list(faults(RELEASED, today))
    assert [any(message.startswith(beginning) for message in messages) for beginning in expected_faults] == [
        True
    ] * len(expected_faults), messages
    assert bool(messages) is bool(expected_faults)


def test_the_version_of_the_project_is_frozen() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    versions = [release.version for release in releases.frozen()]
    assert version in versions, f"run: python -m tests.golden.releases {version}"


async def test_what_each_release_wrote_is_read_and_replayed() -> None:
    for release in releases.frozen():
        assert list(faults(release, Code.today())) == []
        assert await replay(release.runs) == [], release.version


@pytest.mark.long
def test_a_release_is_frozen_once_and_today_s_code_reads_what_it_has_just_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "FOLDER", tmp_path)
    releases.freeze("1.0.0", tmp_path)
    [release] = releases.frozen()
    assert (release.version, list(faults(release, Code.today()))) == ("1.0.0", [])
    assert len(release.runs) > 20
    with pytest.raises(FileExistsError, match=r"1\.0\.0 is frozen"):
        releases.freeze("1.0.0", tmp_path)


def test_a_migration_of_a_release_that_is_edited_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shutil.copytree(releases.MIGRATIONS, tmp_path / "versions") / "0001_first.py"
    monkeypatch.setattr(releases, "MIGRATIONS", first.parent)
    release = Release.from_code("1.0.0", Code.today(), {}, {})
    assert list(faults(release, Code.today())) == []
    first.write_text(first.read_text().replace("nullable=True", "nullable=False", 1))
    [fault] = faults(release, Code.today())
    assert fault.startswith("the migration 0001_first.py is changed")
