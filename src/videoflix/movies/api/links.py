"""Whole addresses, as the browser that asks knows this site."""

from typing import Any
from urllib.parse import urlencode

from litestar import Request

from videoflix.movies.schemas import PAGE_SIZE

# No list is that long.
PAGE_MAX = 1_000_000


def absolute(request: Request[Any, Any, Any], address: str | None) -> str | None:
    """Our own paths with scheme and host; addresses elsewhere, and none, as they are."""
    if address is None or not address.startswith("/"):
        return address
    return str(request.base_url).rstrip("/") + address


def neighbours(
    request: Request[Any, Any, Any], path: str, page: int, count: int, **params: str
) -> tuple[str | None, str | None]:
    """The addresses of the next and the previous page."""

    def to(number: int) -> str | None:
        return absolute(request, f"{path}?{urlencode({**params, 'page': number})}")

    return to(page + 1) if page * PAGE_SIZE < count else None, to(page - 1) if page > 1 else None
