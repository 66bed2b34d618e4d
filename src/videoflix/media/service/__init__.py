"""Use cases of the media."""

from videoflix.media.service.assets import AUDIO, Media
from videoflix.media.service.failures import Failures
from videoflix.media.service.mp4 import Mp4Files
from videoflix.media.service.presentations import Presentations

__all__ = ["AUDIO", "Failures", "Media", "Mp4Files", "Presentations"]
