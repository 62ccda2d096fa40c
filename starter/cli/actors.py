"""Who types: by their own word, or proved by `countersign login`."""

from dataclasses import dataclass
from typing import TypeVar

from starter.config.settings import Settings
from starter.errors import Refusal
from workflows.model.commands import AnyCommand, KnownBy

Command = TypeVar("Command", bound=AnyCommand)


@dataclass(frozen=True)
class TypingActor:
    """`name` is what the commands of this process are done as; `ran_as` are user and host where nothing proves it."""

    name: str
    known_by: KnownBy
    ran_as: str | None

    @property
    def recorded(self) -> str:
        """`claimed:ada (root@host)`, or `oidc:ada`."""
        return self.known_by.actor(self.name, self.ran_as)

    def mark(self, command: Command) -> Command:
        """The command, with how it is known who sends it."""
        return command.replace(known_by=self.known_by, ran_as=self.ran_as)


async def find_actor(settings: Settings, as_: str | None) -> TypingActor:
    """Raises `Refusal` where somebody's own word does not count and nothing else proves who they are, and
    `ServiceFailure`, `DirectoryFailure`, `StoreFailure`.
    """
    if not settings.verifies_actors:
        return TypingActor(as_ or settings.acting, KnownBy.CLAIMED, settings.ran_as)
    if not settings.oidc.signs_in:
        raise Refusal("COUNTERSIGN_ACTORS=verified: a command cannot prove who acts: use the desk, a page or the API")
    from starter.cli.login import find_person_logged_in  # noqa: PLC0415  only this asks the issuer

    person = await find_person_logged_in(settings)
    if as_ not in (None, person):
        raise Refusal(f"--as {as_}: you are logged in as {person}, and act as nobody else")
    return TypingActor(person, KnownBy.OIDC, None)


async def find_starter(settings: Settings) -> str:
    """Who starts something, as it is recorded: proved by a login; without one by their own word, as a program at a
    terminal has none. Raises as `find_actor`.
    """
    if settings.verifies_actors and settings.oidc.signs_in:
        from starter.cli.login import token_path  # noqa: PLC0415  only this asks the issuer

        if token_path().exists():
            return (await find_actor(settings, None)).recorded
    return KnownBy.CLAIMED.actor(settings.acting, settings.ran_as)
