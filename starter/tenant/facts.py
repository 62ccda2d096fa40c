"""What is assumed of a tenant, each fact by the id that it has in docs/core-signature.md, and how a trial's recording
judges it. A fact without a judge cannot be seen by a trial; `says` tells why.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

from activities.core_signature.documents import STATUSES
from activities.core_signature.wire import uuid_in
from starter.tenant.recording import FOREIGN, HOST, Exchange, RecordedCallback, Recording, TrialDownload
from workflows.model.base import Model
from workflows.model.signature import WITHOUT_EFFECT
from workflows.model.subject import Status


class Verdict(StrEnum):
    HOLDS = "holds"
    DIFFERS = "differs"
    NOT_SEEN = "not seen"


class FactFinding(Model):
    """What became of one fact. `settings` mend it, by their whole names; a difference without any is a matter of code,
    or needs nothing, as `says` tells.
    """

    id: str
    fact: str
    verdict: Verdict
    says: str = ""
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """A judge's answer."""

    verdict: Verdict
    says: str = ""
    settings: tuple[str, ...] = ()


def holds(says: str = "") -> Judgement:
    return Judgement(Verdict.HOLDS, says)


def differs(says: str, *settings: str) -> Judgement:
    """`settings` without prefix."""
    return Judgement(Verdict.DIFFERS, says, settings)


Judge = Callable[[Recording], Judgement | None]
"""None: nothing was seen that could tell."""


_UNFORESEEN: Final = (ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What reading a strange answer may raise: one fact is not judged then, the others are."""


@dataclass(frozen=True)
class Fact:
    """`says` is the fact in short; `unseen` why a trial may not see it."""

    id: str
    says: str
    unseen: str = ""
    judge: Judge | None = None

    def finding(self, seen: Recording) -> FactFinding:
        try:
            found = self.judge(seen) if self.judge else None
        except _UNFORESEEN:
            found = differs("the answer has a form that nobody has foreseen: look into answers.json")
        if found is None:
            return FactFinding(id=self.id, fact=self.says, verdict=Verdict.NOT_SEEN, says=self.unseen)
        settings = tuple(f"COUNTERSIGN_{name}" for name in found.settings)
        return FactFinding(id=self.id, fact=self.says, verdict=found.verdict, says=found.says, settings=settings)


FACTS: Final[dict[str, Fact]] = {}
"""Every fact by its id, in the order of the page."""


def judged(seen: Recording) -> list[FactFinding]:
    """Every fact as this recording shows it."""
    return [fact.finding(seen) for fact in FACTS.values()]


def fact(id: str, says: str, unseen: str = "the trial did not get so far") -> Callable[[Judge], Judge]:
    """Registers the judge of a fact."""

    def registered(judge: Judge) -> Judge:
        FACTS[id] = Fact(id, says, unseen, judge)
        return judge

    return registered


def untried(id: str, says: str, why: str) -> None:
    """A fact that a trial cannot see."""
    FACTS[id] = Fact(id, says, why)


def _first(exchanges: Iterable[Exchange]) -> Exchange | None:
    return next(iter(exchanges), None)


def _refusal(exchange: Exchange) -> str:
    return f"answered {exchange.status}" if exchange.status else "no answer"


def _made(seen: Recording) -> Exchange | None:
    """The first document as it was created."""
    return _first(one for one in seen.of("create", "POST") if one.path.endswith("/documents/"))


def _asked(seen: Recording) -> Exchange | None:
    """The first request as it was created."""
    return _first(one for one in seen.of("ask", "POST"))


def _request_in(document: Mapping[str, Any]) -> dict[str, Any] | None:
    found = (document.get(name) for name in ("signrequest", "signature_request"))
    return next((one for one in found if isinstance(one, dict)), None)


def _signers(request: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    found = (request or {}).get("signers")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _read(seen: Recording, *steps: str) -> list[Mapping[str, Any]]:
    """Documents as read in these steps, the latest last."""
    return [one.told for one in seen.documents if one.step in steps]


def _signer(
    exchange: Exchange | None, document: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The only signer as sent, and as read."""
    if exchange is None or document is None or not isinstance(exchange.sent, dict):
        return None
    sent = _signers(exchange.sent)
    found = [one for one in _signers(_request_in(document)) if sent and one.get("email") == sent[0].get("email")]
    signing = [one for one in found if one.get("needs_to_sign") is not False] or found
    return (sent[0], signing[-1]) if sent and signing else None


def _of_first(seen: Recording) -> tuple[dict[str, Any], dict[str, Any]] | None:
    read = _read(seen, "read", "resend", "sign")
    return _signer(_asked(seen), read[-1] if read else None)


def _of_second(seen: Recording) -> tuple[dict[str, Any], dict[str, Any]] | None:
    read = _read(seen, "second")
    return _signer(
        _first(one for one in seen.of("second", "POST") if "signers" in (one.sent or {})), read[-1] if read else None
    )


def _with_keys(about: Mapping[str, Any], *names: str) -> Judgement:
    missing = [name for name in names if name not in about]
    return differs(f"without {', '.join(missing)}: read as unknown") if missing else holds()


# --- 1. tokens

_NO_TOKEN: Final = "no token was asked for"  # noqa: S105  a sentence


def _tokens(seen: Recording) -> list[Exchange]:
    return [one for one in seen.exchanges if one.service == "token"]


def _token_error(seen: Recording) -> str:
    refused = [one for one in _tokens(seen) if not one.ok]
    return str(refused[-1].told.get("error", "")) if refused else ""


@fact("T1", "each call has a bearer token of the login service")
def _(seen: Recording) -> Judgement | None:
    calls = [one for one in seen.core() if one.step != "errors" and one.status is not None]
    if any(one.ok for one in calls):
        return holds()
    refused = [one for one in calls if one.status in (401, 403)]
    return (
        differs(
            "every call is refused with a new token", "SIGNATURE_TOKEN_URL", "SIGNATURE_SCOPE", "SIGNATURE_SUBSCRIPTION"
        )
        if refused
        else None
    )


@fact("T2", "the token endpoint is where the setting says", _NO_TOKEN)
def _(seen: Recording) -> Judgement | None:
    asked = _tokens(seen)
    if any(one.ok for one in asked):
        return holds()
    if any(one.status in (404, 405) or one.status is None or 300 <= one.status < 400 for one in asked):
        return differs(_refusal(asked[-1]), "SIGNATURE_TOKEN_URL")
    return None


@fact("T3", "id and secret are sent as the tenant wants them", _NO_TOKEN)
def _(seen: Recording) -> Judgement | None:
    if any(one.ok for one in _tokens(seen)):
        return holds(str(seen.settings.get("token_auth", "")))
    if _token_error(seen) in ("invalid_client", "invalid_request") or any(one.status == 401 for one in _tokens(seen)):
        return differs("the client is refused: another way to send them, or another client", "SIGNATURE_TOKEN_AUTH")
    return None


@fact("T4", "the grant is offered, with scope and subscription as set", _NO_TOKEN)
def _(seen: Recording) -> Judgement | None:
    if any(one.ok for one in _tokens(seen)):
        return holds(str(seen.settings.get("grant", "")))
    match _token_error(seen):
        case "unsupported_grant_type" | "unauthorized_client":
            return differs("the grant is refused", "SIGNATURE_GRANT")
        case "invalid_scope":
            return differs("the scope is refused", "SIGNATURE_SCOPE", "SIGNATURE_SUBSCRIPTION")
    return None


_LIFE: Final = 900


@fact("T5", f"a token's answer has access_token, token_type, expires_in; it is valid for {_LIFE} s", _NO_TOKEN)
def _(seen: Recording) -> Judgement | None:
    granted = _first(one for one in _tokens(seen) if one.ok)
    if granted is None:
        return None
    missing = [name for name in ("access_token", "token_type", "expires_in") if name not in granted.told]
    if missing:
        return differs(f"without {', '.join(missing)}; needs no setting, 300 s are assumed")
    life = granted.told["expires_in"]
    return holds() if life == _LIFE else differs(f"valid for {life} s, which is followed; needs no setting")


@fact("T6", "the token says who the sender is, else the setting")
def _(seen: Recording) -> Judgement | None:
    asked = _asked(seen)
    if asked is None:
        return None
    if asked.ok:
        return holds("by the setting" if (asked.sent or {}).get("from_email") else "by the token")
    if "from_email" in asked.told or "from_email" in (asked.told.get("errors") or {}):
        return differs("the sender is refused", "SIGNATURE_FROM_EMAIL", "SIGNATURE_GRANT")
    return None


@fact("T7", "a refused token is told by error and error_description, or by fault", "no token was refused")
def _(seen: Recording) -> Judgement | None:
    refused = _first(one for one in _tokens(seen) if not one.ok and one.status)
    if refused is None:
        return None
    known = "error" in refused.told or "fault" in refused.told
    return holds() if known else differs("in another form, which is quoted; needs no setting")


# --- 2. lists


@fact("L1", "paths begin with /api/v1")
def _(seen: Recording) -> Judgement | None:
    calls = [one for one in seen.core() if one.step in ("create", "list") and one.status]
    if any(one.ok for one in calls):
        return holds()
    return (
        differs("documents are not found there", "SIGNATURE_URL") if any(one.status == 404 for one in calls) else None
    )


@fact("L2", "a list is count, next, previous, results; page counts from 1, limit is at most 100")
def _(seen: Recording) -> Judgement | None:
    lists = [one for one in seen.core() if one.method == "GET" and "limit" in one.query]
    if not lists:
        return None
    if refused := [one for one in lists if one.status in (400, 404) and one.step in ("list", "events")]:
        return differs(
            f"page {refused[0].query.get('page')} of {refused[0].query['limit']} {_refusal(refused[0])}",
            "SIGNATURE_PAGE_SIZE",
        )
    answered = [one for one in lists if one.ok]
    for one in answered:
        if missing := [name for name in ("count", "results") if name not in one.told]:
            return differs(f"without {', '.join(missing)}")
        if len(one.results) > int(one.query["limit"]):
            return differs("limit is ignored; harmless")
    return holds() if answered else None


def _searches(seen: Recording) -> list[Exchange]:
    return [one for one in seen.core() if one.ok and one.path.endswith("/documents/") and "external_id" in one.query]


@fact("L3", "a document is found by external_id")
def _(seen: Recording) -> Judgement | None:
    found = _searches(seen)
    if not found:
        return None
    if any(item.get("external_id") == FOREIGN for one in found for item in one.results):
        return differs("the filter external_id is ignored: other documents are listed", "SIGNATURE_DIALECT")
    return holds() if any(one.results for one in found) else None


@fact("L4", "a new document is in lists within the lag that is set")
def _(seen: Recording) -> Judgement | None:
    lag = float(seen.settings.get("list_lag", 10))
    if seen.listed_after is None:
        return differs("it was not listed in time", "SIGNATURE_LIST_LAG") if _searches(seen) else None
    says = f"after {seen.listed_after:.1f} s"
    return (
        holds(says)
        if seen.listed_after <= max(lag, 0.2)
        else differs(f"{says}, {lag:g} s are set", "SIGNATURE_LIST_LAG")
    )


@fact("L5", "the tenant takes as many calls a second as are set")
def _(seen: Recording) -> Judgement | None:
    if any(one.status == 429 for one in seen.core()):
        return differs("429 at this pace", "SIGNATURE_MAX_RPS")
    return holds(f"{len(seen.core())} calls, none refused") if seen.core() else None


# --- 3. errors


def _error(seen: Recording, *statuses: int) -> Exchange | None:
    return _first(one for one in seen.core() if one.status in statuses and "fault" not in one.told)


@fact("E1", "a 400 names its fields")
def _(seen: Recording) -> Judgement | None:
    found = _error(seen, 400)
    if found is None:
        made = _first(seen.of("errors", "POST"))
        return (
            differs("a document without content is not refused; the trial has deleted it") if made and made.ok else None
        )
    return holds() if found.told else differs("in another form, which is quoted")


@fact("E2", "401 and 403 have a detail")
def _(seen: Recording) -> Judgement | None:
    found = _error(seen, 401, 403)
    return None if found is None else holds() if "detail" in found.told else differs("in another form, which is quoted")


@fact("E3", "404 has a detail")
def _(seen: Recording) -> Judgement | None:
    found = _first(one for one in seen.of("errors", "GET") if one.status == 404)
    if found is None:
        other = _first(
            one for one in seen.of("errors", "GET") if one.path.count("/") > 4 and one.status not in (401, None)
        )
        return differs(f"a document that does not exist {_refusal(other)}") if other else None
    return holds() if "detail" in found.told else differs("in another form; the status decides")


@fact("E4", "429 says Retry-After", "nothing was throttled")
def _(seen: Recording) -> Judgement | None:
    found = _error(seen, 429)
    return (
        None if found is None else holds() if "retry-after" in found.headers else differs("without it; 5 s are assumed")
    )


@fact("E5", "5xx, or HTML instead of JSON, passes", "no such answer came")
def _(seen: Recording) -> Judgement | None:
    bad = [one for one in seen.core() if (one.status or 0) >= 500 or (one.ok and str(one.body).startswith("HTML"))]
    return holds(_refusal(bad[0])) if bad else None


@fact("E6", "a gateway refuses with fault", "no gateway has refused anything")
def _(seen: Recording) -> Judgement | None:
    return holds() if any("fault" in one.told for one in seen.exchanges) else None


@fact("E7", "no answer is a redirect")
def _(seen: Recording) -> Judgement | None:
    if not seen.core():
        return None
    found = _first(one for one in seen.core() if one.status and 300 <= one.status < 400)
    return differs("redirects are not followed: another host or path", "SIGNATURE_URL") if found else holds()


# --- 4. documents


@fact("D1", "content is base64 in file_from_content, with a name")
def _(seen: Recording) -> Judgement | None:
    made = _made(seen)
    return None if made is None or made.status is None else holds() if made.ok else differs(_refusal(made))


@fact("D2", "external_id comes back")
def _(seen: Recording) -> Judgement | None:
    made = _made(seen)
    if made is None or not made.ok:
        return None
    known = [one for one in (made.told, *_read(seen, "read")) if "external_id" in one]
    sent = (made.sent or {}).get("external_id")
    return (
        holds() if known and all(one["external_id"] == sent for one in known) else differs("it is missing, or another")
    )


def _delivered(seen: Recording) -> list[dict[str, Any]]:
    """The events of a document with a callback address, as last listed."""
    listed = [one for one in seen.core() if one.ok and "document__uuid" in one.query and one.results]
    return [item for one in listed[-1:] for item in one.results]


@fact(
    "D3",
    "events_callback_url receives the document's events",
    "no callback address was given, or nobody listened there",
)
def _(seen: Recording) -> Judgement | None:
    if seen.callbacks:
        return holds(f"{len(seen.callbacks)} came")
    if any(item.get("callback_status_code") for item in _delivered(seen)):
        return holds("the list of events says so")
    if seen.listens == "here" and seen.of("events"):
        return differs(
            "none came: it is ignored, or the address is not reached from there",
            "SIGNATURE_CALLBACK_STYLE",
            "WEBHOOK_URL",
        )
    return None


@fact("D4", "a document has uuid and url, then status, then its request as signrequest")
def _(seen: Recording) -> Judgement | None:
    made = _made(seen)
    if made is None or not made.ok:
        return None
    if missing := [name for name in ("uuid", "url") if name not in made.told]:
        return differs(f"without {', '.join(missing)} when created")
    read = _read(seen, "read")
    if not read:
        return None
    if "status" not in read[-1]:
        return differs("without status")
    return holds() if _request_in(read[-1]) else differs("its request is not in it", "SIGNATURE_DIALECT")


untried("D5", "a document can be made from a template", "the trial uploads its own")


@fact("D6", "name comes back, perhaps trimmed")
def _(seen: Recording) -> Judgement | None:
    made, read = _made(seen), _read(seen, "read")
    if made is None or not read:
        return None
    sent, told = (made.sent or {}).get("name"), read[-1].get("name")
    return (
        holds()
        if str(told).split() == str(sent).split()
        else differs("another name comes back: an id that is found again is taken for foreign")
    )


@fact("D7", "a document does not expire by itself")
def _(seen: Recording) -> Judgement | None:
    read = [one for one in _read(seen, "read") if {"auto_expire_days", "auto_expire_after"} & one.keys()]
    if not read:
        return None
    ends = read[-1].get("auto_expire_days") or read[-1].get("auto_expire_after")
    return differs(f"it expires ({ends}): keep kinds shorter than that") if ends else holds()


_NOT_SIGNED: Final = "the document was neither signed nor declined in time"


def _ended(seen: Recording) -> Mapping[str, Any] | None:
    read = _read(seen, "sign", "download")
    return read[-1] if read and seen.human in ("signed", "declined") else None


def _fetched(seen: Recording, what: str) -> TrialDownload | None:
    return next((one for one in seen.downloads if one.what == what), None)


def _file(seen: Recording, what: str, about: object) -> Judgement | None:
    if _ended(seen) is None:
        return None
    if not isinstance(about, Mapping) or not about.get("pdf"):
        return differs("there is none")
    fetched = _fetched(seen, what)
    if fetched is None:
        return None
    if fetched.status != 200 or not fetched.pdf:
        return differs(f"its link answers {fetched.status}, no PDF" if fetched.status else "its link gives no answer")
    return holds(f"{fetched.size} bytes") if fetched.intact else differs("its SHA-256 is not security_hash")


@fact("D8", "a signed or declined document has pdf, and its SHA-256", _NOT_SIGNED)
def _(seen: Recording) -> Judgement | None:
    return _file(seen, "pdf", _ended(seen))


@fact("D9", "it has signing_log, and its SHA-256", _NOT_SIGNED)
def _(seen: Recording) -> Judgement | None:
    return _file(seen, "signing_log", (_ended(seen) or {}).get("signing_log"))


@fact("D10", "links to files are of Core Signature's own host, by https, without a token", _NOT_SIGNED)
def _(seen: Recording) -> Judgement | None:
    if not seen.downloads:
        return None
    if any(one.status in (401, 403) for one in seen.downloads):
        return differs("a link without a token is refused")
    if not {one.host for one in seen.downloads} <= set(seen.settings.get("download_hosts") or [HOST]):
        return differs("they lead to a host that is not listed", "SIGNATURE_DOWNLOAD_HOSTS")
    return (
        holds()
        if all(one.scheme == "https" for one in seen.downloads) or seen.settings.get("plain")
        else differs("not https")
    )


untried("D13", "prefill_tags fills in tags by their external_id", "the trial's document has no tags")


@fact("D11", "the request may be called signature_request")
def _(seen: Recording) -> Judgement | None:
    names = {name for one in _read(seen, "read") for name in ("signrequest", "signature_request") if one.get(name)}
    return holds(f"it is {' and '.join(sorted(names))}") if names else None


untried("D12", "20 MB can be uploaded", "the trial uploads less than 1 KB")


# --- 5. requests


@fact("R1", "a request is made with the document's URL, and has uuid and signers")
def _(seen: Recording) -> Judgement | None:
    asked = _asked(seen)
    if asked is None or asked.status is None:
        return None
    if not asked.ok:
        return differs(_refusal(asked), *(("SIGNATURE_DIALECT",) if asked.status in (404, 405) else ()))
    return _with_keys(asked.told, "uuid", "signers")


def _others(seen: Recording) -> list[dict[str, Any]] | None:
    """Entries of the first document beside its signer: the sender's."""
    pair, read = _of_first(seen), _read(seen, "read")
    return (
        [one for one in _signers(_request_in(read[-1])) if one.get("email") != pair[0]["email"]]
        if pair and read
        else None
    )


@fact("R2", "with who: o the sender does not sign")
def _(seen: Recording) -> Judgement | None:
    others = _others(seen)
    if others is None:
        return None
    return differs("the sender has to sign") if any(one.get("needs_to_sign") for one in others) else holds()


untried("R3", "the mail to signers has subject and message", "look at the mail that has come")


@fact("R4", "send_reminders: false is kept", "a request that is read does not say it")
def _(seen: Recording) -> Judgement | None:
    return _echo(seen, "send_reminders")


def _echo(seen: Recording, name: str) -> Judgement | None:
    asked, read = _asked(seen), _read(seen, "read")
    request = _request_in(read[-1]) if read else None
    if asked is None or request is None or name not in (asked.sent or {}) or name not in request:
        return None
    return holds() if request[name] == asked.sent[name] else differs("another value comes back")


@fact("R5", "signers are found by the address that was sent; the sender may stand before them")
def _(seen: Recording) -> Judgement | None:
    read = _read(seen, "read")
    if not read or _asked(seen) is None:
        return None
    return (
        holds()
        if _of_first(seen)
        else differs("no entry has the address that was sent: documents cannot be followed up")
    )


@fact("R6", "disable_emails is kept", "COUNTERSIGN_SIGNATURE_STATUS_MAILS is on, or a request does not say it")
def _(seen: Recording) -> Judgement | None:
    return _echo(seen, "disable_emails")


@fact("R7", "from_email names the sender", "COUNTERSIGN_SIGNATURE_FROM_EMAIL is not set, or a request does not say it")
def _(seen: Recording) -> Judgement | None:
    found = _echo(seen, "from_email")
    return (
        differs("another sender comes back", "SIGNATURE_FROM_EMAIL")
        if found and found.verdict is Verdict.DIFFERS
        else found
    )


@fact("R8", "a request that is read has from_email, its signers a language")
def _(seen: Recording) -> Judgement | None:
    pair, read = _of_first(seen), _read(seen, "read")
    request = _request_in(read[-1]) if read else None
    if pair is None or request is None:
        return None
    missing = [name for name, about in (("from_email", request), ("language", pair[1])) if name not in about]
    return (
        differs(f"without {', '.join(missing)}: documents sent by hand cannot be adopted whole") if missing else holds()
    )


# --- 6. signers


@fact("S1", "a signer has email, order, needs_to_sign as sent")
def _(seen: Recording) -> Judgement | None:
    pair = _of_first(seen)
    if pair is None:
        return None
    other = [name for name in ("email", "order", "needs_to_sign") if pair[1].get(name) != pair[0].get(name)]
    return differs(f"another {', '.join(other)} comes back") if other else holds()


@fact("S2", "approve_only is kept")
def _(seen: Recording) -> Judgement | None:
    pair = _of_second(seen)
    return (
        None
        if pair is None
        else holds()
        if pair[1].get("approve_only") is True
        else differs("it is not: approvers sign")
    )


@fact("S3", "embed_url_user_id makes embed_url")
def _(seen: Recording) -> Judgement | None:
    pair = _of_second(seen)
    if pair is None:
        return None
    url = pair[1].get("embed_url")
    if not isinstance(url, str):
        return differs("there is none: signers are led to Core Signature's mail")
    host = url.partition("://")[2].partition("/")[0]
    own = host == HOST or host.endswith(f".{HOST}")
    return holds() if own else differs("on another host, to which nobody is led: signers are led to the mail")


@fact("S4", "a signer is read with emailed, viewed, signed, signed_on, declined, message")
def _(seen: Recording) -> Judgement | None:
    pair = _of_first(seen)
    return _with_keys(pair[1], "emailed", "viewed", "signed", "signed_on", "declined", "message") if pair else None


_STYLES: Final = {"full_name": ("full_name",), "first_last": ("first_name", "last_name")}


@fact("S5", "the name is in full_name, or in first_name and last_name, as set")
def _(seen: Recording) -> Judgement | None:
    pair, style = _of_first(seen), str(seen.settings.get("name_style", "full_name"))
    if pair is None:
        return None
    sent, told = pair
    if all(told.get(name) == sent.get(name) for name in _STYLES[style]):
        return holds(style)
    [other] = [one for one in _STYLES if one != style]
    there = any(name in told for name in _STYLES[other])
    return differs(
        f"it has {' and '.join(_STYLES[other])}" if there else "the name does not come back",
        "SIGNATURE_SIGNER_NAME_STYLE",
    )


untried("S6", "signers of equal order are asked at the same time", "the trial has one signer")


@fact("S7", "language is taken as it was sent", "no language comes back")
def _(seen: Recording) -> Judgement | None:
    pair = _of_first(seen)
    if pair is None or not pair[1].get("language"):
        return None
    return holds() if pair[1]["language"] == pair[0].get("language") else differs("another one comes back")


@fact("S8", "a signer with embed_url gets no first mail")
def _(seen: Recording) -> Judgement | None:
    pair = _of_second(seen)
    if pair is None or "emailed" not in pair[1]:
        return None
    return differs("they are mailed as well") if pair[1]["emailed"] else holds()


@fact("S9", "a signer is read with declined_on, forwarded, forwarded_on, forwarded_to_email")
def _(seen: Recording) -> Judgement | None:
    pair = _of_first(seen)
    return _with_keys(pair[1], "declined_on", "forwarded", "forwarded_on", "forwarded_to_email") if pair else None


@fact("S10", "a signer who has signed is read with inputs", _NOT_SIGNED)
def _(seen: Recording) -> Judgement | None:
    done = [one for one in _signers(_request_in(_ended(seen) or {})) if one.get("signed")]
    return _with_keys(done[0], "inputs") if done else None


# --- 7. actions


def _action(seen: Recording, step: str, setting: str) -> Judgement | None:
    """By which path an action was done; those that are set are tried first."""
    known = seen.settings.get(f"{step}_paths", [])
    tried = [one for one in seen.of(step, "POST") if one.path.count("/") > 4]
    done = _first(one for one in tried if one.ok)
    if done is not None:
        name = done.path.rstrip("/").rpartition("/")[2]
        return holds(name) if name in known else differs(f"it is {name}", setting)
    if not tried:
        return None
    if all(one.status in (404, 405) for one in tried):
        return differs("by no name that is known: look at /api/v1/docs/", setting)
    return differs(_refusal(tried[-1]))


@fact("A1", "cancel is one of the paths that are set, and ends the document")
def _(seen: Recording) -> Judgement | None:
    return _action(seen, "cancel", "SIGNATURE_CANCEL_PATHS")


@fact("A2", "the mail is sent again by one of the paths that are set")
def _(seen: Recording) -> Judgement | None:
    return _action(seen, "resend", "SIGNATURE_RESEND_PATHS")


@fact("A3", "a signer is replaced by one of the paths that are set")
def _(seen: Recording) -> Judgement | None:
    found = _action(seen, "forward", "SIGNATURE_FORWARD_PATHS")
    read = _read(seen, "forward")
    if found is None or found.verdict is Verdict.DIFFERS or not read:
        return found
    signing = [one for one in _signers(_request_in(read[-1])) if one.get("needs_to_sign") is not False]
    handed = [one for one in signing if one.get("forwarded")]
    return found if handed and len(signing) > len(handed) else differs("done, and the signers do not show it")


untried("A4", "Core Signature mails each ending", "look into the mailbox")


@fact(
    "A5", "a second mail within ten minutes is dropped", "both were taken: look whether one or two are in the mailbox"
)
def _(seen: Recording) -> Judgement | None:
    last = next(reversed(list(seen.of("twice", "POST"))), None)
    return None if last is None or last.ok else differs(f"it is refused instead: {_refusal(last)}")


# --- 8. statuses


def _statuses(seen: Recording, *steps: str) -> list[str]:
    return [str(one["status"]) for one in _read(seen, *steps) if "status" in one]


def _unknown(seen: Recording, meant: Status) -> str | None:
    """A code that nobody knows, read when the document must have had this status."""
    match meant:
        case Status.SENT:
            found = _statuses(seen, "read")
        case Status.SIGNED | Status.DECLINED:
            found = _statuses(seen, "sign", "download") if seen.human == meant else []
        case Status.CANCELLED:
            found = _statuses(seen, "cancel") if any(one.ok for one in seen.of("cancel", "POST")) else []
        case _:
            found = []
    return found[-1] if found and found[-1] not in STATUSES else None


_ALSO: Final = {
    "ne": "the document had its request at once",
    "do": "nobody has only downloaded it",
    "vi": "nobody has only looked at it",
}
_MEANT: Final = {"se": Status.SENT, "si": Status.SIGNED, "de": Status.DECLINED, "ca": Status.CANCELLED}


def _code(code: str) -> Judge:
    def judge(seen: Recording) -> Judgement | None:
        if code in {str(one["status"]) for one in [*_read(seen, *_STEPS), *_created(seen)] if "status" in one}:
            return holds()
        other = _unknown(seen, _MEANT[code]) if code in _MEANT else None
        return differs(f"it is `{other}`: a matter of code, activities/core_signature/documents.py") if other else None

    return judge


_STEPS: Final = ("read", "list", "events", "resend", "second", "forward", "cancel", "sign", "download")


def _created(seen: Recording) -> list[Mapping[str, Any]]:
    return [one.told for one in seen.core() if one.ok and one.method == "POST" and one.path.endswith("/documents/")]


for number, (code, status) in enumerate(STATUSES.items(), 1):
    FACTS[f"C{number}"] = Fact(
        f"C{number}", f"the status `{code}` means {status}", _ALSO.get(code, "no document had it"), _code(code)
    )


# --- 9. events


def _events(seen: Recording) -> list[Exchange]:
    return [one for one in seen.core() if one.path.endswith("/events/") and one.method == "GET"]


def _about_ours(seen: Recording) -> list[dict[str, Any]]:
    return [item for one in _events(seen) if one.ok for item in one.results if item.get("external_id") != FOREIGN]


@fact("V1", "events are listed, by document__uuid and event_type")
def _(seen: Recording) -> Judgement | None:
    asked = _events(seen)
    if not asked:
        return None
    if not any(one.ok for one in asked):
        return differs(_refusal(asked[-1]))
    for one in asked:
        if "document__uuid" in one.query and any(item.get("external_id") == FOREIGN for item in one.results):
            return differs("the filter document__uuid is ignored", "SIGNATURE_DIALECT")
        wanted = one.query.get("event_type")
        if wanted and any(item.get("event_type") != wanted for item in one.results):
            return differs("the filter event_type is ignored", "SIGNATURE_DIALECT")
    return holds()


@fact("V2", "an event has uuid, event_type, timestamp, document, signer", "no event was listed")
def _(seen: Recording) -> Judgement | None:
    found = _about_ours(seen)
    return _with_keys(found[0], "uuid", "event_type", "timestamp", "document", "signer") if found else None


_COUNTING: Final = frozenset(
    (
        *("signed", "sent", "viewed", "declined", "cancelled", "expired", "convert_error", "sending_error"),
        *("signer_viewed", "signer_signed", "signer_forwarded", "signer_email_bounced"),
    )
)


@fact("V3", "the events that count have the names that are known", "no event was listed")
def _(seen: Recording) -> Judgement | None:
    told = {str(item.get("event_type")) for item in _about_ours(seen)}
    found = sorted(told & _COUNTING)
    if found:
        return holds(", ".join(found))
    return differs(f"only {', '.join(sorted(told))}") if told - set(WITHOUT_EFFECT) else None


@fact("V4", "no other event comes than those that are known", "no event was listed")
def _(seen: Recording) -> Judgement | None:
    told = {str(item.get("event_type")) for item in _about_ours(seen)}
    if not told:
        return None
    unknown = sorted(told - _COUNTING - set(WITHOUT_EFFECT))
    return differs(f"{', '.join(unknown)}: harmless, the document is read") if unknown else holds()


@fact("V5", "the list of all events is newest first", "fewer than two events were listed")
def _(seen: Recording) -> Judgement | None:
    lists = [_instants(one.results) for one in _events(seen) if one.ok and len(one.results) > 1]
    told = [instants for instants in lists if len(set(instants)) > 1]
    if not told:
        return None
    newest = all(later >= earlier for instants in told for later, earlier in pairwise(instants))
    return holds() if newest else differs("in another order, which reconciliation refuses: a matter of code")


def _instants(items: Iterable[Mapping[str, Any]]) -> list[datetime]:
    return [datetime.fromisoformat(text) for one in items if isinstance(text := one.get("timestamp"), str)]


@fact("V6", "events are lost with their document")
def _(seen: Recording) -> Judgement | None:
    deleted = any(one.ok for one in seen.of("delete", "DELETE"))
    listed = _first(one for one in seen.of("delete", "GET") if one.ok and "document__uuid" in one.query)
    if not deleted or listed is None:
        return None
    return differs("they stay, which does no harm") if listed.results else holds()


@fact("V7", "an event has our id of its document, or its address", "no event was listed")
def _(seen: Recording) -> Judgement | None:
    found = [item.get("document") for item in _about_ours(seen)]
    if not found:
        return None
    if all(isinstance(one, Mapping) and "external_id" in one for one in found):
        return holds("our id")
    addresses = [one.get("url") if isinstance(one, Mapping) else one for one in found]
    return (
        holds("its address: reconciliation reads each once")
        if all(map(uuid_in, addresses))
        else differs("neither: only the next reminder finds a lost callback")
    )


@fact("V8", "an event says whether its callback arrived", "no event was listed")
def _(seen: Recording) -> Judgement | None:
    found = _about_ours(seen)
    return _with_keys(found[0], "delivered") if found else None


# --- 10. callbacks

_NO_CALLBACK: Final = "no callback came to the trial"


def _bodies(seen: Recording) -> list[tuple[RecordedCallback, Mapping[str, Any]]]:
    return [(one, one.body) for one in seen.callbacks if isinstance(one.body, dict)]


@fact("K1", "a subscription has uuid, event_type, callback_url, name", "no address to subscribe with")
def _(seen: Recording) -> Judgement | None:
    made = _first(seen.of("subscription", "POST"))
    if made is None or made.status is None:
        return None
    return (
        _with_keys(made.told, "uuid", "event_type", "callback_url", "name")
        if made.ok
        else differs(_refusal(made), "SIGNATURE_CALLBACK_STYLE")
    )


@fact("K2", "a callback has uuid, event_type, event_time, document with external_id, signer", _NO_CALLBACK)
def _(seen: Recording) -> Judgement | None:
    for _one, body in _bodies(seen):
        found = _with_keys(body, "uuid", "event_type", "event_time", "document", "signer")
        if found.verdict is Verdict.DIFFERS:
            return found
        document = body["document"]
        if isinstance(document, Mapping) and "external_id" not in document and "url" not in document:
            return differs("its document has neither our id nor an address")
    return holds() if seen.callbacks else None


@fact("K3", "event_time is the second of the event, in digits, the same in a repetition", _NO_CALLBACK)
def _(seen: Recording) -> Judgement | None:
    times: dict[object, object] = {}
    for _one, body in _bodies(seen):
        told = body.get("event_time")
        if not isinstance(told, str) or not told.isdecimal():
            return differs("no text of digits")
        if times.setdefault(body.get("uuid"), told) != told:
            return differs("another in the repetition", "WEBHOOK_MAX_AGE")
        at = body.get("timestamp")
        if isinstance(at, str) and abs(datetime.fromisoformat(at).timestamp() - int(told)) > 1:
            return differs("not that of timestamp", "WEBHOOK_MAX_AGE")
    return holds() if times else None


untried(
    "K4",
    "a callback's document is as of its delivery; callbacks come late, twice, out of order",
    "one trial cannot tell",
)


@fact("K5", "event_hash is HMAC-SHA256 of time and type, by a secret that is set", _NO_CALLBACK)
def _(seen: Recording) -> Judgement | None:
    codes = {item.get("callback_status_code") for item in _delivered(seen)}
    if not seen.callbacks and codes & {200, 401}:
        return (
            holds("the web process has taken one")
            if 200 in codes
            else differs("the web process has refused it", "WEBHOOK_SECRETS", "WEBHOOK_MODE")
        )
    found = {one.hash for one in seen.callbacks}
    if "none" in found:
        return differs("there is none: only the path is secret then", "WEBHOOK_MODE")
    return differs("by no secret that is set", "WEBHOOK_SECRETS") if "unknown" in found else holds() if found else None


@fact("K6", "a 500 is followed by another attempt", "no callback was answered 500, or nobody waited for its repetition")
def _(seen: Recording) -> Judgement | None:
    refused = [one for one in seen.callbacks if one.answered == 500]
    for one in refused:
        again = [other for other in seen.callbacks if other.seconds > one.seconds and _event(other) == _event(one)]
        if again:
            return holds(f"after {again[0].seconds - one.seconds:.0f} s")
    return None


def _event(callback: RecordedCallback) -> object:
    return callback.body.get("uuid") if isinstance(callback.body, dict) else None


untried("K7", "attempts follow Fibonacci numbers of minutes, ten at most", "it would take two hours")


# --- 11. FCM

_NO_PUSH: Final = "nobody's device was named with --person, or another service pushes"


def _pushes(seen: Recording) -> list[Exchange]:
    return [one for one in seen.exchanges if one.service == "push" and one.step == "push"]


def _by_fcm(seen: Recording, *, checked: bool) -> list[Exchange]:
    fcm = seen.settings.get("push") == "fcm_v1"
    return [one for one in _pushes(seen) if fcm and bool((one.sent or {}).get("validate_only")) is checked]


@fact("F1", "a message is sent by POST to the path that is set; 200 has name", _NO_PUSH)
def _(seen: Recording) -> Judgement | None:
    sent = _first(_by_fcm(seen, checked=False))
    if sent is None or sent.status is None:
        return None
    if sent.ok:
        return _with_keys(sent.told, "name")
    if sent.status in (404, 405) and "error" not in sent.told:
        return differs(_refusal(sent), "PUSH_URL", "PUSH_SEND_PATH", "PUSH_PROJECT")
    return differs(_refusal(sent))


@fact("F2", "validate_only sends nothing", _NO_PUSH)
def _(seen: Recording) -> Judgement | None:
    checked = _first(_by_fcm(seen, checked=True))
    return (
        None
        if checked is None
        else holds("look at the phone: one message")
        if checked.status in (200, 400, 404)
        else None
    )


untried("F3", "a message with only data shows nothing", "look at the phone")
untried("F4", "a later notification replaces an earlier one", "the trial sends one")
untried("F5", "a message has at most 4096 bytes, kept for 28 days", "the trial sends a small one")


@fact("F6", "a device is named by token, or by fid", _NO_PUSH)
def _(seen: Recording) -> Judgement | None:
    sent = _first(one for one in _by_fcm(seen, checked=False) if one.ok)
    message = (sent.sent or {}).get("message", {}) if sent else {}
    return holds("fid" if "fid" in message else "token") if sent else None


untried("F7", "a device takes 240 messages a minute", "the trial sends one")

_FCM_CODES: Final = (
    *("UNREGISTERED", "INVALID_ARGUMENT", "SENDER_ID_MISMATCH", "THIRD_PARTY_AUTH_ERROR", "QUOTA_EXCEEDED"),
    *("UNAVAILABLE", "INTERNAL"),
)
_FCM_STATUS: Final = (404, 400, 403, 401, 429, 503, 500)


def _fcm_code(code: str, status: int) -> Judge:
    def judge(seen: Recording) -> Judgement | None:
        found = [one.status for one in _pushes(seen) if code in _codes(one)]
        if not found:
            return None
        return holds() if found[0] == status else differs(f"with {found[0]}; the code decides")

    return judge


def _codes(exchange: Exchange) -> set[str]:
    error = exchange.told.get("error")
    details = error.get("details", []) if isinstance(error, dict) else []
    return {str(one.get("errorCode")) for one in details if isinstance(one, dict)}


for number, (code, http) in enumerate(zip(_FCM_CODES, _FCM_STATUS, strict=True), 8):
    FACTS[f"F{number}"] = Fact(
        f"F{number}", f"{code} comes with {http}", "no message was refused so", _fcm_code(code, http)
    )


# --- 12. AppWorks


def _by_appworks(seen: Recording) -> list[Exchange]:
    return _pushes(seen) if seen.settings.get("push") == "appworks" else []


@fact("W1", "a message is sent by POST to fcm-push with otagAppKey", _NO_PUSH)
def _(seen: Recording) -> Judgement | None:
    sent = _by_appworks(seen)
    if not sent or sent[-1].status is None:
        return None
    if any(one.ok for one in sent):
        return holds()
    return differs(
        _refusal(sent[-1]), *(("PUSH_URL", "PUSH_APP") if sent[-1].status in (404, 405) else ("PUSH_APP_KEY",))
    )


@fact("W2", "users are OTDS user ids", _NO_PUSH)
def _(seen: Recording) -> Judgement | None:
    return holds("look whether it has arrived") if any(one.ok for one in _by_appworks(seen)) else None


untried("W3", "title or summary makes it visible", "look at the phone")
untried("W4", "the blocks for platforms are passed to FCM", "look at the phone")


@fact("W5", "a request without content is refused with 400", _NO_PUSH)
def _(seen: Recording) -> Judgement | None:
    empty = _first(_by_appworks(seen))
    return (
        None if empty is None or empty.status is None else holds() if empty.status == 400 else differs(_refusal(empty))
    )


@fact("W6", "errors have key, errorMessage, status", _NO_PUSH)
def _(seen: Recording) -> Judgement | None:
    refused = _first(one for one in _by_appworks(seen) if not one.ok and one.status)
    return _with_keys(refused.told, "key", "errorMessage", "status") if refused else None


# --- 13. cloud messaging

_NO_MESSAGING: Final = "cloud messaging is not set"


def _jobs(seen: Recording) -> list[Exchange]:
    return [one for one in seen.exchanges if one.service == "messaging" and one.status]


@fact("M1", "cloud messaging takes user and password", _NO_MESSAGING)
def _(seen: Recording) -> Judgement | None:
    asked = _jobs(seen)
    if not asked:
        return None
    refused = asked[-1].status in (401, 403)
    return differs("they are refused", "MRA_USER", "MRA_PASSWORD") if refused else holds("nothing was sent")


untried("M2", "the bodies of an SMS and a mail", "the trial sends none")
untried("M3", "X-MRA-SubmitId is our reference", "the trial sends none")
untried("M4", "200 has a job_id, whose state tells of the delivery", "the trial sends none")
untried("M5", "what is refused was not sent", "the trial sends none")


@fact("M6", "a job that does not exist is 404", _NO_MESSAGING)
def _(seen: Recording) -> Judgement | None:
    asked = [one for one in _jobs(seen) if one.status not in (401, 403)]
    return None if not asked else holds() if asked[-1].status == 404 else differs(_refusal(asked[-1]))
