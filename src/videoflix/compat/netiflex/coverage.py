"""The coverage report of a checkout, which `make coverage` writes: for developers only."""

import asyncio
import mimetypes
from pathlib import Path, PurePosixPath
from typing import Any

from litestar import Request, Response, get

import videoflix
from videoflix.compat.dialect import CANONICAL, NONE
from videoflix.platform.problems import NotFound

INDEX = "index.html"


def report_folder() -> Path | None:
    """The folder of the report; None in an installed package, which has no checkout."""
    checkout = Path(videoflix.__file__).parents[2]
    return checkout / "artifacts" / "coverage" if (checkout / "pyproject.toml").is_file() else None


@get(["/coverage_html_report", "/coverage_html_report/{name:path}"], opt={CANONICAL: NONE})
async def show_coverage(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Show a page of the report, whose files are all in one folder. Raises NotFound."""
    wanted = PurePosixPath(request.path_params.get("name", "")).name or INDEX
    content = await asyncio.to_thread(_read, wanted)
    if content is None:
        raise NotFound
    media_type = mimetypes.guess_type(wanted)[0] or "application/octet-stream"
    return Response(content, media_type=media_type)


def _read(name: str) -> bytes | None:
    folder = report_folder()
    file = folder / name if folder else None
    return file.read_bytes() if file and file.is_file() else None
