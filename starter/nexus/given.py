"""What comes with `request_signature` as a request file that can be checked: no path of it leads to a file of ours."""

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from activities.files.pdf import check_pdf
from activities.files.reading import FileFaults, PlainFile
from activities.files.yaml_lines import FieldPath, Parsed
from activities.onboarding.content import KeptDocuments
from activities.starting.checks import maps

NAME: Final = "request"
"""What the faults of it are known by, beside those of our own files."""
PDF_MEGABYTES_AT_MOST: Final = 1
"""In base64 it must fit into what Temporal takes as one input, 2 MB, with room for the rest."""
_DOCUMENT: Final = "document.pdf"
_BY_THE_ANSWER: Final = "cannot be given here: who asks hears by the answer, and others by the policy of the kind"


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
    """Those of the request itself, a line each by the names of fields; empty when they are faults of our own files."""
    return "\n".join(f"{one.path or NAME}: {one.says}" for one in faults.faults if one.file == NAME)


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
