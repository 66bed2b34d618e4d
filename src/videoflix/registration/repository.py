"""All SQL of the mailed tokens."""

from datetime import timedelta

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import delete, func, select, update

from videoflix.registration.models import MailToken, Proof


class MailTokenRepository(SQLAlchemyAsyncRepository[MailToken]):
    """Mailed tokens, until they expire."""

    model_type = MailToken

    async def issue(
        self, user_id: int, proof: Proof, token_hash: str, email: str, lifetime: timedelta
    ) -> None:
        await self.session.execute(
            delete(MailToken).where(MailToken.user_id == user_id, MailToken.proof == proof)
        )
        now = (await self.session.scalars(select(func.now()))).one()
        await self.add(
            MailToken(
                user_id=user_id,
                proof=proof,
                token_hash=token_hash,
                email=email,
                expires_at=now + lifetime,
            )
        )

    async def spend(self, proof: Proof, token_hash: str) -> tuple[int, str] | None:
        """Use a token up: its person and the address it proves, or None if it is no good."""
        row = (
            await self.session.execute(
                update(MailToken)
                .where(
                    MailToken.proof == proof,
                    MailToken.token_hash == token_hash,
                    MailToken.expires_at > func.now(),
                    MailToken.spent_at.is_(None),
                )
                .values(spent_at=func.now())
                .returning(MailToken.user_id, MailToken.email)
            )
        ).one_or_none()
        return None if row is None else (row[0], row[1])

    async def works(self, proof: Proof, token_hash: str) -> bool:
        return await self.exists(
            MailToken.proof == proof,
            MailToken.token_hash == token_hash,
            MailToken.expires_at > func.now(),
            MailToken.spent_at.is_(None),
        )

    async def was_spent(self, proof: Proof, token_hash: str) -> bool:
        return await self.exists(
            MailToken.proof == proof,
            MailToken.token_hash == token_hash,
            MailToken.spent_at.is_not(None),
        )

    async def forget_expired(self) -> int:
        """Delete what no longer works; how many there were."""
        found = await self.session.scalars(
            delete(MailToken).where(MailToken.expires_at < func.now()).returning(MailToken.id)
        )
        return len(found.all())

    async def void(self, user_id: int) -> None:
        """Make all of a person's tokens worthless."""
        await self.session.execute(delete(MailToken).where(MailToken.user_id == user_id))
