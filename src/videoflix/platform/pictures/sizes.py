"""The sizes in which a picture is served, for `srcset` of HTML: each is made once and stored."""

import re
from collections.abc import Sequence

# In pixels; a smaller picture is not enlarged.
WIDTHS = (160, 320, 640, 1280)
# The tallest picture, as a multiple of its width: posters of cinemas are 2:3.
TALLEST = 1.5
SIZED = re.compile(r"-[0-9]{1,4}\.webp(?!\n)$")


def targets() -> list[str]:
    """What the child process makes of a picture."""
    return [f"webp:{width}x{round(width * TALLEST)}" for width in WIDTHS]


def sized_key(key: str, width: int) -> str:
    """Storage key of a size of a JPEG file: `a/poster.jpg` becomes `a/poster-320.webp`."""
    return f"{key.rpartition('.')[0]}-{width}.webp"


def sized_keys(key: str, widths: Sequence[int]) -> list[str]:
    """Storage keys of all sizes of a JPEG file."""
    return [sized_key(key, width) for width in widths]


def original_of(key: str) -> str:
    """Storage key of the picture that a key of a size belongs to; other keys stay as they are."""
    return SIZED.sub(".jpg", key)


def fitting(widths: Sequence[int], wanted: int) -> int | None:
    """The smallest width of at least `wanted` pixels, else the largest; None without any."""
    return min((width for width in widths if width >= wanted), default=max(widths, default=None))


def srcset(url: str, widths: Sequence[int]) -> str | None:
    """The sizes as a `srcset` attribute; `url` has a query already. None without any size."""
    asked = [(next((step for step in WIDTHS if step >= width), width), width) for width in widths]
    return ", ".join(f"{url}&w={step} {width}w" for step, width in asked) or None
