"""Use cases of resumable uploads."""

from videoflix.uploads.service.uploads import Announcement, Uploads

__all__ = ["Announcement", "Uploads"]
