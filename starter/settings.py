"""The only reader of the environment: every setting, its type, its default and a sentence about it.

Empty means unset. Which settings a process cannot do without is said by its `Need`s, not by the types, so that
`countersign request plan` asks for no secret of the push service.
"""

import getpass
import os
import socket
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pydantic import Field, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from starter.environment import DATA_DIR, DEV_FILE, PREFIX, Surroundings, Variables, dev_folder, gather, point_at
from starter.error_types import Refusal
from starter.needs import Need, missing
from starter.setting_groups import (
    UNSET,
    HandoffSettings,
    HookSettings,
    PushSettings,
    SettingsGroup,
    SignatureSettings,
    WebhookSettings,
)
from starter.setting_values import (
    Address,
    Contact,
    DevicesKeys,
    EndpointName,
    HeaderName,
    LinkSecret,
    Name,
    Networks,
    PayloadKey,
    PayloadKeys,
)

RESERVED: Final = frozenset(
    {
        "SIGNATURE_DOWNLOAD_HOSTS",
        "SIGNATURE_LINK_TTL",
        "EVIDENCE_KEY_FILE",
    }
)
"""Names that may be set although nothing reads them yet: each becomes a setting together with its feature."""
_NO_SETTINGS: Final = ("around", "idle")


_NO_STACK: Final = (
    "no stack runs on this folder: `countersign dev` starts one that has all settings, and `countersign --dev DIR …` "
    "works with one in another folder"
)


class SettingsError(Refusal):
    """The environment is wrong; `faults` has one line for each variable and never a value."""

    def __init__(self, faults: tuple[str, ...], *, way_out: str = "") -> None:
        super().__init__("\n".join(filter(None, (*faults, way_out))))
        self.faults = faults


class Settings(BaseSettings):
    """Everything that can be set; made by `load`."""

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
    hook: HookSettings = HookSettings()
    people: Path | None = Field(None, description="The people file")
    policies: Path = Field(Path(__file__).with_name("policies.yaml"), description="The catalogue of document kinds")
    link_base: Address = Field("", description="Public base address of the pages that signing links lead to")
    link_secret: LinkSecret = Field(UNSET, description="Secret of the signing links, at least 32 bytes")
    data_dir: Path = Field(DATA_DIR, description="Folder of the laptop stack and of the default store")
    store: str = Field("", description="Store of documents and records, an fsspec URL; default: DATA_DIR/store")
    payload_keys: PayloadKeys = Field(
        (), description="`id=base64` AES-256 keys of the payload codec; the first encrypts"
    )
    actor: str = Field("", description="Who acts on the command line; default: user@host")
    web_ui: Address = Field("", description="Address of Temporal's Web UI for printed links; default: guessed")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged")
    company: Name = Field("", description="Name of the company that asks: in notices, and on our pages")
    company_logo: Path | None = Field(None, description="Its logo on our pages: a PNG, JPEG or SVG file")
    contact: Contact = Field("", description="Whom people ask who read our pages: an address, a number or other words")
    preview: Literal["off", "on"] = Field(
        "off", description="The first page of a document as a picture on its page: whoever holds a link sees it"
    )
    oncall: str = Field("", description="Person who is told of trouble")
    adopt: Literal["off", "on"] = Field(
        "off", description="Follow up documents that were sent at Core Signature by hand"
    )
    adopt_kind: str = Field("", description="Kind of the catalogue that such documents are of")
    adopt_requester: str = Field("", description="Person who is their requester here")
    devices_keys: DevicesKeys = Field(
        (), description="Bearer keys with which your app's back end registers devices, comma-separated for rotation"
    )
    mra_url: Address = Field("", description="Host of OpenText cloud messaging: mail and SMS to whom no push reaches")
    mra_user: str = Field("", description="User of cloud messaging")
    mra_password: SecretStr = Field(UNSET, description="Password of cloud messaging")
    operators: str = Field("", description="Group of the people file whose members may see and do everything")
    desk_user_header: HeaderName = Field("", description="Header in which your own sign-on says who is at the desk")
    desk_proxies: Networks = Field((), description="Addresses or networks from which that header is believed")
    nexus_endpoint: EndpointName = Field(
        "countersign", description="Nexus endpoint through which workflows of other teams ask for signatures"
    )
    around: Surroundings = Surroundings()
    idle: tuple[str, ...] = ()
    """Names that are set although nothing reads them yet, for a warning."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """No hidden source: `load` hands over the environment it was given."""
        return (init_settings,)

    @property
    def store_url(self) -> str:
        """The fsspec URL of the store."""
        return self.store or (self.data_dir.absolute() / "store").as_uri()

    @property
    def acting(self) -> str:
        """Who acts when `--as` does not say it."""
        return self.actor or f"{getpass.getuser()}@{socket.gethostname()}"

    @property
    def build_id(self) -> str | None:
        """Worker Versioning: the build of this worker; None is an unversioned worker."""
        return self.around.temporal.get("TEMPORAL_WORKER_BUILD_ID")

    @property
    def deployment_name(self) -> str:
        """Worker Versioning: the deployment that the build belongs to."""
        return self.around.temporal.get("TEMPORAL_DEPLOYMENT_NAME", "countersign")

    @property
    def told(self) -> dict[str, object]:
        """Every setting that has a value, by its name without the prefix."""
        return {name: value for name, value in _values(self) if value}

    def require(self, *needs: Need) -> None:
        """Raise `SettingsError` with a line for each setting that `needs` ask for and that is not set."""
        faults = tuple(_missing_lines(needs, self))
        if faults:
            raise SettingsError(faults)


def load(*needs: Need, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings of this process (or of the given `environment`), complete for `needs`.

    Raises `SettingsError` with all faults at once: unknown names, malformed values, unreadable files, what is missing.
    """
    fields = dict(named_fields())
    secret = {name for name, field in fields.items() if is_secret(field.annotation)}
    variables = gather(os.environ if environment is None else environment, fields, secret, RESERVED)
    settings, wrong = _validated(variables)
    # What is malformed is not missing; else a text that was read may hold nothing, such as a list of no secrets.
    malformed = variables.ours if variables.faults or wrong else ()
    lines = tuple(_missing_lines(needs, settings, but=malformed))
    faults = (*variables.faults, *wrong.values(), *lines)
    if faults:
        raise SettingsError(faults, way_out=_way_out(variables))
    return settings


def _way_out(variables: Variables) -> str:
    if passed_over := variables.surroundings.passed_over:
        return passed_over
    return "" if variables.ours or variables.faults else _NO_STACK


def _validated(variables: Variables) -> tuple[Settings, dict[str, str]]:
    """The settings, and a line for each that is malformed: those have their defaults."""
    wrong: dict[str, str] = {}
    while True:
        ours = {name: text for name, text in variables.ours.items() if name not in wrong}
        try:
            settings = Settings(**_nested(ours), around=variables.surroundings, idle=variables.idle)
        except ValidationError as error:
            found = [_line(fault) for fault in error.errors(include_input=False, include_url=False)]
            wrong |= {line.partition(":")[0].removeprefix(PREFIX): line for line in found}
        else:
            return settings, wrong


def choose_stack(folder: Path) -> None:
    """Have this process, and what it starts, speak to the stack in that folder; `Refusal` when there is none."""
    data = dev_folder(folder.absolute())
    if not (data / DEV_FILE).is_file():
        raise Refusal(f"--dev {folder}: no stack of `countersign dev` runs on this folder")
    point_at(os.environ, data / DEV_FILE)


def named_fields() -> Iterator[tuple[str, FieldInfo]]:
    """Each setting's name without prefix, and its field."""
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, SettingsGroup):
            yield from ((_joined(name, part), inner) for part, inner in group.model_fields.items())
        elif name not in _NO_SETTINGS:
            yield name.upper(), field


def _joined(group: str, part: str) -> str:
    """Without the underscore that keeps a field from being a word of the language."""
    return f"{group}_{part.rstrip('_')}".upper()


def _values(settings: Settings) -> Iterator[tuple[str, Any]]:
    for name, value in settings:
        if isinstance(value, SettingsGroup):
            yield from ((_joined(name, part), inner) for part, inner in value)
        else:
            yield name.upper(), value


def is_secret(annotation: object) -> bool:
    if annotation in (SecretStr, SecretBytes, PayloadKey):
        return True
    return any(is_secret(part) for part in get_args(annotation))


def _nested(ours: Mapping[str, str]) -> dict[str, Any]:
    source = EnvSettingsSource(Settings)
    source.env_vars = {f"{PREFIX}{name}".lower(): text for name, text in ours.items()}
    return source()


def _missing_lines(needs: tuple[Need, ...], settings: Settings, but: Collection[str] = ()) -> Iterator[str]:
    fields = dict(named_fields())
    for name in missing(needs, settings):
        if name not in but:
            yield f"{PREFIX}{name}: is missing ({fields[name].description})"


def _line(fault: ErrorDetails) -> str:
    name = next(name for name in _prefixes(fault["loc"]) if name in dict(named_fields()))
    return f"{PREFIX}{name}: {_says(fault)}"


def _prefixes(loc: tuple[int | str, ...]) -> Iterator[str]:
    words = [str(part).upper() for part in loc]
    return ("_".join(words[:length]) for length in range(len(words), 0, -1))


def _says(fault: ErrorDetails) -> str:
    match fault["type"]:
        case "int_parsing" | "int_from_float":
            return "must be a whole number"
        case "float_parsing":
            return "must be a number"
        case "string_pattern_mismatch":
            return "must begin with /"
        case _:
            return fault["msg"].replace("Input should be", "must be")
