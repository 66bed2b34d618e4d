"""How older clients expect times."""

from datetime import UTC, datetime


def stamp(moment: datetime) -> str:
    """A time as older backends write it: always six fractional digits, and Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
