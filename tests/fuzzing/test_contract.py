"""Schemathesis reads the OpenAPI document and tries everything it says, as four kinds of people.

All checks are on, except that a new category may lack its picture: schemathesis.toml says what is
expected, and why. By default each role sends the same requests every time, and what is at the
edges of the schema is sent by owners only, who reach all handlers; others would mostly be refused
before anything is read. FUZZ_SECONDS=450 makes it half an hour in all, with everything for every
role, of requests that differ from run to run; a failure names the seed.
"""

import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api_process import Server, serving
from conftest import PASSWORD
from videoflix.accounts.service import Accounts
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.session import transaction
from videoflix.platform.storage.media_storage import media_storage

pytestmark = pytest.mark.journey

SECONDS = int(os.environ.get("FUZZ_SECONDS", "0"))
HERE = Path(__file__).parent
ROLES = (None, Role.VIEWER, Role.EDITOR, Role.OWNER)


@pytest.fixture
async def server(committed: None) -> AsyncIterator[Server]:
    before = set(await media_storage().keys(""))
    with serving(METRICS_TOKEN="a-token-for-tests") as running:
        yield running
    await media_storage().delete(
        [key for key in await media_storage().keys("") if key not in before]
    )


async def user_of(role: Role) -> int:
    async with transaction() as session:
        user = await Accounts(session).create_user(
            email=f"{role}@example.org", password=PASSWORD, role=role
        )
        return user.id


async def test_the_api_is_what_its_description_says(server: Server, tmp_path: Path) -> None:
    failed = []
    for number, role in enumerate(ROLES):
        environment = os.environ | {"SCHEMATHESIS_HOOKS": str(HERE / "hooks.py")}
        if role is not None:
            environment |= {"FUZZ_ROLE": role, "FUZZ_USER_ID": str(await user_of(role))}
        seed = random.randrange(2**32) if SECONDS else number
        command = command_for(server, seed)
        if not SECONDS and role is not Role.OWNER:
            command.append("--phases=examples,fuzzing,stateful")
        code, said = run(command, tmp_path, environment)
        if code != 0:
            failed.append(f"as {role or 'a stranger'}, seed {seed}:\n{said}")
    assert not failed, "\n".join(failed)
    assert server.process.is_running()


def command_for(server: Server, seed: int) -> list[str]:
    """Ends after so many seconds, or without FUZZ_SECONDS after so many examples."""
    return [
        str(Path(sys.executable).with_name("st")),
        f"--config-file={HERE / 'schemathesis.toml'}",
        "run",
        f"{server.url}/schema/openapi.json",
        "--checks=all",
        "--exclude-path-regex=/events$",  # streams without an end
        f"--seed={seed}",
        "--generation-database=none",
        *([f"--max-time={SECONDS}"] if SECONDS else []),
        f"--max-examples={max(3, SECONDS // 10)}",
        "--request-timeout=30",
        "--no-color",
        "--warnings=off",
    ]


def run(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """How a program ended, and the last of what it said."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout[-20_000:] + done.stderr
