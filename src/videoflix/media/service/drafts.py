"""The details of a new video, from the text fields of a form or of an upload's metadata."""

import msgspec

from videoflix.catalog.schemas import VideoCreate
from videoflix.media.problems import TitleMissing
from videoflix.platform.http.json_body import invalid_input


def draft_of(fields: dict[str, str]) -> VideoCreate:
    """Convert fields to a VideoCreate; lists are separated by commas.

    Raises TitleMissing or InvalidInput.
    """
    title = fields.pop("title", "").strip()
    if not title:
        raise TitleMissing
    lists: dict[str, list[str]] = {
        name: [part.strip() for part in fields.pop(name).split(",") if part.strip()]
        for name in ("tags", "categories")
        if name in fields
    }
    described: dict[str, object] = {**fields, **lists, "title": title}
    try:
        return msgspec.convert(described, VideoCreate, strict=False)
    except msgspec.ValidationError as error:
        raise invalid_input(error) from error
