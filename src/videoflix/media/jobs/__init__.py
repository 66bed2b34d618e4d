"""Jobs of the media."""

from videoflix.media import self_tests
from videoflix.media.jobs import cleanup, encode, encode_again, mp4, posters, reconcile, subtitles

__all__ = [
    "cleanup",
    "encode",
    "encode_again",
    "mp4",
    "posters",
    "reconcile",
    "self_tests",
    "subtitles",
]
