"""Whom opaque tokens speak for: API tokens, and sign-ins by a single token.

An invented token must not cost a query each time: a malformed one costs none, one that was
refused lately costs none, and each address may try so many others a minute; good ones do not
count. All of it is counted in this process, in bounded memory.
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

# Between two looks into the database for the same token.
TOKEN_KNOWN_SECONDS = 60.0
TOKENS_KNOWN = 10_000
# How long a token that is no good is not looked for again.
REFUSED_SECONDS = 30.0
# Unknown tokens of one address: so many at once, and one more every so many seconds.
LOOKUP_BURST = 30
TRIES = RateLimit("unknown tokens", LOOKUP_BURST, 2.0)
ADDRESSES_KNOWN = 10_000


class OpaqueTokens:
    """Whom opaque tokens speak for, as this process has seen lately; revocations count at once."""

    def __init__(self) -> None:
        self._known: TtlCache[str, Identity]
        self._known = TtlCache("opaque tokens", TOKENS_KNOWN, TOKEN_KNOWN_SECONDS)
        self._refused: TtlCache[str, None]
        self._refused = TtlCache("refused tokens", TOKENS_KNOWN, REFUSED_SECONDS)
        self._tries = LocalBuckets(ADDRESSES_KNOWN)

    async def holder_of(self, token: str, address: str) -> Identity | None:
        """The person, or None if the token is no good (any more). Raises TooManyAttempts."""
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
        """The person, if this process has looked lately and the token was not revoked since."""
        identity = self._known.get(hash_of(token))
        return None if identity is None or identity.sign_in_id in revocations else identity

    def clear(self) -> None:
        """Forget all tokens, good and bad, and who tried them."""
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
