"""What happens to films later."""

from videoflix.media.jobs import encoding, packaging

__all__ = ["encoding", "packaging"]
