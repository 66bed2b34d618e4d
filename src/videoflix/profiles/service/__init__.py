"""What may happen to profiles, and who watches."""

from videoflix.profiles.service.profiles import (
    WATCHING,
    PasswordNeeded,
    ProfileLocked,
    ProfileNotFound,
    Profiles,
    refuse_children,
)
from videoflix.profiles.service.viewer_cache import known, viewing_of

__all__ = [
    "WATCHING",
    "PasswordNeeded",
    "ProfileLocked",
    "ProfileNotFound",
    "Profiles",
    "known",
    "refuse_children",
    "viewing_of",
]
