"""API tokens: sessions of scripts, with a scope and a single opaque token."""

import secrets
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.audit.schemas import EventKind
from videoflix.platform.auth.identity import API_TOKEN_PREFIX, Scope
from videoflix.platform.postgres.session import transaction_time
from videoflix.platform.problems import Unauthorized
from videoflix.sessions.models import SignIn
from videoflix.sessions.schemas import ApiTokenCreate, ApiTokenCreated, ApiTokenRead
from videoflix.sessions.service.sessions import Sessions, hash_of


class ApiTokens:
    def __init__(self, session: AsyncSession) -> None:
        self.sessions = Sessions(session)

    async def create(self, user_id: int, sign_in_id: int, new: ApiTokenCreate) -> ApiTokenCreated:
        """Create an API token; only its hash is stored.

        Raises Unauthorized if the requesting session has ended.
        """
        await self.sessions.accounts.users.locked(user_id, shared=True)
        if not await self.sessions.sign_ins.is_open(user_id, sign_in_id):
            raise Unauthorized
        token = API_TOKEN_PREFIX + secrets.token_urlsafe(32)
        now = await transaction_time(self.sessions.session)
        sign_in = await self.sessions.sign_ins.add(
            SignIn(
                user_id=user_id,
                device=new.name,
                created_at=now,
                expires_at=now + timedelta(days=new.days),
                last_seen_at=now,
                token_hash=hash_of(token),
                scope=new.scope,
            )
        )
        await self.sessions.audit.record(
            EventKind.API_TOKEN_MADE, user_id, by=user_id, detail=f"{new.name} ({new.scope})"
        )
        return ApiTokenCreated(token, _to_read(sign_in))

    async def for_user(self, user_id: int) -> list[ApiTokenRead]:
        """Return a user's API tokens, most recently used first."""
        found = await self.sessions.sign_ins.open_of(user_id, api_tokens=True)
        return [_to_read(sign_in) for sign_in in found]

    async def revoke(self, user_id: int, token_id: int) -> None:
        """Revoke an API token. Raises SignInNotFound."""
        await self.sessions.end(user_id, token_id)
        await self.sessions.audit.record(EventKind.API_TOKEN_REVOKED, user_id, by=user_id)


def _to_read(found: SignIn) -> ApiTokenRead:
    return ApiTokenRead(
        id=found.id,
        name=found.device,
        scope=found.scope or Scope.READ,
        created_at=found.created_at,
        last_used_at=found.last_seen_at if found.last_seen_at > found.created_at else None,
        expires_at=found.expires_at,
    )
