"""What may happen to the catalogue."""

from videoflix.catalog.repository.listing import Filters
from videoflix.catalog.service.catalog import (
    Catalog,
    VideoNotFound,
    announce_catalogue,
    announce_votes,
    topic_of,
)
from videoflix.catalog.service.shelves import (
    CategoryInUse,
    CategoryNotFound,
    CategoryTaken,
    Shelves,
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
