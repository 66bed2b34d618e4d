"""Encodes chunks and sound with ffmpeg, and believes only what the files prove (fmp4.py)."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from fractions import Fraction
from pathlib import Path

from videoflix.media.ffmpeg import base_command, input_options, limits
from videoflix.media.fmp4 import BrokenOutput, Index, index_audio, index_video, shift
from videoflix.media.ladder import Rung
from videoflix.media.plan import Plan, Span
from videoflix.platform.processes import ProcessFailed, run
from videoflix.platform.storage import StorageFull
from videoflix.settings import settings

OnFrames = Callable[[int], Awaitable[None]]

# Pictures repeated at most at the film's end, where rounding may leave one short.
PADDING_FRAMES = 3
SAMPLE_RATE = 48_000
# FFmpeg's AAC encoder begins with so many samples of its own (ISO/IEC 14496-3, priming).
PRIMING_SAMPLES = 1024
SPACE_LOW_BYTES = 16 * 1024 * 1024

# Chunks run side by side, and ffmpeg runs decoder, filters and encoders side by side already:
# more threads in each would only cost.
ONE_THREAD = ["-filter_complex_threads", "1", "-threads", "1"]
FRAGMENTED = "+empty_moov+default_base_moof+negative_cts_offsets"
CLEAN = ["-map_metadata", "-1", "-map_chapters", "-1", "-sn", "-dn"]
TONE_MAP = (
    "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"
    "zscale=t=bt709:m=bt709:r=tv"
)


async def encode_chunk(
    source: Path, plan: Plan, span: Span, folder: Path, on_frames: OnFrames
) -> dict[str, Index]:
    """Encode a span into every rung, `folder/<rung>.mp4`, and prove the files.

    `on_frames` hears how many of the span's frames are encoded. Raises BrokenOutput,
    ProcessFailed, or StorageFull when the scratch disk is.
    """
    command = [
        *base_command(),
        *ONE_THREAD,
        *_seek(span),
        *input_options(source),
        "-filter_complex", _filters(plan, span),
        *(option for rung in plan.rungs for option in _output(plan, rung, folder)),
    ]  # fmt: skip

    async def on_line(line: str) -> None:
        key, _, value = line.partition("=")
        if key == "frame" and value.strip().isdigit():
            await on_frames(min(int(value), span.frame_count))

    await _run(command, float(span.frame_count / plan.frame_rate), folder, on_line)
    start = span.first_frame * plan.frame_ticks
    return await asyncio.to_thread(_prove, plan, span, folder, start)


async def encode_audio(source: Path, plan: Plan, folder: Path) -> Index:
    """Encode the film's sound, `folder/audio.mp4`, as long as its picture, and prove the file."""
    file = folder / "audio.mp4"
    command = [
        *base_command(),
        "-copyts",
        *input_options(source),
        "-map", "0:a:0", "-vn", *CLEAN,
        "-af", _audio_filters(plan),
        "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", str(SAMPLE_RATE),
        "-avoid_negative_ts", "disabled",
        "-f", "mp4", "-frag_duration", str(round(_segment_seconds(plan) * 1_000_000)),
        "-movflags", FRAGMENTED,
        f"file:{file}",
    ]  # fmt: skip
    await _run(command, plan.duration, folder, None)
    return await asyncio.to_thread(index_audio, file, plan)


async def _run(
    command: list[str],
    media_seconds: float,
    folder: Path,
    on_line: Callable[[str], Awaitable[None]] | None,
) -> None:
    """Raises StorageFull rather than ProcessFailed when the disk is the reason."""
    try:
        await run(command, limits(media_seconds), on_line or _ignore)
    except ProcessFailed as error:
        if "No space left" in error.log:
            raise StorageFull from error
        raise


async def _ignore(line: str) -> None:
    """Progress nobody asked for."""


def _prove(plan: Plan, span: Span, folder: Path, start: int) -> dict[str, Index]:
    found: dict[str, Index] = {}
    try:
        for rung in plan.rungs:
            file = folder / f"{rung.name}.mp4"
            shift(file, start)
            found[rung.name] = index_video(file, plan, span)
    except (BrokenOutput, FileNotFoundError) as error:
        if shutil.disk_usage(folder).free < SPACE_LOW_BYTES:
            raise StorageFull from error
        raise
    return found


def _seek(span: Span) -> list[str]:
    """Keep the source's time stamps, and begin at the span's key frame."""
    if span.entry is None:
        return ["-copyts"]
    return ["-copyts", "-seek_timestamp", "1", "-ss", f"{span.entry:.6f}"]


def _filters(plan: Plan, span: Span) -> str:
    """One decode, then a cascade: each rung is scaled from the next larger one.

    The grid counts from the film's first picture whatever the span, so that a chunk holds the
    same pictures as an encode of the whole film would.
    """
    end = span.first_frame + span.frame_count
    rate = f"{plan.frame_rate_num}/{plan.frame_rate_den}"
    steps = [
        *(["bwdif=mode=send_frame:deint=interlaced"] if plan.interlaced else []),
        f"setpts=PTS-({plan.origin})/TB",
        f"fps={rate}",
        f"tpad=stop_mode=clone:stop={PADDING_FRAMES}",
        f"trim=start_pts={span.first_frame}:end_pts={end}",
        f"setpts=PTS-{span.first_frame}",
        *([TONE_MAP] if plan.hdr else []),
    ]
    chain = "[0:V:0]" + ",".join(steps) + ","
    for rung, smaller in zip(plan.rungs, [*plan.rungs[1:], None], strict=True):
        scale = f"scale={rung.width}:{rung.height}:flags=lanczos:out_range=tv"
        chain += f"{scale},format=yuv420p,setsar=1"
        chain += f",split=2[{rung.name}][{rung.name}n];[{rung.name}n]" if smaller else ""
    return f"{chain}[{plan.rungs[-1].name}]"


def _output(plan: Plan, rung: Rung, folder: Path) -> list[str]:
    colours = ["-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709"]
    return [
        "-map", f"[{rung.name}]", *CLEAN,
        "-c:v", "libx264", "-preset", settings.x264_preset, "-crf", str(settings.x264_crf),
        "-maxrate", str(rung.max_bitrate), "-bufsize", str(rung.max_bitrate),
        "-threads", "1",
        "-force_key_frames", f"expr:eq(mod(n,{plan.segment_frames}),0)",
        "-g", str(2 * plan.segment_frames), "-flags", "+cgop",
        *colours,
        "-avoid_negative_ts", "disabled",
        "-video_track_timescale", str(plan.timescale),
        "-f", "mp4", "-movflags", f"+frag_keyframe{FRAGMENTED}",
        f"file:{folder / rung.name}.mp4",
    ]  # fmt: skip


def _audio_filters(plan: Plan) -> str:
    """Sound on the picture's clock: gaps become silence, and it ends with the picture.

    The encoder's priming takes the place of the first samples, so the rest is on time without
    an edit list, which not every player honours.
    """
    samples = round(plan.duration * SAMPLE_RATE)
    return ",".join(
        [
            f"asetpts=PTS-({plan.origin})/TB",
            f"aresample={SAMPLE_RATE}:async=1:first_pts=0",
            f"apad=whole_len={samples}",
            f"atrim=start_sample={PRIMING_SAMPLES}:end_sample={samples}",
            f"asetpts=PTS-{PRIMING_SAMPLES}",
        ]
    )


def _segment_seconds(plan: Plan) -> Fraction:
    return plan.segment_frames / plan.frame_rate
