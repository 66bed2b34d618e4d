"""Playback over HTTP."""
