"""Start uvicorn with our protocol and limits."""

from pathlib import Path

from uvicorn.main import main as uvicorn

from videoflix.settings import settings

PACKAGE_FOLDER = Path(__file__).parents[3]


def server_arguments(host: str, port: int, shutdown_seconds: int | None = None) -> list[str]:
    """Return uvicorn's command line for `videoflix up`, `videoflix serve` and `litestar run`.

    uvicorn's proxy headers are off, because it accepts any string in X-Forwarded-For as an address;
    platform/server/client_address.py validates them. Links are built from SITE_URL.
    """
    return [
        "videoflix.app:create_app",
        "--factory",
        f"--app-dir={PACKAGE_FOLDER}",  # the default is the working directory
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
