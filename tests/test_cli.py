"""The commands of an operator, ours and Litestar's."""

import asyncio
import os
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner
from litestar import Litestar
from litestar.cli.main import litestar_group
from sqlalchemy import text

from conftest import http_client
from videoflix import cli
from videoflix.accounts.service import Accounts
from videoflix.cli import main
from videoflix.platform.postgres.session import transaction

PASSWORD = "correct horse battery staple"
CREATE = ["users", "create-admin", "boss@example.org"]


def videoflix(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "videoflix.cli", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def test_help_needs_no_settings() -> None:
    done = videoflix("--help", X264_CRF="wrong")
    assert done.returncode == 0
    for command in ("up", "migrate", "worker", "users"):
        assert re.search(rf"^  {command} ", done.stdout, re.MULTILINE)


def test_up_does_not_load_the_application() -> None:
    program = "import sys, videoflix.up.run; print({'litestar', 'sqlalchemy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_litestars_commands_work_on_our_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LITESTAR_APP", raising=False)
    done = CliRunner().invoke(main, ["routes"])
    assert done.exit_code == 0
    assert "/api/v1/videos" in done.output


def test_litestar_shows_our_commands() -> None:
    done = CliRunner().invoke(litestar_group, ["--app", cli.APP, "worker", "--help"])
    assert done.exit_code == 0
    assert "--role" in done.output


def test_an_unknown_command_is_named() -> None:
    done = CliRunner().invoke(main, ["dance"])
    assert done.exit_code == 2
    assert "No such command 'dance'" in done.output


def test_a_database_that_is_away_is_told_in_a_sentence() -> None:
    done = videoflix("migrate", DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert done.returncode == 1
    assert "database in DATABASE_URL is not available" in done.stderr
    assert "Traceback" not in done.stderr


async def the_boss_signs_in() -> bool:
    async with transaction() as session:
        boss = await Accounts(session).authenticate("boss@example.org", PASSWORD)
        sent = await session.execute(text("select recipient from mail"))
        return boss.role == "admin" and sent.scalar_one() == "boss@example.org"


def test_create_admin_reads_the_password_from_the_environment(committed: None) -> None:
    done = CliRunner().invoke(main, CREATE, env={"VIDEOFLIX_PASSWORD": PASSWORD})
    assert done.exit_code == 0, done.output
    assert asyncio.run(the_boss_signs_in())


def test_create_admin_reads_the_password_from_standard_input(committed: None) -> None:
    done = CliRunner().invoke(main, [*CREATE, "--password-stdin"], input=f"{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    assert asyncio.run(the_boss_signs_in())


def test_create_admin_asks_for_the_password_twice(committed: None) -> None:
    done = CliRunner().invoke(main, CREATE, input=f"{PASSWORD}\n{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    assert PASSWORD not in done.output
    assert asyncio.run(the_boss_signs_in())


def test_create_admin_takes_no_password_as_an_argument() -> None:
    done = CliRunner().invoke(main, [*CREATE, "--password", PASSWORD])
    assert done.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "password", "sentence"),
    [
        (CREATE, "", "The password is empty"),
        (CREATE, "short", "length >= 8"),
        ([*CREATE[:2], "nobody"], PASSWORD, "email"),
    ],
)
def test_create_admin_says_what_is_wrong(
    database: None, arguments: list[str], password: str, sentence: str
) -> None:
    done = CliRunner().invoke(main, [*arguments, "--password-stdin"], input=f"{password}\n")
    assert done.exit_code != 0
    assert sentence in done.output
    assert "Traceback" not in done.output


def test_create_admin_refuses_a_taken_address(committed: None) -> None:
    for expected in (0, 1):
        done = CliRunner().invoke(main, CREATE, env={"VIDEOFLIX_PASSWORD": PASSWORD})
        assert done.exit_code == expected
    assert "boss@example.org already has an account" in done.output


def test_create_admin_on_another_schema_shows_nothing_of_the_row(committed: None) -> None:
    """As on a database that was only half upgraded."""
    asyncio.run(execute("alter table user_account add column half_way text not null"))
    try:
        done = videoflix(*CREATE, VIDEOFLIX_PASSWORD=PASSWORD)
    finally:
        asyncio.run(execute("alter table user_account drop column half_way"))
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "Error: The database schema does not match this release. Run `videoflix migrate`."
    )


async def execute(statement: str) -> None:
    async with transaction() as session:
        await session.execute(text(statement))


def test_users_are_listed_and_switched_off(committed: None) -> None:
    CliRunner().invoke(main, CREATE, env={"VIDEOFLIX_PASSWORD": PASSWORD})
    other = [*CREATE[:2], "other@example.org", "--first-name", "Olga"]
    CliRunner().invoke(main, other, env={"VIDEOFLIX_PASSWORD": PASSWORD})
    off = CliRunner().invoke(main, ["users", "deactivate", "Boss@Example.org"])
    assert off.exit_code == 0, off.output
    listed = CliRunner().invoke(main, ["users", "list"], env={"COLUMNS": "120"})
    assert re.search(r"boss@example.org .*admin .*deactivated", listed.output)
    assert re.search(r"other@example.org .*Olga .*admin .*active", listed.output)


def test_a_lost_password_is_replaced(committed: None, app: Litestar) -> None:
    CliRunner().invoke(main, CREATE, env={"VIDEOFLIX_PASSWORD": PASSWORD})
    command = ["users", "password", "Boss@Example.org", "--password-stdin"]
    weak = CliRunner().invoke(main, command, input="password\n")
    assert (weak.exit_code, "too common" in weak.output) == (1, True)
    done = CliRunner().invoke(main, command, input="a second good password\n")
    assert done.exit_code == 0, done.output

    async def statuses() -> list[int]:
        async with http_client(app) as client:
            return [
                (
                    await client.post(
                        "/api/v1/auth/token", json={"email": CREATE[2], "password": password}
                    )
                ).status_code
                for password in (PASSWORD, "a second good password")
            ]

    assert asyncio.run(statuses()) == [401, 200]
    unknown = ["users", "password", "x@example.org"]
    nobody = CliRunner().invoke(main, unknown, env={"VIDEOFLIX_PASSWORD": PASSWORD})
    assert (nobody.exit_code, "No user has" in nobody.output) == (1, True)


@pytest.mark.parametrize(
    ("email", "sentence"),
    [
        ("nobody@example.org", "No user has the e-mail address"),
        ("boss@example.org", "add another one"),
    ],
)
def test_deactivate_says_what_is_wrong(committed: None, email: str, sentence: str) -> None:
    CliRunner().invoke(main, CREATE, env={"VIDEOFLIX_PASSWORD": PASSWORD})
    done = CliRunner().invoke(main, ["users", "deactivate", email])
    assert done.exit_code == 1
    assert sentence in done.output


def test_owners_come_from_the_command_line(committed: None) -> None:
    made = CliRunner().invoke(main, [*CREATE, "--owner"], env={"VIDEOFLIX_PASSWORD": PASSWORD})
    assert made.exit_code == 0, made.output
    other = [*CREATE[:2], "other@example.org"]
    CliRunner().invoke(main, other, env={"VIDEOFLIX_PASSWORD": PASSWORD})
    changed = CliRunner().invoke(main, ["users", "role", "other@example.org", "viewer"])
    assert changed.exit_code == 0, changed.output
    listed = CliRunner().invoke(main, ["users", "list"], env={"COLUMNS": "120"})
    assert re.search(r"boss@example.org .*owner", listed.output)
    assert re.search(r"other@example.org .*viewer", listed.output)
