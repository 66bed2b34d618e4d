"""Records of the older backends, and the report of an import.

Columns are read by name and converted leniently: SQLite stores booleans as numbers and times as
text, and the five backends have different subsets of the columns.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import msgspec

from videoflix.movies.models import RatingType

Id = Annotated[int, msgspec.Meta(ge=1)]
EXAMPLES_MAX = 5


class Site(StrEnum):
    """The older backends, named like their dialects."""

    ACADEMY = "academy"
    NETIFLEX = "netiflex"
    AUTHEMAIL = "authemail"
    STREAMING = "streaming"
    MOVIES = "movies"


class Kind(StrEnum):
    """What an older backend stores, in the order of an import."""

    USER = "user"
    CATEGORY = "category"
    VIDEO = "video"
    WATCHLIST = "watchlist"
    WATCHLIST_ENTRY = "watchlist entry"
    PROGRESS = "playback position"
    RATING = "movie rating"
    MEMBERSHIP = "membership"
    INVOICE = "invoice"
    INVOICE_LINE = "invoice line"


PLURALS = {
    Kind.CATEGORY: "categories",
    Kind.WATCHLIST_ENTRY: "watchlist entries",
}


class Old(msgspec.Struct):
    """A record with its ID in the older backend."""

    id: Id


class OldUser(Old):
    email: str = ""
    username: str = ""
    password: str = ""
    first_name: str | None = ""
    last_name: str | None = ""
    name: str | None = ""
    phone: str | None = ""
    address: str | None = ""
    is_active: bool = True
    is_staff: bool = False
    is_superuser: bool = False
    is_verified: bool = True
    last_login: datetime | None = None
    date_joined: datetime | None = None
    created_at: datetime | None = None

    @property
    def sign_in_address(self) -> str:
        """The e-mail address; some accounts have it as their user name only."""
        return (self.email or self.username).strip()

    @property
    def since(self) -> datetime | None:
        return self.date_joined or self.created_at


class OldCategory(Old):
    name: str


class OldVideo(Old):
    title: str
    description: str | None = ""
    author: str | None = ""
    genre: str | None = ""
    language: str | None = ""
    category: int | None = None
    user: int | None = None
    uploaded_by: int | None = None
    is_featured: bool = False
    is_favorite: bool = False
    video_file: str | None = ""
    file: str | None = ""
    created_at: datetime | None = None
    uploaded_at: datetime | None = None

    @property
    def path(self) -> str:
        """The file's path below the media folder, or an empty string."""
        return self.video_file or self.file or ""


class OldWatchlist(Old):
    user: int


class OldWatchlistEntry(Old):
    watchlist: int
    video: int
    added_on: datetime | None = None


class OldProgress(Old):
    user: int
    video: int
    progress_seconds: float = 0
    updated_at: datetime | None = None
    watched_on: datetime | None = None


class OldRating(Old):
    user: int
    movie_id: UUID
    rating_type: RatingType
    created_at: datetime | None = None


class OldMembership(Old):
    user: int
    start_date: date
    state: str = "ACT"
    credits: int = 0
    end_date: date | None = None


class OldInvoice(Old):
    user: int
    date: date
    status: str
    description: str | None = ""
    amount: int = 0


class OldInvoiceLine(Old):
    invoice: int
    amount: int = 0
    description: str | None = ""


RECORDS: dict[Kind, type[Old]] = {
    Kind.USER: OldUser,
    Kind.CATEGORY: OldCategory,
    Kind.VIDEO: OldVideo,
    Kind.WATCHLIST: OldWatchlist,
    Kind.WATCHLIST_ENTRY: OldWatchlistEntry,
    Kind.PROGRESS: OldProgress,
    Kind.RATING: OldRating,
    Kind.MEMBERSHIP: OldMembership,
    Kind.INVOICE: OldInvoice,
    Kind.INVOICE_LINE: OldInvoiceLine,
}


class KindReport(msgspec.Struct):
    """Numbers of records that were added, that existed already, and that were left out.

    `problems` counts what happened to single records, by sentence; `examples` names the first
    ones.
    """

    added: int = 0
    known: int = 0
    left_out: int = 0
    problems: dict[str, int] = {}
    examples: dict[str, list[str]] = {}

    def note(self, sentence: str, which: object) -> None:
        """Count something a person should know of a record."""
        self.problems[sentence] = self.problems.get(sentence, 0) + 1
        listed = self.examples.setdefault(sentence, [])
        if len(listed) < EXAMPLES_MAX:
            listed.append(str(which))

    def leave_out(self, sentence: str, which: object) -> None:
        """Count a record that is not imported."""
        self.left_out += 1
        self.note(sentence, which)


def kind_of(model: str, columns: frozenset[str]) -> Kind | None:
    """Return what a table holds, by its columns; None for tables that are not imported."""
    if {"email", "password"} <= columns:
        return Kind.USER
    for kind, needed in _COLUMNS.items():
        if needed <= columns:
            return kind
    if model.endswith("watchlist") and "user" in columns:
        return Kind.WATCHLIST
    if model.startswith("categor") and "name" in columns:
        return Kind.CATEGORY
    return None


_COLUMNS = {
    Kind.INVOICE_LINE: {"invoice", "amount"},
    Kind.INVOICE: {"user", "status", "amount"},
    Kind.MEMBERSHIP: {"user", "credits"},
    Kind.RATING: {"user", "movie_id", "rating_type"},
    Kind.PROGRESS: {"user", "video", "progress_seconds"},
    Kind.WATCHLIST_ENTRY: {"watchlist", "video"},
    Kind.VIDEO: {"title", "description"},
}


def record(kind: Kind, row: Mapping[str, Any]) -> Old:
    """Convert a row; times without a zone are UTC. Raises msgspec.ValidationError."""
    made = msgspec.convert(dict(row), RECORDS[kind], strict=False)
    for name in made.__struct_fields__:
        value = getattr(made, name)
        if isinstance(value, datetime) and value.tzinfo is None:
            setattr(made, name, value.replace(tzinfo=UTC))
    return made
