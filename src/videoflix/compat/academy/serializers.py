"""Serializers of videos."""

from typing import Any

from videoflix.catalog.schemas import VideoRead
from videoflix.compat.drf.formats import stamp
from videoflix.platform.http.urls import absolute

# Older pages put these names into URLs: 120p, 360p, 480p, 720p, 1080p.
BEST = "1080p"


def category_of(video: VideoRead) -> str:
    """The single category that older clients support."""
    if video.categories:
        return video.categories[0].name
    return video.genre.capitalize() or "Other"


def summary(video: VideoRead) -> dict[str, Any]:
    """A video in a list."""
    return {
        "id": video.id,
        "created_at": stamp(video.created_at),
        "title": video.title,
        "description": video.description,
        "thumbnail_url": absolute(video.poster_url),
        "category": category_of(video),
    }


def detail(video: VideoRead) -> dict[str, Any]:
    """A video with all details; `duration` is in minutes."""
    thumbnail = absolute(video.poster_url)
    return {
        "id": video.id,
        "title": video.title,
        "description": video.description,
        "duration": round((video.duration or 0) / 60),
        "video_file": absolute(f"/api/video/{video.id}/{BEST}/index.m3u8"),
        "thumbnail": thumbnail,
        "thumbnail_url": thumbnail,
        "category": category_of(video),
        "is_featured": video.featured,
        "created_at": stamp(video.created_at),
        "user": video.uploaded_by,
        "video_base_url": f"/api/video/{video.id}",
    }


# The newest video while there is none.
NO_FILM: dict[str, Any] = {
    "title": "",
    "description": "",
    "duration": None,
    "video_file": None,
    "thumbnail": None,
    "thumbnail_url": None,
    "category": None,
    "is_featured": False,
    "user": None,
    "video_base_url": None,
}
