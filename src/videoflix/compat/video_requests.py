"""What the dialects' films have in common: their numbers, long lists, and forms with a file."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Request
from litestar.enums import RequestEncodingType

from videoflix.catalog.schemas import Ordering, VideoRead
from videoflix.catalog.service import Browse, Filters
from videoflix.compat.drf.errors import not_found
from videoflix.compat.drf.parsing import sent_fields
from videoflix.media.api import discard_on_error, read_upload
from videoflix.media.schemas import StoredFile, UploadForm
from videoflix.platform.http.params import BIGINT_MAX
from videoflix.profiles.schemas import Viewer

# The older wire knows no pages: a list holds the newest films, so many at most.
LIST_MAX = 2_000
DIGITS = len(str(BIGINT_MAX))
PAGE = 100


def parse_id(video_id: str) -> int:
    """The film's number. Raises Refusal for what is none, as older backends did."""
    is_number = video_id.isascii() and video_id.isdigit() and len(video_id) <= DIGITS
    if not (is_number and 0 < int(video_id) <= BIGINT_MAX):
        raise not_found("Video")
    return int(video_id)


async def list_videos(
    browse: Browse, viewer: Viewer, filters: Filters, count: int
) -> list[VideoRead]:
    """The newest films, from as many pages as it takes."""
    found: list[VideoRead] = []
    cursor: str | None = ""
    while cursor is not None and len(found) < count:
        size = min(PAGE, count - len(found))
        page = await browse.next_page(viewer, filters, Ordering.NEWEST, cursor, size)
        found += page.items
        cursor = page.next_cursor
    return found


async def read_video_form(request: Request[Any, Any, Any]) -> UploadForm:
    """The fields of any body; a file goes straight to the storage."""
    if request.content_type[0] == RequestEncodingType.MULTI_PART:
        return await read_upload(request, "video_file")
    return UploadForm(await sent_fields(request), None)


@asynccontextmanager
async def create_video(form: UploadForm) -> AsyncGenerator[StoredFile | None]:
    """The form's file, if it has one; it is removed if the block fails."""
    if form.file is None:
        yield None
    else:
        async with discard_on_error(form) as file:
            yield file
