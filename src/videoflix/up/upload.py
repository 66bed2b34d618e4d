"""Upload files to a server with the tus protocol, resuming after interruptions."""

import base64
import hashlib
import json
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import httpx
import platformdirs
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

UPLOADS = "/api/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
READ_BYTES = 256 * 1024
TIMEOUT = httpx.Timeout(30, read=120, write=120)
PAUSE_MAX_SECONDS = 30.0
# Refusals that pass: another request still runs, or the server is busy.
TEMPORARY = {HTTPStatus.CONFLICT, HTTPStatus.LOCKED, HTTPStatus.TOO_MANY_REQUESTS}
GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}

OnProgress = Callable[[int], None]


class UploadFailed(Exception):
    """The server refused the file, or could not be reached for too long; the message says why."""


class Interrupted(Exception):
    """An attempt ended early; `wait` is the pause in seconds that the server asks for."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class KnownUploads:
    """URLs of unfinished uploads by file and server, in the user's state folder."""

    def __init__(self) -> None:
        folder = Path(platformdirs.user_state_dir("videoflix"))
        self._file = folder / "uploads.json"

    def find(self, key: str) -> str | None:
        return self._read().get(key)

    def set(self, key: str, url: str | None) -> None:
        """Store a URL, or delete it."""
        known = self._read()
        known.pop(key, None)
        if url is not None:
            known[key] = url
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(known, indent=1))
        new.replace(self._file)

    def _read(self) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return found


class FileUpload:
    """The upload of one file; `details` are the fields of the new video.

    `endpoint` is the path where it is created: that of all uploads, or of a link.
    """

    def __init__(
        self,
        client: httpx.Client,
        file: Path,
        details: dict[str, str],
        endpoint: str = UPLOADS,
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._file = file
        self._details = {"filename": file.name, **details}
        found = file.stat()
        self.size = found.st_size
        identity = (
            f"{client.base_url} {endpoint} {file.absolute()} {found.st_size} {found.st_mtime_ns}"
        )
        key = json.dumps([identity, self._details], sort_keys=True)
        self._key = hashlib.sha256(key.encode()).hexdigest()
        self._known = KnownUploads()

    def run(self, on_progress: OnProgress, patience: float) -> int | None:
        """Upload the file; return the ID of its video, unless it is sent by a link.

        Raises UploadFailed.

        `patience` is how many seconds may pass without progress.
        """
        best, progressed_at, attempt = -1, time.monotonic(), 0
        while True:
            try:
                return self._attempt(on_progress)
            except (httpx.TransportError, Interrupted) as error:
                offset = self._offset_or(best)
                if offset > best:
                    best, progressed_at, attempt = offset, time.monotonic(), 0
                if time.monotonic() - progressed_at > patience:
                    raise UploadFailed(f"{_reason(error)} Start the command again later.") from None
                attempt += 1
                time.sleep(_pause(attempt, error))

    def _attempt(self, on_progress: OnProgress) -> int | None:
        url = self._known.find(self._key)
        offset = None if url is None else self._offset(url)
        if url is None or offset is None:
            url, offset = self._create(), 0
            self._known.set(self._key, url)
        on_progress(offset)
        if offset < self.size:
            headers = TUS | {
                "Content-Type": "application/offset+octet-stream",
                "Content-Length": str(self.size - offset),
                "Upload-Offset": str(offset),
            }
            content = _blocks(self._file, offset, on_progress)
            _check(self._client.patch(url, headers=headers, content=content))
        if self._offset(url) != self.size:
            raise Interrupted("The upload is incomplete.")
        shown = {} if self._endpoint != UPLOADS else _check(self._client.get(url)).json()
        self._known.set(self._key, None)
        return shown.get("video_id")

    def _create(self) -> str:
        described = ",".join(
            f"{name} {base64.b64encode(value.encode()).decode()}"
            for name, value in self._details.items()
        )
        headers = TUS | {"Upload-Length": str(self.size), "Upload-Metadata": described}
        url: str = _check(self._client.post(self._endpoint, headers=headers)).headers["location"]
        return url

    def _offset(self, url: str) -> int | None:
        """Return where the upload continues, or None if it is gone."""
        response = self._client.head(url, headers=TUS)
        if response.status_code in GONE:
            return None
        return int(_check(response).headers["upload-offset"])

    def _offset_or(self, otherwise: int) -> int:
        url = self._known.find(self._key)
        with suppress(httpx.TransportError, Interrupted):
            found = None if url is None else self._offset(url)
            return otherwise if found is None else found
        return otherwise


def run(
    files: Sequence[Path], server: str, link: str | None, details: dict[str, str], patience: int
) -> int:
    """Upload files one after the other, with progress bars; return the exit status."""
    headers, endpoint = {}, UPLOADS
    if link:
        parts = urlsplit(link)
        server, endpoint = f"{parts.scheme}://{parts.netloc}", parts.path
    else:
        token = os.environ.get("VIDEOFLIX_TOKEN") or click.prompt("API token", hide_input=True)
        headers["Authorization"] = f"Bearer {token}"
    screen, failed = Console(stderr=True), 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with (
        httpx.Client(base_url=server.rstrip("/"), headers=headers, timeout=TIMEOUT) as client,
        Progress(*columns, console=screen) as progress,
    ):
        for file in files:
            bar = progress.add_task(file.name, total=file.stat().st_size)
            try:
                video_id = FileUpload(client, file, details, endpoint).run(
                    _updating(progress, bar), patience * 60.0
                )
                place = f"{server}/#/watch/{video_id}" if video_id else "uploaded"
                progress.console.print(f"{file.name}: {place}")
            except (UploadFailed, OSError) as error:
                progress.console.print(f"{file.name}: {error}", style="red")
                failed += 1
    return 1 if failed else 0


def _updating(progress: Progress, bar: TaskID) -> OnProgress:
    return lambda done: progress.update(bar, completed=done)


def _blocks(file: Path, offset: int, on_progress: OnProgress) -> Iterator[bytes]:
    with file.open("rb") as opened:
        opened.seek(offset)
        while block := opened.read(READ_BYTES):
            yield block
            offset += len(block)
            on_progress(offset)


def _check(response: httpx.Response) -> httpx.Response:
    """Return a successful response. Raises UploadFailed, or Interrupted if a retry may help."""
    if response.is_success:
        return response
    response.read()
    detail = f"{response.status_code} {response.reason_phrase}"
    with suppress(ValueError):
        problem: Any = response.json()
        detail = str(problem.get("detail") or problem.get("title") or detail)
    if response.status_code in TEMPORARY or response.is_server_error:
        wait = response.headers.get("retry-after", "")
        raise Interrupted(detail, float(wait) if wait.isdigit() else 0.0)
    raise UploadFailed(detail)


def _pause(attempt: int, error: Exception) -> float:
    """Return the seconds before the next attempt: exponential backoff with jitter."""
    backoff = min(PAUSE_MAX_SECONDS, 0.5 * 2.0 ** min(attempt, 10))
    wait = error.wait if isinstance(error, Interrupted) else 0.0
    return max(wait, backoff * random.uniform(0.5, 1.0))  # noqa: S311 - spreads the load


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, Interrupted) else "The server cannot be reached."
