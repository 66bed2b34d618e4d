"""Shapes of playback over HTTP."""

from datetime import datetime

import msgspec


class PlayPass(msgspec.Struct):
    """Where to play a film: an address that needs no header until `expires_at`."""

    master_url: str
    expires_at: datetime
