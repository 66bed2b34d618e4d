"""`videoflix videos`: status, cancel, encode-again."""

import asyncio
import json

import pytest
from click.testing import CliRunner, Result

from factories import PROCESSING, AssetFactory, VideoFactory, create
from videoflix.cli import main
from videoflix.media.models import AssetState, TrackKind
from videoflix.media.schemas import EncodingRead, TrackProgress
from videoflix.platform.postgres.session import transaction
from videoflix.up.videos import describe, duration_of


def videoflix(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["videos", *arguments])


async def add_film() -> int:
    async with transaction() as session:
        video = await create(session, VideoFactory, **PROCESSING)
        await create(session, AssetFactory, video_id=video.id)
        return int(video.id)


@pytest.fixture
def film(committed: None) -> str:
    return str(asyncio.run(add_film()))


def test_status(film: str) -> None:
    shown = videoflix("status", film)
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith(f"Video {film}: ")
    found = json.loads(videoflix("status", film, "--json").output)
    assert found["video_id"] == int(film)


def test_cancelled_film_has_failed(film: str) -> None:
    assert videoflix("cancel", film).exit_code == 0
    watched = videoflix("status", film, "--watch")
    assert watched.exit_code == 1
    assert "Processing was cancelled. Retry resumes it." in watched.output
    refused = videoflix("cancel", film)
    assert refused.exit_code == 1
    assert "nothing to cancel" in refused.output


def test_only_complete_films_are_encoded_again(film: str) -> None:
    refused = videoflix("encode-again", film)
    assert refused.exit_code == 1
    assert "is being processed" in refused.output


def test_progress_in_words() -> None:
    track = TrackProgress("720p", TrackKind.VIDEO, 1280, 720, None, None, None, 0.5, 12.0)
    sound = TrackProgress("audio", TrackKind.AUDIO, None, None, "de", "Kommentar", 2, 1.0, 24.0)
    found = EncodingRead(7, 9, AssetState.ENCODING, 0.5, None, None, 3725.0, 2, [track, sound])
    assert describe(found).splitlines() == [
        "Video 7: encoding, 50%, about 1 h 2 min left, 2 earlier films",
        "  720p     [############            ]  50%",
        "  audio    [########################] 100% de Kommentar",
    ]


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (61, "1 min 1 s"), (7322, "2 h 2 min")])
def test_durations(seconds: float, words: str) -> None:
    assert duration_of(seconds) == words
