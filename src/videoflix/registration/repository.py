"""Queries on mailed tokens."""

from datetime import timedelta

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import delete, func, select, update

from videoflix.platform.postgres.session import transaction_time
from videoflix.registration.models import MailToken, Proof


class MailTokenRepository(SQLAlchemyAsyncRepository[MailToken]):
    """Mailed tokens."""

    model_type = MailToken

    async def issue(
        self, user_id: int, proof: Proof, token_hash: str, email: str, lifetime: timedelta
    ) -> None:
        await self.session.execute(
            delete(MailToken).where(MailToken.user_id == user_id, MailToken.proof == proof)
        )
        await self.add(
            MailToken(
                user_id=user_id,
                proof=proof,
                token_hash=token_hash,
                email=email,
                expires_at=await transaction_time(self.session) + lifetime,
            )
        )

    async def ask(self, link: MailToken, lifetime: timedelta) -> int:
        """Store a registration until its link is mailed; return its ID."""
        link.expires_at = await transaction_time(self.session) + lifetime
        return (await self.add(link)).id

    async def forget_passwords(self, user_id: int, *, but: int) -> None:
        """Discard the passwords of all registrations of an account but one."""
        await self.session.execute(
            update(MailToken)
            .where(
                MailToken.user_id == user_id,
                MailToken.proof == Proof.ACTIVATE,
                MailToken.id != but,
            )
            .values(password_hash=None)
            .execution_options(synchronize_session=False)
        )

    async def renew(self, link: MailToken, token_hash: str, lifetime: timedelta) -> None:
        """Replace the token of a link."""
        link.token_hash = token_hash
        link.expires_at = await transaction_time(self.session) + lifetime

    async def pending_of(self, user_id: int) -> list[MailToken]:
        """Return the pending registrations of an account, newest first."""
        found = await self.session.scalars(
            select(MailToken)
            .where(
                MailToken.user_id == user_id,
                MailToken.proof == Proof.ACTIVATE,
                MailToken.expires_at > func.now(),
                MailToken.spent_at.is_(None),
            )
            .order_by(MailToken.id.desc())
        )
        return list(found)

    async def holder_of(self, proof: Proof, token_hash: str) -> int | None:
        """Return the user ID of a valid token, without locking or using it."""
        found: int | None = await self.session.scalar(
            select(MailToken.user_id).where(
                MailToken.proof == proof,
                MailToken.token_hash == token_hash,
                MailToken.expires_at > func.now(),
                MailToken.spent_at.is_(None),
            )
        )
        return found

    async def spend(self, proof: Proof, token_hash: str) -> MailToken | None:
        """Mark a valid token as used; None if it is invalid. Lock its account first."""
        found: MailToken | None = await self.session.scalar(
            update(MailToken)
            .where(
                MailToken.proof == proof,
                MailToken.token_hash == token_hash,
                MailToken.expires_at > func.now(),
                MailToken.spent_at.is_(None),
            )
            .values(spent_at=func.now())
            .returning(MailToken)
            .execution_options(populate_existing=True)
        )
        return found

    async def was_spent(self, proof: Proof, token_hash: str) -> bool:
        return await self.exists(
            MailToken.proof == proof,
            MailToken.token_hash == token_hash,
            MailToken.spent_at.is_not(None),
        )

    async def forget_expired(self) -> int:
        """Delete expired tokens; return their number."""
        found = await self.session.scalars(
            delete(MailToken).where(MailToken.expires_at < func.now()).returning(MailToken.id)
        )
        return len(found.all())

    async def void(self, user_id: int, *, but: int = 0) -> None:
        """Revoke a user's tokens, all of them or all but one."""
        await self.session.execute(
            delete(MailToken).where(MailToken.user_id == user_id, MailToken.id != but)
        )

    async def drop(self, link_id: int) -> None:
        await self.session.execute(delete(MailToken).where(MailToken.id == link_id))
