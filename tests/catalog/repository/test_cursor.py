"""Cursors of keyset pagination, as clients send them back."""

import base64
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from videoflix.catalog.models import Video
from videoflix.catalog.repository.cursor import Cursor, InvalidCursor, order_for, read_cursor
from videoflix.catalog.schemas import Ordering

IDS = st.integers(1, 2**63 - 1)
VALUES: dict[Ordering, st.SearchStrategy[Any]] = {
    Ordering.NEWEST: st.datetimes(timezones=st.just(UTC)),
    Ordering.OLDEST: st.datetimes(timezones=st.just(UTC)),
    Ordering.TITLE: st.text(st.characters(exclude_categories=["Cs"])),
    Ordering.DURATION: st.floats(0, 1e9),
    Ordering.MOST_WATCHED: st.integers(0, 2**63 - 1),
    Ordering.BEST_VOTED: st.integers(-(2**63), 2**63 - 1),
}


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


@pytest.mark.parametrize("ordering", Ordering)
@given(data=st.data())
def test_cursors_are_read_as_they_were_written(ordering: Ordering, data: st.DataObject) -> None:
    cursor = Cursor(ordering, data.draw(VALUES[ordering]), data.draw(IDS))
    assert read_cursor(cursor.encode(), ordering) == cursor


@given(number=IDS)
def test_cursors_need_no_escaping_in_urls(number: int) -> None:
    text = Cursor(Ordering.TITLE, "\xff\xfe~~>>??", number).encode()
    assert text.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "value",
    [
        ["title", "a"],
        ["title", "a", 0],
        ["title", "a", -1],
        ["title", "a", 2**63],
        ["title", "a", "1"],
        ["title", 7, 1],
        ["title", None, 1],
        ["newest", "2026-01-01T00:00:00Z", 1],
        ["unknown", "a", 1],
        {"ordering": "title", "value": "a", "id": 1},
        "title",
        None,
    ],
)
def test_other_values_are_refused(value: Any) -> None:
    assert read_cursor(encoded(["title", "a", 2**63 - 1]), Ordering.TITLE).id == 2**63 - 1
    with pytest.raises(InvalidCursor):
        read_cursor(encoded(value), Ordering.TITLE)


@pytest.mark.parametrize("value", ["x", "2026-13-01T00:00:00Z", True, 1.5, None])
def test_values_of_another_type_are_refused(value: Any) -> None:
    for ordering in (Ordering.NEWEST, Ordering.MOST_WATCHED):
        with pytest.raises(InvalidCursor):
            read_cursor(encoded([ordering, value, 1]), ordering)


@given(text=st.text(max_size=100), ordering=st.sampled_from(Ordering))
def test_invented_cursors_are_refused(text: str, ordering: Ordering) -> None:
    with pytest.raises(InvalidCursor):
        read_cursor(text, ordering)


@pytest.mark.parametrize(
    ("ordering", "by_category", "sorted_by", "after"),
    [
        (Ordering.NEWEST, False, "video.shown_at DESC, video.id DESC", "<"),
        (Ordering.OLDEST, False, "video.shown_at ASC, video.id ASC", ">"),
        (Ordering.TITLE, False, "video.title_key ASC, video.id ASC", ">"),
        (Ordering.DURATION, False, "coalesce(video.duration, 0) DESC, video.id DESC", "<"),
        (Ordering.MOST_WATCHED, False, "video.popularity DESC, video.id DESC", "<"),
        (Ordering.BEST_VOTED, False, "video.score DESC, video.id DESC", "<"),
        (
            Ordering.NEWEST,
            True,
            "video_category.shown_at DESC, video_category.video_id DESC",
            "<",
        ),
    ],
)
def test_ties_are_broken_by_id_in_the_same_direction(
    ordering: Ordering, by_category: bool, sorted_by: str, after: str
) -> None:
    """Else a page could repeat a video, or leave one out."""
    order = order_for(ordering, by_category=by_category)
    assert str(order.sort(select(Video.id))).endswith(f"ORDER BY {sorted_by}")
    columns = sorted_by.replace(" DESC", "").replace(" ASC", "")
    condition = order.after(Cursor(ordering, datetime(2026, 1, 1, tzinfo=UTC), 7))
    assert str(condition).startswith(f"({columns}) {after} (")
