"""Use cases of the media."""

from videoflix.media.service.assets import Media
from videoflix.media.service.failures import Failures
from videoflix.media.service.mp4 import Mp4Files
from videoflix.media.service.presentations import Presentations
from videoflix.media.service.publication import Publication

__all__ = ["Failures", "Media", "Mp4Files", "Presentations", "Publication"]
