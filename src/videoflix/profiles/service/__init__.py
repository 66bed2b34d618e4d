"""Profiles, and the viewer of a request."""

from videoflix.profiles.service.profiles import (
    VIEWER_PROBLEMS,
    PasswordRequired,
    ProfileLocked,
    ProfileNotFound,
    Profiles,
    ensure_no_child,
)
from videoflix.profiles.service.viewer_cache import current_viewer, viewer_cache

__all__ = [
    "VIEWER_PROBLEMS",
    "PasswordRequired",
    "ProfileLocked",
    "ProfileNotFound",
    "Profiles",
    "current_viewer",
    "ensure_no_child",
    "viewer_cache",
]
