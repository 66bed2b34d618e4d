"""Lines in the log: structured, and with what they belong to."""

import errno
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy.exc import IntegrityError

from videoflix.platform.observability.logs import Stderr, formatter


class Lines(logging.Handler):
    """What was logged, as it would be written."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.setFormatter(formatter(kind))
        self.written: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(self.format(record))

    def of(self, logger: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.written]
        return [line for line in found if line["logger"] == logger]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines("json")
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


async def test_each_request_has_one_line(viewer: httpx.AsyncClient, lines: Lines) -> None:
    answer = await viewer.get("/api/v1/videos?search=secret", headers={"X-Request-ID": "proxy-1"})
    assert answer.headers["x-request-id"] == "proxy-1"
    [line] = lines.of("videoflix.access")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/v1/videos", 200)
    assert line["request_id"] == "proxy-1"
    assert line["user_id"] > 0
    assert 0 < line["ms"] < 10_000
    assert "secret" not in json.dumps(line)


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "ä", 'a"b'])
async def test_malformed_ids_are_replaced(
    client: httpx.AsyncClient, lines: Lines, given: str
) -> None:
    headers = {b"X-Request-ID": given.encode()}
    answer = await client.get("/nowhere", headers=headers)
    assert len(answer.headers["x-request-id"]) == 32
    [line] = lines.of("videoflix.access")
    assert (line["status"], line["request_id"]) == (404, answer.headers["x-request-id"])


async def test_crashes_are_logged_with_their_request(
    client: httpx.AsyncClient, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise IntegrityError("insert", {"password_hash": "x"}, ValueError("token=abc"))

    monkeypatch.setattr("videoflix.sessions.api.tokens.authenticated", broken)
    body = {"email": "ada@example.org", "password": "correct horse"}
    answer = await client.post("/api/v1/auth/token", json=body)
    assert answer.status_code == 500
    crash = next(line for line in map(json.loads, lines.written) if line["level"] == "error")
    assert crash["request_id"] == answer.headers["x-request-id"]
    assert "IntegrityError" in crash["exception"]
    assert "token=***" in crash["exception"]


class FullDisk:
    """A file on a disk that is full for a while."""

    def __init__(self) -> None:
        self.full, self.text = True, ""

    def write(self, text: str) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.text += text

    def flush(self) -> None:
        pass


def test_lines_that_cannot_be_written_are_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    disk, handler = FullDisk(), Stderr()
    monkeypatch.setattr(Stderr, "stream", disk)
    for _ in range(3):
        handler.emit(logging.makeLogRecord({"msg": "lost"}))
    disk.full = False
    handler.emit(logging.makeLogRecord({"msg": "written"}))
    handler.emit(logging.makeLogRecord({"msg": "written too"}))
    assert disk.text == "written\n3 log lines could not be written\nwritten too\n"
    assert "Logging error" not in capsys.readouterr().err


def test_terminals_get_words() -> None:
    handler = Lines("console")
    logger = logging.getLogger("a.library")
    logger.addHandler(handler)
    with structlog.contextvars.bound_contextvars(job_id=7):
        logger.warning("%d films", 3)
    logger.removeHandler(handler)
    assert "3 films" in handler.written[0]
    assert "job_id" in handler.written[0]
