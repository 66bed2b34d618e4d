"""Whom opaque tokens speak for: API tokens, and sign-ins by a single token."""

import time

from videoflix.platform.db import transaction
from videoflix.platform.identity import Identity
from videoflix.platform.revocations import revocations
from videoflix.sessions.repository import SignInRepository
from videoflix.sessions.service.sign_ins import hash_of

# Between two looks into the database for the same token.
TOKEN_KNOWN_SECONDS = 60.0
TOKENS_KNOWN = 10_000


class OpaqueTokens:
    """Whom opaque tokens speak for, as this process has seen lately; revocations count at once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Identity, float]] = {}

    async def holder_of(self, token: str) -> Identity | None:
        """The person, or None if the token is no good (any more)."""
        if known := self.remembered(token):
            return known
        token_hash = hash_of(token)
        identity = await _holder_of(token_hash)
        self._keep(token_hash, identity)
        return None if identity is None or identity.sign_in_id in revocations else identity

    def remembered(self, token: str) -> Identity | None:
        """The person, if this process has looked lately and the token was not revoked since."""
        identity, until = self._known.get(hash_of(token), (None, 0.0))
        if identity is None or until < time.monotonic() or identity.sign_in_id in revocations:
            return None
        return identity

    def _keep(self, token_hash: str, identity: Identity | None) -> None:
        self._known.pop(token_hash, None)
        if identity is not None:
            self._known[token_hash] = identity, time.monotonic() + TOKEN_KNOWN_SECONDS
        if len(self._known) > TOKENS_KNOWN:
            del self._known[next(iter(self._known))]


opaque_tokens = OpaqueTokens()


async def _holder_of(token_hash: str) -> Identity | None:
    async with transaction() as session:
        found = await SignInRepository(session=session).holder_of(token_hash)
    if found is None:
        return None
    sign_in, user = found
    return Identity(user.id, user.role, sign_in.id, sign_in.scope)
