"""An auditor's random sample of a campaign: anybody draws the same one again, in any language, by hand if need be.

The people stand in the order of the SHA-256 of `<seed>/<row>/<person>`, and the first so many are the sample.
"""

import hashlib
from collections.abc import Iterable
from heapq import nsmallest

from activities.campaigns.standing import MemberOutcome


def audit_sample(lines: Iterable[MemberOutcome], many: int, seed: str) -> list[MemberOutcome]:
    """So many of the lines, or all; each is as likely as any other, and fewer of one seed are the first of more."""
    return nsmallest(many, lines, key=lambda line: _place(line, seed))


def _place(line: MemberOutcome, seed: str) -> bytes:
    return hashlib.sha256(f"{seed}/{line.row}/{line.person}".encode()).digest()
