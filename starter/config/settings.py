"""The only reader of the environment: every setting, its type, its default and a sentence about it. Empty means unset.
A process requires the settings of its `Need`s only.
"""

import getpass
import os
import socket
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretBytes,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from starter.config.environment import DATA_DIR, DEV_FILE, PREFIX, Surroundings, Variables, dev_folder, gather, point_at
from starter.config.values import (
    Address,
    Bind,
    CallerKeys,
    Contact,
    Duration,
    EndpointName,
    HandoffSecrets,
    HookSecrets,
    Hosts,
    LinkSecret,
    LinkSecrets,
    Listen,
    Name,
    Networks,
    Origin,
    PayloadKey,
    PayloadKeys,
    RelayPattern,
    Secrets,
    Segment,
    Span,
    SpanOrOff,
    Words,
    is_loopback,
    wrong,
)
from starter.errors import Refusal

UNSET: Final = SecretStr("")
MOST_LIST_LAG: Final = timedelta(seconds=20)
"""A look-up sleeps for the lag inside an attempt of 30 s (workflows/follow_up/options.py), with calls around it."""
MESSAGING: Final = ("MRA_URL", "MRA_USER", "MRA_PASSWORD")
"""All of them, or none: then there is no such channel."""
_NO_STACK: Final = (
    "no stack runs on this folder: `countersign dev` starts one that has all settings, and `countersign --dev DIR …` "
    "works with one in another folder"
)
_POLICIES: Final = Path(__file__).parent.with_name("policies.yaml")


class SettingsGroup(BaseModel):
    """Settings whose names share a first word."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @property
    def required(self) -> tuple[str, ...]:
        """Required settings, given the others."""
        return ()


class SignatureSettings(SettingsGroup):
    """Core Signature (docs/core-signature.md)."""

    url: Address = Field("", description="Host of Core Signature, without /api/v1")
    token_url: Address = Field("", description="OAuth2 token endpoint")
    token_auth: Literal["basic", "body", "json"] = Field("basic", description="How client id and secret are sent")
    grant: Literal["client_credentials", "password"] = Field("client_credentials", description="OAuth2 grant")
    client_id: str = Field("", description="OAuth2 client id")
    client_secret: SecretStr = Field(UNSET, description="OAuth2 client secret")
    username: str = Field("", description="User of the grant `password`")
    password: SecretStr = Field(UNSET, description="Password of the grant `password`")
    scope: str = Field("", description="Extra `scope` of the token request")
    subscription: str = Field("", description="Extra `subscription` of the token request")
    from_: Literal["fixed", "requester"] = Field(
        "fixed",
        alias="from",
        description="Sender: `SIGNATURE_FROM_EMAIL`, or each requester's own address",
    )
    from_email: str = Field("", description="Sender, unless the token says it")
    dialect: Literal["core", "signrequest"] = Field("core", description="Paths and names of the API")
    signer_name_style: Literal["full_name", "first_last"] = Field(
        "full_name", description="How a signer's name is sent"
    )
    list_lag: Span = Field(
        timedelta(seconds=10),
        description=f"How late a new document may appear in lists, at most {MOST_LIST_LAG.seconds}s",
    )
    callback_style: Literal["document", "subscription"] = Field(
        "document",
        description="Callback address with each document, or by a subscription of `countersign init`",
    )
    status_mails: Literal["on", "off"] = Field(
        "on", description="Its mails about endings; `off`: only our notifications"
    )
    cancel_paths: Words = Field((), description="Paths to cancel a request, in this order")
    resend_paths: Words = Field((), description="Paths to send the mail again, in this order")
    forward_paths: Words = Field((), description="Paths to forward a signer, in this order")
    max_rps: float = Field(5, gt=0, le=1000, description="Calls per second in all, unless the queue has another rate")
    max_upload_mb: int = Field(20, ge=1, le=100, description="Largest document in MB")
    max_download_mb: int = Field(20, ge=1, le=100, description="Largest signed document or log in MB that is kept")
    download_hosts: Hosts = Field(
        (), description="Hosts of the links of signed documents: `host` or `host:port`; empty: that of `SIGNATURE_URL`"
    )
    relay: RelayPattern = Field(
        "",
        description="Address for signers without a mailbox, such as `*@relay.example`; `*` becomes unguessable text",
    )
    page_size: int = Field(100, ge=1, le=100, description="Page size of lists")

    @property
    def required(self) -> tuple[str, ...]:
        client = ("url", "token_url", "client_id", "client_secret")
        return (*client, "username", "password") if self.grant == "password" else client

    @field_validator("url")
    @classmethod
    def _is_the_host(cls, url: str) -> str:
        if url.endswith("/api/v1"):
            raise wrong("must be the host alone; /api/v1 is appended")
        return url

    @field_validator("list_lag")
    @classmethod
    def _fits_into_an_attempt(cls, lag: timedelta) -> timedelta:
        if lag > MOST_LIST_LAG:
            raise wrong(f"must be at most {MOST_LIST_LAG.seconds}s: the time-outs leave no room for more")
        return lag


class PushSettings(SettingsGroup):
    dialect: Literal["fcm_v1", "appworks", "off"] = Field("fcm_v1", description="Push service")
    url: Address = Field("", description="Host of the push service")
    send_path: str = Field(
        "/v1/projects/{project}/messages:send", pattern="^/", description="Path of one FCM message; {project} is filled"
    )
    project: str = Field("", description="FCM project id")
    auth: Literal["client_credentials", "google_service_account"] = Field(
        "client_credentials", description="How to get the FCM bearer token"
    )
    token_url: Address = Field("", description="OAuth2 token endpoint of the push service")
    client_id: str = Field("", description="OAuth2 client id of the push service")
    client_secret: SecretStr = Field(UNSET, description="OAuth2 client secret of the push service")
    credentials_file: Path | None = Field(None, description="Google service account key file")
    app: str = Field("", description="App name at the AppWorks gateway")
    app_key: SecretStr = Field(UNSET, description="Shared secret of the service at the AppWorks gateway")
    web_hosts: Hosts = Field((), description="Hosts of web push beside the push services of the four browsers")

    @property
    def required(self) -> tuple[str, ...]:
        if self.dialect == "off":
            return ()
        if self.dialect == "appworks":
            return ("url", "app", "app_key")
        if self.auth == "google_service_account":
            return ("url", "project", "credentials_file")
        return ("url", "project", "token_url", "client_id", "client_secret")


class WebhookSettings(SettingsGroup):
    """The web process: callbacks and pages."""

    url: Address = Field("", description="Public base address of the web process")
    bind: Listen = Field(Bind("127.0.0.1", 8080), description="Where the web process listens")
    proxies: Networks = Field((), description="Proxies whose `X-Forwarded-For` is trusted: addresses or networks")
    secrets: Secrets = Field((), description="Secrets of the callback hash, comma-separated for rotation")
    mode: Literal["hmac", "none"] = Field("hmac", description="`none` only when the tenant sends no usable hash")
    max_age: Span = Field(timedelta(hours=24), description="Oldest callback that is accepted; repeats come for 2.5 h")
    silent_after: SpanOrOff = Field(
        timedelta(hours=1), description="How long callbacks may be missing before `ONCALL` is alerted; `off`: never"
    )
    segment: Segment = Field(UNSET, description="Unguessable last part of the callback path")

    @property
    def required(self) -> tuple[str, ...]:
        """Those of the callbacks."""
        return ("segment", "secrets") if self.mode == "hmac" else ("segment",)


class HandoffSettings(SettingsGroup):
    """Which systems a hand-off may call."""

    secrets: HandoffSecrets = Field(
        {}, description="`target=whsec_…` pairs that sign the calls; a target twice rotates"
    )
    hosts: Hosts = Field((), description="Hosts that may be called; empty: any public address")
    archives: Words = Field((), description="Addresses below which signed documents may be written; empty: none")


class NoticesSettings(SettingsGroup):
    most: int = Field(
        5, ge=0, le=1000, description="Notices to one person in `NOTICES_PER`; the next are joined. `0`: no limit"
    )
    per: Duration = Field("1h", description="Time in which these count, such as 1h or 1d")


class HookSettings(SettingsGroup):
    """Systems whose events start onboardings."""

    secrets: HookSecrets = Field(
        {},
        description="`source=secret` pairs of callers of `/hooks/onboarding/`; a source twice rotates",
    )
    mappings: Path | None = Field(None, description="Folder of the mappings `<source>.yaml` of these systems")


class OidcSettings(SettingsGroup):
    """The company's OpenID issuer (starter/web/http/oidc.py)."""

    issuer: Address = Field("", description="OpenID issuer whose bearer tokens are believed")
    audience: str = Field("", description="Audience that its tokens must be made for")
    claim: str = Field("email", description="Claim with a person's e-mail address, or id in the people file")
    client_id: str = Field("", description="Client id at the issuer, by which people sign in")
    client_secret: SecretStr = Field(UNSET, description="Its secret; empty for a public client")

    @property
    def signs_in(self) -> bool:
        """Whether people can sign in with their account there."""
        return bool(self.issuer and self.client_id)


PEOPLE_IN_DATABASE: Final = Path("database")
"""What `COUNTERSIGN_PEOPLE` is where there is no file."""


class Need(StrEnum):
    """A function of a process, which requires settings."""

    SIGNATURE = "signature"
    PUSH = "push"
    MESSAGING = "messaging"
    CALLBACKS = "callbacks"
    RECEIVER = "receiver"
    LINKS = "links"
    PEOPLE = "people"
    ADOPTION = "adoption"
    SUBSCRIPTIONS = "subscriptions"
    CODEC = "codec"


OF_WORKER: Final = (Need.SIGNATURE, Need.PUSH, Need.MESSAGING, Need.CALLBACKS, Need.LINKS, Need.PEOPLE, Need.ADOPTION)
OF_RECEIVER: Final = (Need.RECEIVER, Need.LINKS, Need.SIGNATURE, Need.MESSAGING, Need.PEOPLE, Need.CODEC)


def missing(needs: tuple[Need, ...], settings: "Settings") -> tuple[str, ...]:
    """Unset settings (names without prefix) that `needs` require, each once, in the order of the needs."""
    required = dict.fromkeys(name for need in needs for name in _required(need, settings))
    return tuple(name for name in required if not _alternatives(name) & settings.explicit.keys())


class SettingsError(Refusal):
    """`faults` has one line for each variable and never a value."""

    def __init__(self, faults: tuple[str, ...], *, way_out: str = "") -> None:
        super().__init__("\n".join(filter(None, (*faults, way_out))))
        self.faults = faults


class Settings(BaseSettings):
    """All settings; made by `load`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        enable_decoding=False,
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
    )

    signature: SignatureSettings = SignatureSettings()
    push: PushSettings = PushSettings()
    webhook: WebhookSettings = WebhookSettings()
    handoff: HandoffSettings = HandoffSettings()
    notices: NoticesSettings = NoticesSettings()
    hook: HookSettings = HookSettings()
    oidc: OidcSettings = OidcSettings()
    people: Path | None = Field(None, description="The people file; or `database`, for people who are pushed (SCIM)")
    policies: Path = Field(_POLICIES, description="The catalogue of document kinds")
    link_base: Address = Field("", description="Public base address of our pages")
    link_secret: LinkSecret = Field(UNSET, description="One secret, at least 32 bytes, instead of LINK_SECRETS")
    link_secrets: LinkSecrets = Field(
        (), description="Secrets of links and cookies, comma-separated for rotation: the first writes, all read"
    )
    person_id_secret: LinkSecret = Field(
        UNSET, description="Secret of the ids of people described in full, for good; default: the first of the above"
    )
    link_days: int = Field(
        7, ge=1, le=90, description="Days for which a hand-off target may download a signed document"
    )
    data_dir: Path = Field(DATA_DIR, description="Folder of the laptop stack and of the default store")
    store: str = Field("", description="Store of documents, an fsspec URL; default: DATA_DIR/store")
    database: SecretStr = Field(
        UNSET, description="Database of records, a URL of SQLite or PostgreSQL; default: SQLite in DATA_DIR/store"
    )
    evidence_key_file: Path | None = Field(
        None, description="Private Ed25519 key that signs evidence, in PEM; default: DATA_DIR/evidence.pem"
    )
    payload_keys: PayloadKeys = Field(
        (), description="`id=base64` AES-256 keys of the payload codec; the first encrypts"
    )
    codec: Literal["off", "on"] = Field("off", description="Decrypt payloads for Temporal's Web UI and command line")
    codec_origin: Origin = Field("", description="Address of the Web UI whose pages may have payloads decrypted")
    codec_token: CallerKeys = Field(
        (), description="Bearer token for Temporal's command line; comma-separated for rotation"
    )
    actor: str = Field("", description="Actor on the command line; default: user@host")
    actors: Literal["", "claimed", "verified"] = Field(
        "",
        description=(
            "`verified`: commands that change something need `countersign login`; `claimed`: they are believed; "
            "unset: `verified` with a client at the issuer"
        ),
    )
    web_ui: Address = Field("", description="Address of Temporal's Web UI for printed links; default: guessed")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Log level")
    company: Name = Field("", description="Company name in notifications and on our pages")
    company_logo: Path | None = Field(None, description="Its logo on our pages: a PNG, JPEG or SVG file")
    contact: Contact = Field("", description="Contact on our pages: an address, a number or other text")
    preview: Literal["off", "on"] = Field(
        "off", description="Show the first page of a document on its page, to anybody with the link"
    )
    oncall: str = Field("", description="Person who is notified of problems")
    adopt: Literal["off", "on"] = Field("off", description="Follow up documents sent by hand at Core Signature")
    adopt_rules: Path | None = Field(None, description="The rules by which they are adopted")
    adopt_kind: str = Field("", description="Kind of those that fit none of the rules")
    adopt_requester: str = Field("", description="Their requester, if the people file does not have the sender")
    devices_keys: CallerKeys = Field(
        (), description="Bearer keys of your app's back end for `/devices/`, comma-separated for rotation"
    )
    mra_url: Address = Field("", description="Host of OpenText cloud messaging, for mail and SMS")
    mra_user: str = Field("", description="User of cloud messaging")
    mra_password: SecretStr = Field(UNSET, description="Password of cloud messaging")
    sign_in: Literal["both", "oidc", "number"] = Field(
        "both", description="How people sign in at the desk: with the company's account, by a number, or both"
    )
    operators: str = Field("", description="Group whose members may see and do everything")
    health_bind: Listen | None = Field(
        None,
        description="Where worker and web process answer `/healthz` and `/readyz`",
    )
    nexus_endpoint: EndpointName = Field("countersign", description="Nexus endpoint for workflows of other teams")
    surroundings: Surroundings = Surroundings()

    @field_validator("link_secrets")
    @classmethod
    def _are_alone(cls, secrets: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        if secrets and info.data.get("link_secret"):
            raise wrong("is set beside COUNTERSIGN_LINK_SECRET: move that secret into the list")
        return secrets

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """No implicit source: `load` supplies the environment."""
        return (init_settings,)

    @property
    def store_url(self) -> str:
        return self.store or (self.data_dir.absolute() / "store").as_uri()

    @property
    def people_in_database(self) -> bool:
        return self.people == PEOPLE_IN_DATABASE

    @property
    def people_file(self) -> Path | None:
        """None where people are in the database."""
        return None if self.people_in_database else self.people

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL, perhaps with a password."""
        path = self.data_dir.absolute() / "store" / "countersign.sqlite3"
        return self.database.get_secret_value() or f"sqlite:///{path}"

    @property
    def secrets_of_links(self) -> tuple[SecretStr, ...]:
        return self.link_secrets or ((self.link_secret,) if self.link_secret else ())

    @property
    def secret_of_ids(self) -> SecretStr:
        """Of the ids of people described in full, and of what stays the same with them; empty without any."""
        return self.person_id_secret or next(iter(self.secrets_of_links), UNSET)

    @property
    def evidence_key(self) -> Path:
        return self.evidence_key_file or self.data_dir.absolute() / "evidence.pem"

    @property
    def codec_open(self) -> bool:
        """Whether the codec asks nobody who they are: on a laptop, where pages, Web UI and callers are on loopback."""
        hosts = (self.webhook.bind.host, *(urlsplit(url).hostname for url in (self.link_base, self.codec_origin)))
        return not self.oidc.issuer and all(is_loopback(host or "") for host in hosts)

    @property
    def acting(self) -> str:
        """Who acts without `--as`."""
        return self.actor or self.ran_as

    @property
    def ran_as(self) -> str:
        """User and host of this process."""
        return f"{getpass.getuser()}@{socket.gethostname()}"

    @property
    def verifies_actors(self) -> bool:
        """Whether somebody's own word at a terminal does not count."""
        return self.actors == "verified" or (not self.actors and self.oidc.signs_in)

    @property
    def build_id(self) -> str | None:
        """Worker Versioning: this worker's build; None if unversioned."""
        return self.surroundings.temporal.get("TEMPORAL_WORKER_BUILD_ID")

    @property
    def deployment_name(self) -> str:
        """Worker Versioning: the build's deployment."""
        return self.surroundings.temporal.get("TEMPORAL_DEPLOYMENT_NAME", "countersign")

    @property
    def explicit(self) -> dict[str, object]:
        """Every setting with a value, by its name without the prefix."""
        return {name: value for name, value in _values(self) if value}

    def require(self, *needs: Need) -> None:
        """Raise `SettingsError` with a line for each missing setting of `needs`."""
        faults = tuple(_missing_lines(needs, self))
        if faults:
            raise SettingsError(faults)


def load(*needs: Need, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings of this process (or of `environment`), complete for `needs`. Raises `SettingsError` with all faults."""
    fields = dict(named_fields())
    secret = {name for name, field in fields.items() if is_secret(field.annotation)}
    variables = gather(os.environ if environment is None else environment, fields, secret)
    settings, wrong = _validated(variables)
    # A malformed setting is not missing; but valid text may be empty, such as a list of no secrets.
    malformed = variables.settings if variables.faults or wrong else ()
    lines = tuple(_missing_lines(needs, settings, but=malformed))
    faults = (*variables.faults, *wrong.values(), *lines)
    if faults:
        raise SettingsError(faults, way_out=_stack_hint(variables))
    return settings


def choose_stack(folder: Path) -> None:
    """Select the laptop stack in that folder for this process and its children; `Refusal` if there is none."""
    data = dev_folder(folder.absolute())
    if not (data / DEV_FILE).is_file():
        raise Refusal(f"--dev {folder}: no stack of `countersign dev` runs on this folder")
    point_at(os.environ, data / DEV_FILE)


def named_fields() -> Iterator[tuple[str, FieldInfo]]:
    """Each setting's name without prefix, and its field."""
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, SettingsGroup):
            yield from ((_build_setting_name(name, part), inner) for part, inner in group.model_fields.items())
        elif name != "surroundings":
            yield name.upper(), field


def is_secret(annotation: object) -> bool:
    if annotation in (SecretStr, SecretBytes, PayloadKey):
        return True
    return any(is_secret(part) for part in get_args(annotation))


_ALWAYS: Final = {
    Need.LINKS: ("LINK_BASE", "LINK_SECRET"),
    Need.PEOPLE: ("PEOPLE",),
    Need.SUBSCRIPTIONS: ("WEBHOOK_URL", "WEBHOOK_SEGMENT"),
}


def _alternatives(name: str) -> set[str]:
    return {name, "LINK_SECRETS"} if name == "LINK_SECRET" else {name}


def _required(need: Need, settings: "Settings") -> tuple[str, ...]:
    match need:
        case Need.SIGNATURE | Need.PUSH:
            return _prefixed(need, (settings.signature if need is Need.SIGNATURE else settings.push).required)
        case Need.RECEIVER:
            return (*_prefixed("webhook", settings.webhook.required), *_of_sign_in(settings))
        case Need.MESSAGING:
            return MESSAGING if any(name in settings.explicit for name in MESSAGING) else ()
        case Need.ADOPTION | Need.CODEC:
            return _of_switch(need, settings)
        case Need.CALLBACKS:
            return _ALWAYS[Need.SUBSCRIPTIONS] if settings.signature.callback_style == "document" else ()
        case _:
            return _ALWAYS[need]


def _of_switch(need: Need, settings: "Settings") -> tuple[str, ...]:
    if need is Need.CODEC:
        return _of_codec(settings) if settings.codec == "on" else ()
    by_rules_alone = settings.adopt_rules and not (settings.adopt_kind or settings.adopt_requester)
    return ("ADOPT_KIND", "ADOPT_REQUESTER") if settings.adopt == "on" and not by_rules_alone else ()


def _of_sign_in(settings: "Settings") -> tuple[str, ...]:
    needs_issuer = settings.sign_in == "oidc" or bool(settings.oidc.client_id)
    return ("OIDC_ISSUER", "OIDC_CLIENT_ID") if needs_issuer else ()


def _of_codec(settings: "Settings") -> tuple[str, ...]:
    if settings.oidc.issuer:
        return ("PAYLOAD_KEYS", "CODEC_ORIGIN", "OIDC_AUDIENCE", "OPERATORS")
    if settings.codec_open:
        return ("PAYLOAD_KEYS", "CODEC_ORIGIN")
    return ("PAYLOAD_KEYS",) if settings.codec_token else ("PAYLOAD_KEYS", "OIDC_ISSUER")


def _prefixed(group: str, settings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{group}_{name}".upper() for name in settings)


def _stack_hint(variables: Variables) -> str:
    if passed_over := variables.surroundings.passed_over:
        return passed_over
    return "" if variables.settings or variables.faults else _NO_STACK


def _validated(variables: Variables) -> tuple[Settings, dict[str, str]]:
    """The settings, and a line for each malformed one, which has its default."""
    wrong: dict[str, str] = {}
    while True:
        texts = {name: text for name, text in variables.settings.items() if name not in wrong}
        try:
            settings = Settings(**_nested(texts), surroundings=variables.surroundings)
        except ValidationError as error:
            lines = [_line(fault) for fault in error.errors(include_input=False, include_url=False)]
            wrong |= {line.partition(":")[0].removeprefix(PREFIX): line for line in lines}
        else:
            return settings, wrong


def _build_setting_name(group: str, part: str) -> str:
    return f"{group}_{part.rstrip('_')}".upper()


def _values(settings: Settings) -> Iterator[tuple[str, Any]]:
    for name, value in settings:
        if isinstance(value, SettingsGroup):
            yield from ((_build_setting_name(name, part), inner) for part, inner in value)
        else:
            yield name.upper(), value


def _nested(texts: Mapping[str, str]) -> dict[str, Any]:
    source = EnvSettingsSource(Settings)
    source.env_vars = {f"{PREFIX}{name}".lower(): text for name, text in texts.items()}
    return source()


def _missing_lines(needs: tuple[Need, ...], settings: Settings, but: Collection[str] = ()) -> Iterator[str]:
    fields = dict(named_fields())
    for name in missing(needs, settings):
        if not _alternatives(name) & set(but):
            yield f"{PREFIX}{name}: is missing ({fields[name].description})"


def _line(fault: ErrorDetails) -> str:
    name = next(name for name in _prefixes(fault["loc"]) if name in dict(named_fields()))
    return f"{PREFIX}{name}: {_fault_text(fault)}"


def _prefixes(loc: tuple[int | str, ...]) -> Iterator[str]:
    parts = [str(part).upper() for part in loc]
    return ("_".join(parts[:length]) for length in range(len(parts), 0, -1))


def _fault_text(fault: ErrorDetails) -> str:
    match fault["type"]:
        case "int_parsing" | "int_from_float":
            return "must be a whole number"
        case "float_parsing":
            return "must be a number"
        case "string_pattern_mismatch":
            return "must begin with /"
        case _:
            return fault["msg"].replace("Input should be", "must be")
