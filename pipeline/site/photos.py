"""A photo as it comes: bytes within bounds, and the part of it that is searched with."""

from PIL import Image

from pipeline.data import boxes, images
from pipeline.site.questions import SearchError

MOST_BYTES = 10_000_000  # of an uploaded image
ENOUGH = 640  # pixels that the shorter side of what is searched with keeps; the networks see 224 or fewer
LARGE = 4_000_000  # pixels of a photo that is decoded apart from the others, which need not wait for it


def check(data: bytes) -> None:
    """Raises UnreadableImage for a photo of too many bytes."""
    if len(data) > MOST_BYTES:
        raise images.UnreadableImage(f"{len(data):,} bytes; at most {MOST_BYTES:,} are allowed")


def large(data: bytes) -> bool:
    """Whether a photo takes long to decode, by its header. Raises UnreadableImage: too large, or no image."""
    check(data)
    width, height = images.size(data)
    return width * height > LARGE


def opened(data: bytes) -> Image.Image:
    """An uploaded image, whole. Raises UnreadableImage: too large, or no image."""
    check(data)
    return images.decode(data)


def small(data: bytes) -> tuple[Image.Image, tuple[int, int]]:
    """An uploaded image, of a JPEG no more pixels than are enough to look for products, and its own width and height.

    Raises:
        UnreadableImage: too large, or no image.
    """
    check(data)
    if not data.startswith(images.JPEG):
        image = images.decode(data)
        return image, image.size
    return images.reduced(data, ENOUGH), images.jpeg_size(data)


def part(photo: Image.Image | bytes, box: str | None) -> tuple[list[int] | None, Image.Image]:
    """What a search looks at: as `cut`, and of an uploaded JPEG no more pixels than are enough.

    Raises:
        SearchError, BoxError: as `cut`. UnreadableImage: too large, or no image.
    """
    if isinstance(photo, Image.Image):
        return cut(photo, box)
    check(photo)
    if not photo.startswith(images.JPEG):
        return cut(images.decode(photo), box)
    size = images.jpeg_size(photo)
    clipped = _clipped(box, size)
    wanted = size if clipped is None else clipped[2:]
    # the whole, so much of it that the part has enough
    smaller = images.reduced(photo, round(ENOUGH * min(size) / min(wanted)))
    if clipped is None:
        return None, smaller
    x, y = smaller.width / size[0], smaller.height / size[1]
    scaled, _ = boxes.clip((clipped.x * x, clipped.y * y, clipped.width * x, clipped.height * y), smaller.size)
    return list(clipped), boxes.crop(smaller, scaled)


def cut(photo: Image.Image, box: str | None) -> tuple[list[int] | None, Image.Image]:
    """The photo's part in a box, `x,y,width,height` in its pixels, and the box in whole ones; None: all of it.

    Raises:
        SearchError: no box. BoxError: one that holds nothing of the photo.
    """
    clipped = _clipped(box, photo.size)
    return (None, photo) if clipped is None else (list(clipped), boxes.crop(photo, clipped))


def _clipped(box: str | None, size: tuple[int, int]) -> boxes.Box | None:
    if box is None:
        return None
    try:
        numbers = tuple(float(side) for side in box.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != 4 or not all(abs(number) <= 1e9 for number in numbers):
        raise SearchError(f"a box is x,y,width,height in pixels. Received: {box!r}")
    return boxes.clip(numbers, size)[0]
