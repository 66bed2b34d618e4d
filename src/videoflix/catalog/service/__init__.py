"""What may happen to the catalogue."""

from videoflix.catalog.service.catalog import (
    Catalog,
    VideoNotFound,
    announce_catalogue,
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
    "Shelves",
    "VideoNotFound",
    "announce_catalogue",
    "topic_of",
]
