"""Keyset pagination: orderings, and cursors that name the last video of a page."""

import base64
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Select, func, literal_column, tuple_

from videoflix.catalog.models import Video, video_category
from videoflix.catalog.repository.rows import VideoRow
from videoflix.catalog.schemas import Ordering

# The expression of its index: a video whose duration is unknown comes last.
KNOWN_DURATION = func.coalesce(Video.duration, literal_column("0"))


class Cursor(msgspec.Struct, array_like=True):
    """The sort key and id of the last video of a page; the next page starts after it."""

    ordering: Ordering
    value: Any
    id: int

    def encode(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


class InvalidCursor(ValueError):
    """The cursor is malformed, or belongs to a list with another ordering."""


def read_cursor(text: str, ordering: Ordering) -> Cursor:
    """Decode a cursor and check it against the ordering. Raises InvalidCursor."""
    kinds: dict[Ordering, Any] = {
        Ordering.NEWEST: datetime,
        Ordering.OLDEST: datetime,
        Ordering.TITLE: str,
        Ordering.DURATION: float,
    }
    try:
        raw = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
        cursor = msgspec.json.decode(raw, type=Cursor)
        value = msgspec.convert(cursor.value, kinds.get(ordering, int))
    except (ValueError, msgspec.DecodeError) as error:
        raise InvalidCursor from error
    if cursor.ordering is not ordering or not 0 < cursor.id < 2**63:
        raise InvalidCursor
    return Cursor(ordering, value, cursor.id)


class Order(NamedTuple):
    """The sort column, the id column as tie-breaker, and whether the order is descending."""

    key: ColumnElement[Any]
    id: ColumnElement[int]
    descending: bool

    def sort(self, statement: Select[Any]) -> Select[Any]:
        if self.descending:
            return statement.order_by(self.key.desc(), self.id.desc())
        return statement.order_by(self.key.asc(), self.id.asc())

    def after(self, cursor: Cursor) -> ColumnElement[bool]:
        """Rows after the cursor: one row comparison, so that an index range scan serves it."""
        here, there = tuple_(self.key, self.id), tuple_(cursor.value, cursor.id)
        return here < there if self.descending else here > there


def order_for(ordering: Ordering, *, by_category: bool) -> Order:
    """Map an ordering to columns; `by_category` uses the columns of the category index."""
    in_category = video_category.c
    shown = in_category.shown_at if by_category else Video.shown_at
    id_column: Any = in_category.video_id if by_category else Video.id
    columns: dict[Ordering, tuple[Any, bool]] = {
        Ordering.NEWEST: (shown, True),
        Ordering.OLDEST: (shown, False),
        Ordering.TITLE: (Video.title_key, False),
        Ordering.DURATION: (KNOWN_DURATION, True),
        Ordering.MOST_WATCHED: (Video.popularity, True),
        Ordering.BEST_VOTED: (Video.score, True),
    }
    key, descending = columns[ordering]
    return Order(key, id_column, descending)


def cursor_after(last: VideoRow, ordering: Ordering) -> str:
    """Make the cursor for the page after `last`."""
    return Cursor(ordering, last.key, last.video.id).encode()
