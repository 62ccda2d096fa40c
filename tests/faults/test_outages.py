"""Nothing may hold a request in one run: an outage with every kind of update pending."""

import pytest
from temporalio.client import WorkflowExecutionStatus

from tests.faults.outages import ENDED_AT, EXTENSIONS, SUGGESTED_AT, Survived, outage
from workflows.model.receipts import OperationState

pytestmark = pytest.mark.real_server


def assert_nothing_was_lost(survived: Survived) -> None:
    """Fresh runs, none terminated, every command taken at once and carried out once when the outage was over.

    What is pending holds none of the runs: each ends soon after the server suggests it.
    """
    assert survived.longest < 1.6 * SUGGESTED_AT < ENDED_AT
    *earlier, last = survived.endings
    assert set(earlier) == {WorkflowExecutionStatus.CONTINUED_AS_NEW}
    assert last is WorkflowExecutionStatus.COMPLETED
    assert [receipt.state for receipt in survived.receipts] == [OperationState.OPEN] * (EXTENSIONS + 4)
    assert [receipt.state for receipt in survived.outcomes] == [OperationState.DONE] * (EXTENSIONS + 3)
    assert (survived.handed_over, survived.reminded, survived.cancellations) == (1, 1, 1)
    assert survived.due_at == survived.wanted_due
    assert survived.cancelled.state is OperationState.DONE


@pytest.mark.long
async def test_an_outage_with_every_kind_of_update_pending_is_survived_in_fresh_runs() -> None:
    survived = await outage(events=400)
    assert len(survived.endings) > 2
    assert_nothing_was_lost(survived)
