"""What the first hour with a tenant settles: one table of facts, by their ids in docs/core-signature.md. Each has a
judge over the recording of a trial, and the settings that mend a difference.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from activities.core_signature.documents import STATUSES
from starter.tenant.recording import HttpExchange, Recording
from starter.tenant.scrubbing import FOREIGN
from workflows.model.base import Model

Judge = Callable[[Recording], str | None]
"""The difference in words, empty if the fact holds; None if the recording cannot tell."""
_UNFORESEEN: Final = (ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What reading a strange answer may raise: the other facts are judged nevertheless."""
_REFUSED: Final = ("bad_hash", "malformed", "too_old", "outside_window", "clock_behind")
_NOT_SIGNED: Final = "the document was neither signed nor declined in time"
_NO_CALLBACK: Final = "no callback came to the trial"
_NO_PUSH: Final = "nobody's device was named with --person, or another service pushes"
_NO_ENDPOINT: Final = ("301", "302", "307", "308", "404", "405", "no answer")
_BAD_CLIENT: Final = ("401", "invalid_client", "invalid_request")
_BAD_GRANT: Final = ("unsupported_grant_type", "unauthorized_client", "invalid_scope")
_SCOPE: Final = ("SIGNATURE_SCOPE", "SIGNATURE_SUBSCRIPTION")


class Verdict(StrEnum):
    HOLDS = "holds"
    DIFFERS = "differs"
    NOT_SEEN = "not seen"


class FactFinding(Model):
    """The verdict on one fact. `settings` mend a difference; without any, `says` tells what to do."""

    id: str
    fact: str
    verdict: Verdict
    says: str = ""
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fact:
    """`settings` without prefix; `unseen` is why a trial may not see it."""

    text: str
    judge: Judge
    settings: tuple[str, ...] = ()
    unseen: str = "the trial did not get so far"


def judge_recording(recording: Recording) -> tuple[FactFinding, ...]:
    return tuple(_judge_fact(id, fact, recording) for id, fact in FACTS.items())


def _judge_all(calls: Sequence[HttpExchange], difference: Callable[[HttpExchange], str]) -> str | None:
    """The difference of the first call that has one."""
    return next(filter(None, map(difference, calls)), "") if calls else None


def _describe(call: HttpExchange) -> str:
    return f"answered {call.status}" if call.status else "no answer"


def _accepts(step: str, service: str = "core") -> Judge:
    """One of the calls of a step is accepted."""

    def judge(recording: Recording) -> str | None:
        calls = recording.calls(service, step, "POST")
        return ("" if any(call.ok for call in calls) else _describe(calls[-1])) if calls else None

    return judge


def _grants_token(*refusals: str) -> Judge:
    """A token is given, or the call ends with none of these statuses and errors."""

    def judge(recording: Recording) -> str | None:
        calls = recording.calls("token", "token")
        if any(call.ok for call in calls):
            return ""
        endings = [str(call.answer.get("error") or call.status or "no answer") for call in calls]
        return next((ending for ending in endings if ending in refusals), None)

    return judge


def _judge_sender(recording: Recording) -> str | None:
    calls = recording.calls("core", "ask", "POST")
    return _judge_all(calls, lambda call: "it is refused" if not call.ok and "from_email" in str(call.body) else "")


def _judge_pages(recording: Recording) -> str | None:
    lists = [call for call in recording.calls("core", method="GET") if "page" in call.query]
    return _judge_all(lists, lambda call: _describe(call) if call.status in (400, 404) else "")


def _filters_by(name: str) -> Judge:
    """A list with this filter has no other documents."""

    def judge(recording: Recording) -> str | None:
        lists = [call for call in recording.calls("core", method="GET") if name in call.query and call.results]
        return _judge_all(lists, lambda call: "others are listed" if _list_foreign(call) else "")

    return judge


def _list_foreign(call: HttpExchange) -> list[dict[str, Any]]:
    return [item for item in call.results if item.get("external_id") == FOREIGN]


def _judge_list_lag(recording: Recording) -> str | None:
    looks, lag = recording.calls("core", "list"), float(recording.settings.get("list_lag", 10))
    listed = [look for look in looks if len(look.results) > len(_list_foreign(look))]
    if not listed:
        return "it was not listed in time" if looks else None
    seconds = listed[0].seconds - recording.calls("core", "create", "POST")[0].seconds
    return "" if seconds <= max(lag, 0.2) else f"after {seconds:.1f} s, {lag:g} s are set"


def _judge_rate(recording: Recording) -> str | None:
    return _judge_all(recording.calls("core"), lambda call: "answered 429" if call.status == 429 else "")


def _documents(recording: Recording, step: str = "") -> list[Mapping[str, Any]]:
    """Single documents as read in a step, or in all, the latest last."""
    calls = [call for call in recording.calls("core", step, "GET") if "/documents/" in call.path]
    return [call.answer for call in calls if call.ok and "results" not in call.answer]


def _serves(name: str) -> Judge:
    """A file of the ended document is served whole."""

    def judge(recording: Recording) -> str | None:
        files = [call for call in recording.calls("file") if call.path == name]
        if not files:
            return "there is none" if recording.calls("core", "download") else None
        if not files[0].answer["is_pdf"]:
            return f"{_describe(files[0])}, no PDF"
        return "" if files[0].answer["is_intact"] else "its SHA-256 is not security_hash"

    return judge


def _judge_download_hosts(recording: Recording) -> str | None:
    files = recording.calls("file")
    return _judge_all(files, lambda file: "" if file.answer["is_host_set"] else "they lead to another host")


def _match_signer(recording: Recording) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The signer as sent and as read; None if no entry has their address."""
    sent = recording.calls("core", "ask", "POST")[0].sent["signers"][0]
    document = _documents(recording, "read")[-1]
    request = document.get("signrequest") or document.get("signature_request") or {"signers": []}
    return next(((sent, signer) for signer in request["signers"] if signer["email"] == sent["email"]), None)


def _judge_signer(recording: Recording) -> str | None:
    if not _documents(recording, "read"):
        return None
    return "" if _match_signer(recording) else "no entry of its request has the address that was sent"


def _judge_names(recording: Recording) -> str | None:
    signer_pair = _match_signer(recording) if _documents(recording, "read") else None
    if signer_pair is None:
        return None
    sent, read = ({key: name for key, name in signer.items() if key.endswith("_name")} for signer in signer_pair)
    return "" if sent.items() <= read.items() else f"it comes back as {', '.join(read) or 'nothing'}"


def _acts_by_path(step: str) -> Judge:
    """An action has one of the paths that are set; a trial tries others after these."""

    def judge(recording: Recording) -> str | None:
        calls = recording.calls("core", step, "POST")
        names = [call.path.rstrip("/").rpartition("/")[2] for call in calls if call.ok]
        if not names:
            return f"{_describe(calls[-1])}: look at /api/v1/docs/" if calls else None
        return "" if names[0] in recording.settings[f"{step}_paths"] else f"it is {names[0]}"

    return judge


def _judge_second_mail(recording: Recording) -> str | None:
    refusals = [call for call in recording.calls("core", "twice", "POST") if not call.ok]
    return f"it is refused instead: {_describe(refusals[-1])}" if refusals else None


def _judge_statuses(recording: Recording) -> str | None:
    statuses = {str(document["status"]) for document in _documents(recording)}
    unknown = sorted(statuses - STATUSES.keys())
    return (f"{', '.join(unknown)}: the code has to learn them" if unknown else "") if statuses else None


def _judge_callback_address(recording: Recording) -> str | None:
    if recording.calls("callback"):
        return ""
    has_listened = recording.settings.get("listens") and recording.calls("core", "end")
    return "none came: it is ignored, or not reached" if has_listened else None


def _judge_signature(recording: Recording) -> str | None:
    refused = [call for call in recording.calls("callback") if call.answer["verdict"] in _REFUSED]
    if not refused:
        return "" if recording.calls("callback") else None
    return str(refused[0].answer["verdict"]) if "event_hash" in refused[0].sent else "there is no hash"


def _judge_repetition(recording: Recording) -> str | None:
    first, *later = recording.calls("callback") or (None,)
    return "" if first and any(call.sent["uuid"] == first.sent["uuid"] for call in later) else None


def _pushes_by(dialect: str) -> Judge:
    accepts = _accepts("push", "push")
    return lambda recording: accepts(recording) if recording.settings.get("push") == dialect else None


FACTS: Final[Mapping[str, Fact]] = {
    "T2": Fact("the token endpoint is there", _grants_token(*_NO_ENDPOINT), ("SIGNATURE_TOKEN_URL",)),
    "T3": Fact("it takes id and secret as sent", _grants_token(*_BAD_CLIENT), ("SIGNATURE_TOKEN_AUTH",)),
    "T4": Fact("it offers the grant and scope", _grants_token(*_BAD_GRANT), ("SIGNATURE_GRANT", *_SCOPE)),
    "T6": Fact("the sender is accepted", _judge_sender, ("SIGNATURE_FROM_EMAIL", "SIGNATURE_GRANT")),
    "L1": Fact("a document is created below /api/v1", _accepts("create"), ("SIGNATURE_URL", *_SCOPE)),
    "L2": Fact("a list has pages of the size that is set", _judge_pages, ("SIGNATURE_PAGE_SIZE",)),
    "L3": Fact("documents are found by external_id", _filters_by("external_id"), ("SIGNATURE_DIALECT",)),
    "L4": Fact("a new document is listed within the lag that is set", _judge_list_lag, ("SIGNATURE_LIST_LAG",)),
    "L5": Fact("as many calls a second are taken as are set", _judge_rate, ("SIGNATURE_MAX_RPS",)),
    "D3": Fact(
        "events_callback_url receives the document's events",
        _judge_callback_address,
        ("SIGNATURE_CALLBACK_STYLE", "WEBHOOK_URL"),
        unseen="COUNTERSIGN_WEBHOOK_URL is not set, subscriptions are used, or the web process runs",
    ),
    "D8": Fact("an ended document has its PDF, and its SHA-256", _serves("pdf"), unseen=_NOT_SIGNED),
    "D9": Fact("it has its signing log, and its SHA-256", _serves("signing_log"), unseen=_NOT_SIGNED),
    "D10": Fact("links lead to hosts that are set", _judge_download_hosts, ("SIGNATURE_DOWNLOAD_HOSTS",), _NOT_SIGNED),
    "R1": Fact("a request is made with the document's URL", _accepts("ask"), ("SIGNATURE_DIALECT",)),
    "R5": Fact("a document shows its request, and the signer by their address", _judge_signer),
    "S5": Fact("a name comes back as it was sent", _judge_names, ("SIGNATURE_SIGNER_NAME_STYLE",)),
    "S11": Fact("a signer may have a password", _accepts("verify")),
    "A1": Fact("cancel has a path that is set", _acts_by_path("cancel"), ("SIGNATURE_CANCEL_PATHS",)),
    "A2": Fact("the mail is sent again by a path that is set", _acts_by_path("resend"), ("SIGNATURE_RESEND_PATHS",)),
    "A3": Fact("a signer is replaced by a path that is set", _acts_by_path("forward"), ("SIGNATURE_FORWARD_PATHS",)),
    "A5": Fact(
        "a second mail within ten minutes is dropped",
        _judge_second_mail,
        unseen="both were taken: look whether one or two are in the mailbox",
    ),
    "C13": Fact("no other status comes than those that are known", _judge_statuses),
    "V1": Fact("events are found by document__uuid", _filters_by("document__uuid"), ("SIGNATURE_DIALECT",)),
    "K5": Fact(
        "our web process takes callbacks, by their hash and time",
        _judge_signature,
        ("WEBHOOK_SECRETS", "WEBHOOK_MODE", "WEBHOOK_MAX_AGE"),
        unseen=_NO_CALLBACK,
    ),
    "K6": Fact("a callback that is answered 500 is repeated", _judge_repetition, unseen=_NO_CALLBACK),
    "F1": Fact("FCM takes a message", _pushes_by("fcm_v1"), ("PUSH_URL", "PUSH_SEND_PATH", "PUSH_PROJECT"), _NO_PUSH),
    "W1": Fact("AppWorks takes a message", _pushes_by("appworks"), ("PUSH_URL", "PUSH_APP", "PUSH_APP_KEY"), _NO_PUSH),
}


def _judge_fact(id: str, fact: Fact, recording: Recording) -> FactFinding:
    try:
        difference = fact.judge(recording)
    except _UNFORESEEN:
        difference = "the answer has an unforeseen form: look into answers.json"
    if not difference:
        verdict, reason = (Verdict.HOLDS, "") if difference is not None else (Verdict.NOT_SEEN, fact.unseen)
        return FactFinding(id=id, fact=fact.text, verdict=verdict, says=reason)
    settings = tuple(f"COUNTERSIGN_{name}" for name in fact.settings)
    return FactFinding(id=id, fact=fact.text, verdict=Verdict.DIFFERS, says=difference, settings=settings)
