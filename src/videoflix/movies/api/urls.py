"""Addresses of neighbouring pages."""

from urllib.parse import urlencode

from videoflix.movies.schemas import PAGE_SIZE
from videoflix.platform.http.urls import absolute

# No list is that long.
PAGE_MAX = 1_000_000


def neighbours(path: str, page: int, count: int, **params: str) -> tuple[str | None, str | None]:
    """The addresses of the next and the previous page."""

    def to(number: int) -> str | None:
        return absolute(f"{path}?{urlencode({**params, 'page': number})}")

    return to(page + 1) if page * PAGE_SIZE < count else None, to(page - 1) if page > 1 else None
