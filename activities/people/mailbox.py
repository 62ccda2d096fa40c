"""People without a mailbox: what there is for them, and the address that Core Signature has of them."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import SecretStr

from activities.people.person import Reachable
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message

ANY: Final = "*"
"""Stands in the pattern of relay addresses for what tells signers apart."""
_UNGUESSABLE: Final = 24
"""Hexadecimal digits."""
Somebody = TypeVar("Somebody", bound=Reachable)


@dataclass(frozen=True)
class MailboxSubstitutes:
    """Whether mails and SMS of ours can be sent, and the pattern of relay addresses; empty for none."""

    has_messaging: bool = False
    relay: str = ""

    def refusal(self, email: str | None, phone: str | None, *, signs: bool = False) -> Message | None:
        """Why somebody with this address and number cannot be asked, `signs` at Core Signature."""
        if email or not phone or self.reach_by_number(signs):
            return None
        return (FileFault.NO_RELAY if self.has_messaging else FileFault.NO_TEXT_MESSAGES).to_message()

    def reach_by_number(self, signs: bool) -> bool:
        """Whether somebody can be asked who has a number alone."""
        return self.has_messaging and bool(self.relay or not signs)

    def with_address(self, person: Somebody, name: str, secret: SecretStr | None) -> Somebody:
        """The person with a relay address if they have none of their own: unguessable, and equal for each `name`."""
        if person.email or not self.relay or secret is None:
            return person
        digest = hmac.new(secret.get_secret_value().encode(), f"relay {name}".encode(), hashlib.sha256).hexdigest()
        return person.model_copy(update={"email": self.relay.replace(ANY, digest[:_UNGUESSABLE])})


NO_SUBSTITUTES: Final = MailboxSubstitutes()
