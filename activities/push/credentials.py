"""Whether the push service takes our credentials: whoever is on call hears it once if not, and once when it does again.

Of the first no phone can tell them: it goes by mail or text.
"""

import asyncio
from datetime import datetime
from typing import Final

from temporalio import activity

from activities.on_call import OnCall, Trouble
from activities.store import Store, StoreFailure
from workflows.follow_up.stages import Stage

HEARD_WITHIN: Final = 5.0
"""Seconds of a notice's time that telling them may take."""
FRESH: Final = 60.0
"""Seconds for which a process believes that all workers know what it has learnt."""
_CREDENTIALS: Final = Trouble(id="push-credentials", kind="push", title="Push")


class CredentialsAlarm:
    """Tells `on_call`; nothing of it may cost a notice its result."""

    def __init__(self, store: Store, on_call: OnCall) -> None:
        self._store = store
        self._on_call = on_call
        self._one_at_a_time = asyncio.Lock()
        self._learnt: bool | None = None
        self._at = 0.0

    async def learn(self, accepted: bool | None, now: datetime) -> None:
        """What the last answer said of them, None of none; what nobody has taken is told by the next one."""
        fresh = asyncio.get_running_loop().time() - self._at < FRESH
        if accepted is None or self._one_at_a_time.locked() or (fresh and accepted is self._learnt):
            return
        async with self._one_at_a_time:
            try:
                await (self._accepted(now) if accepted else self._refused(now))
            except StoreFailure as failure:
                activity.logger.error("news of our credentials not told", extra={"says": str(failure)})
            self._learnt, self._at = accepted, asyncio.get_running_loop().time()

    async def _refused(self, now: datetime) -> None:
        if not await self._store.push_refused() and await self._tell(Stage.PUSH_REFUSED, now):
            await self._store.mark_push_refused(True)

    async def _accepted(self, now: datetime) -> None:
        if await self._store.push_refused() and await self._tell(Stage.PUSH_RECOVERED, now):
            await self._store.mark_push_refused(False)

    async def _tell(self, stage: Stage, now: datetime) -> bool:
        """Whether they have it now; of all workers one tries, once in `FRESH` seconds."""
        turn = f"{stage}-{int(now.timestamp() // FRESH)}"
        return await self._store.use_once(now.date(), turn) and await self._on_call.hears(_CREDENTIALS, stage, now, now)
