"""A photo as it comes: bytes within bounds, and the part of it that is searched with."""

from PIL import Image

from pipeline.data import boxes, images
from pipeline.site.questions import SearchError

MOST_BYTES = 10_000_000  # of an uploaded image


def opened(data: bytes) -> Image.Image:
    """An uploaded image. Raises UnreadableImage: too large, or no image."""
    if len(data) > MOST_BYTES:
        raise images.UnreadableImage(f"{len(data):,} bytes; at most {MOST_BYTES:,} are allowed")
    return images.decode(data)


def cut(photo: Image.Image, box: str | None) -> tuple[list[int] | None, Image.Image]:
    """The photo's part in a box, `x,y,width,height` in its pixels, and the box in whole ones; None: all of it.

    Raises:
        SearchError: no box. BoxError: one that holds nothing of the photo.
    """
    if box is None:
        return None, photo
    try:
        numbers = tuple(float(side) for side in box.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != 4 or not all(abs(number) <= 1e9 for number in numbers):
        raise SearchError(f"a box is x,y,width,height in pixels. Received: {box!r}")
    clipped, _ = boxes.clip(numbers, photo.size)
    return list(clipped), boxes.crop(photo, clipped)
