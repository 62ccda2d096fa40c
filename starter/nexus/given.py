"""What comes with `request_signature` as a request file that can be checked: no path of it leads to a file of ours."""

import base64
import binascii
import re
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from activities.files.pdf import check_pdf
from activities.files.reading import TOLD_AT_MOST, Fault, FileFaults, PlainFile
from activities.files.yaml_lines import FieldPath, Parsed
from activities.onboarding.content import KeptDocuments
from activities.requests.file import RequestFile
from activities.starting.checks import maps

NAME: Final = "request"
"""What the faults of it are known by, beside those of our own files."""
PDF_MEGABYTES_AT_MOST: Final = 1
"""In base64 it must fit into what Temporal takes as one input, 2 MB, with room for the rest."""
_DOCUMENT: Final = "document.pdf"
_BY_THE_ANSWER: Final = "cannot be given here: who asks hears by the answer, and others by the policy of the kind"


_WITHOUT_VALUES: Final = re.compile(
    r"must be .+|needs .+|has (more than [\d,]+ entries|file and template, .+|nobody to escalate to: .+)"
    r"|is (missing|missing: people see it|empty|an empty file|not a PDF file .+)|no file comes with an operation: .+"
    r"|is [\d.,]+ (characters long|MB large), at most [\d,]+ (are allowed|MB can be sent)"
    r"|is (longer|more) than two years( away)?|lies in the past|never comes, because .+|cannot be given here: .+"
)
"""Sentences that consist of words of ours and of sizes."""
_KINDS_OF_FAULTS: Final = (
    (re.compile(r'" is not a kind of '), "no kind has this name"),
    (re.compile(r'" is not in '), "nobody has this id"),
    (re.compile(r"^unknown"), "unknown field"),
    (re.compile(r" signer of this request"), "is among the signers already"),
    (re.compile(r" cannot be used: "), "cannot be used for this request"),
    (re.compile(r"(after the due date|but the window is .+)$"), "comes too late"),
)


def read(content: dict[str, Any]) -> tuple[PlainFile, KeptDocuments]:
    """The request file and its document; `FileFaults` for what no operation may bring."""
    document, pdf = content.get("document"), b""
    faults = list(_foreign(content))
    if isinstance(document, dict) and "pdf" in document:
        try:
            pdf = _pdf(document["pdf"])
        except ValueError as fault:
            faults.append((("document", "pdf"), str(fault)))
        document = {**{key: value for key, value in document.items() if key != "pdf"}, "file": _DOCUMENT}
    if faults:
        raise _plain(content).faults(faults)
    return _plain({**content, "document": document} if pdf else content), KeptDocuments({_DOCUMENT: pdf})


def own_faults(faults: FileFaults) -> str:
    """Those of the request itself, a line each by the names of fields; empty when they are faults of our own files.

    A line repeats nothing that was given or that our files hold: a caller keeps it for ever, and is not to learn from
    it who else is in the directory.
    """
    own = list(dict.fromkeys(map(_told, (one for one in faults.faults if one.file == NAME))))
    more = len(own) - TOLD_AT_MOST
    return "\n".join([*own[:TOLD_AT_MOST], *([f"and {more:,} more"] if more > 0 else [])])


def _told(fault: Fault) -> str:
    ours = takewhile(lambda step: step.partition("[")[0] in _fields(), fault.path.split("."))
    return f"{'.'.join(ours) or NAME}: {_fixed(fault.says)}"


@cache
def _fields() -> frozenset[str]:
    """All names of fields there are; another step of a path is a word of the caller's."""
    whole = RequestFile.model_json_schema()
    return frozenset(name for part in (whole, *whole["$defs"].values()) for name in part.get("properties", ())) | {
        "pdf"
    }


def _fixed(says: str) -> str:
    """The sentence itself if it is one of those with no value in it, else a word for the kind of fault."""
    if _WITHOUT_VALUES.fullmatch(says):
        return says
    return next((word for pattern, word in _KINDS_OF_FAULTS if pattern.search(says)), "is not right")


def _plain(content: dict[str, Any]) -> PlainFile:
    return PlainFile(NAME, Path(), Parsed(content, {}, ()))


def _foreign(content: dict[str, Any]) -> Iterator[tuple[FieldPath, str]]:
    document, policy = content.get("document"), content.get("policy")
    if isinstance(document, dict) and "file" in document:
        yield ("document", "file"), "no file comes with an operation: give its bytes as pdf, or a template"
    if isinstance(document, dict) and "pdf" in document and not document.get("name"):
        yield ("document", "name"), "is missing: people see it"
    for position, signer in enumerate(maps(content, "signers")):
        if "person" not in signer:
            yield ("signers", position), "must be a person of the directory, by id"
    if "subscribers" in content:
        yield ("subscribers",), _BY_THE_ANSWER
    if isinstance(policy, dict) and "handoff" in policy:
        yield ("policy", "handoff"), _BY_THE_ANSWER


def _pdf(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("must be the bytes of a PDF in base64")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be the bytes of a PDF in base64") from None
    check_pdf(content, PDF_MEGABYTES_AT_MOST)
    return content
