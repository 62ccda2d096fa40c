"""A life that nothing disturbs: everything answers, nobody is absent at sending, and signers sign when they said."""

from random import Random
from typing import Any, Final

from activities.people.person import Person
from tests.activities.book import make_person
from tests.workflows.lives.life import Life
from workflows.model.signature import ProviderEvent, SignerState

_HOUR: Final = 3_600.0


class NoMishaps(Random):
    """Takes the first choice, and nothing that happens only sometimes happens."""

    def random(self) -> float:
        return 0.99

    def choice(self, seq: Any) -> Any:
        return seq[0]


class Undisturbed(Life):
    """`signing` says who signs how long after their turn came; signers in order sign as far as all before them do."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.world.random, self.world.deafness = NoMishaps(), 0.0
        self.signing: dict[str, str] = {}

    def _let_things_happen(self) -> None:
        self.runtime.renewals = []
        signers, turn = self.request.brief.people, 0
        in_order = len({signer.order for signer in signers}) > 1
        for signer in signers:
            hours = 24 * self.random.randint(1, 20) + 5
            if self.random.random() < 0.5:
                self.signing[signer.person] = f"{hours}h"
                self._call_at((turn + hours) * _HOUR + 1, self.world.act, signer.person, SignerState.SIGNED)
                turn += hours if in_order else 0
            elif in_order:
                return

    def _person(self, id: str) -> Person:
        person = super()._person(id)
        with_phone = person.model_copy(update={"devices": make_person(id).devices})
        return with_phone.model_copy(update={"absent": ()}) if id.startswith("s") else with_phone

    def _spans(self, days: float) -> list[tuple[float, float]]:
        return []

    def _call_back(self) -> None:
        self._events += 1
        event = ProviderEvent(id=f"event-{self._events}", type="signer_signed", at=self.loop.now())
        self._call_at(self.loop.time() + 1, lambda: self._workflow and self._workflow.provider_event(event))
