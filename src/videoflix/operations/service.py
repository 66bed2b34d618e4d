"""Operations: health, overview, mails and personal data."""

from functools import cache
from importlib.metadata import version

from advanced_alchemy.filters import LimitOffset
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.accounts.schemas import UserRead
from videoflix.accounts.service import Accounts
from videoflix.audit.schemas import EventKind
from videoflix.audit.service import Audit
from videoflix.billing.schemas import InvoiceRead
from videoflix.billing.service import Invoices
from videoflix.catalog.schemas import VideoRead
from videoflix.catalog.service import Catalog
from videoflix.job_monitor.service import JobMonitor
from videoflix.library.service import Library
from videoflix.memberships.service import Memberships, UserNotFound
from videoflix.movies.schemas import RatingRead
from videoflix.movies.service.votes import MovieVotes
from videoflix.operations.health_checks import SharedChecks
from videoflix.operations.repository import DatabaseRepository, MailRepository
from videoflix.operations.schemas import (
    Check,
    Health,
    MailRead,
    Overview,
    PersonalData,
    ProfileData,
)
from videoflix.platform.postgres.migrations import current_revision, newest_revision
from videoflix.platform.postgres.notify import NO_NOTIFICATIONS, event_bus
from videoflix.platform.postgres.session import transaction
from videoflix.platform.server.shutdown import shutdown
from videoflix.platform.storage.media_storage import media_storage
from videoflix.playback.service.streams import Streams
from videoflix.profiles.models import Profile
from videoflix.profiles.schemas import ALL_AGES, ProfileRead, Viewer
from videoflix.profiles.service import Profiles
from videoflix.sessions.service.api_tokens import ApiTokens
from videoflix.sessions.service.sessions import Sessions
from videoflix.settings import settings

PERSONAL_ROWS = 10_000

expected_revision = cache(newest_revision)


class Operations:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.job_monitor = JobMonitor(session)
        self.mails = MailRepository(session=session)

    async def overview(self) -> Overview:
        checks = (await health_details()).checks
        return Overview(
            version=version("videoflix"),
            checks=checks,
            queues=await self.job_monitor.queues(),
            workers=await self.job_monitor.workers(),
            videos=await Catalog(self.session).counts(),
        )

    async def mail(self, page: LimitOffset, *, to_owner: bool) -> tuple[list[MailRead], int]:
        """Return a page of mails, newest first, and the total.

        A password reset link gives access to its account, so contents are shown only to owners,
        and only while mails cannot be read otherwise because SMTP_URL is not set.
        """
        found, total = await self.mails.list_page(page)
        is_shown = to_owner and settings.smtp_url is None
        return [
            MailRead(
                id=mail.id,
                to=mail.recipient,
                subject=mail.subject,
                text=mail.text if is_shown else "",
                html=mail.html if is_shown else "",
                created_at=mail.created_at,
                sent_at=mail.sent_at,
                failure=mail.failure,
            )
            for mail in found
        ], total

    async def personal_data(self, user_id: int, sign_in_id: int) -> PersonalData:
        """Return all data stored about a user, up to PERSONAL_ROWS of each kind."""
        everything = LimitOffset(PERSONAL_ROWS, 0)
        audit, sessions = Audit(self.session), Sessions(self.session)
        await audit.record(EventKind.EXPORTED, user_id, by=user_id)
        activity, _ = await audit.activity(everything, user_id=user_id)
        uploads = await Catalog(self.session).uploads_of(user_id, everything)
        invoices, _ = await Invoices(self.session).list_page(everything, user_id=user_id)
        ratings = await MovieVotes(self.session).all_of_user(user_id, everything)
        user = await Accounts(self.session).get_active(user_id)
        return PersonalData(
            account=UserRead.of(user),
            profiles=[
                await self._profile_data(user, profile)
                for profile in await Profiles(self.session).for_user(user_id)
            ],
            membership=await Memberships(self.session).for_user(user_id),
            invoices=[InvoiceRead.of(invoice) for invoice in invoices],
            streams=await Streams(self.session).for_user(user_id),
            devices=await sessions.for_user(user_id, sign_in_id),
            api_tokens=await ApiTokens(self.session).for_user(user_id),
            activity=activity,
            uploads=[VideoRead.of(video) for video in uploads],
            movie_ratings=[RatingRead.of(rating) for rating in ratings],
        )

    async def library_of(self, user_id: int, *, by: int) -> list[ProfileData]:
        """Return the data of a user's profiles and record the access in their activity.

        Raises UserNotFound.
        """
        user = await Accounts(self.session).users.get_one_or_none(id=user_id)
        if user is None:
            raise UserNotFound
        await Audit(self.session).record(EventKind.LIBRARY_READ, user_id, by=by)
        profiles = await Profiles(self.session).for_user(user_id)
        return [await self._profile_data(user, profile) for profile in profiles]

    async def _profile_data(self, user: User, profile: Profile) -> ProfileData:
        viewer = Viewer(user.id, profile.id, user.role, ALL_AGES, member=True)
        library = Library(self.session, viewer)
        return ProfileData(
            profile=ProfileRead.of(profile),
            watchlist=await library.watchlist(PERSONAL_ROWS, 0),
            history=await library.history(PERSONAL_ROWS, 0),
            votes=await library.votes_cast(),
        )


async def readiness() -> Health:
    """Check whether this process can serve requests: database and migrations.

    Other processes and the storage are excluded, as another replica would not do better.
    """
    if shutdown.draining:
        return _health({"process": Check(False, "This process is shutting down.")})
    return _health(await _readiness.results())


async def health_details() -> Health:
    """Run all health checks; their details may contain hosts and buckets."""
    return _health(await _details.results())


def _health(checks: dict[str, Check]) -> Health:
    return Health("ok" if all(check.ok for check in checks.values()) else "failing", checks)


async def _check_database() -> Check:
    try:
        async with transaction() as session:
            await DatabaseRepository(session).ping()
    except (SQLAlchemyError, OSError):
        return Check(False, "The database is unavailable.")
    return Check(True, "Postgres is available.")


async def _check_migrations() -> Check:
    async with transaction() as session:
        found, expected = await current_revision(session), expected_revision()
    if found is None or found < expected:  # older processes support newer schemas
        return Check(False, f"At {found}, expected {expected}: run `videoflix migrate`.")
    return Check(True, f"At {found}.")


async def _check_notifications() -> Check:
    if event_bus.deaf:
        return Check(False, NO_NOTIFICATIONS)
    return Check(True, "Notifications of other processes arrive.")


async def _check_workers() -> Check:
    async with transaction() as session:
        workers = [worker for worker in await JobMonitor(session).workers() if worker.alive]
    if not workers:
        return Check(False, "No worker is running: run `videoflix worker`.")
    stopped = [
        f"Worker {worker.id} has stopped fetching from {queue}: {reason}"
        for worker in workers
        for queue, reason in worker.stopped.items()
    ]
    return Check(not stopped, "; ".join(stopped) or "A worker is running.")


async def _check_storage() -> Check:
    await media_storage().check_writable()
    return Check(True, "Media storage is writable.")


DATABASE_CHECKS = {"database": _check_database, "migrations": _check_migrations}
_readiness = SharedChecks(DATABASE_CHECKS, {}, kept_seconds=1.0)
_details = SharedChecks(
    DATABASE_CHECKS | {"worker": _check_workers, "notifications": _check_notifications},
    {"storage": _check_storage},
    kept_seconds=5.0,
)
