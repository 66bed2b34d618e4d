"""A video with the fields of `netiflex` and `authemail`, which are compatible.

`video_file`, `video_file_hd720`, `poster`, `vtt_file` and `uploaded_by` are those of the first;
`file`, `category`, `thumbnail` and `resolutions` those of the second. File URLs are signed, and
stay valid when older players derive others from them: `clip.mp4` becomes `clip_720p.mp4`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.accounts.service import Accounts
from videoflix.catalog.models import VideoState
from videoflix.catalog.schemas import VideoRead
from videoflix.compat.drf.formats import stamp
from videoflix.media.service import Mp4Files
from videoflix.platform.http.urls import absolute
from videoflix.playback.service.downloads import (
    DownloadAddresses,
    allowed_files,
    download_addresses,
)
from videoflix.profiles.schemas import Viewer

# Genres of the older backend; others are passed through.
GENRES = ("drama", "documentary", "technic", "horror", "action")
LANGUAGES = {"fr": "french", "en": "english", "de": "german"}
RENDITIONS = (360, 480, 720, 1080)


class SerializerContext(msgspec.Struct, frozen=True):
    """The context for serializing videos for a viewer."""

    request: Request[Any, Any, Any]
    session: AsyncSession
    viewer: Viewer


async def serialize_videos(
    context: SerializerContext, films: Sequence[VideoRead]
) -> list[dict[str, Any]]:
    """Serialize videos in their order, with two queries."""
    files = await Mp4Files(context.session).for_videos([film.id for film in films])
    uploaders = {film.uploaded_by for film in films if film.uploaded_by is not None}
    people = await Accounts(context.session).get_many(uploaders) if uploaders else {}
    sign_in_id = context.request.user.sign_in_id
    found = []
    for film in films:
        links = download_addresses(
            context.viewer,
            sign_in_id,
            film.id,
            film.slug,
            files.get(film.id),
            has_poster=film.poster_url is not None,
        )
        uploader = people.get(film.uploaded_by) if film.uploaded_by is not None else None
        found.append(_serialize_video(context, film, links, uploader))
    return found


def genre_of(film: VideoRead) -> str | None:
    """The older backend's genre if there is one, else the video's own."""
    folded = film.genre.casefold()
    return folded if folded in GENRES else film.genre or None


def language_of(film: VideoRead) -> str | None:
    return LANGUAGES.get(film.language.partition("-")[0])


def _serialize_video(
    context: SerializerContext, film: VideoRead, links: DownloadAddresses, uploader: User | None
) -> dict[str, Any]:
    movie = absolute(links.movie())
    poster = absolute(links.poster)
    vtt = absolute(links.storyboard)
    category = film.categories[0] if film.categories else None
    larger = {
        f"video_file_hd{lines}": absolute(links.movie(f"_hd{lines}")) if links.movies else ""
        for lines in RENDITIONS
    }
    return {
        "id": film.id,
        "title": film.title,
        "author": film.author,
        "description": film.description,
        "uploaded_by": _serialize_person(context.viewer, uploader) if uploader else None,
        "genre": genre_of(film),
        "uploaded_at": stamp(film.created_at),
        "updated_at": stamp(film.updated_at),
        "is_favorite": film.featured,
        "language": language_of(film),
        "video_file": None if film.state is VideoState.FAILED else movie,
        "poster": poster or "",
        "vtt_file": vtt or "",
        **larger,
        "duration": None if film.duration is None else round(film.duration),
        "file": movie,
        "category": category and {"id": category.id, "name": category.name, "slug": category.slug},
        "created_at": stamp(film.created_at),
        "thumbnail": poster,
        "resolutions": [
            {
                "label": found.name,
                "src": absolute(links.movie(f"_{found.name}")),
                "type": "video/mp4",
            }
            for found in allowed_files(context.viewer, links.movies)
        ],
    }


def _serialize_person(viewer: Viewer, person: User) -> dict[str, Any]:
    """Contact data is only for editors and the user; others get empty fields."""
    is_visible = viewer.is_editor or viewer.user_id == person.id
    return {
        "id": person.id,
        "email": person.email if is_visible else "",
        "phone": person.phone if is_visible else "",
        "address": person.address if is_visible else "",
    }
