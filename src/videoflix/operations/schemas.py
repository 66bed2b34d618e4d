"""Schemas of operations."""

from datetime import datetime
from typing import Literal

import msgspec

from videoflix.accounts.schemas import UserRead
from videoflix.audit.schemas import SecurityEventRead
from videoflix.billing.schemas import InvoiceRead
from videoflix.catalog.schemas import VideoRead
from videoflix.job_monitor.schemas import QueueCount, WorkerRead
from videoflix.library.schemas import HistoryItem, WatchlistItem
from videoflix.memberships.schemas import MembershipRead
from videoflix.movies.schemas import RatingRead
from videoflix.platform.http.params import Page
from videoflix.playback.schemas import StreamRead
from videoflix.profiles.schemas import ProfileRead
from videoflix.sessions.schemas import ApiTokenRead, SessionRead


class Check(msgspec.Struct):
    """Result of a health check."""

    ok: bool
    detail: str


class Health(msgspec.Struct):
    """Whether this process can serve; failing checks say what to fix."""

    status: Literal["ok", "failing"]
    checks: dict[str, Check]


class Overview(msgspec.Struct):
    """Version, health checks, queues, workers and the number of videos by state."""

    version: str
    checks: dict[str, Check]
    queues: list[QueueCount]
    workers: list[WorkerRead]
    videos: dict[str, int]


class MailRead(msgspec.Struct):
    """A mail of this installation; `sent_at` is null until it is sent.

    `failure` is the reason of a permanent rejection. `text` and `html` are empty except for owners
    while SMTP_URL is not set.
    """

    id: int
    to: str
    subject: str
    text: str
    html: str
    created_at: datetime
    sent_at: datetime | None
    failure: str | None


class MailPage(Page[MailRead]):
    """A page of mails."""


class SettingRead(msgspec.Struct):
    """An effective setting; secrets are masked."""

    name: str
    value: str
    is_default: bool
    is_secret: bool


class ProfileData(msgspec.Struct):
    """Watchlist, history and votes of a profile."""

    profile: ProfileRead
    watchlist: list[WatchlistItem]
    history: list[HistoryItem]
    votes: dict[int, int]


class PersonalData(msgspec.Struct):
    """All data stored about a user; votes are 1 or -1 by video ID."""

    account: UserRead
    profiles: list[ProfileData]
    membership: MembershipRead | None
    invoices: list[InvoiceRead]
    streams: list[StreamRead]
    devices: list[SessionRead]
    api_tokens: list[ApiTokenRead]
    activity: list[SecurityEventRead]
    uploads: list[VideoRead]
    movie_ratings: list[RatingRead]
