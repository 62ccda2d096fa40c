"""What is wrong with a file that people write, or with fields of a form or a call that mean the same."""

from enum import auto

from workflows.model.messages import MessageCode


class FileFault(MessageCode):
    """A fault of a file; its values are ids, numbers, field paths, durations and words of the format."""

    # Any field.
    MISSING = auto(), "is missing"
    BLANK = auto(), "is empty"
    OTHER_TYPE = auto(), "must be {expected}, not {given}{hint}"
    TOO_MANY_CHARACTERS = auto(), "is {size:,} characters long, at most {most:,} are allowed"
    TOO_FEW = auto(), "needs at least {least}"
    TOO_MANY_ENTRIES = auto(), "has more than {most:,} entries"
    NO_NUMBER = auto(), "must be a whole number"
    ONE_OF = auto(), "must be one of {expected}"
    AT_MOST = auto(), "must be at most {most}"
    AT_LEAST = auto(), "must be at least {least}"
    UNKNOWN_FIELD = auto(), "unknown{hint}"
    INVALID = auto(), "{says}"
    FORBIDDEN_CHARACTER = auto(), "contains {what}, which is not allowed"
    SEVERAL_LINES = auto(), "must be one line without tabs"
    INVISIBLE = auto(), "has nothing but characters that cannot be seen"
    EXACTLY_ONE = auto(), "needs exactly one of {fields}"
    NEEDS_AUDIENCE = auto(), "needs exactly one of group, file, people"
    ONLY_ONE = auto(), "has {field} and {other}, but only one of them can be given"
    GIVEN_TWICE = auto(), "{name} is given twice"
    FOLLOWS_FROM = auto(), "follows from {fields}: leave it out"
    NO_FLAG = auto(), "must be true or false"

    # Values of several files.
    NO_ID = auto(), "must be 1-100 characters of A-Z a-z 0-9 . _ -, not only dots"
    NO_KIND_ID = (
        auto(),
        "must be 1-87 characters of A-Z a-z 0-9 . _ -, not only dots (the ids of its requests begin with it)",
    )
    NO_SHORT_ID = auto(), "must be 1-{most} characters of A-Z a-z 0-9 _ -"
    NO_WORKFLOW_ID = auto(), "must be a workflow id: 1-255 characters, no blanks"
    NO_EMAIL = auto(), "is not an e-mail address"
    NO_PHONE_NUMBER = auto(), "must be a number such as +31 20 555 0100"
    EMAIL_OR_PHONE = auto(), "needs email or phone"
    NO_TEXT_MESSAGES = (
        auto(),
        "has a number and no email, but no text messages can be sent: set COUNTERSIGN_MRA_URL, or give email",
    )
    NO_RELAY = (
        auto(),
        "has no email, which Core Signature needs of a signer: set COUNTERSIGN_SIGNATURE_RELAY, or give email",
    )
    NO_DEVICE_TOKEN = auto(), "must be 1-4096 printable characters, no blanks"
    NO_CALENDAR = auto(), "must be a country such as NL, or one with a subdivision, such as DE-BY"
    UNKNOWN_CALENDAR = auto(), "{calendar} is not a known calendar{hint}"
    NO_WORKING_HOURS = auto(), 'must be working hours such as "09:00-18:00"'
    NO_WEEKDAYS = auto(), "must be weekdays such as mon-fri or mon,wed,thu"
    NO_ZONE = auto(), "is no time zone such as Europe/Amsterdam"
    NEARLY_A_ZONE = auto(), "'{zone}' is no time zone{hint}"
    NO_LOCALE = auto(), "is not a locale such as en, nl or pt-BR"
    NO_URL = auto(), "is not a URL"
    NO_HOST = auto(), "must name a host with 1-63 characters between the dots"
    NO_HTTPS = auto(), "must be an https URL"
    URL_WITH_MORE = auto(), "must be a URL without user name, password and fragment"
    NO_PATTERN = auto(), 'must be a pattern such as "{example}", with at most {most} * and each [ closed'
    NO_DAY = auto(), "must be a date such as 2026-12-11 or an instant with its offset such as 2026-12-11T17:00:00+01:00"
    NO_DURATION = auto(), "must be a duration such as 90m, 4h, 3d or 2w"
    NO_DURATION_OR_NONE = auto(), "must be a duration such as 90m, 4h, 3d or 2w, or 0d"
    LONG_DURATION = auto(), "is longer than two years"
    NO_RETENTION = auto(), "must be a time of days, months or years such as 90d, 18m or 7y, at most 100 years"
    DISTANT_DAY = auto(), "is more than two years away"
    PAST_DAY = auto(), "lies in the past"

    # The text of a file.
    FILE_TOO_LARGE = auto(), "is larger than {megabytes} MiB"
    NOT_UTF_8 = auto(), "is not UTF-8 text"
    TOO_MANY_DOCUMENTS = auto(), "has more than {most:,} documents: divide it"
    UNREADABLE = auto(), "cannot be read: {why}"
    READ_BADLY = auto(), "cannot be read, by a fault of Countersign ({error})"
    NO_YAML = auto(), "is not valid YAML: {problem}{hint}"
    UNFOLDS = auto(), "unfolds through its aliases into far more than was written; write the parts out"
    NESTED_TOO_DEEPLY = auto(), "is nested too deeply"
    MERGE_KEY = auto(), "has the key <<, which takes over another map and is not supported; write its fields out"
    EMPTY_KEY = auto(), "has an empty key (~)"
    NO_KEY = auto(), "has a key that is not a word"
    KEY_TWICE = auto(), "is given twice, first on line {line}"
    UNKNOWN_TAG = auto(), "has the tag {tag}, which is not supported"
    UNREADABLE_NUMBER = auto(), "is not a number that can be read"
    OTHER_KIND_OF_FILE = auto(), "is {other}, no {kind}: `countersign {command} start` starts it"

    # Tables.
    TOO_MANY_ROWS = auto(), "has more than {most:,} rows: divide it"
    NO_ROWS = auto(), "has no rows"
    NO_TABLE_TEXT = auto(), "is neither UTF-8 nor UTF-16 text: save it as “CSV UTF-8”"
    NO_ROW = auto(), "is not a row of a table: {why}"
    NO_HEADER = auto(), "is empty; its first line names the columns"
    NAMELESS_COLUMN = auto(), "needs a name for each column, each once"
    OTHER_NUMBER_OF_CELLS = auto(), "has {cells} cells, the first line has {columns} columns"
    LONG_CELL = auto(), "is longer than {most:,} characters"
    NEARLY_A_COLUMN = auto(), "has a column {name}, did you mean {column}?"
    COLUMN_TWICE = auto(), "has two columns for {column}"
    NO_PERSON_COLUMN = auto(), "needs a column person, or the columns {columns}"
    NO_COLUMN = auto(), "{table} has no column {name}{hint}"
    EMPTY_CELL = auto(), "its column {column} is empty, and a text with a gap is not sent"
    CELL_NO_ID = auto(), "{column} is no id"
    ROW_LACKS = auto(), "needs person, or {fields} ({missing} missing)"
    ROW_TWICE = auto(), "is in row {row} already"
    NO_LINK_SECRET = auto(), "has somebody in full, which needs COUNTERSIGN_LINK_SECRET"
    ROW_NOT_IN_DIRECTORY = auto(), '"{person}" is not in the directory'
    LONG_ID = auto(), "has an id of more than {most} characters"
    AWAY_UNTIL = auto(), "is away until {day}, when it has closed: nobody reminds them"

    # Documents.
    EMPTY_FILE = auto(), "is an empty file"
    NO_PDF = auto(), "is not a PDF file (it does not begin with %PDF-)"
    PDF_WITH_PASSWORD = auto(), "is protected by a password, so that nobody could sign in it: save it without one"
    NO_DOCUMENT = auto(), "{file} is not a file in the folder of this file"
    PDF_TOO_LARGE = auto(), "is {size} MB large, at most {most} MB can be sent"
    UPLOAD_TOO_LARGE = auto(), "is too large, at most {most} MB can be sent"
    FILE_IS_URL = (
        auto(),
        "is a URL, a file beside this one is expected (a template of Core Signature stands under template)",
    )
    ABSOLUTE_PATH = auto(), "must be a path relative to this file"
    OUTSIDE_FOLDER = auto(), "leads out of the folder of this file; put it beside it, or below the working folder"
    DOCUMENTS_TOO_LARGE = auto(), "is more than one start takes: its documents may be {most} MB together; divide it"
    NEEDS_FILE_OR_TEMPLATE = auto(), "needs either file or template"
    TEMPLATE_WITHOUT_NAME = auto(), "needs a name, because it is made from a template"
    NOT_BASE64 = auto(), "must be a PDF in base64"
    LARGE_BASE64 = auto(), "is larger than 1 MB: send it as a part of a multipart body, or upload it before"
    NO_SHA256 = auto(), "is no SHA-256 in lower-case hex"
    NOT_UPLOADED = auto(), "no document with this hash was uploaded"
    NOT_IN_BODY = auto(), "is no file of the body: send it as a part with this filename"

    # People who are asked.
    NO_KIND_OF_CATALOGUE = auto(), '"{kind}" is not a kind of {where}{hint}'
    NO_GROUP_THERE = auto(), 'the group "{group}" is not in {where}{hint}'
    GROUP_OF_ASKER = auto(), "in the group {group} is nobody but whoever asks"
    CROWD = auto(), "the group {group} has {count:,} people: at most {most} are allowed"
    NO_ASKER = auto(), "must be the id of a person, or a group as {example}"
    NO_FIELD_OF_GROUP = auto(), "{field}: unknown; a group has group and rule"
    NO_GROUP_NAME = auto(), "group: must be the name of a group of the people file"
    NO_RULE = auto(), "rule: must be {rules}"
    PERSON_AND_FULL = auto(), "has {field} and {other}: either {fields}, or somebody in full"
    PERSON_LACKS = auto(), "needs {fields}, or somebody in full ({missing} missing)"
    SIGNER_TWICE = auto(), "{person} is a signer of this request already"
    SIGNERS_TWICE = auto(), "the group {group} is among the signers already"
    GROUP_SIGNS_ELSEWHERE = auto(), "in the group {group} is nobody but who signs this request anyhow"
    TOO_MANY_SIGNERS = auto(), "are more than {most} people, with those of groups"
    MEMBER_UNREACHABLE = auto(), "{person} of the group {group} {why}"
    MEMBER_WITHOUT_MAILBOX = (
        auto(),
        "has {person}, who has no email: Core Signature asks whoever signs for a group by it",
    )
    GROUP_PROVES = auto(), "does not go with {kind}, which asks who signs: a group's place passes from one to another"
    COPY_TO_GROUP = auto(), "is for a group, which signs or approves"
    ADDRESS_OF_SIGNER = auto(), "has the e-mail address of another signer of this request"
    VERIFIED_WITHOUT_PHONE = auto(), "needs the phone number of the signer, to which Core Signature sends a code"
    VERIFIED_GROUP = auto(), "is for one person, not for a group"
    VERIFIED_COPY = auto(), "is for those who sign or approve, not for a copy"
    REVIEWS_OWN = auto(), "{person} asks for it, and nobody reviews their own request"
    REVIEWER_TWICE = auto(), "{person} is a reviewer of this request already"
    REVIEWERS_TWICE = auto(), "the group {group} is among the reviewers already"
    RULE_WITHOUT_GROUP = auto(), "has a rule, which goes with group only"
    NOBODY_SIGNS = auto(), "needs at least one who signs or approves"
    TEMPLATE_REVIEWED = auto(), "can review a file only: of a template there is no document before it is sent"
    TOO_MANY_REVIEWERS = auto(), "are more than {most} people"
    ASKS_THE_OWNER = auto(), "{person} is the owner and cannot be asked"
    ASKED_TWICE = auto(), "{person} is among those who are asked already"
    ADDRESS_OF_ASKED = auto(), "is the e-mail address of somebody else who is asked"
    NOT_YOUR_GROUP = auto(), "is a group that you are not in"
    MAY_NOT_START = auto(), "may not be started by you"
    FITS_NOBODY = auto(), "fits nobody"
    FITS_SEVERAL = auto(), "fits several"

    # Ids of what is started.
    ID_OF_DOCUMENT = (
        auto(),
        "{id} is the id of a document that was sent at Core Signature by hand and is followed up from there "
        "(countersign request show {id}); choose another one",
    )
    ID_OF_PARENT = auto(), "{id} is an id that only an onboarding or campaign gives; choose another one"
    ID_OF_START = auto(), "{id} is the id of another {kind} of this start, too"

    NO_SECOND_CHANNEL = (
        auto(),
        "{person} has no second channel for the code that {kind} asks for (identity: code): of a device, a mailbox and "
        "a phone number they need two, and mail and SMS need COUNTERSIGN_MRA_URL",
    )
    CANNOT_SIGN_IN = (
        auto(),
        "{kind} asks signers to sign in at the desk (identity: sign-in), so they are given by person",
    )

    # Policies.
    HANDED_OVER_UNPROVEN = auto(), "does not go with identity: {identity}, for nobody else can be asked instead"
    WEAKER_IDENTITY = auto(), "is weaker than {identity}, which {kind} asks for"
    IDENTITY_OF_CAMPAIGN = auto(), "identity: {identity} is for requests, not for the requests of a campaign"
    NEVER_CLOSES = auto(), "a request closes some day; grace says how long after its due date"
    KIND_UNUSABLE = auto(), "{kind} cannot be used: {field}: {why}"
    KIND_ABOVE_UNUSABLE = auto(), "{kind} cannot be used: {field} of {layer}: {why}"
    SUBSCRIBER_IS_TARGET = auto(), "{name} is the name of a target of the hand-off too; give that one another name"
    NO_TRIGGER = auto(), "must be a duration such as 2d, a share of the window such as 60%, or used-up"
    NO_SHARE = auto(), "must be a duration such as 2d, or a share of the time until the due date such as 25%"
    NO_HOURS = auto(), 'must be working, any or hours such as "09:00-18:00"'
    NO_DIGEST = auto(), "digest is not yet supported; true tells of each, false of none"
    NO_FILE_BESIDE = auto(), "must be the name of a .yaml or .json file beside the catalogue, without a folder"
    OUR_QUEUE = auto(), "is a queue of our own: an onboarding is started by onboarding, with its file"
    WORKFLOW_WITHOUT_QUEUE = auto(), "needs workflow and queue together: the type, and where its workers ask for work"
    FIELDS_FOR_WORKFLOW = (
        auto(),
        "has fields, which go into the places of an onboarding's file: a workflow gets the data",
    )
    NO_ENDPOINT = auto(), "must be the name of a Nexus endpoint: A-Z a-z 0-9 -, a letter first and no - last"
    NO_ARCHIVE = auto(), "must be an address that begins with one of {schemes}"
    PASSWORD_IN_FILE = auto(), "has a password, which belongs into no file"
    NO_ARCHIVE_PATH = auto(), "must be a path such as {example}, with {names} in braces"
    PATH_WITHOUT_ID = auto(), "needs {place}: each document has a name of its own"
    WITHOUT_URL = auto(), "goes with url only"
    TARGET_WITH_DOT = auto(), "{target} has a dot: what starts a workflow has none, for its id is made of it"
    NEVER_USED_UP = auto(), "never comes, because there are no reminders to use up"
    NOBODY_TO_ESCALATE_TO = (
        auto(),
        "has nobody to escalate to: name alternates or a fallback, or ask manager or delegate",
    )
    OWN_ALTERNATE = auto(), "{person} asks for it and cannot be the alternate"
    NO_OTHER_ALTERNATE = auto(), "ask for it or are asked themselves, and nobody else is to be asked"
    REMINDERS_PASS_DUE = auto(), "the last of {most} comes after {span}, but the due date after {window}"
    WARNING_PASSES_DUE = (
        auto(),
        "{span} before the due date is before the request is sent: the due date comes after {window}",
    )
    PASSES_DUE = auto(), "{span} is too late: the due date comes after {window}"
    OVERDUE_AFTER_CLOSING = (
        auto(),
        "the first comes {span} after the due date, but it closes {grace} after the due date",
    )
    TOO_MANY_OVERDUE = (
        auto(),
        "makes {count} reminders, because it closes {grace} after the due date: at most {most}, or give most",
    )
    NO_LABEL = auto(), "needs the label in one language at least, such as {example}"
    NO_STARTERS = auto(), "must be everyone, or a list such as {example}"
    NO_KIND_OF_FILE = auto(), "{kind} is not a kind of this file{hint}"
    IN_A_CIRCLE = auto(), "goes round in a circle: {circle}"
    TOO_MANY_KINDS_ABOVE = auto(), "has more than {most} kinds above it, each extending the next"
    ESCALATION_WITHOUT_TRIGGER = auto(), "needs after or or; `escalation: null` switches it off"

    # Onboardings.
    NO_TEMPLATE = auto(), "there is no {file} in {folder}{hint}"
    ID_FROM_ENDED = auto(), "is made of what has ended: leave it out"
    NO_PLACE_HERE = auto(), "can have no {place}, which are for texts, persons and dates: write it out"
    NOBODY_FILLS = auto(), "nobody fills {place}{hint}"
    LACKS_PLACE = auto(), "has no place {place} for the target's field of that name"
    EMPTY_STAGE = auto(), "is empty: it needs agreements, tasks, steps or notices"
    DUE_OF_PARTS = auto(), "is for parts: an onboarding has no due date of its own"
    TEAM_NAME_TAKEN = auto(), "{team} stands for somebody else already: choose another name for the team"
    TEAMS_TOO_LARGE = auto(), "are {count:,} people together: at most {most} hear of a signature"
    TOO_MANY_PARTS = auto(), "have {count} parts together: at most {most}"
    NO_TEAM = auto(), '"{team}" is none of teams{hint}'
    ID_OF_PART = auto(), "{id} is the id of another part"
    FIELD_OF_OTHER_PART = auto(), "is for {other}, not for {part}"
    GROUP_HERE = auto(), "{group} is a group here: name one of its people"
    NEEDS_TEAM = auto(), "needs team: one of {teams}"
    NEEDS_TEAMS = auto(), "needs team: one of teams, which the file does not have"
    NOT_THE_CUSTOMER = auto(), "must be the customer or one of customer.colleagues: {people}"
    NEEDS_COLLEAGUES = auto(), "needs customer.colleagues: only they can be given it"
    OWNER_ALONE = auto(), "{owner} has no manager, and no team is anybody else: nobody would hear that a decision waits"

    # Campaigns.
    NO_WHOLE_DAYS = auto(), "must be in whole days or weeks, such as 14d or 2w"
    NO_REVIEW_HERE = auto(), "a campaign has none: its document names the approver"
    OPENED_BY_SCHEDULE = auto(), "is opened by its schedule: `countersign campaign schedule FILE`"
    JOINERS_WITHOUT_GROUP = auto(), "joiners: add needs an audience that is a group: nobody joins a list"
    NO_DAY_OF_YEARS = auto(), "must be a day that each year has, as month and day: 12-01"
    WINDOW_PAST = auto(), "its window lies in the past"
    ID_WITHOUT_YEAR = auto(), "needs {year}, so that each year has its own: code-of-conduct-{year}"
    NO_ID_BESIDE_YEAR = auto(), "must be 1-{most} characters of A-Z a-z 0-9 _ - beside the year"
    NO_DOCUMENT_OF_YEAR = auto(), "is missing: each year names its own"
    FILE_OF_LAST_YEAR = auto(), "{file} is that of last year"
    DOCUMENT_OF_LAST_YEAR = auto(), "has the document of last year in it"

    # People files.
    RESERVED_ID = auto(), "is reserved for people who stand in full in a file"
    ID_TWICE = auto(), "{id} is in this file twice"
    NO_PERSON_OF_FILE = auto(), "{person} is not in this file{hint}"
    DEVICE_TWICE = auto(), "has a device token that is in this file twice"

    # Mappings of hooks.
    NO_SOURCE = auto(), "its name must be that of a source: at most 20 of a-z, 0-9 and '_'"
    ID_FROM_DEAL = auto(), "is made of the deal's id: leave it out"
    NOT_FROM_JSON = auto(), "must not come from the JSON, which gives texts, persons and dates only: write it out"
    NOT_TAKEN = auto(), "take has no {name}{hint}"

    # Drafts and calls of other workflows.
    FILE_GONE = auto(), "is not there any more: choose it once more"
    WRONG_ROWS = auto(), "has wrong rows: correct them, or tick that it starts without them"
    NO_FILE_IN_CALL = auto(), "no file comes with an operation: give its bytes as pdf, or a template"
    NO_PERSON_ID = auto(), "must be a person of the directory, by id"
    HEARD_BY_ANSWER = auto(), "cannot be given here: who asks hears by the answer, and others by the policy of the kind"

    def error(self, **values: object) -> ValueError:
        """The fault as a validator raises it."""
        return ValueError(self.to_message(**values))
