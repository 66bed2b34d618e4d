"""What importing the application loads, and what it registers."""

import subprocess
import sys

SHOW = """
from videoflix.platform.queue.cron import schedules
from videoflix.platform.queue.registry import failure_callbacks, retry_callbacks
print(sorted(schedules), sorted(failure_callbacks), sorted(retry_callbacks))
"""


def run(program: str) -> str:
    """What a new interpreter prints."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_application_knows_every_schedule_and_callback_without_handlers() -> None:
    of_app = run(f"import videoflix.app\n{SHOW}")
    assert "media.reconcile" in of_app
    assert of_app == run(f"import videoflix.worker\n{SHOW}")
    loaded = run("import sys, videoflix.app; print(*sys.modules)").split()
    handlers = [name for name in loaded if name.startswith("videoflix.") and ".jobs" in name]
    assert handlers == []
    assert "videoflix.worker" not in loaded


def test_libraries_that_are_rarely_needed_are_not_loaded() -> None:
    """They cost each API process seconds of start-up and tens of megabytes."""
    heavy = {"fpdf", "fontTools", "PIL", "av", "httpx", "pytest"}
    loaded = set(run("import sys, videoflix.app; print(*sys.modules)").split())
    assert "litestar" in loaded
    assert heavy & loaded == set()
