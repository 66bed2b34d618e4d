"""The response cache of the catalogue: encoded once per audience, invalidated by changes."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response

from videoflix.catalog.service.catalog import VOTES
from videoflix.platform.cache.responses import ResponseCache
from videoflix.profiles.schemas import Viewer
from videoflix.profiles.service import current_viewer

API = "/api/v1/videos/"
# Every query parameter of the cached routes; tests/catalog/test_cache.py compares.
PARAMETERS = frozenset(
    {
        "category", "created_after", "cursor", "featured", "genre", "language", "limit", "offset",
        "ordering", "publication", "q", "search", "state", "uploaded_by", "year",
    }
)  # fmt: skip

response_cache = ResponseCache(
    "catalogue responses",
    "video:",
    "catalogue",
    parameters=PARAMETERS,
    counts=VOTES,
    path_of=lambda topic: API + topic.removeprefix(VOTES),
)


def shows_progress(body: bytes) -> bool:
    """Whether a response holds a video that is being encoded, so that it changes every second."""
    return b'"state":"processing"' in body


async def cached_response(request: Request[Any, Any, Any]) -> Response[bytes] | None:
    """Return the cached response, if any; a `before_request`, so a hit skips the handler."""
    viewer = await current_viewer(request.user)
    return response_cache.get(request, viewer.cache_key)


async def cache_response(
    request: Request[Any, Any, Any], make: Callable[[Viewer], Awaitable[Any]]
) -> Response[Any]:
    """Build a response, and cache it for all viewers with the same cache key."""
    viewer = await current_viewer(request.user)
    since = response_cache.generation
    return response_cache.put(request, viewer.cache_key, await make(viewer), since, shows_progress)
