"""Check-in and check-out: concurrent streams played by other software, counted here."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.billing.models import InvoiceLine
from videoflix.billing.schemas import InvoiceLineCreate
from videoflix.billing.service import Invoices
from videoflix.memberships.service import MembershipRequired, Memberships, UserNotFound
from videoflix.platform.events import emit
from videoflix.platform.postgres.session import transaction_time
from videoflix.platform.problems import Conflict
from videoflix.playback.events import StreamStarted
from videoflix.playback.models import StreamLease
from videoflix.playback.repository import StreamLeaseRepository
from videoflix.playback.service.streams import Streams
from videoflix.settings import settings

# There are no heartbeats; a check-in without a check-out expires after this time.
COUNTED = timedelta(hours=12)
PRICE = 1


class NotCheckedIn(Conflict):
    """This user is not checked in."""


class CheckIns:
    """Check-ins and check-outs; each is charged PRICE minor units."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.streams = Streams(session)
        self.memberships = Memberships(session)
        self.invoices = Invoices(session)
        self.leases = StreamLeaseRepository(session=session)

    async def check_in(self, user_id: int) -> InvoiceLine:
        """Open a lease; the user's row is locked until the transaction ends.

        Raises UserNotFound, MembershipRequired or StreamLimitReached.
        """
        await self.streams.ensure_below_limit(await self._allowed(user_id), user_id)
        now = await transaction_time(self.session)
        lease = await self.leases.add(
            StreamLease(
                user_id=user_id,
                video_id=None,
                sign_in_id=0,
                device="Check-in",
                created_at=now,
                seen_at=now + COUNTED - settings.stream_lease_lifetime,
            )
        )
        await emit(self.session, StreamStarted.of(lease))
        line = InvoiceLineCreate("Check-in", PRICE)
        return await self.invoices.charge_now(user_id, line, f"check-in:{lease.id}")

    async def check_out(self, user_id: int) -> InvoiceLine:
        """End the user's oldest check-in.

        Raises UserNotFound, MembershipRequired or NotCheckedIn.
        """
        await self._allowed(user_id)
        lease = await self.leases.checked_in(user_id)
        if lease is None:
            raise NotCheckedIn
        await self.streams.stop(user_id, lease.id)
        line = InvoiceLineCreate("Check-out", PRICE)
        return await self.invoices.charge_now(user_id, line, f"check-out:{lease.id}")

    async def _allowed(self, user_id: int) -> int:
        """Lock the user and return the stream limit; requires a membership even without plans."""
        if not await self.memberships.accounts.users.lock(user_id):
            raise UserNotFound
        allowed = await self.memberships.streams_allowed(user_id)
        if allowed is None:
            raise MembershipRequired
        return allowed[0]
