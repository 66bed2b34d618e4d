"""Demo members: plans, memberships, streams of the last months, invoices, votes, positions.

They have no passwords, and addresses of a domain that receives no mail (RFC 2606).
"""

import random
from datetime import datetime, time, timedelta

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.accounts.service import Accounts
from videoflix.billing.models import Invoice, InvoiceStatus
from videoflix.billing.periods import months_before, start_of
from videoflix.billing.schemas import StreamUsage
from videoflix.billing.service import Invoices
from videoflix.catalog.models import Video
from videoflix.library.models import Vote, WatchlistEntry, WatchState
from videoflix.library.repository.records import ViewRepository
from videoflix.memberships.models import Billing, Plan
from videoflix.memberships.schemas import Currency, MembershipCreate, PlanCreate
from videoflix.memberships.service import Memberships
from videoflix.movies.models import MovieRating, RatingType
from videoflix.movies.providers.catalog import movie_id_of
from videoflix.platform.postgres.session import transaction_time
from videoflix.playback.models import StreamLease
from videoflix.profiles.service import Profiles
from videoflix.settings import settings

DOMAIN = "demo.example"
MONTHS = 4
DAY = timedelta(days=1)

PLANS = [
    PlanCreate("Basic", 799, Currency.EUR, streams=1, max_height=720),
    PlanCreate("Standard", 1299, Currency.EUR, streams=2),
    PlanCreate("Family", 1799, Currency.EUR, streams=4),
    PlanCreate("Pay per film", 199, Currency.EUR, streams=1, billing=Billing.PER_STREAM),
]
NAMES = [
    ("Ada", "Okafor"), ("Bela", "Novak"), ("Chiara", "Rossi"), ("Dmitri", "Volkov"),
    ("Elif", "Demir"), ("Femi", "Adeyemi"), ("Greta", "Lindgren"), ("Hiro", "Tanaka"),
    ("Ines", "Castro"), ("Jonas", "Weber"), ("Kavya", "Nair"), ("Lars", "Jensen"),
    ("Mei", "Chen"), ("Noah", "Dubois"), ("Olga", "Petrova"), ("Pavel", "Horak"),
    ("Quinn", "Murphy"), ("Rosa", "Mendes"), ("Samir", "Haddad"), ("Tove", "Dahl"),
    ("Uma", "Iyer"), ("Viktor", "Szabo"), ("Wanda", "Kowalska"), ("Yusuf", "Arslan"),
]  # fmt: skip
DEVICES = ["Television", "Firefox on Linux", "Safari on iPhone", "Chrome on Windows", "Tablet"]


async def add_people(session: AsyncSession) -> int:
    """Add the demo members with what they did, unless they exist; return their number."""
    first = f"{NAMES[0][0]}.{NAMES[0][1]}@{DOMAIN}".lower()
    if await Accounts(session).by_email(first):
        return 0
    people = DemoPeople(session, await transaction_time(session))
    await people.add()
    return len(NAMES)


class DemoPeople:
    """The same people with the same habits each time."""

    def __init__(self, session: AsyncSession, now: datetime) -> None:
        self.session = session
        self.now = now
        self.chance = random.Random(11)  # noqa: S311 - no secret
        self.invoices = Invoices(session)

    async def add(self) -> None:
        plans = [await self._plan(new) for new in PLANS]
        videos = list(await self.session.scalars(select(Video.id).order_by(Video.id).limit(50)))
        members: list[tuple[User, Plan]] = []
        for number, (first_name, last_name) in enumerate(NAMES):
            user = await Accounts(self.session).create(
                email=f"{first_name}.{last_name}@{DOMAIN}".lower(),
                first_name=first_name,
                last_name=last_name,
            )
            user.created_at = self.now - DAY * (20 + 8 * number)
            plan = plans[number % len(plans)]
            await self._join(user, plan, number)
            members.append((user, plan))
        await self._charge_months()
        if videos:
            for user, plan in members:
                await self._watch(user, plan, videos)
        await self._settle()

    async def _plan(self, new: PlanCreate) -> Plan:
        found = await self.session.scalar(select(Plan).where(Plan.name == new.name))
        return found or await Memberships(self.session).add_plan(new)

    async def _join(self, user: User, plan: Plan, number: int) -> None:
        """Begin a membership; some have ended or were cancelled since."""
        starts_at = user.created_at + DAY
        is_over = number % 9 == 8 and self.now - starts_at > 70 * DAY
        memberships = Memberships(self.session)
        new = MembershipCreate(
            user_id=user.id,
            plan_id=plan.id,
            starts_at=starts_at,
            ends_at=self.now - 30 * DAY if is_over else None,
        )
        made = await memberships.add(new)
        if number % 11 == 10:
            await memberships.cancel(made.id)

    async def _charge_months(self) -> None:
        """Charge the last months as their closing would have."""
        zone = settings.time_zone
        this_month = self.now.astimezone(zone).date().replace(day=1)
        for back in range(MONTHS, -1, -1):
            month = months_before(this_month, back)
            end = min(start_of(months_before(month, -1), zone), self.now)
            terms = await self.invoices.invoices.flat_terms(month, start_of(month, zone), end)
            due = [term.price_of(month) for term in terms if term.costs_in(month, zone, self.now)]
            await self.invoices.charge_many(due)

    async def _watch(self, user: User, plan: Plan, videos: list[int]) -> None:
        """Streams since the person joined, and a list, positions and votes in the first profile."""
        profile_id = (await Profiles(self.session).first_of_many([user.id]))[user.id]
        days = min((self.now - user.created_at).days - 2, 30 * MONTHS)
        for begun_at in sorted(self._evening(days) for _ in range(self.chance.randint(3, 12))):
            await self._stream(user, plan, begun_at, self.chance.choice(videos), profile_id)
        watched = self.chance.sample(videos, min(len(videos), 4))
        at = {"created_at": self.now, "updated_at": self.now, "profile_id": profile_id}
        for number, video_id in enumerate(watched):
            row = {**at, "video_id": video_id}
            seen_at = self._evening(10)
            state = {"seconds": 2.0 + number * 2, "finished": number == 3, "client_at": seen_at}
            await self.session.execute(insert(WatchState).values(**row, **state))
            await self.session.execute(insert(Vote).values(**row, value=self._vote()))
            await self.session.execute(insert(WatchlistEntry).values(**row, position=float(number)))
        rating = RatingType.UPVOTE if self._vote() > 0 else RatingType.DOWNVOTE
        self.session.add(
            MovieRating(user_id=user.id, movie_id=movie_id_of(watched[0]), rating_type=rating)
        )
        await self.session.flush()

    async def _stream(
        self, user: User, plan: Plan, begun_at: datetime, video_id: int, profile_id: int
    ) -> None:
        ended_at = begun_at + timedelta(minutes=self.chance.randint(8, 120))
        lease = StreamLease(
            user_id=user.id,
            video_id=video_id,
            sign_in_id=0,
            plan_id=plan.id,
            device=self.chance.choice(DEVICES),
            seen_at=ended_at,
            ended_at=ended_at,
            created_at=begun_at,
        )
        self.session.add(lease)
        await self.session.flush()
        title = await self.session.scalar(select(Video.title).where(Video.id == video_id))
        used = StreamUsage(lease.id, user.id, plan.id, title or "", begun_at, ended_at)
        await self.invoices.charge_stream(used)
        await ViewRepository(self.session).add([(video_id, profile_id, begun_at.date())])

    async def _settle(self) -> None:
        """Most invoices of past months are paid; one is void, and one still open."""
        this_month = self.now.astimezone(settings.time_zone).date().replace(day=1)
        past = await self.session.scalars(
            select(Invoice)
            .join(User, User.id == Invoice.user_id)
            .where(Invoice.period < this_month, User.email.endswith(f"@{DOMAIN}"))
            .where(Invoice.status == InvoiceStatus.OUTSTANDING)
            .order_by(Invoice.id)
        )
        for number, invoice in enumerate(past.all()):
            invoice.reminded_at = self.now  # nobody reads mail there
            if number == 2:
                await self.invoices.void(invoice.id)
            elif number != 5:
                await self.invoices.pay(invoice.id)

    def _evening(self, days: int) -> datetime:
        """A moment in the evening of one of the last days, which is over by now."""
        day = (self.now - DAY * self.chance.randint(1, max(1, days))).date()
        at = time(self.chance.randint(16, 20), self.chance.randint(0, 59))
        return datetime.combine(day, at, settings.time_zone)

    def _vote(self) -> int:
        return 1 if self.chance.random() < 0.8 else -1
