"""Whom opaque tokens speak for: API tokens, and sign-ins by a single token.

An invented token must not cost a query each time: a malformed one costs none, one that was
refused lately costs none, and each address may try so many others a minute; good ones do not
count. All of it is counted in this process, in bounded memory.
"""

import time
from datetime import timedelta

from videoflix.platform.db import transaction
from videoflix.platform.identity import WELL_FORMED, Identity
from videoflix.platform.revocations import revocations
from videoflix.platform.throttle import TooManyTries
from videoflix.sessions.repository import SignInRepository
from videoflix.sessions.service.sign_ins import hash_of

# Between two looks into the database for the same token.
TOKEN_KNOWN_SECONDS = 60.0
TOKENS_KNOWN = 10_000
# How long a token that is no good is not looked for again.
REFUSED_SECONDS = 30.0
# Unknown tokens of one address: so many at once, and one more every so many seconds.
TRIES_AT_ONCE = 30
SECONDS_A_TRY = 2.0
ADDRESSES_KNOWN = 10_000


class Tries:
    """A bucket of tries for each address, the latest used ones (generic cell rate algorithm)."""

    def __init__(self) -> None:
        self._full_at: dict[str, float] = {}

    def spend(self, address: str) -> None:
        """Raises TooManyTries."""
        now = time.monotonic()
        full_at = max(self._full_at.pop(address, now), now) + SECONDS_A_TRY
        wait = full_at - now - TRIES_AT_ONCE * SECONDS_A_TRY
        self._full_at[address] = full_at if wait <= 0 else full_at - SECONDS_A_TRY
        if len(self._full_at) > ADDRESSES_KNOWN:
            del self._full_at[next(iter(self._full_at))]
        if wait > 0:
            raise TooManyTries(timedelta(seconds=wait))

    def give_back(self, address: str) -> None:
        """A try that was none after all."""
        if address in self._full_at:
            self._full_at[address] -= SECONDS_A_TRY


class OpaqueTokens:
    """Whom opaque tokens speak for, as this process has seen lately; revocations count at once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Identity, float]] = {}
        self._refused: dict[str, float] = {}
        self._tries = Tries()

    async def holder_of(self, token: str, address: str) -> Identity | None:
        """The person, or None if the token is no good (any more). Raises TooManyTries."""
        if known := self.remembered(token):
            return known
        token_hash = hash_of(token)
        if not WELL_FORMED.fullmatch(token) or self._refused.get(token_hash, 0) > time.monotonic():
            return None
        self._tries.spend(address)
        identity = await _holder_of(token_hash)
        if identity is not None:
            self._tries.give_back(address)
        self._keep(token_hash, identity)
        return None if identity is None or identity.sign_in_id in revocations else identity

    def remembered(self, token: str) -> Identity | None:
        """The person, if this process has looked lately and the token was not revoked since."""
        identity, until = self._known.get(hash_of(token), (None, 0.0))
        if identity is None or until < time.monotonic() or identity.sign_in_id in revocations:
            return None
        return identity

    def forget(self) -> None:
        """Forget all tokens, good and bad, and who tried them."""
        self._known.clear()
        self._refused.clear()
        self._tries = Tries()

    def _keep(self, token_hash: str, identity: Identity | None) -> None:
        self._known.pop(token_hash, None)
        if identity is not None:
            self._known[token_hash] = identity, time.monotonic() + TOKEN_KNOWN_SECONDS
        else:
            self._refused[token_hash] = time.monotonic() + REFUSED_SECONDS
        for kept in (self._known, self._refused):
            if len(kept) > TOKENS_KNOWN:
                del kept[next(iter(kept))]


opaque_tokens = OpaqueTokens()


async def _holder_of(token_hash: str) -> Identity | None:
    async with transaction() as session:
        found = await SignInRepository(session=session).holder_of(token_hash)
    if found is None:
        return None
    sign_in, user = found
    return Identity(user.id, user.role, sign_in.id, sign_in.scope)
