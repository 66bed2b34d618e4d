"""Format of the JSON title list of older backends (`export_video_data`).

    [{"id":"2","title":"Dunes","is_favorite":"1","uploaded_at":"2024-05-01 06:00:00",…}]

All columns are present and all values are strings, except the ID of the uploader; missing values
are empty strings. Times are in UTC.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec

from videoflix.platform.problems import BadRequest

TIME = "%Y-%m-%d %H:%M:%S"
LANGUAGES = {"english": "en", "german": "de", "french": "fr"}
NAMES = {code: name for name, code in LANGUAGES.items()}
YES = {"1", "true", "yes"}


class InvalidTitleList(BadRequest):
    """This is not a valid list of titles."""

    slug: ClassVar[str] = "titles-refused"


class TitleRecord(msgspec.Struct, kw_only=True):
    """An exported title, with columns in the original order."""

    id: str
    title: str
    author: str
    description: str
    uploaded_by: int | str
    genre: str
    uploaded_at: str
    updated_at: str
    is_favorite: str
    language: str
    video_file: str
    poster: str
    vtt_file: str = ""
    video_file_hd360: str = ""
    video_file_hd480: str = ""
    video_file_hd720: str = ""
    video_file_hd1080: str = ""
    duration: str


class Title(msgspec.Struct, kw_only=True):
    """The importable fields of a title; the list refers to files but does not contain them."""

    title: str
    author: str
    description: str
    genre: str
    language: str
    featured: bool
    uploaded_at: datetime | None


def listed(row: dict[str, Any]) -> bytes:
    """Encode a title as JSON."""
    title = TitleRecord(
        id=str(row["id"]),
        title=row["title"],
        author=row["author"],
        description=row["description"],
        uploaded_by=row["uploaded_by"] or "",
        genre=row["genre"],
        uploaded_at=_time(row["created_at"]),
        updated_at=_time(row["updated_at"]),
        is_favorite="1" if row["featured"] else "0",
        language=NAMES.get(row["language"], row["language"]),
        video_file=row["source_key"] or "",
        poster=row["poster"] or "",
        duration="" if row["duration"] is None else str(round(row["duration"])),
    )
    return msgspec.json.encode(title)


def read_titles(data: bytes) -> Iterator[Title]:
    """Parse a list of titles. Raises InvalidTitleList, which names the invalid entry."""
    try:
        rows = msgspec.json.decode(data, type=list[dict[str, Any]])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidTitleList(f"The file is not a JSON list of titles: {error}.") from error
    for number, row in enumerate(rows, 1):
        texts = {name: "" if value is None else str(value).strip() for name, value in row.items()}
        if not texts.get("title"):
            raise InvalidTitleList(f"Entry {number} has no title.")
        language = texts.get("language", "").lower()
        try:
            uploaded_at = _moment(texts.get("uploaded_at", ""))
        except ValueError as error:
            raise InvalidTitleList(f"Entry {number}, {texts['title'][:50]}: {error}.") from error
        yield Title(
            title=texts["title"],
            author=texts.get("author", ""),
            description=texts.get("description", ""),
            genre=texts.get("genre", ""),
            language=LANGUAGES.get(language, language or "en"),
            featured=texts.get("is_favorite", "").lower() in YES,
            uploaded_at=uploaded_at,
        )


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(TIME)


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
