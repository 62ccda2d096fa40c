"""What is wrong with a field of a draft, in the words of whoever fills it in. The checks of files say it in English, to
people who write such a file.
"""

import re
from collections.abc import Mapping
from string import Formatter
from typing import Final

from activities.people.language import Language, phrase

_NEEDED: Final = phrase("This is needed.")
_FAULTS: Final[Mapping[str, str]] = {
    "is missing": _NEEDED,
    "fits nobody": phrase("Nobody is found."),
    "fits several": phrase("Several fit: please choose."),
    "is empty": _NEEDED,
    "needs at least {count}": _NEEDED,
    "has nothing but characters that cannot be seen": phrase("It has no visible characters."),
    "has more than {most} entries": phrase("There are more than {most}."),
    "is {size} characters long, at most {most} are allowed": phrase(
        "It is {size} characters long: at most {most} are possible."
    ),
    "contains {what}, which is not allowed": phrase("It has {what} in it, which is not allowed."),
    "must be a date such as {examples}": phrase("This is no date."),
    "lies in the past": phrase("This day has passed."),
    "is more than two years away": phrase("This is more than two years away."),
    "is an empty file": phrase("This file is empty."),
    "is not a PDF file (it does not begin with %PDF-)": phrase("This is no PDF file."),
    "is protected by a password, so that nobody could sign in it: save it without one": phrase(
        "This PDF is protected by a password, so that nobody could sign in it: save it without one."
    ),
    "is {size} MB large, at most {most} MB can be sent": phrase(
        "It is {size} MB large: at most {most} MB can be sent."
    ),
    "is too large, at most {most} MB can be sent": phrase("It is too large: at most {most} MB can be sent."),
    "is not there any more: choose it once more": phrase("The file is not there any more: choose it once more."),
    "has wrong rows: correct them, or tick that it starts without them": phrase(
        "Some rows are wrong: correct the table, or tick that it starts without them."
    ),
    "needs exactly one of group, file, people": phrase("A group or a table is needed."),
    "is no file of the body: send it as a part with this filename": phrase("A PDF is needed."),
    "its window lies in the past": phrase("It would be over already: choose a later day."),
    "must be in whole days or weeks, such as 14d or 2w": phrase("A number of days is needed."),
    "needs either file or template": phrase("A PDF or a template is needed."),
    "needs a name, because it is made from a template": phrase("A name is needed, because it is made from a template."),
    "must be an https URL": phrase("An address is needed that begins with https://."),
    "is not a URL": phrase("An address is needed that begins with https://."),
    "needs at least one who signs or approves": phrase("Somebody must sign or approve it."),
    "{id} is a signer of this request already": phrase("This person is a signer already."),
    "{id} is a reviewer of this request already": phrase("They are a reviewer already."),
    "the group {name} is among the reviewers already": phrase("They are a reviewer already."),
    "{id} asks for it, and nobody reviews their own request": phrase("Nobody reviews what they ask for themselves."),
    "in the group {group} is nobody but the requester": phrase("In this group is nobody but those who ask for it."),
    "are more than {most} people": phrase("There are more than {most}."),
    "can review a file only: of a template there is no document before it is sent": phrase(
        "Only a PDF can be reviewed: of a template there is no document before it is sent."
    ),
    "is a group that you are not in": phrase("You are not in this group any more."),
    "has the e-mail address of another signer of this request": phrase("This is the email address of another signer."),
    "is the e-mail address of another signer of this request": phrase("This is the email address of another signer."),
    "is not an e-mail address": phrase("This is no email address."),
    "is no time zone such as Europe/Amsterdam": phrase("A time zone such as Europe/Amsterdam is needed."),
    "{zone} is no time zone{hint}": phrase("A time zone such as Europe/Amsterdam is needed."),
    "is not a locale such as en, nl or pt-BR": phrase("This is no language."),
    "must be a number such as +31 20 555 0100": phrase("A number such as +31 20 555 0100 is needed."),
    "the group {quoted} is not in {where}": phrase("There is no such group any more."),
    "in the group {group} is nobody but the owner": phrase("In this group is nobody but you."),
    "the group {group} has {count} people: at most {most} can be asked": phrase(
        "The group has {count} people: at most {most} can be asked."
    ),
    "{id} is the owner and cannot be asked": phrase("You ask for it: somebody else has to do it."),
    '"{kind}" is not a kind of {where}': phrase("Please choose a kind."),
    "must be 1-87 characters of {which}": phrase("Please choose a kind."),
    "may not be started by you": phrase("You may not begin anything of this kind any more."),
    "has a column {name}, did you mean {column}?": phrase(
        "The first line has “{name}”: it should be “{column}”, perhaps."
    ),
    "has two columns for {column}": phrase("Two columns mean {column}: leave one out."),
    "needs a column person, or the columns name, email, zone": phrase(
        "The first line has to name a column person, or the columns name, email and zone."
    ),
    "has no rows": phrase("The table has no rows."),
    "is empty; its first line names the columns": phrase("The table has no rows."),
    "is neither UTF-8 nor UTF-16 text: save it as “CSV UTF-8”": phrase(
        "The table cannot be read: save it as “CSV UTF-8”."
    ),
    "{column} is no id": phrase("This is no id of the directory."),
    "needs person, or name, email, zone ({missing} missing)": phrase("Missing: {missing}."),
    "has person and {column}: either person, or somebody in full": phrase(
        "Either an id, or a name with an address: not both."
    ),
    "is in row {row} already": phrase("This person is in row {row} already."),
    "is away until {day}, when it has closed: nobody reminds them": phrase(
        "Away until {day}: they are asked, and not reminded."
    ),
    '"{id}" is not in the directory': phrase("Nobody in the directory has this id."),
    '"{id}" is not in {where}': phrase("This person is not in the directory any more."),
}
"""By the sentence of the check, with what varies in braces; of several that match the first counts."""


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = Formatter().parse(sentence)
    return re.compile("".join(re.escape(text) + (f"(?P<{name}>.*)" if name else "") for text, name, *_ in parts))


_OF_A_TABLE: Final = re.compile(r"[^:]*\.csv(?::[0-9]+)?: (.*?)(?: \(and [0-9]+ more\))?")
_OF_A_ROW: Final = re.compile(r"(person|name|email|zone|locale|phone|manager|department): (.+)")
_PATTERNS: Final = tuple((_pattern(sentence), template) for sentence, template in _FAULTS.items())


def fault_text(language: Language, message: str) -> str:
    """The sentence for a page, without file and line, behind a table's column; an unknown one stays in English."""
    if match := _OF_A_ROW.fullmatch(message):
        return f"{match[1]}: {fault_text(language, match[2])}"
    message = _OF_A_TABLE.sub(r"\1", message)
    for pattern, template in _PATTERNS:
        if match := pattern.fullmatch(message):
            return language.say(template, **match.groupdict())
    return message
