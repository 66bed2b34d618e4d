"""What may happen to the catalogue."""

from videoflix.catalog.repository.visibility import Filters
from videoflix.catalog.service.browse import (
    CategoryInUse,
    CategoryNotFound,
    CategoryTaken,
    Shelves,
)
from videoflix.catalog.service.catalog import (
    Catalog,
    VideoNotFound,
    announce_catalogue,
    announce_votes,
    topic_of,
)

__all__ = [
    "Catalog",
    "CategoryInUse",
    "CategoryNotFound",
    "CategoryTaken",
    "Filters",
    "Shelves",
    "VideoNotFound",
    "announce_catalogue",
    "announce_votes",
    "topic_of",
]
