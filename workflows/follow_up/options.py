"""Activity options per kind of call. Retries inside a call bridge short failures; after `_ATTEMPTS` the failure becomes
a `Problem`, which the workflow retries with timers.
"""

from datetime import timedelta
from typing import Final, TypedDict

from temporalio.common import Priority, RetryPolicy
from temporalio.workflow import ActivityCancellationType

import workflows.names as names

LIST_LAG: Final = timedelta(seconds=10)
"""How long a new document may be missing from Core Signature's lists; an earlier look-up proves nothing."""
_ATTEMPTS: Final = 6
"""Counted, not timed: a queue held back by the rate limit must not look like an unavailable provider."""
_HEARTBEAT: Final = LIST_LAG + timedelta(seconds=2)
SOON: Final = timedelta(seconds=1)
EVIDENCE_LASTS: Final = timedelta(days=3)
"""How long the provider is asked for what is to be kept."""
PROBE_FIRST: Final = timedelta(seconds=30)
PROBE_AT_MOST: Final = timedelta(minutes=15)
LOOK_AGAIN: Final = timedelta(days=7)
"""Time after which a document is read without a callback, which may have been lost."""
LOOK_AGAIN_IN_DOUBT: Final = timedelta(minutes=1)
"""The same if it does not show what a callback reported: once."""
LOOK_AGAIN_UNSENT: Final = timedelta(hours=1)
"""The same while it is being converted; each read is paid for."""
DEVICE_RETRY_PAUSES: Final = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2))
"""Pauses before retries of open devices, in the background; then `failed`."""
OPERATION_TAKEN_WITHIN: Final = timedelta(minutes=1)
"""A Nexus operation not begun by then is retried by the hand-off."""
LONGEST_WAIT: Final = 3600.0
"""Longest seconds of a service's retry-after."""
RUN_AT_MOST: Final = 2 * 1024 * 1024
"""Bytes of a history after which a request continues as new."""
CLOCKS_APART: Final = timedelta(seconds=5)
"""Skew from which the clock of a machine is reported; instants that are compared come from the server's clock."""


class ActivityOptions(TypedDict):
    """Keyword options of `workflow.start_activity_method`; without a queue it is the workflow's own."""

    task_queue: str | None
    schedule_to_close_timeout: timedelta | None
    start_to_close_timeout: timedelta
    heartbeat_timeout: timedelta | None
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


class LocalActivityOptions(TypedDict):
    """Keyword options of `workflow.execute_local_activity_method`."""

    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy


def _options(
    queue: str | None, first_retry: timedelta, *, attempt: timedelta, heartbeat: timedelta | None = _HEARTBEAT
) -> ActivityOptions:
    return ActivityOptions(
        task_queue=queue,
        schedule_to_close_timeout=None,
        start_to_close_timeout=attempt,
        heartbeat_timeout=heartbeat,
        retry_policy=RetryPolicy(
            initial_interval=first_retry,
            backoff_coefficient=2,
            maximum_interval=timedelta(minutes=1),
            maximum_attempts=_ATTEMPTS,
        ),
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    )


# An attempt that may have made something asks for the lag itself (activities/temporal/failures.py, `again_after`),
# and one whose worker died times out after a heartbeat interval longer than it.
CREATE: Final = _options(names.SIGNATURE_QUEUE, SOON, attempt=timedelta(seconds=60))
CREATE_FIRST: Final = ActivityOptions(
    **{**CREATE, "retry_policy": RetryPolicy(initial_interval=SOON, maximum_attempts=2)}
)
"""A single attempt, so that a start reports an unreachable Core Signature at once."""
OBSERVE: Final = _options(names.SIGNATURE_QUEUE, SOON, attempt=timedelta(seconds=30))
CANCEL: Final = _options(names.SIGNATURE_QUEUE, SOON, attempt=timedelta(seconds=30))
FORWARD: Final = _options(names.SIGNATURE_QUEUE, SOON, attempt=timedelta(seconds=30))
# A delivery ends itself well before its timeout, and a cancelled one begins nothing more: what it
# sent is in its result and the log in either case (activities/temporal/leases.py).
NUDGE: Final = _options(names.SIGNATURE_QUEUE, SOON, attempt=timedelta(seconds=180))
NOTIFY: Final = _options(None, SOON, attempt=timedelta(seconds=180))
HAND_OFF: Final = _options(None, SOON, attempt=timedelta(seconds=180))
HAND_OFF_ASIDE: Final = ActivityOptions(**{**HAND_OFF, "cancellation_type": ActivityCancellationType.TRY_CANCEL})
"""In the background: an ending interrupts it, and interrupted targets are called again."""
SIGN_IN: Final = _options(None, SOON, attempt=timedelta(seconds=30))
PLAN: Final = _options(None, SOON, attempt=timedelta(seconds=10))
# A batch ends itself after some minutes or some hundreds of people (activities/campaign/batch.py).
BATCH: Final = _options(names.BATCH_QUEUE, SOON, attempt=timedelta(minutes=15), heartbeat=timedelta(seconds=15))
LOOK: Final = ActivityOptions(
    **{**BATCH, "retry_policy": RetryPolicy(initial_interval=SOON, maximum_interval=timedelta(minutes=15))}
)
"""For the daily check of a yearly campaign, which bounds its attempts by time."""
ABSENCE: Final = ActivityOptions(
    **{
        **_options(None, SOON, attempt=timedelta(minutes=10)),
        "schedule_to_close_timeout": timedelta(days=1),
        "retry_policy": RetryPolicy(initial_interval=SOON, maximum_interval=timedelta(minutes=1)),
    }
)
"""For telling open follow-ups of an absence; after that the sweep begins it anew."""
DAY: Final = ActivityOptions(
    **{
        **_options(None, SOON, attempt=timedelta(minutes=30), heartbeat=None),
        "schedule_to_close_timeout": timedelta(hours=20),
        "retry_policy": RetryPolicy(initial_interval=SOON, maximum_interval=timedelta(minutes=15)),
    }
)
"""For what is removed each day, until the next day is near."""
# A part of a reconciliation ends itself well before that (activities/reconciliation/service.py).
SWEEP: Final = _options(names.SWEEP_QUEUE, SOON, attempt=timedelta(seconds=120))
EVIDENCE: Final = ActivityOptions(
    **{
        **_options(names.EVIDENCE_QUEUE, SOON, attempt=timedelta(seconds=60)),
        "schedule_to_close_timeout": timedelta(seconds=60),
        "retry_policy": RetryPolicy(initial_interval=2 * SOON, backoff_coefficient=2),
    }
)
"""The hand-off waits for it."""


def evidence_later(time_left: timedelta) -> ActivityOptions:
    """For the further call beside the hand-off, as long as there is `time_left`."""
    return {
        **EVIDENCE,
        "schedule_to_close_timeout": max(time_left, SOON),
        "start_to_close_timeout": timedelta(minutes=5),
        "retry_policy": RetryPolicy(
            initial_interval=timedelta(minutes=1), backoff_coefficient=2, maximum_interval=timedelta(hours=6)
        ),
    }


def limit_time(time: timedelta, activity_options: ActivityOptions) -> ActivityOptions:
    """With so much time for all attempts together."""
    return {**activity_options, "schedule_to_close_timeout": time}


def at_once(activity_options: ActivityOptions) -> ActivityOptions:
    """With a single attempt, for calls with their own retry time."""
    return {**activity_options, "retry_policy": RetryPolicy(maximum_attempts=1)}


def in_its_queue(activity_options: ActivityOptions, priority: Priority) -> ActivityOptions:
    """With the task queue for urgent work, if the priority says so."""
    overtakes = priority.priority_key == names.URGENT and activity_options["task_queue"] == names.SIGNATURE_QUEUE
    return {**activity_options, "task_queue": names.URGENT_SIGNATURE_QUEUE} if overtakes else activity_options


# The default policy of a local activity never stops and would hold the workflow task.
PLAN_LOCALLY: Final = LocalActivityOptions(
    start_to_close_timeout=timedelta(seconds=3), retry_policy=RetryPolicy(maximum_attempts=1)
)


def probe_pause(probes: int) -> timedelta:
    """Pause before retry number `probes` (from 0): 30 s, doubling, at most 15 min."""
    doubled: timedelta = PROBE_FIRST * 2 ** min(probes, 5)
    return min(doubled, PROBE_AT_MOST)


def wait_asked_for(seconds: float) -> timedelta:
    """A service's retry-after in seconds, bounded: histories may contain any number."""
    return timedelta(seconds=max(0.0, min(LONGEST_WAIT, seconds)))
