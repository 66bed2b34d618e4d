"""FFmpeg's filters for a plan: the frame grid, the picture's form and colours, the sound."""

from videoflix.media.ladder import Rung
from videoflix.media.plan import ChunkSpec, EncodePlan

SAMPLE_RATE = 48_000
# FFmpeg's AAC encoder begins with so many samples of its own (ISO/IEC 14496-3, priming).
PRIMING_SAMPLES = 1024

DEINTERLACE = "bwdif=mode=send_frame:deint=interlaced"
BT709 = "range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"


def ladder(plan: EncodePlan, span: ChunkSpec, *, from_start: bool) -> str:
    """A graph that decodes once and ends in a pad a rung: each is scaled from the one above."""
    chain = f"[0:V:0]{frame_grid(plan, span, from_start=from_start)},{video(plan, plan.rungs[0])}"
    for rung, smaller in zip(plan.rungs, plan.rungs[1:], strict=False):
        # zimg scales in less than half the time swscale takes for the same Lanczos kernel; cut
        # into slices for threads it would take more, and the encoders use every core anyway.
        scale = f"zscale=w={smaller.width}:h={smaller.height}:filter=lanczos:threads=1"
        chain += f",split=2[{rung.name}][above_{smaller.name}];[above_{smaller.name}]{scale}"
    return f"{chain}[{plan.rungs[-1].name}]"


def frame_grid(plan: EncodePlan, span: ChunkSpec, *, from_start: bool) -> str:
    """Exactly the span's frames, counted from its first one.

    Time stamps are put on the plan's clock before any is rounded, so that each chunk chooses the
    pictures an encode of the whole film would. A film that ends early stands still for up to a
    segment. `from_start`: decoding begins with the file; a picture that is missing at the span's
    start is missing in the source, so the next one takes its place.
    """
    steps = [
        *([DEINTERLACE] if plan.interlaced else []),
        f"setpts=round(PTS-({plan.origin})/TB)",
        f"settb=1/{plan.timescale}",
        f"setpts=PTS-{span.first_frame * plan.frame_ticks}",
        f"fps={plan.frame_rate}" + (":start_time=0" if from_start else ""),
        f"tpad=stop_mode=clone:stop={plan.segment_frames}",
        f"trim=start_pts=0:end_pts={span.frame_count}",
    ]
    return ",".join(steps)


def video(plan: EncodePlan, rung: Rung) -> str:
    """The picture in a rung's size, in square pixels and the colours every screen shows."""
    size = f"{rung.width}:{rung.height}"
    form = f"format=yuv420p,setsar=1,setparams=field_mode=prog:{BT709}"
    if not plan.hdr:
        # A matrix that is unsaid must be said: FFmpeg would take BT.601 for it, and convert.
        colours = f"in_color_matrix={plan.matrix}:out_color_matrix=bt709:out_range=tv"
        return f"scale={size}:flags=lanczos:{colours},{form}"
    return (
        f"setparams=color_primaries=bt2020:color_trc={plan.hdr}:colorspace=bt2020nc,"
        f"zscale={size}:filter=lanczos:t=linear:npl=100,format=gbrpf32le,"
        f"zscale=p=bt709,tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,{form}"
    )


def audio(plan: EncodePlan) -> str:
    """Sound on the picture's clock: gaps become silence, and it ends with the picture.

    The encoder's priming takes the place of the first samples, so the rest is on time without
    an edit list, which not every player honours.
    """
    samples = round(plan.duration * SAMPLE_RATE)
    steps = [
        f"asetpts=round(PTS-({plan.origin})/TB)",
        f"aresample={SAMPLE_RATE}:async=1:first_pts=0",
        f"apad=whole_len={samples}",
        f"atrim=start_sample={PRIMING_SAMPLES}:end_sample={samples}",
        f"asetpts=PTS-{PRIMING_SAMPLES}",
    ]
    return ",".join(steps)
