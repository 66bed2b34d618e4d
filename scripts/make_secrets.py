"""Makes the secrets that compose.yaml reads, as files below secrets/, and .env; what exists stays.

    python3 scripts/make_secrets.py

Needs nothing but Python. The folder is closed to others; the files are readable, because inside
the containers another account reads them.
"""

import json
import secrets
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "secrets"


def main(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    password = keep(folder / "postgres_password", secrets.token_urlsafe(32))
    keep(folder / "postgres_admin_password", secrets.token_urlsafe(32))
    keep(folder / "database_url", f"postgresql://videoflix:{password}@db/videoflix")
    keep(folder / "secret_key", secrets.token_urlsafe(48))
    keep(folder / "s3.json", json.dumps(s3_account(), indent=2))


def s3_account() -> dict[str, object]:
    """The one account of the optional S3 server."""
    keys = {"accessKey": "videoflix", "secretKey": secrets.token_urlsafe(32)}
    account = {"name": "videoflix", "credentials": [keys], "actions": ["Admin"]}
    return {"identities": [account]}


def keep(file: Path, new: str) -> str:
    """What the file holds, written if there is none yet."""
    if not file.exists():
        file.write_text(new)
        file.chmod(0o444)
        sys.stdout.write(f"made {file}\n")
    return file.read_text()


def settings_file(folder: Path) -> None:
    """Begin with the template: Compose wants a file .env, even an empty one."""
    file = folder / ".env"
    if not file.exists():
        file.write_text((folder / ".env.template").read_text())
        sys.stdout.write(f"made {file}\n")


if __name__ == "__main__":
    main(FOLDER if len(sys.argv) == 1 else Path(sys.argv[1]))
    if len(sys.argv) == 1:
        settings_file(FOLDER.parent)
