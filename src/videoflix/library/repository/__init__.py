"""All SQL of watchlists, playback positions, votes and views."""
