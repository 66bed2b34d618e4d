"""The sample film: thirty seconds of colours, lights, a title and a tune, made by ffmpeg alone.

No font is needed: the title is drawn here, letter by letter, as a small picture with a
transparent ground (PAM, the one such format that is a header and the plain pixels).
"""

import math
from collections.abc import Callable, Iterable
from pathlib import Path

from videoflix.media.ffmpeg import base_command
from videoflix.platform.processes import Limits, run

SECONDS = 30
WIDTH, HEIGHT = 1280, 720
LIMITS = Limits(wall_seconds=300, cpu_seconds=600, memory_bytes=8 << 30, file_bytes=1 << 30)

# Drawn small and scaled up: the colours are smooth, and it takes a fraction of the time.
SKY = (
    f"gradients=s=320x180:r=25:d={SECONDS}:n=4:type=linear:speed=0.008:seed=11"
    ":c0=0x0b1030:c1=0x5b1a6b:c2=0x12507a:c3=0xc2410c"
)
FILTERS = f"""
[0]scale={WIDTH}:{HEIGHT}:flags=bicubic,format=yuv420p[sky];
[1]split=3[near][middle][far];
[middle]scale=300:-1[middle];
[far]scale=180:-1[far];
[sky][far]overlay=x='W*(0.5+0.42*sin(t*0.31))-w/2':y='H*(0.5+0.35*cos(t*0.47))-h/2'[a];
[a][middle]overlay=x='W*(0.5+0.38*cos(t*0.23+2))-w/2':y='H*(0.5+0.30*sin(t*0.39))-h/2'[b];
[b][near]overlay=x='W*(0.5+0.45*sin(t*0.17+4))-w/2':y='H*(0.5+0.25*sin(t*0.29+1))-h/2'[c];
[2]scale=900:-1:flags=neighbor,fade=in:st=1:d=2:alpha=1,fade=out:st={SECONDS - 3}:d=2:alpha=1[title];
[c][title]overlay=x=(W-w)/2:y='(H-h)/2+10*sin(t*0.8)'[d];
[3][d]scale2ref=w=main_w:h=6[bar][e];
[e][bar]overlay=x='W*(t/{SECONDS}-1)':y=H-h:shortest=1,format=yuv420p[film]
"""  # noqa: E501
