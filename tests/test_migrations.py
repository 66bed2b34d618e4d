"""The migration history ends where the models and the installed procrastinate are."""

import asyncio
import os
import subprocess
import sys
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from advanced_alchemy.alembic.commands import AlembicCommands
from procrastinate.schema import SchemaManager

from videoflix.media.segment_index import unpack
from videoflix.platform.postgres.session import alchemy
from videoflix.settings import settings

QUEUE_SCHEMA = """
select 'column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
         || ' ' || coalesce(column_default, '') as line
  from information_schema.columns where table_name like 'procrastinate%'
union all select 'index ' || indexdef from pg_indexes where tablename like 'procrastinate%'
           and indexname not like 'videoflix%'
union all select 'function ' || pg_get_functiondef(oid) from pg_proc
           where proname like 'procrastinate%'
union all select 'trigger ' || pg_get_triggerdef(oid) from pg_trigger
           where not tgisinternal and tgrelid::regclass::text like 'procrastinate%'
             and tgname not like 'videoflix%'
union all select 'enum ' || enumtypid::regtype || '.' || enumlabel from pg_enum
           where enumtypid::regtype::text like 'procrastinate%'
union all select 'constraint ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
           where conrelid::regclass::text like 'procrastinate%'
order by 1
"""

ONE_PART = """
insert into video (id, title, description, state, playable, progress, qualities, created_at,
                   updated_at) values (1, 'Film', '', 'ready', true, 1, '{{}}', now(), now());
insert into media_asset (id, video_id, state, folder, source_key, source_name, source_bytes,
                         source_sha256, created_at, updated_at)
values (1, 1, 'ready', 'a', 'a/source', 'a.mp4', 1, '', now(), now());
insert into media_rendition (id, asset_id, name, kind, max_bitrate, created_at, updated_at)
values (1, 1, '720p', 'video', 1, now(), now());
insert into media_part (id, rendition_id, chunk_index, key, codec, timescale, init_length,
                        init_sha256, segments, created_at, updated_at)
values (1, 1, 0, 'a/b', 'avc1', 24000, 800, '', '{segments}', now(), now())
"""


@pytest.fixture
def commands(database: None) -> AlembicCommands:
    return AlembicCommands(sqlalchemy_config=alchemy)


def test_models_need_no_further_migration(commands: AlembicCommands) -> None:
    commands.check()


async def test_queue_is_what_the_installed_procrastinate_expects(database: None) -> None:
    server = await asyncpg.connect(settings.database_dsn)
    migrated = [row["line"] for row in await server.fetch(QUEUE_SCHEMA)]
    await server.execute("create database plain_queue template template0")
    plain = await asyncpg.connect(settings.database_dsn, database="plain_queue")
    await plain.execute(SchemaManager.get_schema())
    expected = [row["line"] for row in await plain.fetch(QUEUE_SCHEMA)]
    await plain.close()
    await server.execute("drop database plain_queue")
    await server.close()
    assert len(expected) > 50
    assert migrated == expected


async def test_every_migration_can_be_undone(database: None) -> None:
    """All the way down and up again, on a database of its own."""
    server = await asyncpg.connect(settings.database_dsn)
    await server.execute("create database down_and_up template template0")
    url = urlunsplit(urlsplit(settings.database_dsn)._replace(path="/down_and_up"))
    script = (
        "from advanced_alchemy.alembic.commands import AlembicCommands\n"
        "from videoflix.platform.postgres.session import alchemy\n"
        "commands = AlembicCommands(sqlalchemy_config=alchemy)\n"
        "commands.upgrade(); commands.downgrade('base'); commands.upgrade(); commands.check()\n"
    )
    environment = os.environ | {"DATABASE_URL": url}
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], env=environment, capture_output=True
    )
    await server.execute("drop database down_and_up with (force)")
    await server.close()
    assert done.returncode == 0, done.stderr.decode()


async def test_accounts_that_share_an_address_are_kept_and_reported(database: None) -> None:
    """Addresses that were two accounts, and are one address now."""
    server = await asyncpg.connect(settings.database_dsn)
    await server.execute("create database shared_addresses template template0")
    url = urlunsplit(urlsplit(settings.database_dsn)._replace(path="/shared_addresses"))
    people = "λογος@x.org λογοσ@x.org ada@bücher.example ada@xn--bcher-kva.example bob@x.org"
    script = (
        "import asyncio, asyncpg, os\n"
        "from advanced_alchemy.alembic.commands import AlembicCommands\n"
        "from videoflix.platform.postgres.session import alchemy\n"
        "commands = AlembicCommands(sqlalchemy_config=alchemy)\n"
        "async def fill():\n"
        "    base = await asyncpg.connect(os.environ['DATABASE_URL'])\n"
        f"    for email in '{people}'.split():\n"
        "        await base.execute('insert into user_account (email, first_name, last_name,'"
        " ' phone, address, language, password_hash, role, is_active, is_guest,'"
        " ' created_at, updated_at,'"
        " \" confirmed_at) values ($1, '', '', '', '', 'en', 'h', 'viewer', true, false, now(),\""
        " ' now(), now())', email)\n"
        "commands.upgrade('0028'); asyncio.run(fill()); commands.upgrade()\n"
    )
    environment = os.environ | {"DATABASE_URL": url}
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    base = await asyncpg.connect(url)
    keys = [row["email_key"] for row in await base.fetch("select * from user_account order by id")]
    told = await base.fetch("select * from security_event where kind = 'address-collision'")
    await base.close()
    await server.execute("drop database shared_addresses with (force)")
    await server.close()
    assert keys == [
        "λογοσ@x.org",
        "λογοσ@x.org #2",
        "ada@bücher.example",
        "ada@bücher.example #4",
        "bob@x.org",
    ]
    assert [row["user_id"] for row in told] == [2, 4]
    assert "account 1" in told[0]["detail"]


async def test_segments_survive_the_way_down_and_up(database: None) -> None:
    """What was listed as JSON is packed, and unpacked again, without a difference."""
    server = await asyncpg.connect(settings.database_dsn)
    await server.execute("create database listed_and_packed template template0")
    url = urlunsplit(urlsplit(settings.database_dsn)._replace(path="/listed_and_packed"))
    environment = os.environ | {"DATABASE_URL": url}

    async def migrate(command: str) -> None:
        script = (
            "from advanced_alchemy.alembic.commands import AlembicCommands\n"
            "from videoflix.platform.postgres.session import alchemy\n"
            f"AlembicCommands(sqlalchemy_config=alchemy).{command}\n"
        )
        run = [sys.executable, "-c", script]
        done = await asyncio.to_thread(subprocess.run, run, env=environment, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()

    await migrate("upgrade('0030')")
    listed = "[[96096, 800, 500000], [48048, 5000000000, 70000]]"
    own = await asyncpg.connect(settings.database_dsn, database="listed_and_packed")
    await own.execute(ONE_PART.format(segments=listed))
    await migrate("upgrade('0031')")
    packed = await own.fetchval("select segments from media_part")
    assert unpack(packed) == ((96096, 800, 500000), (48048, 5000000000, 70000))
    await migrate("downgrade('0030')")
    assert await own.fetchval("select segments::text from media_part") == listed
    await own.close()
    await server.execute("drop database listed_and_packed with (force)")
    await server.close()
