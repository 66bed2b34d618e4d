"""Catalogue answers are equal for all who see the same films: encoded once, kept until a change."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response

from videoflix.catalog.service.catalog import VOTES
from videoflix.platform.cache.responses import AnswerCache
from videoflix.profiles.schemas import Viewing
from videoflix.profiles.service import viewing_of

API = "/api/v1/videos/"
# Every query parameter of the routes that remember; tests/catalog/test_cache.py compares.
PARAMETERS = frozenset(
    {
        "category", "created_after", "cursor", "featured", "genre", "language", "limit", "offset",
        "ordering", "publication", "q", "search", "state", "uploaded_by", "year",
    }
)  # fmt: skip

answers = AnswerCache(
    "catalogue responses",
    "video:",
    "catalogue",
    parameters=PARAMETERS,
    counts=VOTES,
    path_of=lambda topic: API + topic.removeprefix(VOTES),
)


def shows_progress(body: bytes) -> bool:
    """Whether an answer holds a film that is being encoded: it moves all the time."""
    return b'"state":"processing"' in body


async def from_memory(request: Request[Any, Any, Any]) -> Response[bytes] | None:
    """The answer this process has; a `before_request`, so that nothing else is done for it."""
    viewing = await viewing_of(request.user)
    return answers.find(request, viewing.sees)


async def remembered(
    request: Request[Any, Any, Any], make: Callable[[Viewing], Awaitable[Any]]
) -> Response[Any]:
    """Make an answer, and keep it for all who see the same."""
    viewing = await viewing_of(request.user)
    since = answers.generation
    return answers.keep(request, viewing.sees, await make(viewing), since, shows_progress)
