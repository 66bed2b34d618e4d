"""Sessions: opening, refresh token rotation, and ending."""

import hashlib
import secrets
import uuid
from datetime import timedelta
from typing import Any, ClassVar

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.accounts.service import Accounts
from videoflix.audit.schemas import EventKind
from videoflix.audit.service import Audit
from videoflix.platform.auth.revocations import RETENTION, revocations
from videoflix.platform.auth.tokens import InvalidToken, Purpose, sign, verify
from videoflix.platform.postgres.session import transaction, transaction_time
from videoflix.platform.problems import Forbidden, NotFound, Unauthorized
from videoflix.sessions.models import RefreshToken, SignIn
from videoflix.sessions.repository import RefreshTokenRepository, SignInRepository
from videoflix.sessions.schemas import SessionRead, TokenOpened, TokenPair
from videoflix.settings import settings

# Grace period of refresh token reuse, for concurrent tabs and lost responses.
GRACE = timedelta(seconds=10)
GUEST_RETENTION = timedelta(days=1)
# Device prefix of clients that send the password with each request.
BY_PASSWORD = "password each time: "  # noqa: S105 - a name, no secret


class RefreshTokenInvalid(Unauthorized):
    """Your session has ended; sign in again."""

    slug: ClassVar[str] = "refresh-refused"


class SignInNotFound(NotFound):
    """You have no such session."""


class GuestLoginDisabled(Forbidden):
    """This site does not allow guests; ask for an account."""

    slug: ClassVar[str] = "guests-not-welcome"


class Sessions:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.accounts = Accounts(session)
        self.audit = Audit(session)
        self.sign_ins = SignInRepository(session=session)
        self.tokens = RefreshTokenRepository(session=session)

    async def open(
        self, user: User, device: str = "", *, keeps_refresh_token: bool = False
    ) -> TokenPair:
        """Open a session for a verified user, whose refresh token is rotated unless it is kept.

        Raises InvalidCredentials, like all `open_…` methods, if the account changed since its
        verification (new password or role, signed out everywhere).
        """
        user = await self.accounts.lock_for_sign_in(user)
        sign_in = await self._begin(user, device)
        sign_in.keeps_refresh_token = keeps_refresh_token
        token = await self.tokens.add(_new_token(sign_in))
        return _pair(user, sign_in, token, settings.refresh_token_lifetime)

    async def open_by_token(self, user: User, device: str = "") -> TokenOpened:
        """Open a session with a single opaque token, for clients that cannot refresh."""
        user = await self.accounts.lock_for_sign_in(user)
        token = secrets.token_hex(20)
        sign_in = await self._begin(user, device, hash_of(token))
        return TokenOpened(token, sign_in.id)

    async def open_by_password(self, user: User, device: str = "") -> SignIn:
        """Return the session of a client that sends the password each time, one per device."""
        user = await self.accounts.lock_for_sign_in(user)
        named = f"{BY_PASSWORD}{device}"[:200]
        for sign_in in await self.sign_ins.open_of(user.id, api_tokens=False):
            if sign_in.device == named:
                return sign_in
        return await self._begin(user, named)

    async def open_as_guest(self, device: str = "") -> tuple[User, TokenPair]:
        """Open a session for a new guest. Raises GuestLoginDisabled."""
        guest = await self._create_guest()
        return guest, await self.open(guest, device)

    async def open_as_guest_by_token(self, device: str = "") -> tuple[User, TokenOpened]:
        """Open a guest session with a single opaque token. Raises GuestLoginDisabled."""
        guest = await self._create_guest()
        return guest, await self.open_by_token(guest, device)

    async def refresh(self, token: str) -> TokenPair:
        """Rotate a refresh token, unless its session keeps it. Raises RefreshTokenInvalid.

        Concurrent requests with the same token are serialized and get the same successor within
        the grace period. Later reuse indicates a stolen token, and the session is revoked, as
        the legitimate client cannot be identified (RFC 9700, section 4.14.2).
        """
        jti = _jti_of(token)
        user, sign_in = await self._family(jti)
        used = await self.tokens.by_jti(jti)
        if used is None:
            raise RefreshTokenInvalid
        if sign_in.keeps_refresh_token:
            sign_in.last_seen_at = now = await transaction_time(self.session)
            return _pair(user, sign_in, used, sign_in.expires_at - now)
        if used.used_at and not await self.tokens.was_used_within(used, GRACE):
            user_id, sign_in_id = user.id, sign_in.id
            await self.session.rollback()  # returns its connection before another one is taken
            await revoke_reused_token(user_id, sign_in_id)
            raise RefreshTokenInvalid("This token was used before, so the session has been ended.")
        if used.successor_jti is None:
            successor = await self.tokens.rotate(used, _new_token(sign_in))
        else:
            successor = await self.tokens.newest_after(used)
        now = await transaction_time(self.session)
        sign_in.last_seen_at = now
        return _pair(user, sign_in, successor, sign_in.expires_at - now)

    async def issue_access_token(self, token: str) -> str:
        """Issue an access token without rotating the refresh token. Raises RefreshTokenInvalid.

        A refresh token that was exchanged for a new pair is invalid here as well.
        """
        jti = _jti_of(token)
        user, sign_in = await self._family(jti)
        kept = await self.tokens.by_jti(jti)
        if kept is None or kept.used_at is not None:
            raise RefreshTokenInvalid
        now = await transaction_time(self.session)
        sign_in.last_seen_at = now
        return _access(user, sign_in, sign_in.expires_at - now)

    async def for_user(self, user_id: int, current: int) -> list[SessionRead]:
        """Return a user's open sessions, most recently used first."""
        return [
            SessionRead(
                id=found.id,
                device=found.device,
                created_at=found.created_at,
                last_seen_at=found.last_seen_at,
                expires_at=found.expires_at,
                current=found.id == current,
            )
            for found in await self.sign_ins.open_of(user_id, api_tokens=False)
        ]

    async def end(self, user_id: int, sign_in_id: int) -> None:
        """End one of a user's sessions. Raises SignInNotFound."""
        if not await self._end(user_id, only=sign_in_id):
            raise SignInNotFound

    async def end_family(self, token: str) -> bool:
        """End the session of a refresh token; return False if there is no open one."""
        try:
            family = await self.tokens.family_of(_jti_of(token))
        except RefreshTokenInvalid:
            return False
        if family is None or not await self._end(family[0], only=family[1]):
            return False
        await self.audit.record(EventKind.SIGNED_OUT, family[0], by=family[0])
        return True

    async def sign_out(self, user_id: int, sign_in_id: int) -> None:
        """End the requesting session. Raises SignInNotFound."""
        await self.audit.record(EventKind.SIGNED_OUT, user_id, by=user_id)
        await self.end(user_id, sign_in_id)

    async def sign_out_by_token(self, user_id: int, sign_in_id: int) -> None:
        """End the requesting session and all of the user's sessions with an opaque token."""
        await self.audit.record(EventKind.SIGNED_OUT, user_id, by=user_id)
        await self._end(user_id, by_token=True)
        await self._end(user_id, only=sign_in_id)

    async def sign_out_everywhere(self, user_id: int) -> None:
        """End all of a user's sessions and API tokens, and record it."""
        await self.audit.record(EventKind.SIGNED_OUT_EVERYWHERE, user_id, by=user_id)
        await self.end_all(user_id)

    async def end_all(self, user_id: int, *, but: int | None = None) -> None:
        """End all of a user's sessions and API tokens, including sign-ins in progress.

        The session `but` goes on.
        """
        user = await self.accounts.users.locked(user_id)
        if user is not None:
            user.auth_version += 1
        await self._end(user_id, but=but)

    async def delete_guests(self) -> int:
        """Delete guests older than GUEST_RETENTION; return their number."""
        guests = await self.accounts.users.guests(older_than=GUEST_RETENTION)
        for user_id in guests:
            await self._end(user_id)
            await self.accounts.users.remove_guest(user_id)
        return len(guests)

    async def end_all_sessions(self) -> None:
        """End every session whose tokens may be valid, before a restore replaces the accounts."""
        for sign_in_id in await self.sign_ins.end_seen_within(RETENTION):
            await revocations.publish(self.session, sign_in_id)

    async def _create_guest(self) -> User:
        """Create a guest. Raises GuestLoginDisabled."""
        if not settings.guest_login:
            raise GuestLoginDisabled
        guest = await self.accounts.create_guest()
        await self.audit.record(EventKind.GUEST, guest.id, by=guest.id)
        return guest

    async def _family(self, jti: str) -> tuple[User, SignIn]:
        """Lock the account and session of a token. Raises RefreshTokenInvalid."""
        family = await self.tokens.family_of(jti)
        user = await self.accounts.users.locked(family[0], shared=True) if family else None
        sign_in = await self.sign_ins.locked(family[1]) if family else None
        now = await transaction_time(self.session)
        if user is None or sign_in is None or not user.is_active:
            raise RefreshTokenInvalid
        if sign_in.ended_at is not None or sign_in.expires_at <= now:
            raise RefreshTokenInvalid
        return user, sign_in

    async def _begin(self, user: User, device: str, token_hash: str | None = None) -> SignIn:
        await self.audit.record(EventKind.SIGNED_IN, user.id, by=user.id)
        now = await transaction_time(self.session)
        return await self.sign_ins.add(
            SignIn(
                user_id=user.id,
                device=device[:200],
                expires_at=now + settings.refresh_token_lifetime,
                last_seen_at=now,
                token_hash=token_hash,
            )
        )

    async def _end(
        self,
        user_id: int,
        only: int | None = None,
        *,
        by_token: bool = False,
        but: int | None = None,
    ) -> list[int]:
        """End sessions and delete a guest; locks the account first, like sign-ins."""
        await self.accounts.users.lock(user_id)
        ended = await self.sign_ins.end(user_id, only=only, by_token=by_token, but=but)
        for sign_in_id in ended:
            await revocations.publish(self.session, sign_in_id)
        if ended:
            await self.accounts.users.remove_guest(user_id)
        return ended


async def revoke_reused_token(user_id: int, sign_in_id: int) -> None:
    """End a session in its own transaction, as the request's is rolled back."""
    async with transaction() as session:
        sessions = Sessions(session)
        await sessions.audit.record(EventKind.TOKEN_REPLAYED, user_id)
        await sessions.end(user_id, sign_in_id)


async def recently_ended() -> list[int]:
    """Return ended sessions whose tokens may not have expired."""
    async with transaction() as session:
        return await SignInRepository(session=session).ended_since(RETENTION)


def sign_in_of(token: str) -> int:
    """Return the session ID of a refresh token, 0 if the token is invalid."""
    try:
        return int(verify(Purpose.REFRESH, token)["sid"])
    except (InvalidToken, KeyError):
        return 0


def hash_of(token: str) -> str:
    """Return the SHA-256 under which a token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def _new_token(sign_in: SignIn) -> RefreshToken:
    return RefreshToken(sign_in_id=sign_in.id, jti=uuid.uuid4().hex)


def _pair(user: User, sign_in: SignIn, token: RefreshToken, remaining: timedelta) -> TokenPair:
    """Build a token pair; the refresh token is deterministic."""
    return TokenPair(
        access=_access(user, sign_in, remaining),
        expires_in=int(min(settings.access_token_lifetime, remaining).total_seconds()),
        refresh=sign(
            Purpose.REFRESH,
            user.id,
            sign_in.expires_at - token.created_at,
            issued_at=token.created_at,
            jti=token.jti,
            sid=sign_in.id,
            **_older_claims(user, sign_in, "refresh"),
        ),
        refresh_expires_in=int(remaining.total_seconds()),
    )


def _access(user: User, sign_in: SignIn, remaining: timedelta) -> str:
    lifetime = min(settings.access_token_lifetime, remaining)
    older = _older_claims(user, sign_in, "access")
    return sign(Purpose.ACCESS, user.id, lifetime, role=user.role.value, sid=sign_in.id, **older)


def _older_claims(user: User, sign_in: SignIn, kind: str) -> dict[str, Any]:
    """Claims that clients of Simple JWT read."""
    return {"token_type": kind, "user_id": user.id} if sign_in.keeps_refresh_token else {}


def _jti_of(token: str) -> str:
    try:
        return str(verify(Purpose.REFRESH, token)["jti"])
    except InvalidToken as error:
        raise RefreshTokenInvalid from error
