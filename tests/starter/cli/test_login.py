"""`countersign login`: proving at a terminal who somebody is, and what is refused of a token."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.sandbox.oidc.provider import Misbehaviour
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.settings import SandboxSettings
from starter.cli.actors import find_actor
from starter.cli.login import (
    INTERVAL_AT_MOST,
    LOGIN_WITHIN_AT_MOST,
    TOKEN_FILE_AT_MOST,
    forget_token,
    log_in,
    login,
    token_path,
)
from starter.config.settings import Settings, load
from starter.errors import Refusal
from starter.web.http.oidc import RefusedToken
from tests.plain_http import plain_client
from tests.starter.terminal import make_complete_environment
from workflows.model.commands import KnownBy, PauseCommand

WHO = "a@example.com"


@dataclass
class Terminal:
    """A terminal of somebody with a browser."""

    sandbox: RunningSandbox
    settings: Settings
    sleeps: int = 0
    email: str = WHO

    async def sleep(self, seconds: float) -> None:
        """At the second question somebody has signed in."""
        assert seconds <= INTERVAL_AT_MOST
        self.sleeps += 1
        if self.sleeps == 2:
            await confirm_device(self.sandbox, self.email)

    def kept(self) -> dict[str, Any]:
        """What the file has."""
        return dict(json.loads(token_path().read_text()))


async def confirm_device(sandbox: RunningSandbox, email: str, _: float = 0) -> None:
    """Sign in with a browser, for the terminal that waits."""
    [device] = [device for device in sandbox.oidc._devices.values() if device.grant is None]
    async with plain_client() as http:
        form = {"user_code": device.user_code, "email": email}
        assert (await http.post(f"{sandbox.oidc.issuer}/device", data=form)).status_code == 200


@pytest.fixture
async def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Terminal]:
    monkeypatch.setenv("HOME", str(tmp_path))
    async with running(SandboxSettings()) as sandbox:
        environment = {
            **make_complete_environment(tmp_path),
            "COUNTERSIGN_OIDC_ISSUER": sandbox.oidc.issuer,
            "COUNTERSIGN_OIDC_CLIENT_ID": "countersign",
            "COUNTERSIGN_ACTOR": "boss",
        }
        yield Terminal(sandbox, load(environment=environment))


async def test_whoever_has_logged_in_acts_as_themselves(terminal: Terminal) -> None:
    assert (await log_in(terminal.settings, terminal.sleep)).identity == WHO
    assert stat.S_IMODE(token_path().stat().st_mode) == 0o600
    actor = await find_actor(terminal.settings, None)
    assert (actor.name, actor.recorded) == ("a", "oidc:a")
    command = actor.mark(PauseCommand(actor=actor.name))
    assert (command.known_by, command.ran_as) == (KnownBy.OIDC, None)
    assert (await find_actor(terminal.settings, "a")).name == "a"
    with pytest.raises(Refusal, match="--as boss: you are logged in as a"):
        await find_actor(terminal.settings, "boss")


async def test_without_a_login_nobody_acts_and_after_it_was_deleted(terminal: Terminal) -> None:
    with pytest.raises(Refusal, match="not logged in"):
        await find_actor(terminal.settings, "a")
    await log_in(terminal.settings, terminal.sleep)
    assert (forget_token(), forget_token()) == (True, False)
    with pytest.raises(Refusal, match="not logged in"):
        await find_actor(terminal.settings, None)


@pytest.mark.parametrize(
    ("actors", "verifies"), [("", True), ("verified", True), ("claimed", False)], ids=["unset", "verified", "claimed"]
)
async def test_where_people_sign_in_their_word_alone_does_not_count(
    terminal: Terminal, actors: Any, verifies: bool
) -> None:
    settings = terminal.settings.model_copy(update={"actors": actors})
    assert settings.verifies_actors is verifies
    if not verifies:
        assert (await find_actor(settings, None)).recorded.startswith("claimed:boss (")
    assert not load(environment={}).verifies_actors


async def test_a_token_that_is_over_is_refreshed_once_for_all_commands(terminal: Terminal) -> None:
    terminal.sandbox.oidc.misbehaviour = Misbehaviour.EXPIRED
    with pytest.raises(RefusedToken):
        await log_in(terminal.settings, terminal.sleep)
    terminal.sandbox.oidc.misbehaviour = Misbehaviour.NONE
    terminal.sleeps = 0
    await log_in(terminal.settings, terminal.sleep)
    former = terminal.kept()
    token_path().write_text(json.dumps({**former, "id_token": "a.b.c"}))
    assert (await find_actor(terminal.settings, None)).name == "a"
    renewed = terminal.kept()
    assert (renewed["id_token"], renewed["refresh_token"]) != (former["id_token"], former["refresh_token"])
    assert stat.S_IMODE(token_path().stat().st_mode) == 0o600
    assert (await find_actor(terminal.settings, None)).name == "a"
    assert terminal.kept() == renewed
    token_path().write_text(json.dumps({**former, "id_token": "a.b.c"}))
    with pytest.raises(Refusal, match="cannot be refreshed"):
        await find_actor(terminal.settings, None)


@pytest.mark.parametrize(
    "misbehaviour", ["audience", "issuer", "algorithm", "foreign-key", "expired", "ahead", "no-token"]
)
async def test_a_token_that_does_not_count_is_not_kept(terminal: Terminal, misbehaviour: str) -> None:
    terminal.sandbox.oidc.misbehaviour = Misbehaviour(misbehaviour)
    with pytest.raises(RefusedToken) as refused:
        await log_in(terminal.settings, terminal.sleep)
    assert WHO not in str(refused.value)
    assert not token_path().exists()


def _let_others_read(path: Path) -> None:
    path.chmod(0o644)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (_let_others_read, "may be read by others"),
        (lambda path: path.write_text("{}"), "is damaged"),
        (lambda path: path.write_bytes(b" " * 10 * TOKEN_FILE_AT_MOST + b"{}"), "is damaged"),
        (lambda path: path.write_text(path.read_text().replace("/oidc", "/other")), "another issuer"),
    ],
)
async def test_a_file_that_is_not_as_we_wrote_it_proves_nothing(
    terminal: Terminal, change: Callable[[Path], Any], text: str
) -> None:
    await log_in(terminal.settings, terminal.sleep)
    change(token_path())
    with pytest.raises(Refusal, match=text):
        await find_actor(terminal.settings, None)


async def test_somebody_who_is_not_in_the_directory_acts_as_nobody(terminal: Terminal) -> None:
    terminal.email = "stranger@example.com"
    await log_in(terminal.settings, terminal.sleep)
    with pytest.raises(Refusal, match="is nobody of the directory"):
        await find_actor(terminal.settings, None)


async def test_nobody_is_waited_for_longer_than_the_bound(terminal: Terminal) -> None:
    waited = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal waited
        waited += seconds

    terminal.sandbox.oidc.device_lifetime = 10 * LOGIN_WITHIN_AT_MOST
    terminal.sandbox.oidc.device_interval = 10 * INTERVAL_AT_MOST
    with pytest.raises(Refusal, match="nobody has signed in"):
        await log_in(terminal.settings, sleep)
    assert waited == LOGIN_WITHIN_AT_MOST


async def test_while_the_issuer_is_away_nobody_is_believed(terminal: Terminal) -> None:
    await log_in(terminal.settings, terminal.sleep)
    terminal.sandbox.oidc.base_url = "http://127.0.0.1:1"
    with pytest.raises(Refusal, match="nobody can be believed"):
        await find_actor(terminal.settings, None)


async def test_many_commands_at_once_refresh_one_after_the_other(terminal: Terminal) -> None:
    await log_in(terminal.settings, terminal.sleep)
    token_path().write_text(json.dumps({**terminal.kept(), "id_token": "a.b.c"}))
    calls: list[Awaitable[Any]] = [
        asyncio.to_thread(asyncio.run, find_actor(terminal.settings, None)) for _ in range(5)
    ]
    assert {actor.name for actor in await asyncio.gather(*calls)} == {"a"}


async def test_logging_out_says_whether_somebody_was_logged_in(
    terminal: Terminal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await log_in(terminal.settings, terminal.sleep)
    capsys.readouterr()
    for was_logged_in in (True, False):
        await login(out=True, json=True)
        assert json.loads(capsys.readouterr().out) == {"logged_out": was_logged_in}
    with pytest.raises(Refusal, match="are needed to log in"):
        await login()
