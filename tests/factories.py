"""Rows for tests: a factory for every table, valid without any argument.

    video = await create(session, VideoFactory, title="Alien", playable=True)

What a required foreign key refers to is created as well unless it is given. Columns that a factory
does not name have the default of their table. Bulk data (`generate_series`) and what another
process or an earlier release wrote stay SQL in their tests.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from polyfactory import PostGenerated, Use
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
from sqlalchemy import Column, Table
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.audit.models import SecurityEvent
from videoflix.backup.models import Export
from videoflix.billing.models import Invoice, InvoiceLine
from videoflix.catalog.models import (
    Category,
    Chapter,
    Episode,
    Season,
    Series,
    Subtitle,
    SubtitleCue,
    Video,
    VideoState,
)
from videoflix.library.models import Vote, WatchlistEntry, WatchState
from videoflix.media.models import Asset, Chunk, Rendition, RenditionFile, TrackKind
from videoflix.memberships.models import Membership, MembershipTerm, Plan
from videoflix.movies.models import MovieAnswer, MovieRating, RatingType
from videoflix.platform.http.idempotency import IdempotentAnswer
from videoflix.platform.mail.models import Mail
from videoflix.platform.postgres.session import Record
from videoflix.platform.queue.cron import CronRun
from videoflix.platform.queue.incidents import IncidentKind, JobIncident
from videoflix.platform.queue.worker_breakers import WorkerBreaker
from videoflix.platform.rate_limit.bucket import Bucket
from videoflix.playback.models import StreamLease
from videoflix.profiles.models import Profile
from videoflix.registration.models import MailToken, Proof
from videoflix.sessions.models import RefreshToken, SignIn
from videoflix.uploads.models import Upload, UploadLink, UploadPart
from videoflix.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookEvent

# A video whose file is being encoded: `create(session, VideoFactory, **PROCESSING)`.
PROCESSING = {"state": VideoState.PROCESSING, "playable": False, "progress": 0.0}

Row = TypeVar("Row", bound=Record)
_numbers = count(1)


def _now() -> datetime:
    return datetime.now(UTC)


def _unique(pattern: str) -> Any:
    """A text that is another one in each row: `{}` becomes a number."""
    return Use(lambda: pattern.format(next(_numbers)))


def _tomorrow() -> datetime:
    return _now() + timedelta(days=1)


class RowFactory(SQLAlchemyFactory[Row], Generic[Row]):
    """Sets the columns that its class names, and leaves the others to the table."""

    __is_base_factory__ = True
    __set_relationships__ = False
    __set_association_proxy__ = False

    @classmethod
    def should_column_be_set(cls, column: Any) -> bool:
        return isinstance(column, Column) and hasattr(cls, column.key)


async def create(session: AsyncSession, factory: type[RowFactory[Row]], **fields: Any) -> Row:
    """Insert a row, and the rows that its required foreign keys refer to unless they are given."""
    for parent, columns in _required(factory.__model__):
        if not columns.keys() <= fields.keys():
            made = await create(session, FACTORIES[parent])
            fields |= {column: getattr(made, there) for column, there in columns.items()}
    row = factory.build(**fields)
    session.add(row)
    await session.flush()
    return row


def _required(model: type[Record]) -> Iterator[tuple[str, dict[str, str]]]:
    """The foreign keys that must not be null: the table, and its column for each of ours."""
    table = model.__table__
    assert isinstance(table, Table)
    for constraint in table.foreign_key_constraints:
        if not any(column.nullable for column in constraint.columns):
            columns = {key.parent.key: key.column.key for key in constraint.elements}
            yield constraint.referred_table.name, columns


class UserFactory(RowFactory[User]):
    """An active viewer; the password hash fits no password."""

    email = _unique("user-{}@example.org")
    email_key = PostGenerated(lambda _, values: values["email"])
    password_hash = ""
    confirmed_at = Use(_now)


class ProfileFactory(RowFactory[Profile]):
    name = _unique("Profile {}")


class SignInFactory(RowFactory[SignIn]):
    device = "Test"
    expires_at = Use(_tomorrow)
    last_seen_at = Use(_now)


class RefreshTokenFactory(RowFactory[RefreshToken]):
    jti = _unique("{:032}")


class MailTokenFactory(RowFactory[MailToken]):
    proof = Proof.ACTIVATE
    token_hash = _unique("{:064}")
    email = _unique("user-{}@example.org")
    expires_at = Use(_tomorrow)


class SecurityEventFactory(RowFactory[SecurityEvent]):
    kind = "signed-in"
    address = "192.0.2.1"
    device = "Test"
    detail = ""


class PlanFactory(RowFactory[Plan]):
    """5.00 EUR a month for two streams."""

    name = _unique("Plan {}")
    price = 500
    currency = "EUR"
    streams = 2


class MembershipFactory(RowFactory[Membership]):
    starts_at = Use(_now)


class MembershipTermFactory(RowFactory[MembershipTerm]):
    from_at = Use(_now)


class InvoiceFactory(RowFactory[Invoice]):
    owner = "Ada Lovelace"
    period = date(2026, 1, 1)
    number = _unique("2026-{:06}")
    currency = "EUR"


class InvoiceLineFactory(RowFactory[InvoiceLine]):
    description = "Streaming"
    amount = 500


class VideoFactory(RowFactory[Video]):
    """Published and ready to be played, with one and a half hours."""

    title = _unique("Video {}")
    state = VideoState.READY
    playable = True
    progress = 1.0
    duration = 5400.0


class CategoryFactory(RowFactory[Category]):
    name = _unique("Category {}")
    slug = _unique("category-{}")


class SeriesFactory(RowFactory[Series]):
    title = _unique("Series {}")


class SeasonFactory(RowFactory[Season]):
    number = 1


class EpisodeFactory(RowFactory[Episode]):
    season = 1
    number = 1


class SubtitleFactory(RowFactory[Subtitle]):
    language = "en"
    label = "English"
    text = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHello\n"


class SubtitleCueFactory(RowFactory[SubtitleCue]):
    video_id = 1
    language = "en"
    at = 1.0
    text = "Hello"


class ChapterFactory(RowFactory[Chapter]):
    title = "Prologue"
    start = 0.0
    end = 60.0


class WatchlistEntryFactory(RowFactory[WatchlistEntry]):
    position = 1.0


class WatchStateFactory(RowFactory[WatchState]):
    seconds = 60.0
    client_at = Use(_now)


class VoteFactory(RowFactory[Vote]):
    value = 1


class AssetFactory(RowFactory[Asset]):
    """An uploaded file that nobody has inspected; nothing is in the storage."""

    folder = _unique("assets/{}")
    source_key = PostGenerated(lambda _, values: f"{values['folder']}/source")
    source_name = "source.mp4"
    source_bytes = 1
    source_sha256 = ""


class ChunkFactory(RowFactory[Chunk]):
    index = 0
    frame_count = 100


class RenditionFactory(RowFactory[Rendition]):
    name = "360p"
    kind = TrackKind.VIDEO
    width = 640
    height = 360
    max_bitrate = 960_000


class AudioRenditionFactory(RowFactory[Rendition]):
    name = "audio"
    kind = TrackKind.AUDIO
    max_bitrate = 128_000


class RenditionFileFactory(RowFactory[RenditionFile]):
    """One segment of four seconds and a thousand bytes."""

    chunk_index = 0
    key = _unique("assets/{}/360p/0.mp4")
    codec = "avc1.64001e"
    timescale = 10_000
    init_length = 800
    init_sha256 = ""
    segments = ((40_000, 800, 1_000),)


class StreamLeaseFactory(RowFactory[StreamLease]):
    sign_in_id = 1
    device = "Test"
    seen_at = Use(_now)


class MovieRatingFactory(RowFactory[MovieRating]):
    movie_id = Use(lambda: UUID(int=next(_numbers)))
    rating_type = RatingType.UPVOTE


class MovieAnswerFactory(RowFactory[MovieAnswer]):
    key = _unique("{:064}")
    payload = None
    fetched_at = Use(_now)
    claimed_until = None


class UploadFactory(RowFactory[Upload]):
    """Announced; nothing was received."""

    public_id = _unique("{:032x}")
    length = 1000
    expires_at = Use(_tomorrow)


class UploadLinkFactory(RowFactory[UploadLink]):
    label = "A partner"
    token_hash = _unique("{:064}")
    expires_at = Use(_tomorrow)


class UploadPartFactory(RowFactory[UploadPart]):
    start = 0
    size = 1000
    key = _unique("uploads/{}/0")


class WebhookEndpointFactory(RowFactory[WebhookEndpoint]):
    url = "https://receiver.example/hook"
    description = ""
    events: ClassVar[list[str]] = []
    secret = ""


class WebhookEventFactory(RowFactory[WebhookEvent]):
    public_id = _unique("msg_{}")
    type = "webhook.test"
    subject = "endpoint:1"
    data: ClassVar[dict[str, Any]] = {}


class WebhookDeliveryFactory(RowFactory[WebhookDelivery]):
    subject = "endpoint:1"
    due_at = Use(_now)


class ExportFactory(RowFactory[Export]):
    with_media = False


class MailFactory(RowFactory[Mail]):
    recipient = "ada@example.org"
    subject = "Hello"
    text = "Hello Ada"


class BucketFactory(RowFactory[Bucket]):
    key = _unique("{:064}")
    full_at = Use(_now)


class IdempotentAnswerFactory(RowFactory[IdempotentAnswer]):
    user_id = 1
    key = _unique("key-{}")
    request_hash = ""
    answer = "{}"


class CronRunFactory(RowFactory[CronRun]):
    kind = "queue.prune"
    scheduled_for = Use(_now)


class WorkerBreakerFactory(RowFactory[WorkerBreaker]):
    """A breaker that is closed: the worker fetches jobs."""

    worker_id = 1
    queue_name = "default"
    host = "host"
    reason = ""


class JobIncidentFactory(RowFactory[JobIncident]):
    kind = IncidentKind.DEAD
    job_id = 1
    queue_name = "default"
    task_name = "test.count"
    attempt = 0
    reason = ""


_ALL = [made for made in vars().copy().values() if isinstance(made, type)]
# By table; of several factories of one, the first.
FACTORIES: dict[str, type[RowFactory[Any]]] = {
    factory.__model__.__tablename__: factory
    for factory in reversed(_ALL)
    if issubclass(factory, RowFactory) and factory is not RowFactory
}
