"""Alembic's entry: one history for our tables and for procrastinate's."""

import asyncio

from advanced_alchemy.base import metadata_registry
from alembic import context
from sqlalchemy import NullPool
from sqlalchemy.engine import Connection

from videoflix.accounts import models as accounts_models
from videoflix.audit import models as audit_models
from videoflix.backup import models as backup_models
from videoflix.billing import models as billing_models
from videoflix.catalog import models as catalog_models
from videoflix.importers import models as importer_models
from videoflix.library import models as library_models
from videoflix.media import models as media_models
from videoflix.memberships import models as membership_models
from videoflix.movies import models as movie_models
from videoflix.platform.http import idempotency as idempotency_models
from videoflix.platform.mail import models as mail_models
from videoflix.platform.postgres.engine import new_engine
from videoflix.platform.queue import cron as cron_models
from videoflix.platform.queue import incidents as incident_models
from videoflix.platform.rate_limit import bucket as rate_limit_models
from videoflix.platform.storage import installation as installation_models
from videoflix.playback import models as playback_models
from videoflix.profiles import models as profile_models
from videoflix.registration import models as registration_models
from videoflix.sessions import models as session_models
from videoflix.uploads import models as upload_models
from videoflix.webhooks import models as webhook_models

MODELS = [
    accounts_models,
    audit_models,
    billing_models,
    catalog_models,
    cron_models,
    importer_models,
    incident_models,
    installation_models,
    library_models,
    mail_models,
    idempotency_models,
    media_models,
    membership_models,
    movie_models,
    backup_models,
    playback_models,
    profile_models,
    registration_models,
    session_models,
    rate_limit_models,
    upload_models,
    webhook_models,
]


def include_name(name: str | None, kind: str, parents: object) -> bool:
    """Autogenerate must not drop the queue's tables and the partitions: they have no model."""
    return kind != "table" or not (name or "").startswith(("procrastinate_", "video_view_"))


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata_registry.get(None),
        include_name=include_name,
        version_table="schema_version",
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def main() -> None:
    engine = new_engine(direct=True, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(main())
