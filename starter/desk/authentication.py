"""Who somebody at the desk is: by the header of a company's own sign-on, else by the session of their browser."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.requests import Request

from activities.people import FileDirectory
from activities.person import Person
from activities.reader import Reader
from starter.desk.sessions import Cookies
from starter.desk.sign_in import SignIn
from starter.peers import Addresses
from starter.serving import peer_of


@dataclass(frozen=True)
class Visitor:
    """Somebody who is in. `name` tells their forms apart from anybody else's; whom `sent` by a sign-on cannot go."""

    person: Person
    reader: Reader
    name: str
    sent: bool = False

    @property
    def id(self) -> str:
        """Their id in the directory."""
        return self.person.id


class SignOn:
    """A header that says who somebody is, believed of these `proxies` alone: from anywhere else it is not read."""

    def __init__(self, header: str = "", proxies: Sequence[str] = ()) -> None:
        self._header = header
        self._proxies: Final = Addresses(proxies)

    def says(self, request: Request) -> str:
        """An id or an address, empty when nobody who is believed says one."""
        if not self._header or peer_of(request) not in self._proxies:
            return ""
        return request.headers.get(self._header, "").strip()


class Authenticator:
    """Lets people in."""

    def __init__(
        self, sign_in: SignIn, cookies: Cookies, directory: FileDirectory, on: SignOn, clock: Callable[[], datetime]
    ) -> None:
        self._sign_in = sign_in
        self._cookies = cookies
        self._directory = directory
        self._on = on
        self._clock = clock

    async def visitor(self, request: Request) -> Visitor | None:
        """Who this is, None for nobody; raises `DirectoryFailure`, `StoreFailure`."""
        if said := self._on.says(request):
            known = await self._directory.named(said)
            return Visitor(known, Reader.of(known), f"sign-on {known.id}", sent=True) if known else None
        session = self._cookies.session(request, self._clock())
        person = await self._sign_in.stands(session) if session else None
        return Visitor(person, Reader.of(person), self._cookies.name_of(request)) if person else None

    def sent(self, request: Request) -> bool:
        """Whether a sign-on that is believed says who this is."""
        return bool(self._on.says(request))
