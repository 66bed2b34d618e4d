"""Cache of viewers, invalidated when the account changes."""

from videoflix.memberships.service import TOPIC as MEMBERSHIP_TOPIC
from videoflix.platform.auth.identity import Identity
from videoflix.platform.auth.revocations import ACCESS_TOPIC, EVERYTHING
from videoflix.platform.cache.ttl import TtlCache
from videoflix.platform.postgres.notify import event_bus
from videoflix.platform.postgres.session import transaction
from videoflix.profiles.schemas import Viewer
from videoflix.profiles.service.profiles import PROFILES_MAX, TOPIC, Profiles

# Bounds staleness while the event connection is down.
TTL_SECONDS = 30.0
MAX_ENTRIES = 20_000


class ViewerCache:
    """Viewers by account and identity; notifications about an account invalidate it."""

    def __init__(self) -> None:
        # By account; its entries expire together.
        self._entries: TtlCache[int, dict[Identity, Viewer]]
        self._entries = TtlCache("viewers", MAX_ENTRIES, TTL_SECONDS)

    def get(self, identity: Identity) -> Viewer | None:
        mine = self._entries.get(identity.user_id)
        return None if mine is None else mine.get(identity)

    def put(self, identity: Identity, viewer: Viewer) -> None:
        mine = self._entries.get(identity.user_id)
        if mine is None:
            mine = self._entries[identity.user_id] = {}
        mine[identity] = viewer
        if len(mine) > PROFILES_MAX:
            del mine[next(iter(mine))]

    def on_notify(self, topic: str) -> None:
        """Invalidate an account, or all if the topic is empty."""
        self._entries.pop(int(topic.rpartition(":")[2]), None) if topic else self._entries.clear()

    def clear(self, _: str = "") -> None:
        """Invalidate all accounts."""
        self._entries.clear()

    async def catch_up(self) -> None:
        """Invalidate all accounts, as notifications may have been missed."""
        self.clear()


viewer_cache = ViewerCache()
event_bus.subscribe_prefix(TOPIC, viewer_cache.on_notify)
event_bus.subscribe_prefix(MEMBERSHIP_TOPIC, viewer_cache.on_notify)
event_bus.subscribe_prefix(f"{ACCESS_TOPIC}user:", viewer_cache.on_notify)
event_bus.subscribe_prefix(f"{ACCESS_TOPIC}{EVERYTHING}", viewer_cache.clear)
event_bus.on_connect(viewer_cache.catch_up)


async def current_viewer(identity: Identity) -> Viewer:
    """Return the viewer, usually without a query. Raises like Profiles.viewer.

    Call it outside a transaction, as it may open its own.
    """
    viewer = viewer_cache.get(identity)
    if viewer is None:
        async with transaction() as session:
            viewer = await Profiles(session).viewer(identity)
        viewer_cache.put(identity, viewer)
    return viewer
