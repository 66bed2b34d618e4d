"""Formats of values."""

from datetime import UTC, datetime


def stamp(moment: datetime) -> str:
    """Format a time with six fractional digits and Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
