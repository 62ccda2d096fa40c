"""`countersign people import` keeps a people file in the database, `people confirm` lets many leave at once."""

import json
from pathlib import Path

import pytest

from starter.boot import clients
from starter.cli import people
from starter.config.settings import Need, Settings, load
from starter.errors import Refusal


def settings_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, people_setting: str) -> Settings:
    settings = load(
        environment={
            "TEMPORAL_ADDRESS": "127.0.0.1:1",
            "COUNTERSIGN_DATA_DIR": str(tmp_path),
            "COUNTERSIGN_PEOPLE": people_setting,
        }
    )
    monkeypatch.setattr(people, "ready", lambda need: settings if need is Need.PEOPLE else None)
    return settings


def write_people(path: Path, *ids: str) -> Path:
    entries = [{"id": id, "name": id, "email": f"{id}@company.example", "zone": "UTC", "groups": ["all"]} for id in ids]
    path.write_text(json.dumps({"people": entries}))
    return path


async def test_a_file_takes_the_place_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_with(tmp_path, monkeypatch, "database")
    for ids, left in ((("ada", "bob"), 0), (("bob", "cleo"), 1)):
        await people.import_(write_people(tmp_path / "people.json", *ids), json=True)
        assert json.loads(capsys.readouterr().out) == {"people": 2, "left": left, "kept_out": 0}
    directory = clients.directory(settings, clients.store(settings))
    assert await directory.group("all") == ("bob", "cleo")
    assert await directory.present("ada") is None
    await people.confirm(json=True)
    assert json.loads(capsys.readouterr().out) == {"confirmed": 0}


async def test_where_people_are_in_a_file_nothing_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_people(tmp_path / "people.json", "ada")
    settings_with(tmp_path, monkeypatch, str(file))
    with pytest.raises(Refusal, match="COUNTERSIGN_PEOPLE=database"):
        await people.import_(file)
