"""The HTTP server: uvicorn with limits, and client addresses behind proxies."""
