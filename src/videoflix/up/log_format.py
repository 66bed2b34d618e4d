"""Format structured log lines for the terminal."""

from typing import Any

import msgspec

ACCESS = "videoflix.access"
JOB_DONE = "job done"
# Quotes inside a JSON string are escaped, so only the field itself matches this.
REQUEST = f'"logger":"{ACCESS}"'
OMITTED = {"event", "level", "logger", "timestamp", "exception", "request_id"}


def readable(line: str) -> str | None:
    """Format a line; None for those that only go to the log file: requests and finished jobs."""
    if REQUEST in line:  # most lines: decoding them took a third of the API's own time
        return None
    try:
        record = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return line
    if record.get("logger") == ACCESS or record.get("event") == JOB_DONE:
        return None
    level = str(record.get("level", ""))
    parts = [f"{level}:"] if level not in {"", "info"} else []
    parts.append(str(record.get("event", "")))
    parts += [f"{name}={value}" for name, value in record.items() if name not in OMITTED]
    return "\n".join([" ".join(parts), *str(record.get("exception", "")).splitlines()])
