"""Who watches, remembered by this process until something about the account changes."""

from videoflix.memberships.service import TOPIC as MEMBERSHIP_TOPIC
from videoflix.platform.auth.identity import Identity
from videoflix.platform.auth.revocations import ACCESS_TOPIC, EVERYTHING
from videoflix.platform.postgres.notify import newsroom
from videoflix.platform.postgres.session import transaction
from videoflix.platform.ttl import TtlCache
from videoflix.profiles.schemas import Viewing
from videoflix.profiles.service.profiles import PROFILES_MAX, TOPIC, Profiles

# News about a profile may be missed while the connection for news is down.
KNOWN_SECONDS = 30.0
KNOWN_MAX = 20_000


class Known:
    """Who watches, as this process has seen lately; news about an account forget it at once."""

    def __init__(self) -> None:
        # By account, whose entries expire together.
        self._kept: TtlCache[int, dict[Identity, Viewing]]
        self._kept = TtlCache("viewers", KNOWN_MAX, KNOWN_SECONDS)

    def get(self, identity: Identity) -> Viewing | None:
        mine = self._kept.get(identity.user_id)
        return None if mine is None else mine.get(identity)

    def keep(self, identity: Identity, viewing: Viewing) -> None:
        mine = self._kept.get(identity.user_id)
        if mine is None:
            mine = self._kept[identity.user_id] = {}
        mine[identity] = viewing
        if len(mine) > PROFILES_MAX:
            del mine[next(iter(mine))]

    def hear(self, topic: str) -> None:
        """Forget an account; everybody, when the topic is empty."""
        self._kept.pop(int(topic.rpartition(":")[2]), None) if topic else self._kept.clear()

    def forget(self, _: str = "") -> None:
        """Forget every account."""
        self._kept.clear()

    async def catch_up(self) -> None:
        """News may have been missed."""
        self.forget()


known = Known()
newsroom.pass_on(TOPIC, known.hear)
newsroom.pass_on(MEMBERSHIP_TOPIC, known.hear)
newsroom.pass_on(f"{ACCESS_TOPIC}user:", known.hear)
newsroom.pass_on(f"{ACCESS_TOPIC}{EVERYTHING}", known.forget)
newsroom.on_connect(known.catch_up)


async def viewing_of(identity: Identity) -> Viewing:
    """Who watches, mostly without a query. Raises what Profiles.viewing does.

    Call it while no transaction is open: it may need one of its own.
    """
    viewing = known.get(identity)
    if viewing is None:
        async with transaction() as session:
            viewing = await Profiles(session).viewing(identity)
        known.keep(identity, viewing)
    return viewing
