"""Use cases of the catalogue."""

from videoflix.catalog.repository.episodes import next_visible
from videoflix.catalog.repository.filters import Filters
from videoflix.catalog.repository.visibility import series_visible_to, visible_to
from videoflix.catalog.service.browse import (
    Browse,
    CategoryInUse,
    CategoryNotFound,
    CategoryTaken,
)
from videoflix.catalog.service.catalog import (
    Catalog,
    VideoNotFound,
    publish_catalog_change,
    publish_vote_change,
    topic_for,
)
from videoflix.catalog.video_detail import EpisodePlace, Markers

__all__ = [
    "Browse",
    "Catalog",
    "CategoryInUse",
    "CategoryNotFound",
    "CategoryTaken",
    "EpisodePlace",
    "Filters",
    "Markers",
    "VideoNotFound",
    "next_visible",
    "publish_catalog_change",
    "publish_vote_change",
    "series_visible_to",
    "topic_for",
    "visible_to",
]
