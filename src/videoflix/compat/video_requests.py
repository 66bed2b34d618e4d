"""Shared request handling for videos: ids, unpaginated lists, and upload forms."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Request
from litestar.enums import RequestEncodingType

from videoflix.catalog.schemas import Ordering, VideoRead
from videoflix.catalog.service import Browse, Filters
from videoflix.compat.drf.errors import not_found
from videoflix.compat.drf.parsing import numeric_id, sent_fields
from videoflix.media.api.uploads import discard_on_error, read_upload
from videoflix.media.schemas import StoredFile, UploadForm
from videoflix.profiles.schemas import Viewer

# The older wire has no pagination: lists hold at most this many, newest first.
LIST_MAX = 2_000
PAGE = 100


def parse_id(video_id: str) -> int:
    """Parse a video's id. Raises DrfError, as in older backends."""
    number = numeric_id(video_id)
    if number is None:
        raise not_found("Video")
    return number


async def list_videos(
    browse: Browse, viewer: Viewer, filters: Filters, count: int
) -> list[VideoRead]:
    """Collect the newest videos from several pages."""
    found: list[VideoRead] = []
    cursor: str | None = ""
    while cursor is not None and len(found) < count:
        size = min(PAGE, count - len(found))
        page = await browse.next_page(viewer, filters, Ordering.NEWEST, cursor, size)
        found += page.items
        cursor = page.next_cursor
    return found


async def read_video_form(request: Request[Any, Any, Any]) -> UploadForm:
    """Read the fields of any body; a file is streamed to the storage."""
    if request.content_type[0] == RequestEncodingType.MULTI_PART:
        return await read_upload(request, "video_file")
    return UploadForm(await sent_fields(request), None)


@asynccontextmanager
async def create_video(form: UploadForm) -> AsyncGenerator[StoredFile | None]:
    """Yield the form's file, if any; it is deleted if the block fails."""
    if form.file is None:
        yield None
    else:
        async with discard_on_error(form) as file:
            yield file
