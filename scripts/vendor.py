"""Fetches the libraries of the built-in pages, and writes down what they are.

    uv run python scripts/vendor.py

Needs npm. Change a version here and in the pages that load it, run this, and commit the result.
"""

import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

VENDOR = Path(__file__).parents[1] / "src" / "videoflix" / "web" / "static" / "vendor"
LIBRARIES = [
    ("hls.js", "1.7.4", "Apache-2.0", ["dist/hls.min.js", "LICENSE"]),
    (
        "swagger-ui-dist",
        "5.35.0",
        "Apache-2.0",
        ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-ui-standalone-preset.js", "LICENSE"],
    ),
    ("redoc", "2.5.4", "MIT", ["bundles/redoc.standalone.js", "LICENSE"]),
]


def fetch(name: str, version: str, files: list[str]) -> dict[str, str]:
    """Unpack the named files into their folder; their SHA-256 by file name."""
    folder = VENDOR / f"{name}-{version}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with TemporaryDirectory() as work:
        packed = subprocess.run(
            ["npm", "pack", "--silent", f"{name}@{version}"],
            cwd=work, check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        with tarfile.open(Path(work) / packed) as archive:
            for file in files:
                member = archive.extractfile(f"package/{file}")
                if member is None:
                    raise FileNotFoundError(f"{name} {version} has no {file}")
                (folder / Path(file).name).write_bytes(member.read())
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


def main() -> None:
    manifest = [
        {"name": name, "version": version, "licence": licence, "files": fetch(name, version, files)}
        for name, version, licence, files in LIBRARIES
    ]
    (VENDOR / "vendor.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
