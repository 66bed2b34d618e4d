"""Use cases of playback: access, playlists, downloads, concurrent streams."""
