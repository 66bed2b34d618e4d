"""URLs of the next and previous page."""

from urllib.parse import urlencode

from videoflix.movies.schemas import PAGE_SIZE
from videoflix.platform.http.urls import absolute

# Beyond any list.
PAGE_MAX = 1_000_000


def neighbours(path: str, page: int, count: int, **params: str) -> tuple[str | None, str | None]:
    """Absolute URLs of the next and previous page; None if there is none."""

    def to(number: int) -> str | None:
        return absolute(f"{path}?{urlencode({**params, 'page': number})}")

    return to(page + 1) if page * PAGE_SIZE < count else None, to(page - 1) if page > 1 else None
