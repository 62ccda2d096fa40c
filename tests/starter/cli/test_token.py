"""`countersign token`: shown once, listed without it, and refused once it is revoked."""

import json
from pathlib import Path

import pytest

from activities.people.rights import TokenRights
from starter.boot import clients
from starter.cli import token
from starter.config.settings import Settings, load
from starter.errors import Refusal


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (tmp_path / "policies.yaml").write_text("kinds:\n  offer-letter:\n    window: 14d\n")
    loaded_settings = load(
        environment={
            "TEMPORAL_ADDRESS": "127.0.0.1:1",
            "COUNTERSIGN_DATA_DIR": str(tmp_path),
            "COUNTERSIGN_POLICIES": str(tmp_path / "policies.yaml"),
            "COUNTERSIGN_ACTOR": "ada",
        }
    )
    monkeypatch.setattr(token, "ready", lambda: loaded_settings)
    return loaded_settings


async def test_a_token_is_shown_once(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    await clients.store(settings).database.upgrade()
    await token.new("crm", may="start:offer-letter, read", json=True)
    created_token = json.loads(capsys.readouterr().out)
    assert created_token | {"token": ""} == {"name": "crm", "may": ["start:offer-letter", "read"], "token": ""}
    stored_token = await clients.store(settings).tokens.find(created_token["token"])
    assert stored_token and TokenRights.read(stored_token.may).written == tuple(created_token["may"])
    await token.list_(json=True)
    [line] = json.loads(capsys.readouterr().out)
    assert (line["name"], line["made_by"].startswith("claimed:ada ("), line["used_at"]) == ("crm", True, None)
    assert created_token["token"] not in str(line)
    with pytest.raises(Refusal, match="revoke it first"):
        await token.new("crm", may="read")
    for revoked in (True, False):
        await token.revoke("crm", json=True)
        assert json.loads(capsys.readouterr().out) == {"name": "crm", "revoked": revoked}
    assert await clients.store(settings).tokens.find(created_token["token"]) is None


async def test_an_unknown_kind_and_an_unknown_token_are_refused(settings: Settings) -> None:
    await clients.store(settings).database.upgrade()
    with pytest.raises(Refusal, match="did you mean offer-letter"):
        await token.new("crm", may="start:ofer-letter")
    with pytest.raises(Refusal, match="there is no token erp"):
        await token.revoke("erp")
