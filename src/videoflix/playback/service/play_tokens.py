"""Play tokens: who plays which film, for addresses that need no header.

A token says who asks, never what they may see: that is decided from what holds now (access.py).
"""

import time

import msgspec

from videoflix.platform.auth.tokens import InvalidToken, Purpose, sign_compact, verify_compact
from videoflix.platform.cache.ttl import LruCache
from videoflix.platform.problems import Unauthorized
from videoflix.settings import settings

VERIFIED_MAX = 20_000
# A sign-in asks with each request; nothing of it expires before the access token does.
NEVER = 2**40


class Grant(msgspec.Struct, frozen=True):
    """A film, and who asks to play it until when (Unix time).

    `profile_id` is 0 for an account's first profile, `lease_id` 0 without a lease.
    """

    video_id: int
    user_id: int
    profile_id: int
    sign_in_id: int
    lease_id: int = 0
    until: int = NEVER


class GrantReader:
    """Reads tokens of one purpose; verified ones are remembered, so that a segment costs no HMAC.

    What is refused is not kept, or anybody could fill the memory.
    """

    def __init__(self, purpose: Purpose) -> None:
        self._purpose = purpose
        self._verified: LruCache[str, Grant] = LruCache(f"{purpose} tokens", VERIFIED_MAX)

    def read(self, token: str, video_id: int) -> Grant:
        """Raises Unauthorized for what is forged, expired, or for another film."""
        grant = self._verified.get(token)
        if grant is None:
            grant = self._verified[token] = self._verify(token)
        if grant.until < time.time():
            raise Unauthorized("This link is no longer valid; open the film again.")
        if grant.video_id != video_id:
            raise Unauthorized("This link is for another film.")
        return grant

    def _verify(self, token: str) -> Grant:
        try:
            return Grant(*verify_compact(self._purpose, token))
        except (InvalidToken, TypeError) as error:
            raise Unauthorized("This link is no longer valid; open the film again.") from error


play_tokens = GrantReader(Purpose.PLAY)
file_tokens = GrantReader(Purpose.FILE)


def sign_play_token(purpose: Purpose, grant: Grant) -> str:
    """A token for a grant, good from now on for as long as the settings say."""
    return sign_compact(
        purpose,
        settings.play_token_lifetime,
        grant.video_id,
        grant.user_id,
        grant.profile_id,
        grant.sign_in_id,
        grant.lease_id,
    )
