"""Histories that began under a release decode and replay for ever: a newly required field is red.

Green while nothing was released; `python -m tests.golden.releases 1.0.0` begins the corpus.
"""

import tomllib
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


def code(model: type[Model], *words: str) -> Code:
    return Code({"Brief": model}, {"Brief": model}, {"Status": list(words)})


RELEASED = Release.of("1.0.0", code(Brief, "sent", "signed"), {"Brief": {"id": "msa", "title": "MSA"}}, {})


@pytest.mark.parametrize(
    ("today", "says"),
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
        (Code({}, {}, {"Status": ["sent", "signed"]}), ["Brief is gone"]),
    ],
)
def test_what_a_release_has_written_and_this_code_would_not_read_is_named(today: Code, says: list[str]) -> None:
    found = list(faults(RELEASED, today))
    assert [any(one.startswith(words) for one in found) for words in says] == [True] * len(says), found
    assert bool(found) is bool(says)


async def test_whatever_was_released_is_read_and_gone_on_with() -> None:
    """None of it while nothing was released."""
    for release in releases.frozen():
        assert list(faults(release, Code.today())) == []
        assert await replay(release.runs) == [], release.version


def test_a_version_that_is_released_has_frozen_what_it_writes() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    known = [release.version for release in releases.frozen()]
    assert version in known or not releases.is_to_be_frozen(version), f"run: python -m tests.golden.releases {version}"
    assert (releases.is_to_be_frozen("0.9.12"), releases.is_to_be_frozen("1.0.0")) == (False, True)


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
