"""The tables. One a noun; instants in UTC; JSON only for what nobody searches. A change here needs a migration
(`migrations/`).
"""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    TypeDecorator,
)
from sqlalchemy import Text as AnyText

NEWEST: Final = "0001"
"""The version of the schema that this code works with. `0003_0002` is the third, which code of the second can use."""
METADATA: Final = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "fk": "fk_%(table_name)s_%(column_0_N_name)s"}
)


def usable(version: str | None) -> bool:
    """Whether this code works with a schema: with its own, and with a later one that leaves all that it uses."""
    number, _, oldest = (version or "").partition("_")
    own_number = NEWEST.partition("_")[0]
    return number >= own_number >= (oldest or number)


class Text(TypeDecorator[str]):
    """Text that is compared and sorted by its bytes, whatever the language of the database."""

    impl = AnyText
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(AnyText(collation=None if dialect.name == "sqlite" else "C"))


class InstantType(TypeDecorator[datetime]):
    """An instant, read back in UTC. SQLite has no type for it: a text of fixed length, which sorts by time."""

    impl = AnyText
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(AnyText() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its offset from UTC")
        instant = value.astimezone(UTC)
        return instant.isoformat(timespec="microseconds") if dialect.name == "sqlite" else instant

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)


VERSION: Final = Table("alembic_version", METADATA, Column("version_num", Text, primary_key=True))
FOLLOW_UPS: Final = Table(
    "follow_ups",
    METADATA,
    Column("workflow_id", Text, primary_key=True),
    Column("type", Text),
    Column("kind", Text),
    Column("title", Text),
    Column("people", JSON),
    Column("requester", Text),
    Column("parent", Text),
    Column("started_at", InstantType),
    Column("actor", Text),
    Column("cover", LargeBinary),
    Column("first_page", Text),
    Column("first_page_of", Text),
    Column("claimed_for", Text),
    Column("document_sha256", Text),
    Index(None, "started_at", "kind"),
    Index(None, "first_page"),
    Index(None, "document_sha256", "started_at"),
    comment="what is known of a follow-up from its start on; people by id; never a state",
)
_BY_BYTES: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""A text that is compared by range: in the order of its bytes in both."""
START_WORDS: Final = Table(
    "start_words",
    METADATA,
    Column("workflow_id", ForeignKey(FOLLOW_UPS.c.workflow_id), nullable=False),
    Column("word", _BY_BYTES, nullable=False),
    Column("started_at", InstantType, nullable=False),
    PrimaryKeyConstraint("workflow_id", "word"),
    Index(None, "word", "started_at", "workflow_id"),
    comment="the words of a follow-up's title, people and id, by which it is found",
)
STAND_INS: Final = Table(
    "stand_ins",
    METADATA,
    Column("person", Text, nullable=False),
    Column("workflow_id", Text, nullable=False),
    PrimaryKeyConstraint("person", "workflow_id"),
    comment="who came into a follow-up after its start, by escalation, delegation or absence",
)
RECORDS: Final = Table(
    "records",
    METADATA,
    Column("workflow_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("problem", Text),
    Column("title", Text, nullable=False),
    Column("requester", Text, nullable=False),
    Column("due_at", InstantType),
    Column("ended_at", InstantType, nullable=False),
    Column("facet", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("sha256", Text, nullable=False),
    comment="settled records, written once; facet: type, kind, status and whether of a campaign, in one word",
)
RECORD_LISTS: Final = Table(
    "record_lists",
    METADATA,
    Column("of", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("facet", Text, nullable=False),
    Column("ended_at", InstantType, nullable=False),
    Column("workflow_id", ForeignKey(RECORDS.c.workflow_id), nullable=False),
    PrimaryKeyConstraint("of", "person", "facet", "ended_at", "workflow_id"),
    sqlite_with_rowid=False,
    comment="the lists that a record is in: of all, of each person asked, of who asked; people by directory id",
)
FACTS: Final = Table(
    "facts",
    METADATA,
    Column("workflow_id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("department", Text, nullable=False),
    Column("month", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("ended_at", InstantType, nullable=False),
    Column("fulfilled", Boolean, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("turn_seconds", Double),
    Column("notice", Text),
    Column("brought", Text),
    Column("brought_seconds", Double),
    Column("signer_seconds", Double),
    Column("reviewer_seconds", Double),
    Column("requester_seconds", Double),
    Column("us_seconds", Double),
    Column("provider_seconds", Double),
    Index(None, "ended_at"),
    comment="what is counted of each that has ended; nobody is named, not even by id",
)
AMENDMENTS: Final = Table(
    "amendments",
    METADATA,
    Column("workflow_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("workflow_id", "number"),
    comment="what happened after a record: hand-offs and their results",
)
ERASURES: Final = Table(
    "erasures",
    METADATA,
    Column("workflow_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", InstantType, nullable=False),
    Column("done_at", InstantType),
    PrimaryKeyConstraint("workflow_id", "person"),
    Index(None, "done_at", "workflow_id", "person"),
    comment="of whom something was erased, or is to be once it has ended",
)
HOLDS: Final = Table(
    "holds",
    METADATA,
    Column("workflow_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", InstantType, nullable=False),
    Column("released_by", Text),
    Column("released_at", InstantType),
    PrimaryKeyConstraint("workflow_id", "number"),
    comment="legal holds: while one is not released, nothing of the follow-up and its parts is removed",
)
SEALS: Final = Table(
    "seals",
    METADATA,
    Column("manifest_sha256", Text, primary_key=True),
    Column("envelope", LargeBinary, nullable=False),
    comment="signatures of evidence packs",
)
LOG_PAGES: Final = Table(
    "log_pages",
    METADATA,
    Column("workflow_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("workflow_id", "name"),
    comment="pages of the notification log that a workflow has moved here",
)
OPENED: Final = Table(
    "opened",
    METADATA,
    Column("workflow_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("at", InstantType),
    Column("acted_at", InstantType),
    Column("link_key", Text),
    PrimaryKeyConstraint("workflow_id", "person"),
    comment="when a person first opened it and last pressed a button of its pages; their last link's secret, by id",
)
TEXTS: Final = Table(
    "texts",
    METADATA,
    Column("workflow_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("random", LargeBinary, nullable=False),
    PrimaryKeyConstraint("workflow_id", "name"),
    comment="what people wrote; erasable, records refer to it",
)
PEOPLE_IN_FULL: Final = Table(
    "people_in_full",
    METADATA,
    Column("workflow_id", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("chosen", Boolean, nullable=False, default=False),
    Column("stored_at", InstantType, nullable=False),
    Column("content", LargeBinary),
    PrimaryKeyConstraint("workflow_id", "fingerprint"),
    Index(None, "chosen", "stored_at"),
    comment="starts of a follow-up, and the people whom their files describe in full; chosen: the start that runs",
)
PEOPLE_ASKED: Final = Table(
    "people_asked",
    METADATA,
    Column("workflow_id", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("workflow_id", "sha256"),
    comment="names and addresses as sent to the provider; erasable",
)
PEOPLE_INDEX: Final = Table(
    "people_index",
    METADATA,
    Column("place", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("at", InstantType, nullable=False),
    comment="each machine's people file as read last, by the hash of its content",
)
YEARS: Final = Table(
    "years",
    METADATA,
    Column("workflow_id", Text, nullable=False),
    Column("year", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("workflow_id", "year"),
    comment="what a yearly campaign opens with; erasable",
)
OUTCOMES: Final = Table(
    "outcomes",
    METADATA,
    Column("workflow_id", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("sent_at", InstantType),
    Column("signed_at", InstantType),
    Column("late", Boolean, nullable=False),
    Column("reminders", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", InstantType),
    Column("over_day", Date),
    sqlite_with_rowid=False,
    comment="what a member's settled record says; over_day: the last day over by then, if it knew none",
)
AUDIENCES: Final = Table(
    "audiences",
    METADATA,
    Column("campaign", Text, primary_key=True),
    Column("head", Text),
    Column("members", Integer, nullable=False),
    comment="the SHA-256 of the last change, or of the frozen rows, that the members are of; empty while written",
)
MEMBERS: Final = Table(
    "members",
    METADATA,
    Column("campaign", Text, nullable=False),
    Column("place", Integer, nullable=False),
    Column("row", Integer, nullable=False),
    Column("person", Text, nullable=False),
    Column("department", Text, nullable=False),
    Column("manager", Text, nullable=False),
    Column("says", Text, nullable=False),
    Column("given", Date),
    Column("due", Date, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("out", Text),
    Column("reason", Text, nullable=False),
    Column("joined_by", Integer, nullable=False),
    Column("asked_by", Integer, nullable=False),
    Column("request", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    PrimaryKeyConstraint("campaign", "place"),
    Index(None, "campaign", "person"),
    Index(None, "campaign", "manager"),
    # All that is counted, in the order of the outcomes' key.
    Index(
        "ix_members_by_request",
        "campaign",
        "request",
        "says",
        "out",
        "asked_by",
        "department",
        "manager",
        "fingerprint",
    ),
    sqlite_with_rowid=False,
    comment="everybody who ever was in a campaign's audience, after its changes",
)
AUDIENCE_CHANGES: Final = Table(
    "audience_changes",
    METADATA,
    Column("campaign", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("what", Text, nullable=False),
    Column("person", Text),
    Column("at", InstantType, nullable=False),
    Column("due", Date),
    Column("content", LargeBinary, nullable=False),
    Column("sha256", Text, nullable=False),
    PrimaryKeyConstraint("campaign", "number"),
    comment="changes of an audience; each content names the SHA-256 of the one before",
)
CHANGED_MEMBERS: Final = Table(
    "changed_members",
    METADATA,
    Column("campaign", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("nth", Integer, nullable=False),
    Column("place", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    PrimaryKeyConstraint("campaign", "number", "nth"),
    comment="the members that a change is about, with their attempt as of then",
)
OUTCOME_LISTS: Final = Table(
    "outcome_lists",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("campaign", Text, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("sha256", Text, unique=True),
    Index(None, "campaign"),
    comment="the record of a campaign that has ended; without SHA-256 while it is written",
)
OUTCOME_LINES: Final = Table(
    "outcome_lines",
    METADATA,
    Column("list", ForeignKey(OUTCOME_LISTS.c.id, ondelete="CASCADE"), nullable=False),
    Column("place", Integer, nullable=False),
    Column("row", Integer, nullable=False),
    Column("person", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("sent_at", InstantType),
    Column("signed_at", InstantType),
    Column("late", Boolean, nullable=False),
    Column("reminders", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("department", Text, nullable=False),
    Column("manager", Text, nullable=False),
    Column("due", Date),
    PrimaryKeyConstraint("list", "place"),
    Index(None, "list", "person"),
    Index(None, "list", "manager"),
    sqlite_with_rowid=False,
    comment="how each member stood when the record was made",
)
SIGNED_DOCUMENTS: Final = Table(
    "signed_documents",
    METADATA,
    Column("workflow_id", Text, primary_key=True),
    Column("document_sha256", Text),
    Column("document_bytes", Integer),
    Column("log_sha256", Text),
    Column("log_bytes", Integer),
    Column("provider", JSON),
    Column("at", InstantType, nullable=False),
    Column("why", Text),
    Column("keep_until", InstantType),
    Column("removed_at", InstantType),
    Index(None, "why"),
    Index(None, "keep_until", "workflow_id"),
    Index(None, "document_sha256"),
    Index(None, "log_sha256"),
    comment="what the provider gave of an ended request: files by hash, until when, its ids; why: what is missing",
)
EVIDENCE: Final = Table(
    "evidence",
    METADATA,
    Column("workflow_id", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("at", InstantType, nullable=False, index=True),
    comment="what was kept of a follow-up at its end, written once: request, plan, identities by id, runs",
)
EVIDENCE_PARTS: Final = Table(
    "evidence_parts",
    METADATA,
    Column("workflow_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("workflow_id", "name"),
    comment="parts of evidence, deflated: histories without payloads; file, payloads and names, which are erasable",
)
DOWNLOAD_LINKS: Final = Table(
    "download_links",
    METADATA,
    Column("workflow_id", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("token_sha256", Text, unique=True),
    Column("expires_at", InstantType, nullable=False),
    Column("downloads", Integer, nullable=False),
    Column("revoked_by", Text),
    Column("revoked_at", InstantType),
    PrimaryKeyConstraint("workflow_id", "target", "file"),
    comment="link of a target to a kept file: how often issued, who revoked it; without a hash revoked",
)
DOWNLOADS: Final = Table(
    "downloads",
    METADATA,
    Column("workflow_id", Text, nullable=False),
    Column("at", InstantType, nullable=False),
    Column("who", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("way", Text, nullable=False),
    PrimaryKeyConstraint("workflow_id", "at", "who", "file"),
    Index(None, "at"),
    comment="who downloaded a kept file, and how; people by id",
)
HAND_OFFS: Final = Table(
    "hand_offs",
    METADATA,
    Column("workflow_id", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("at", InstantType, nullable=False),
    PrimaryKeyConstraint("workflow_id", "target"),
    comment="hand-offs that were given up, at what instant; `name` is the policy's, also for an escalation",
)
INCIDENTS: Final = Table(
    "incidents",
    METADATA,
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("grade", Integer, nullable=False),
    Column("since", InstantType),
    Column("told", Integer, nullable=False),
    Column("over_at", InstantType),
    Column("why", Text),
    Column("telling_until", InstantType),
    Column("at", InstantType, nullable=False),
    PrimaryKeyConstraint("kind", "name", "address"),
    Index(None, "kind", "grade"),
    comment="what on-call hears of: targets by the hash of their address, and push credentials",
)
DEVICES: Final = Table(
    "devices",
    METADATA,
    Column("person", Text, nullable=False),
    Column("address_sha256", Text, nullable=False),
    Column("address", Text),
    Column("kind", Text),
    Column("platform", Text),
    Column("p256dh", Text),
    Column("auth", Text),
    Column("vapid_key", Text),
    Column("registered_at", InstantType),
    Column("seen_at", InstantType),
    Column("gone", Text),
    Column("gone_at", InstantType),
    Column("gone_of", InstantType),
    PrimaryKeyConstraint("person", "address_sha256"),
    comment="devices of the company's app and browsers; an address is a secret, null for one of the people file",
)
DEVICE_OWNERS: Final = Table(
    "device_owners",
    METADATA,
    Column("address_sha256", Text, primary_key=True),
    Column("person", Text, nullable=False),
    comment="the one person whom an address belongs to",
)
HANDED_LINKS: Final = Table(
    "handed_links",
    METADATA,
    Column("serial", Text, primary_key=True),
    Column("workflow_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("expires_at", InstantType, nullable=False),
    Column("used_at", InstantType),
    Index(None, "workflow_id", "person"),
    Index(None, "expires_at"),
    comment="links that were handed over: of which signer, and whether they were used",
)
LINK_SUBSCRIPTIONS: Final = Table(
    "link_subscriptions",
    METADATA,
    Column("workflow_id", Text, nullable=False),
    Column("endpoint_sha256", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("p256dh", Text, nullable=False),
    Column("auth", Text, nullable=False),
    Column("vapid_key", Text, nullable=False),
    Column("seen_at", InstantType, nullable=False),
    PrimaryKeyConstraint("workflow_id", "endpoint_sha256"),
    Index(None, "endpoint_sha256"),
    Index(None, "person"),
    Index(None, "seen_at"),
    comment="browsers behind a link, which get the notices of one follow-up; no devices of the person",
)
APP_PUSHES: Final = Table(
    "app_pushes",
    METADATA,
    Column("person", Text, nullable=False),
    Column("screen_key", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("workflow_id", Text, nullable=False),
    Column("department", Text, nullable=False),
    Column("at", InstantType, nullable=False),
    Column("week", Date, nullable=False),
    Column("received_at", InstantType),
    Column("tapped_at", InstantType),
    Column("dismissed_at", InstantType),
    Column("reached", Boolean, nullable=False),
    PrimaryKeyConstraint("person", "screen_key", "stage", "device"),
    Index(None, "workflow_id"),
    # All that is counted, in its order.
    Index("ix_app_pushes_reach", "week", "department", "person", "reached"),
    comment="pushes that were accepted for devices of the app, and what the app reported of them, for 400 days",
)
WEB_PUSH_KEYS: Final = Table(
    "web_push_keys",
    METADATA,
    Column("public", Text, primary_key=True),
    Column("private", Text, nullable=False),
    Column("made_at", InstantType, nullable=False),
    comment="key pairs that web pushes are signed with; the newest is for new subscriptions",
)
OUTBOUND_MAIL: Final = Table(
    "outbound_mail",
    METADATA,
    Column("reference", Text, primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("at", InstantType, nullable=False),
    Column("channel", Text, nullable=False),
    Column("taken", Boolean, nullable=False),
    Column("job", Text),
    Index(None, "at"),
    comment="emails and SMS, noted before they are sent",
)
ONE_USE: Final = Table(
    "one_use",
    METADATA,
    Column("day", Date, nullable=False),
    Column("name", Text, nullable=False),
    PrimaryKeyConstraint("day", "name"),
    comment="links and codes that were used",
)
ALLOWANCES: Final = Table(
    "allowances",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("full_at", Double, nullable=False, index=True),
    comment="token buckets that are not full, by the second since 1970 from which they are",
)
SERIALS: Final = Table(
    "serials",
    METADATA,
    Column("of", Text, primary_key=True),
    Column("serial", Text, nullable=False),
    comment="the serial that links must have",
)
DESK_SESSIONS: Final = Table(
    "desk_sessions",
    METADATA,
    Column("nonce_sha256", Text, primary_key=True),
    Column("person", Text, nullable=False, index=True),
    Column("signed_in_at", InstantType, nullable=False, index=True),
    Column("sid", Text, index=True),
    Column("subject", Text, index=True),
    Column("groups", JSON, nullable=False),
    Column("id_token", Text),
    comment="browsers that are signed in at the desk; sid, subject and the sealed token are of the OpenID issuer",
)
NOTICES: Final = Table(
    "notices",
    METADATA,
    Column("person", Text, nullable=False),
    Column("workflow_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("at", InstantType),
    Column("until", InstantType, nullable=False),
    Column("accepted", Boolean, nullable=False, default=False),
    Column("joined_into", Text),
    PrimaryKeyConstraint("person", "workflow_id", "key"),
    Index(None, "person", "at"),
    Index(None, "person", "joined_into"),
    Index(None, "until"),
    comment="notices that count `until` then in a person's budget, wait (no `at`), or were joined into another",
)
PROCESSES: Final = Table(
    "processes",
    METADATA,
    Column("identity", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("people", Text, nullable=False),
    Column("catalogue", Text, nullable=False),
    Column("mappings", Text, nullable=False),
    Column("seen_at", InstantType, nullable=False),
    Index(None, "role", "seen_at"),
    comment="workers and web processes that run, with the hashes of their files",
)
RECEIPTS: Final = Table(
    "receipts",
    METADATA,
    Column("workflow_id", Text, nullable=False),
    Column("op", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("at", InstantType, nullable=False, index=True),
    PrimaryKeyConstraint("workflow_id", "op"),
    comment="answers of commands by hand, for 30 days",
)
TOKENS: Final = Table(
    "tokens",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("token_sha256", Text, unique=True),
    Column("may", JSON, nullable=False),
    Column("made_at", InstantType, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("used_at", InstantType),
    Column("revoked_at", InstantType),
    comment="tokens of programs that call the API, with their rights; without a hash it was revoked",
)
ABSENCES: Final = Table(
    "absences",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("begins_at", InstantType, nullable=False),
    Column("ends_at", InstantType, nullable=False),
    Column("acts", Text),
    Column("kinds", JSON, nullable=False),
    Column("entered_at", InstantType, nullable=False),
    Column("entered_by", Text, nullable=False),
    Column("ended_at", InstantType),
    Column("ended_by", Text),
    Column("told_at", InstantType),
    Column("told", Integer, nullable=False),
    Index(None, "ends_at"),
    Index(None, "person", "ends_at"),
    comment="absences that people entered, beside those of the people file; told: open follow-ups that heard",
)
DIRECTORY_PEOPLE: Final = Table(
    "directory_people",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("user_name", Text, unique=True),
    Column("external_id", Text),
    Column("address", Text),
    Column("folded", Text, nullable=False),
    Column("manager", Text),
    Column("department", Text),
    Column("resource", JSON),
    Column("imported", JSON),
    Column("is_pushed", Boolean, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("made_at", InstantType, nullable=False),
    Column("changed_at", InstantType, nullable=False),
    Column("left_at", InstantType),
    Column("hold", Text),
    Column("announcement", Text, nullable=False),
    Index(None, "external_id"),
    Index(None, "address"),
    Index(None, "manager"),
    Index(None, "department"),
    Index(None, "left_at"),
    comment="people as the company pushes them, and what a people file adds; announcement: that they left",
)
DIRECTORY_GROUPS: Final = Table(
    "directory_groups",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("external_id", Text),
    Column("is_pushed", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("made_at", InstantType, nullable=False),
    Column("changed_at", InstantType, nullable=False),
    Index(None, "name"),
    Index(None, "external_id"),
    comment="groups that the company's directory pushes, or the imported people file names",
)
DIRECTORY_MEMBERS: Final = Table(
    "directory_members",
    METADATA,
    Column("group_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    PrimaryKeyConstraint("group_id", "person"),
    Index(None, "person"),
    comment="who is in which group of the directory",
)
DRAFTS: Final = Table(
    "drafts",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("author", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("content", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    Column("changed_at", InstantType, nullable=False, index=True),
    Column("started", Text),
    Index(None, "author", "changed_at"),
    comment="what somebody writes at the desk and has not sent, for 30 days; once sent it only has the workflow id",
)
DRAFT_FILES: Final = Table(
    "draft_files",
    METADATA,
    Column("draft", ForeignKey(DRAFTS.c.id), nullable=False),
    Column("name", Text, nullable=False),
    Column("sha256", Text, nullable=False, index=True),
    Column("size", Integer, nullable=False),
    PrimaryKeyConstraint("draft", "name"),
    comment="the files of a draft, which are in the store under their hash",
)
UPLOADS: Final = Table(
    "uploads",
    METADATA,
    Column("caller", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("at", InstantType, nullable=False, index=True),
    PrimaryKeyConstraint("caller", "sha256"),
    comment="who uploaded a document by the API, for 7 days; within these a start may name it by its hash",
)
NOTES: Final = Table(
    "notes",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    comment="notes between processes: clocks, marks of reconciliation",
)
