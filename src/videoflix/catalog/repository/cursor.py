"""Keyset pagination: orderings, and cursors that name the last video of a page."""

import base64
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Select, tuple_

from videoflix.catalog.models import Video, video_category
from videoflix.catalog.repository.rows import VideoRow
from videoflix.catalog.schemas import Ordering


class Cursor(msgspec.Struct, array_like=True):
    """The last film of a page: where the next one begins."""

    ordering: Ordering
    value: Any
    id: int

    def encode(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


class InvalidCursor(ValueError):
    """The cursor was not made by a list with this ordering."""


def read_cursor(text: str, ordering: Ordering) -> Cursor:
    """Raises InvalidCursor."""
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
    """What a list is sorted by, what settles ties, and whether the largest comes first."""

    key: ColumnElement[Any]
    number: ColumnElement[int]
    down: bool

    def sort(self, statement: Select[Any]) -> Select[Any]:
        if self.down:
            return statement.order_by(self.key.desc(), self.number.desc())
        return statement.order_by(self.key.asc(), self.number.asc())

    def after(self, cursor: Cursor) -> ColumnElement[bool]:
        """What comes after the cursor's film: one comparison of rows, so an index serves it."""
        here, there = tuple_(self.key, self.number), tuple_(cursor.value, cursor.id)
        return here < there if self.down else here > there


def order_for(ordering: Ordering, *, by_category: bool) -> Order:
    """How a list is sorted; a category's by the columns of its own index."""
    shelf = video_category.c
    shown = shelf.shown_at if by_category else Video.shown_at
    number: Any = shelf.video_id if by_category else Video.id
    columns: dict[Ordering, tuple[Any, bool]] = {
        Ordering.NEWEST: (shown, True),
        Ordering.OLDEST: (shown, False),
        Ordering.TITLE: (Video.title_key, False),
        Ordering.DURATION: (Video.duration, True),
        Ordering.MOST_WATCHED: (Video.popularity, True),
        Ordering.BEST_VOTED: (Video.score, True),
    }
    key, down = columns[ordering]
    return Order(key, number, down)


def cursor_after(last: VideoRow, ordering: Ordering) -> str:
    """The cursor of a list whose last film this is."""
    return Cursor(ordering, last.key, last.video.id).encode()
