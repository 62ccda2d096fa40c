"""The table of faults is the sandbox's own, and its measures see what they are to see."""

import pytest

from activities.core_signature.client import CoreSignatureClient
from activities.hand_off.http_call import HttpTargets
from deploy.sandbox.state.faults import CALLBACK_FAULTS, DOWNLOAD_FAULTS, ArmedFault, FaultKind
from tests.activities.fault_table import ASKED_TO_WAIT, FAULTS, LATE, OF_A_SERVICE, OF_A_TOKEN_END_POINT, calls_of


def test_every_http_fault_of_the_sandbox_is_armed_under_its_own_name_and_no_other() -> None:
    assert {ArmedFault.model_validate(fault).fault for fault in FAULTS.values()} == (
        set(FaultKind) - CALLBACK_FAULTS - DOWNLOAD_FAULTS
    )
    assert [name for name, fault in FAULTS.items() if not name.startswith(fault["fault"].value)] == []
    assert FAULTS.keys() >= LATE | ASKED_TO_WAIT


@pytest.mark.parametrize("table", [OF_A_SERVICE, OF_A_TOKEN_END_POINT])
def test_every_fault_has_an_ending(table: dict[str, object]) -> None:
    assert table.keys() == FAULTS.keys()


def test_the_calls_of_a_client_are_its_public_coroutines() -> None:
    class More(CoreSignatureClient):
        async def one_more(self) -> None: ...

        async def _not_this(self) -> None: ...

        def nor_this(self) -> None: ...

    assert calls_of(More) - calls_of(CoreSignatureClient) == {"one_more"}
    assert calls_of(HttpTargets) == {"call"}
