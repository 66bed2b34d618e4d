"""Play tokens: signed, expiring grants in URLs.

A token authenticates; authorization is decided for each request (access.py).
"""

import time

import msgspec

from videoflix.platform.auth.tokens import InvalidToken, Purpose, sign_compact, verify_compact
from videoflix.platform.cache.ttl import LruCache
from videoflix.platform.problems import Unauthorized
from videoflix.settings import settings

VERIFIED_MAX = 20_000
# For grants by sign-in, whose access token has its own expiry.
NEVER = 2**40


class Grant(msgspec.Struct, frozen=True):
    """A video, the identity that may play it, and the expiry (`until`, Unix time).

    `profile_id` is 0 for an account's first profile, `lease_id` 0 without a lease.
    """

    video_id: int
    user_id: int
    profile_id: int
    sign_in_id: int
    lease_id: int = 0
    until: int = NEVER


class GrantReader:
    """Verifies tokens of one purpose; valid ones are cached, so that segments skip the HMAC.

    Invalid ones are not cached, or clients could fill the memory.
    """

    def __init__(self, purpose: Purpose) -> None:
        self._purpose = purpose
        self._verified: LruCache[str, Grant] = LruCache(f"{purpose} tokens", VERIFIED_MAX)

    def read(self, token: str, video_id: int) -> Grant:
        """Verify a token. Raises Unauthorized if it is forged, expired, or for another video."""
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
    """Sign a token, valid for `settings.play_token_lifetime`."""
    return sign_compact(
        purpose,
        settings.play_token_lifetime,
        grant.video_id,
        grant.user_id,
        grant.profile_id,
        grant.sign_in_id,
        grant.lease_id,
    )
