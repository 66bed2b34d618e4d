"""How older clients expect times and addresses."""

from datetime import UTC, datetime
from typing import Any

from litestar import Request


def stamp(moment: datetime) -> str:
    """A time as older backends write it: always six fractional digits, and Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def absolute(request: Request[Any, Any, Any], path: str | None) -> str | None:
    """An address of this site with scheme and host, as the client called it."""
    return None if path is None else f"{request.base_url}".rstrip("/") + path
