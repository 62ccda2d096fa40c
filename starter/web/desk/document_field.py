"""The document of a draft: a PDF that is uploaded, or a template of Core Signature."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

from babel.numbers import format_decimal

from activities.files.pdf import MEGABYTE, check_pdf
from activities.people.language import Language
from activities.records.drafts import Draft, DraftFile, Drafts
from starter.web.desk.draft_forms import Content, FilledStep
from starter.web.http.bodies import PostedDocuments, PostedFile
from workflows.model.messages import Message

_NAME_AT_MOST: Final = 200
"""Characters of a file's name that are kept, its end with them."""


class DocumentField:
    def __init__(self, drafts: Drafts, megabytes: int) -> None:
        self._drafts = drafts
        self._megabytes = megabytes

    async def fill_in(self, draft: Draft, content: Content, posted: PostedDocuments) -> FilledStep:
        """The draft's new content with the uploaded PDF, if it is one; a template takes its place."""
        files, faults = dict(draft.files), dict[str, Message]()
        document, uploaded = content.get("document", {}), posted.files.get("document.file")
        previous_name = document.get("file", "")
        if uploaded is not None:
            try:
                check_pdf(uploaded.content, self._megabytes)
                name = file_name(uploaded, "document.pdf")
                files.pop(previous_name, None)
                files[name] = await self._drafts.put(uploaded.content)
                content["document"] = {key: text for key, text in document.items() if key != "template"} | {
                    "file": name
                }
            except ValueError as fault:
                faults["document.file"] = fault.args[0]
        elif document.get("template") and "file" in document:
            del document["file"]
            files.pop(previous_name, None)
        return FilledStep(content, files, faults)

    def template_values(self, draft: Draft, language: Language) -> Mapping[str, Any]:
        """What the template of the step needs of it."""
        document = draft.content.get("document") or {}
        file = draft.files.get(document.get("file", ""))
        return {"file": file, "size": size_of(file, language), "megabytes": self._megabytes}


def size_of(file: DraftFile | None, language: Language) -> str:
    if file is None:
        return ""
    if file.size < MEGABYTE / 10:
        return f"{format_decimal(max(1, round(file.size / 1024)), '0', language.locale)} kB"
    return f"{format_decimal(file.size / MEGABYTE, '0.0', language.locale)} MB"


def file_name(uploaded: PostedFile, usual: str) -> str:
    """Without a folder, which some browsers send, and not longer than names may be."""
    path, usual_path = PurePath(uploaded.name.replace("\\", "/")), PurePath(usual)
    suffix = path.suffix or usual_path.suffix
    return f"{path.stem[: _NAME_AT_MOST - len(suffix)].strip() or usual_path.stem}{suffix}"
