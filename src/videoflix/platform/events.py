"""Events that domains report for other systems, and the sink that stores them.

A domain declares its events as subclasses of `EventData` and calls `emit()` in the transaction of
the change. Which sink stores them is decided by the process (the domain `webhooks` registers one),
so that domains do not depend on it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session


class EventData(msgspec.Struct, kw_only=True):
    """The `data` of a kind of event. The docstring of a subclass is its documentation."""

    # `object.past-participle`. Do not change it: receivers depend on it.
    type: ClassVar[str]
    # The kind of object the event is about; the field `<object>_id` identifies it.
    object: ClassVar[str]
    example: ClassVar[dict[str, Any]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        event_types[cls.type] = cls

    @property
    def subject(self) -> str:
        """The object of the event, such as `video:12`: its events are delivered in order."""
        return f"{self.object}:{getattr(self, f'{self.object}_id')}"


Sink = Callable[[AsyncSession, Sequence[EventData]], Awaitable[None]]

event_types: dict[str, type[EventData]] = {}
_sinks: list[Sink] = []


def register_sink(sink: Sink) -> Sink:
    """Register a function that stores events in the session's transaction."""
    _sinks.append(sink)
    return sink


async def emit(
    session: AsyncSession | async_scoped_session[AsyncSession], *events: EventData
) -> None:
    """Report events in the transaction of the change: both commit, or neither does."""
    for sink in _sinks:
        if events:
            await sink(session if isinstance(session, AsyncSession) else session(), events)
