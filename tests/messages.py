"""Messages in tests: the English that a reader of the command sees."""

from workflows.model.messages import Message


def english_of(message: Message | None) -> str | None:
    return message.english if message else None
