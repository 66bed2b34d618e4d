"""Asks a child process (bootstrap_child.py) to make the database ready, and reads its answer.

A child, because this needs the whole application in memory, which `up` itself does not.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping

import msgspec

from videoflix.platform.process.parent_death import tethered
from videoflix.up.supervisor import PYTHON, end


class Wishes(msgspec.Struct):
    """What the database should have when it is ready, besides the newest schema."""

    admin_email: str
    admin_password: str  # of the administrator who is made when there is none
    hand_back_jobs: bool  # whether we know that no worker is alive


class Prepared(msgspec.Struct):
    """What was done, and a token to speak to the API as an administrator, if there is one.

    `first_start`: the first administrator can sign in with the password we wished for.
    """

    first_start: bool
    jobs_handed_back: int
    token: str | None


class PreparationFailed(Exception):
    """The database could not be made ready; the message is what the child said."""


async def prepare(wishes: Wishes, environment: Mapping[str, str], hurry: asyncio.Event) -> Prepared:
    """Migrate and the rest. Raises PreparationFailed."""
    process = await asyncio.create_subprocess_exec(
        *tethered([*PYTHON, "-m", "videoflix.up.bootstrap_child"], signal.SIGKILL),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    try:
        answer, complaint = await process.communicate(msgspec.json.encode(wishes))
    finally:
        await end(process, hurry)
    if process.returncode != 0:
        raise PreparationFailed(complaint.decode(errors="replace").strip())
    sys.stderr.write(complaint.decode(errors="replace"))
    return msgspec.json.decode(answer.splitlines()[-1], type=Prepared)
