"""Watchlist, history and votes over HTTP."""
