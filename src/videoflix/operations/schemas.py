"""Shapes of operations over HTTP."""

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
    """One thing the service needs, and a sentence about it."""

    ok: bool
    detail: str


class Health(msgspec.Struct):
    """Whether this process can serve; failing checks say what to fix."""

    status: Literal["ok", "failing"]
    checks: dict[str, Check]


class Overview(msgspec.Struct):
    """The installation at a glance."""

    version: str
    checks: dict[str, Check]
    queues: list[QueueCount]
    workers: list[WorkerRead]
    videos: dict[str, int]


class MailRead(msgspec.Struct):
    """A mail of this installation; `sent_at` is empty while it waits or was only kept.

    `failure` says why the mail server never will take it. `text` and `html` are empty for everybody
    but owners, and for them once there is a mail server.
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
    """A setting as this process read it; secrets are masked."""

    name: str
    value: str
    is_default: bool
    is_secret: bool


class ProfileData(msgspec.Struct):
    """What a profile remembers."""

    profile: ProfileRead
    watchlist: list[WatchlistItem]
    history: list[HistoryItem]
    votes: dict[int, int]


class PersonalData(msgspec.Struct):
    """Everything that is stored about a person; votes are 1 or -1 by the film's id."""

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
