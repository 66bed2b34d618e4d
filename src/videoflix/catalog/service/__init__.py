"""Use cases of the catalogue."""

from videoflix.catalog.repository.filters import Filters
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

__all__ = [
    "Browse",
    "Catalog",
    "CategoryInUse",
    "CategoryNotFound",
    "CategoryTaken",
    "Filters",
    "VideoNotFound",
    "publish_catalog_change",
    "publish_vote_change",
    "topic_for",
]
