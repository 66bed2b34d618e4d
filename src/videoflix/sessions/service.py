"""What may happen to sign-ins: they open, go on with the next pair of tokens, and end."""

import uuid
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.platform.db import transaction
from videoflix.platform.problems import NotFound, SignInNeeded
from videoflix.platform.revocations import KEPT, announce_revocation
from videoflix.platform.tokens import Purpose, TokenRefused, sign, verify
from videoflix.sessions.models import RefreshToken, SignIn
from videoflix.sessions.repository import RefreshTokenRepository, SignInRepository
from videoflix.sessions.schemas import SignInShown, TokenPair
from videoflix.settings import settings

# Two tabs may send the same token at once, and an answer may be lost on the way.
GRACE = timedelta(seconds=10)


class RefreshRefused(SignInNeeded):
    """This sign-in is over; sign in again."""


class SignInNotFound(NotFound):
    """You have no such sign-in."""


class Sessions:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.sign_ins = SignInRepository(session=session)
        self.tokens = RefreshTokenRepository(session=session)

    async def open(self, user: User, device: str = "") -> TokenPair:
        """Sign a person in."""
        now = await self.tokens.database_time()
        sign_in = await self.sign_ins.add(
            SignIn(
                user_id=user.id,
                device=device[:200],
                expires_at=now + settings.refresh_token_lifetime,
                last_seen_at=now,
            )
        )
        return await self._next_pair(user, sign_in, settings.refresh_token_lifetime)

    async def refresh(self, token: str) -> TokenPair:
        """The next pair of tokens. Raises RefreshRefused.

        A token that is used a second time was stolen, or its owner is the second one: nobody
        can tell, so the sign-in ends for both (RFC 9700, section 4.14.2).
        """
        jti = _jti_of(token)
        family = await self.tokens.family_of(jti)
        if family is None:
            raise RefreshRefused
        sign_in, user = family
        now = await self.tokens.database_time()
        if sign_in.ended_at is not None or sign_in.expires_at <= now or not user.is_active:
            raise RefreshRefused
        if not await self.tokens.use(jti) and not await self.tokens.used_within(jti, GRACE):
            user_id, sign_in_id = user.id, sign_in.id
            await self.session.rollback()  # gives its connection back before another is taken
            await end_stolen(user_id, sign_in_id)
            raise RefreshRefused("This token was used before, so the sign-in was ended.")
        sign_in.last_seen_at = now
        return await self._next_pair(user, sign_in, sign_in.expires_at - now)

    async def of(self, user_id: int, current: int) -> list[SignInShown]:
        """A person's open sign-ins, the latest used first."""
        return [
            SignInShown(
                id=found.id,
                device=found.device,
                created_at=found.created_at,
                last_seen_at=found.last_seen_at,
                expires_at=found.expires_at,
                current=found.id == current,
            )
            for found in await self.sign_ins.open_of(user_id)
        ]

    async def end(self, user_id: int, sign_in_id: int) -> None:
        """End one of a person's sign-ins. Raises SignInNotFound."""
        if not await self._end(user_id, only=sign_in_id):
            raise SignInNotFound

    async def end_family(self, token: str) -> None:
        """End the sign-in a refresh token belongs to, if it is still open."""
        try:
            family = await self.tokens.family_of(_jti_of(token))
        except RefreshRefused:
            return
        if family:
            await self._end(family[1].id, only=family[0].id)

    async def end_all(self, user_id: int) -> None:
        """End all of a person's sign-ins."""
        await self._end(user_id)

    async def _end(self, user_id: int, only: int | None = None) -> list[int]:
        ended = await self.sign_ins.end(user_id, only=only)
        for sign_in_id in ended:
            await announce_revocation(self.session, sign_in_id)
        return ended

    async def _next_pair(self, user: User, sign_in: SignIn, left: timedelta) -> TokenPair:
        jti = uuid.uuid4().hex
        await self.tokens.add(RefreshToken(sign_in_id=sign_in.id, jti=jti))
        lifetime = min(settings.access_token_lifetime, left)
        access = sign(Purpose.ACCESS, user.id, lifetime, role=user.role.value, sid=sign_in.id)
        return TokenPair(
            access=access,
            expires_in=int(lifetime.total_seconds()),
            refresh=sign(Purpose.REFRESH, user.id, left, jti=jti),
            refresh_expires_in=int(left.total_seconds()),
        )


async def end_stolen(user_id: int, sign_in_id: int) -> None:
    """End a sign-in in a transaction of its own: the request's will be rolled back."""
    async with transaction() as session:
        await Sessions(session).end(user_id, sign_in_id)


async def recently_ended() -> list[int]:
    """Sign-ins whose tokens may not have expired yet."""
    async with transaction() as session:
        return await SignInRepository(session=session).ended_since(KEPT)


def _jti_of(token: str) -> str:
    try:
        return str(verify(Purpose.REFRESH, token)["jti"])
    except TokenRefused as error:
        raise RefreshRefused from error
