"""Makes people's words of the structured lines our processes log."""

from typing import Any

import msgspec

ACCESS = "videoflix.access"
JOB_DONE = "job done"
# Quotes inside a JSON string are escaped: nothing but the field itself looks like this.
REQUEST = f'"logger":"{ACCESS}"'
TOLD = {"event", "level", "logger", "timestamp", "exception", "request_id"}


def readable(line: str) -> str | None:
    """The line for a person; None for those that only the log file keeps: requests and jobs."""
    if REQUEST in line:  # most lines: decoding them took a third of the API's own time
        return None
    try:
        said = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return line
    if said.get("logger") == ACCESS or said.get("event") == JOB_DONE:
        return None
    level = str(said.get("level", ""))
    words = [f"{level}:"] if level not in {"", "info"} else []
    words.append(str(said.get("event", "")))
    words += [f"{name}={value}" for name, value in said.items() if name not in TOLD]
    return "\n".join([" ".join(words), *str(said.get("exception", "")).splitlines()])
