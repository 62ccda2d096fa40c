"""Readers of our words, for the tests of notices and pages."""

from activities.people.person import Person
from activities.people.reader import Reader


def reading(
    locale: str = "en", zone: str = "Europe/Amsterdam", days: str = "mon-fri", calendar: str | None = None
) -> Reader:
    """Somebody who reads this locale on a clock of this zone, and works on these days."""
    person = Person(id="reader", name="Reader", email="reader@example.test", zone=zone, days=days, calendar=calendar)
    return Reader.from_person(person.model_copy(update={"locale": locale}))
