"""Asks a child process (bootstrap_child.py) to make the database ready, and reads its answer.

A child, because this needs the whole application in memory, which `up` itself does not.
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
    """What the database should have when it is ready, besides the newest schema."""

    admin_email: str
    admin_password: str  # of the administrator who is made when there is none
    hand_back_jobs: bool  # whether we know that no worker is alive


class BootstrapResult(msgspec.Struct):
    """What was done, and a token to speak to the API as an administrator, if there is one.

    `first_start`: the first administrator can sign in with the password we wished for.
    """

    first_start: bool
    jobs_handed_back: int
    token: str | None


class BootstrapFailed(Exception):
    """The database could not be made ready; the message is what the child said."""


async def bootstrap(
    wishes: BootstrapRequest, environment: Mapping[str, str], force_stop: asyncio.Event
) -> BootstrapResult:
    """Migrate and the rest. Raises BootstrapFailed."""
    process = await asyncio.create_subprocess_exec(
        *with_parent_death_signal([*PYTHON, "-m", "videoflix.up.bootstrap_child"], signal.SIGKILL),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    try:
        answer, complaint = await process.communicate(msgspec.json.encode(wishes))
    finally:
        await end(process, force_stop)
    if process.returncode != 0:
        raise BootstrapFailed(complaint.decode(errors="replace").strip())
    sys.stderr.write(complaint.decode(errors="replace"))
    return msgspec.json.decode(answer.splitlines()[-1], type=BootstrapResult)
