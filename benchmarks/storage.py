"""How often a film's source is read from a bucket while it is encoded, on one machine.

    uv run python benchmarks/storage.py [SECONDS]

Ends with 1 when the goal is missed. Counts bytes and requests, so other load does not matter.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[0] = str(ROOT)
sys.path.append(str(ROOT / "tests"))

import os
import subprocess
import tempfile

from benchmarks.serving import postgres, verdict
from media.clips import make_clip
from media.test_bucket_outage import BucketSite
from refusing_proxy import RefusingProxy, refusing_proxy
from s3_server import running_s3
from videoflix.settings import Settings

SECONDS = 120.0
WORKERS = 2
# Reads of the source in bytes, as a multiple of its size.
LIMIT = 1.2
POSTER = """
select 1 from procrastinate_jobs where task_name = 'media.make_poster' and status <> 'succeeded'
"""


def measure(site: BucketSite, bucket: RefusingProxy, seconds: float) -> bool:
    clip = make_clip(site.home / "long.mp4", seconds=seconds, size="160x90")
    site.clip = clip.read_bytes()
    for _ in range(WORKERS):
        site.start()
    site.upload(1)
    site.until_ready()
    site.until(lambda: site.ask(POSTER) == [])
    [(chunks,)] = site.ask("select count(*) from media_chunk")
    source = [size for method, path, size in bucket.served if "/source" in path and method == "GET"]
    print(f"a film of {seconds:.0f} s in {chunks} chunks, {WORKERS} workers")
    print(f"  requests for its source: {len(source)}, for everything: {len(bucket.served)}")
    ratio = sum(source) / len(site.clip)
    return verdict("bytes read of the source / its size", ratio, LIMIT, ratio <= LIMIT)


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with (
        tempfile.TemporaryDirectory() as home,
        tempfile.TemporaryDirectory() as tools,
        running_s3() as s3,
        refusing_proxy(s3, "/assets/") as bucket,
    ):
        Path(home).chmod(0o711)
        with postgres(home):
            command = [sys.executable, "-m", "videoflix.cli", "migrate"]
            environment = os.environ | {"VIDEOFLIX_HOME": home}
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            site = BucketSite(
                Settings(videoflix_home=Path(home)).database_dsn,
                Path(home),
                Path(tools),
                s3=s3,
                proxy=bucket,
            )
            try:
                return 0 if measure(site, bucket, seconds) else 1
            finally:
                site.stop()


if __name__ == "__main__":
    sys.exit(main())
