"""What happens to films later."""

from videoflix.media import self_tests
from videoflix.media.jobs import cleanup, encoding, packaging, reconcile

__all__ = ["cleanup", "encoding", "packaging", "reconcile", "self_tests"]
