"""Catalogue answers are equal for all who see the same films: encoded once, kept until a change."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response

from videoflix.platform.cache import AnswerCache
from videoflix.profiles.schemas import Viewing
from videoflix.profiles.service import viewing_of

answers = AnswerCache("video:", "catalogue")


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
    return answers.keep(request, viewing.sees, await make(viewing), since)
