"""Structured lines, read by people."""

import json

import pytest

from videoflix.up.log_format import readable


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("plain words", "plain words"),
        ("[1, 2]", "[1, 2]"),
        (
            json.dumps({"event": "forgot 3 mails", "level": "info", "job_id": 7, "logger": "x"}),
            "forgot 3 mails job_id=7",
        ),
        (
            json.dumps({"event": "broken", "level": "error", "exception": "Trace:\n  OSError"}),
            "error: broken\nTrace:\n  OSError",
        ),
        (json.dumps({"event": "job done", "job_id": 7, "level": "info"}), None),
        (json.dumps({"event": "request", "logger": "videoflix.access", "status": 200}), None),
    ],
)
def test_lines_become_words(line: str, words: str | None) -> None:
    assert readable(line) == words
