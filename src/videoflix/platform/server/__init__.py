"""The HTTP server: uvicorn with bounds, and client addresses behind proxies."""
