"""Run a child process (bootstrap_child.py) that prepares the database.

In a child, because this loads the whole application, which `up` itself does not need.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping

import msgspec

from videoflix.platform.process.parent_death import with_parent_death_signal
from videoflix.up.supervisor import PYTHON, end


class BootstrapRequest(msgspec.Struct):
    """What the database needs besides the current schema."""

    admin_email: str
    admin_password: str  # of the owner, who is created if there is no administrator
    hand_back_jobs: bool  # only if no worker can be alive


class BootstrapResult(msgspec.Struct):
    """What was done, and an administrator's access token for the API, if there is one.

    `first_start`: the administrator can sign in with the requested password.
    """

    first_start: bool
    jobs_handed_back: int
    token: str | None


class BootstrapFailed(Exception):
    """The database could not be prepared; the message is the child's error output."""


async def bootstrap(
    request: BootstrapRequest, environment: Mapping[str, str], force_stop: asyncio.Event
) -> BootstrapResult:
    """Upgrade the schema and prepare the database. Raises BootstrapFailed."""
    process = await asyncio.create_subprocess_exec(
        *with_parent_death_signal([*PYTHON, "-m", "videoflix.up.bootstrap_child"], signal.SIGKILL),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    try:
        output, errors = await process.communicate(msgspec.json.encode(request))
    finally:
        await end(process, force_stop)
    if process.returncode != 0:
        raise BootstrapFailed(errors.decode(errors="replace").strip())
    sys.stderr.write(errors.decode(errors="replace"))
    return msgspec.json.decode(output.splitlines()[-1], type=BootstrapResult)
