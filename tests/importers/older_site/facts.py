"""What tests know of a site."""

from datetime import UTC, datetime
from uuid import UUID

PASSWORD = "a password of then"
LONG_AGO = datetime(2023, 5, 1, 6, tzinfo=UTC)
FILM = "videos/dunes.mp4"
MOVIE = UUID("6a35ef36-9a47-4ec5-ad4d-1f8d5a3b1d2c")
