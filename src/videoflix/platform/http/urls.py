"""Absolute URLs of this site.

They are built from SITE_URL and never from the Host header, which the client controls: responses
are cached, and URLs are mailed to others.
"""

from typing import overload

from videoflix.settings import settings


@overload
def absolute(path: str) -> str: ...
@overload
def absolute(path: None) -> None: ...
@overload
def absolute(path: str | None) -> str | None: ...
def absolute(path: str | None) -> str | None:
    """Prefix a path with SITE_URL; return absolute URLs and None unchanged."""
    if path is None or not path.startswith("/"):
        return path
    return settings.site_url.rstrip("/") + path
