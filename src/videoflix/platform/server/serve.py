"""The HTTP server: uvicorn with our limits, however the API is started."""

from pathlib import Path

from uvicorn.main import main as uvicorn

from videoflix.settings import settings

PACKAGE_FOLDER = Path(__file__).parents[3]


def server_arguments(host: str, port: int, shutdown_seconds: int | None = None) -> list[str]:
    """The command line of uvicorn for `videoflix up`, `videoflix serve` and `litestar run`.

    X-Forwarded-For is not uvicorn's to read: it takes any word in it for an address, while
    platform/server/client_address.py believes addresses only. Links are built from SITE_URL.
    """
    return [
        "videoflix.app:create_app",
        "--factory",
        f"--app-dir={PACKAGE_FOLDER}",  # else the working folder
        f"--host={host}",
        f"--port={port}",
        "--http=videoflix.platform.server.protocol:BoundedHttpProtocol",
        "--ws=none",
        "--no-proxy-headers",
        "--no-server-header",
        "--no-access-log",  # the application has its own
        "--log-level=warning",
        f"--timeout-keep-alive={settings.http_idle_seconds}",
        f"--timeout-graceful-shutdown={shutdown_seconds or settings.http_shutdown_seconds}",
    ]


def serve(host: str, port: int, shutdown_seconds: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    uvicorn(server_arguments(host, port, shutdown_seconds))
