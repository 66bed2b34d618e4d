"""Commands as processes of their own, which can be limited and killed."""

import os
import subprocess
import sys
from collections.abc import Callable

from postgres import HOME

# Compiled once for all of them, whatever this machine does otherwise.
ENVIRONMENT = os.environ | {
    "PYTHONPYCACHEPREFIX": str(HOME / "compiled"),
    "PYTHONDONTWRITEBYTECODE": "",
}
MANY = """
insert into security_event (id, kind, address, device, detail, created_at, updated_at)
select nextval('security_event_id_seq'), 'signed-in', '192.0.2.1', repeat('d', 60),
       md5(n::text) || md5((-n)::text), now(), now() from generate_series(1, {count}) as n
"""


def start(*arguments: object, limit: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    """Start `videoflix …`."""
    return subprocess.Popen(
        [sys.executable, "-m", "videoflix.cli", *(str(part) for part in arguments)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=limit,  # noqa: PLW1509 - there are no threads here
    )
