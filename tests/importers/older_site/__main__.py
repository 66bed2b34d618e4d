"""Build the site that the arguments name."""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from psycopg.conninfo import conninfo_to_dict


def main(site: str, folder: Path, users: int, database: str | None) -> None:
    os.environ["OLDER_SITE"] = site
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "older_site"],
        DATABASES={"default": engine(folder, database)},
        AUTH_USER_MODEL="older_site.User",
        PASSWORD_HASHERS=["older_site.base.FewIterations"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SILENCED_SYSTEM_CHECKS=["fields.E210"],  # Pillow is for forms only
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", "auth", verbosity=0)  # first: accounts refer to its groups
    call_command("migrate", run_syncdb=True, verbosity=0)
    models = import_module(f"older_site.{site}")
    with transaction.atomic():
        models.fill(users)
    call_command("dumpdata", output=str(folder / "dump.json"), verbosity=0)


def engine(folder: Path, database: str | None) -> dict[str, Any]:
    if database is None:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "site.sqlite3")}
    given = conninfo_to_dict(database)
    name = given.pop("dbname")
    return {"ENGINE": "django.db.backends.postgresql", "NAME": name, "OPTIONS": given}


if __name__ == "__main__":
    site, folder, users, *database = sys.argv[1:]
    main(site, Path(folder), int(users), database[0] if database else None)
