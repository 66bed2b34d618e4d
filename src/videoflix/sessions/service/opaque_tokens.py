"""Lookup of opaque tokens: API tokens, and sessions with a single token.

Made-up tokens must not cause a query each: malformed and recently refused tokens are rejected
without one, and lookups of unknown tokens are rate limited per client address. Valid tokens do
not count. All state is in process and bounded.
"""

from datetime import timedelta

from videoflix.platform.auth.identity import WELL_FORMED, Identity
from videoflix.platform.auth.revocations import revocations
from videoflix.platform.cache.ttl import TtlCache
from videoflix.platform.postgres.session import transaction
from videoflix.platform.rate_limit.bucket import TooManyAttempts
from videoflix.platform.rate_limit.local_buckets import LocalBuckets, RateLimit
from videoflix.sessions.repository import SignInRepository
from videoflix.sessions.service.sessions import hash_of

# TTL of a valid token in the cache.
TOKEN_KNOWN_SECONDS = 60.0
TOKENS_KNOWN = 10_000
# TTL of a refused token in the negative cache.
REFUSED_SECONDS = 30.0
# Limit on unknown tokens per client address.
LOOKUP_BURST = 30
TRIES = RateLimit("unknown tokens", LOOKUP_BURST, 2.0)
ADDRESSES_KNOWN = 10_000


class OpaqueTokens:
    """Cached lookups of opaque tokens; revocations take effect at once."""

    def __init__(self) -> None:
        self._known: TtlCache[str, Identity]
        self._known = TtlCache("opaque tokens", TOKENS_KNOWN, TOKEN_KNOWN_SECONDS)
        self._refused: TtlCache[str, None]
        self._refused = TtlCache("refused tokens", TOKENS_KNOWN, REFUSED_SECONDS)
        self._tries = LocalBuckets(ADDRESSES_KNOWN)

    async def holder_of(self, token: str, address: str) -> Identity | None:
        """Return the identity, or None if the token is invalid. Raises TooManyAttempts."""
        if known := self.cached(token):
            return known
        token_hash = hash_of(token)
        if not WELL_FORMED.fullmatch(token) or token_hash in self._refused:
            return None
        if not self._tries.acquire(address, TRIES):
            raise TooManyAttempts(timedelta(seconds=self._tries.wait(address, TRIES)))
        identity = await _holder_of(token_hash)
        if identity is None:
            self._refused[token_hash] = None
        else:
            self._tries.give_back(address, TRIES)
            self._known[token_hash] = identity
        return None if identity is None or identity.sign_in_id in revocations else identity

    def cached(self, token: str) -> Identity | None:
        """Return the identity if it is cached and not revoked."""
        identity = self._known.get(hash_of(token))
        return None if identity is None or identity.sign_in_id in revocations else identity

    def clear(self) -> None:
        """Clear both caches and the rate limits."""
        self._known.clear()
        self._refused.clear()
        self._tries = LocalBuckets(ADDRESSES_KNOWN)


opaque_tokens = OpaqueTokens()


async def _holder_of(token_hash: str) -> Identity | None:
    async with transaction() as session:
        found = await SignInRepository(session=session).holder_of(token_hash)
    if found is None:
        return None
    sign_in, user = found
    return Identity(user.id, user.role, sign_in.id, sign_in.scope)
