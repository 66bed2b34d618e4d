"""FFmpeg filter graphs for a plan: frame grid, scaling, colours, audio."""

from videoflix.media.ladder import Rung
from videoflix.media.plan import ChunkSpec, EncodePlan

SAMPLE_RATE = 48_000
# Samples of encoder delay at the start of FFmpeg's AAC output (ISO/IEC 14496-3, priming).
PRIMING_SAMPLES = 1024

DEINTERLACE = "bwdif=mode=send_frame:deint=interlaced"
BT709 = "range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"

# From limited range BT.709 to full range BT.601, as JFIF demands.
JPEG = (
    "scale=in_color_matrix=bt709:in_range=tv:out_color_matrix=smpte170m:out_range=pc"
    ",format=yuvj420p"
)


def ladder(plan: EncodePlan, span: ChunkSpec, *, from_start: bool) -> str:
    """Build a graph that decodes once and has one output pad per rung.

    Each rung is scaled from the next larger one.
    """
    grid = frame_grid(plan, span, from_start=from_start)
    chain = f"[{plan.video_stream}]{grid},{video(plan, plan.rungs[0])}"
    for rung, smaller in zip(plan.rungs, plan.rungs[1:], strict=False):
        # zimg scales in less than half the time of swscale with the same Lanczos kernel. Slice
        # threads would add overhead, and the encoders use every core anyway.
        scale = f"zscale=w={smaller.width}:h={smaller.height}:filter=lanczos:threads=1"
        chain += f",split=2[{rung.name}][above_{smaller.name}];[above_{smaller.name}]{scale}"
    return f"{chain}[{plan.rungs[-1].name}]"


def frame_grid(plan: EncodePlan, span: ChunkSpec, *, from_start: bool) -> str:
    """Select exactly the chunk's frames at a constant rate, numbered from 0.

    Timestamps are converted to the plan's time base before they are rounded, so that each chunk
    selects the frames that an encode of the whole source would. The last frame stands where the
    sound is longer; if the source ends early, it is repeated for up to a segment. `from_start`:
    decoding starts at the beginning of the file, so the first picture stands where the sound
    begins earlier.
    """
    steps = [
        *_decoded(plan),
        f"setpts=round(PTS-({plan.origin})/TB)",
        f"settb=1/{plan.timescale}",
        f"fps={plan.frame_rate}" + (":start_time=0" if from_start else ""),
        f"tpad=stop_mode=clone:stop={plan.segment_frames + plan.standing_frames(span)}",
        f"trim=start_pts={span.first_frame}:end_pts={span.first_frame + span.frame_count}",
        f"setpts=PTS-{span.first_frame}",
    ]
    return ",".join(steps)


def still(plan: EncodePlan, width: int, height: int) -> str:
    """Filter one decoded frame like a rendition's, and convert it for a JPEG file (JFIF)."""
    size = Rung("still", width, height, 0)
    return ",".join([*_decoded(plan), video(plan, size), JPEG])


def _decoded(plan: EncodePlan) -> list[str]:
    """Filters of decoded frames: upright, of one size, progressive."""
    return [
        *([plan.turned] if plan.turned else []),
        # The size may change midway, which not every filter expects.
        *([f"scale={plan.shown_width}:{plan.shown_height}:interl=-1"] if plan.shown_width else []),
        *([DEINTERLACE] if plan.interlaced else []),
    ]


def video(plan: EncodePlan, rung: Rung) -> str:
    """Scale to a rung's size with square pixels, and convert to BT.709 SDR."""
    size = f"{rung.width}:{rung.height}"
    form = f"format=yuv420p,setsar=1,setparams=field_mode=prog:{BT709}"
    if not plan.hdr:
        # Name an unspecified matrix: FFmpeg would assume BT.601 and convert.
        colours = f"in_color_matrix={plan.matrix}:out_color_matrix=bt709:out_range=tv"
        return f"scale={size}:flags=lanczos:{colours},{form}"
    return (
        f"setparams=color_primaries=bt2020:color_trc={plan.hdr}:colorspace=bt2020nc,"
        f"zscale={size}:filter=lanczos:t=linear:npl=100,format=gbrpf32le,"
        f"zscale=p=bt709,tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,{form}"
    )


def decoded_audio(plan: EncodePlan) -> str:
    """Put decoded audio on the film's clock; what is earlier is cut off.

    The graph is built again when the source's channels or rate change, so it holds no state.
    """
    return f"asetpts=round(PTS-({plan.origin})/TB),aresample={SAMPLE_RATE},atrim=start=0"


def audio(plan: EncodePlan) -> str:
    """Fit the audio to the film: gaps become silence, and it ends with the film.

    The encoder's priming samples replace the first samples, so that the rest is in sync without an
    edit list, which not every player honours.
    """
    samples = round(plan.duration * SAMPLE_RATE)
    steps = [
        f"aresample={SAMPLE_RATE}:async=1:min_hard_comp=0.03:first_pts=0",
        f"apad=whole_len={samples}",
        f"atrim=start_sample={PRIMING_SAMPLES}:end_sample={samples}",
        f"asetpts=PTS-{PRIMING_SAMPLES}",
    ]
    return ",".join(steps)
