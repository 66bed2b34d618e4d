"""All providers, and the one selected by MOVIES_PROVIDER."""

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from videoflix.movies.providers.catalog import CatalogProvider
from videoflix.movies.providers.provider import Provider, RemoteProvider
from videoflix.platform.late_import import late
from videoflix.profiles.schemas import ANONYMOUS, Viewer
from videoflix.settings import settings

# One per process and URL, so that its limits apply to all requests.
_november7: dict[str, RemoteProvider] = {}


def november7(_: Viewer) -> Provider:
    """The provider at MOVIES_URL."""
    url = settings.movies_url.rstrip("/")
    if url not in _november7:
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            sys.exit("MOVIES_URL is wrong: the provider november7 needs a URL like https://….")
        connect = late("videoflix.movies.providers.november7:connect")  # loads the HTTP client
        _november7[url] = connect(
            url, seconds=settings.movies_timeout_seconds, in_flight=settings.movies_in_flight
        )
    return _november7[url]


PROVIDERS: dict[str, Callable[[Viewer], Provider]] = {
    "catalog": CatalogProvider,
    "november7": november7,
}


def provider_for(viewer: Viewer) -> Provider:
    """The selected provider. Raises SystemExit if MOVIES_PROVIDER is unknown."""
    make = PROVIDERS.get(settings.movies_provider)
    if make is None:
        sys.exit(f"MOVIES_PROVIDER is wrong: expected one of {', '.join(PROVIDERS)}.")
    return make(viewer)


def check_provider() -> None:
    """Check the settings at start. Raises SystemExit with a message."""
    provider_for(ANONYMOUS)


@asynccontextmanager
async def provider_lifespan(_: object) -> AsyncGenerator[None]:
    """Close connections to providers on shutdown."""
    yield
    while _november7:
        await _november7.popitem()[1].close()
