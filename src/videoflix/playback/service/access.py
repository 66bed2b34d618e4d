"""Authorization of playback, cached until one of its inputs changes.

A decision depends on a sign-in, a user, a profile, a membership with its plan, and a video. A
change of any of them is notified by triggers (migration 0032), which invalidates the decision on
every replica. The end of a membership or sign-in is the expiry of the decision.

While notifications are disconnected nothing is cached: each request queries. While the database is
unavailable, the last decision is used for OUTAGE_SECONDS; then requests fail (fail closed).
"""

import time
from datetime import datetime
from typing import ClassVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import VideoState
from videoflix.catalog.service import Catalog
from videoflix.memberships.service import Memberships
from videoflix.platform.auth.revocations import facts, revocations
from videoflix.platform.cache.single_flight import SingleFlight
from videoflix.platform.cache.ttl import LruCache
from videoflix.platform.postgres.notify import FAILURES, event_bus
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Conflict, Problem, Unauthorized
from videoflix.playback.repository import SignInRepository
from videoflix.playback.service.play_tokens import Grant
from videoflix.profiles.schemas import Viewer
from videoflix.profiles.service import Profiles

DECISIONS_MAX = 20_000
OUTAGE_SECONDS = 10.0
# Negative decisions are cached this long, so that retries do not query each time.
REFUSED_SECONDS = 0.5


class VideoFailed(Conflict):
    """This film could not be encoded and cannot be played."""

    slug: ClassVar[str] = "film-failed"


class Decision(msgspec.Struct, frozen=True):
    """A viewer, or the problem; decided `at` (monotonic) with inputs of `version`.

    `until` is the expiry in Unix time.
    """

    outcome: Viewer | Problem
    until: float
    at: float
    version: int


class AccessDecisions:
    """The decisions cached in this process."""

    def __init__(self) -> None:
        self._kept: LruCache[Grant, Decision]
        self._kept = LruCache("access decisions", DECISIONS_MAX)
        self._deciding = SingleFlight(self._decide)

    async def viewer(self, grant: Grant) -> Viewer:
        """Authorize a grant, usually from the cache. Call it outside of a transaction.

        Raises Unauthorized, ProfileNotFound, VideoNotFound, VideoFailed or MembershipRequired.
        """
        if grant.sign_in_id in revocations:
            raise Unauthorized("You signed out. Sign in and open the film again.")
        decision = self._kept.get(grant)
        if decision is None or not event_bus.hears or not _is_current(decision, grant):
            decision = await self._deciding.get(grant)
        if isinstance(decision.outcome, Problem):
            raise decision.outcome.with_traceback(None)
        return decision.outcome

    def clear(self) -> None:
        self._kept.clear()

    async def _decide(self, grant: Grant) -> Decision:
        version, at = facts.now, time.monotonic()
        try:
            async with transaction() as session:
                viewer, until = await Access(session).decide(grant)
            decision = Decision(viewer, until, at, version)
        except Problem as refusal:
            decision = Decision(refusal, time.time() + REFUSED_SECONDS, at, version)
        except FAILURES:
            previous = self._kept.get(grant)
            if previous and _is_current(previous, grant) and at - previous.at < OUTAGE_SECONDS:
                return previous
            raise
        self._kept[grant] = decision
        return decision


class Access:
    """Decides by querying the rows."""

    def __init__(self, session: AsyncSession) -> None:
        self.sign_ins = SignInRepository(session)
        self.profiles = Profiles(session)
        self.catalog = Catalog(session)
        self.memberships = Memberships(session)

    async def decide(self, grant: Grant) -> tuple[Viewer, float]:
        """Authorize a grant; also return the expiry of the decision in Unix time.

        Raises what `AccessDecisions.viewer` raises.
        """
        signed_in_until = await self.sign_ins.open_until(grant.sign_in_id)
        if signed_in_until is None:
            raise Unauthorized("You signed out. Sign in and open the film again.")
        viewer = await self.profiles.viewer_by_link(grant.user_id, grant.profile_id)
        video = await self.catalog.video(viewer, grant.video_id)
        if video.state is VideoState.FAILED:
            raise VideoFailed(video.failure_reason or "")
        ends: list[datetime | None] = [signed_in_until]
        if not viewer.is_editor:
            ends.append(await self.memberships.allowed_until(viewer.user_id))
        return viewer, min(float(grant.until), *(end.timestamp() for end in ends if end))


def _is_current(decision: Decision, grant: Grant) -> bool:
    return time.time() < decision.until and facts.unchanged(
        decision.version, f"user:{grant.user_id}", f"video:{grant.video_id}"
    )


decisions = AccessDecisions()
