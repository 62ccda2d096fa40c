"""The dev server skips checks that a network needs, so nothing of the laptop stack may be reached from outside."""

import ipaddress
from typing import Final

from deploy.processes import StackFailure

LOOPBACK: Final = "127.0.0.1"


def only_loopback(host: str) -> str:
    """The loopback address that `host` is; `StackFailure` for any other."""
    try:
        address = ipaddress.ip_address(LOOPBACK if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise StackFailure(
            f"{host} is not a loopback address: the dev server skips security checks, so it stays on this machine"
        )
    return str(address)
