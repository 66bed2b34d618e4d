"""Pictures of categories: uploads are re-encoded before they are stored."""

from typing import ClassVar

from videoflix.platform.pictures.reencode import PictureRejected, detect_format
from videoflix.platform.pictures.reencode import reencode as reencode_picture
from videoflix.platform.problems import BadRequest

BYTES_MAX = 2 * 1024 * 1024
LONGEST_SIDE = 1280
FORMATS = frozenset({"jpeg", "png"})


class InvalidPicture(BadRequest):
    """The picture must be a JPEG or PNG file of at most 2 MiB and 40 megapixels."""

    slug: ClassVar[str] = "picture-refused"


async def reencode(data: bytes) -> bytes:
    """Re-encode a picture in its format, without its metadata. Raises InvalidPicture."""
    kind = detect_format(data)
    if kind not in FORMATS or len(data) > BYTES_MAX:
        raise InvalidPicture
    try:
        (picture,) = await reencode_picture(data, [f"{kind}:{LONGEST_SIDE}x{LONGEST_SIDE}"])
    except PictureRejected as error:
        raise InvalidPicture from error
    return picture.data
