"""Absolute addresses of this site.

They are built from SITE_URL and never from the Host header: that is the client's to choose, and
answers are kept by caches and mailed to others.
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
    """Our own path with scheme and host; an address elsewhere, and none, as it is."""
    if path is None or not path.startswith("/"):
        return path
    return settings.site_url.rstrip("/") + path
