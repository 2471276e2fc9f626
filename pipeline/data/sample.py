"""The drawn sample: a few hundred products as 60x80 JPEGs in Kaggle's exact layout, the same bytes every time.

It lets the whole study run offline in minutes and gives the tests every ugliness that the real data have: a grey
image, odd sizes, an unquoted comma, a row without an image, an image cut short, equal bytes under two ids,
blank labels. Products come in several near-alike images under one display name, and as user photos on clutter
with a box. Its numbers say nothing about fashion.
"""

import csv
import io
import zipfile

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from pipeline.params.columns import COLUMNS

WIDTH, HEIGHT = 60, 80
SCALE = 3  # drawn three times larger, then reduced: smooth edges
FIRST_ID = 10001
COLOURS = {
    "Black": (38, 38, 42),
    "White": (236, 236, 232),
    "Blue": (46, 92, 168),
    "Red": (186, 38, 46),
    "Green": (58, 128, 74),
    "Pink": (226, 130, 164),
    "Yellow": (232, 196, 62),
    "Brown": (118, 78, 50),
    "Grey": (138, 140, 144),
    "Purple": (108, 68, 140),
}
PATTERNS = ["Solid", "Solid", "Striped", "Check", "Printed"]
BRANDS = ["Aldermoor", "Brightwater", "Cinder", "Dovetail", "Evenfall", "Foxglove"]
ADULTS, ALL = ["Men", "Women"], ["Men", "Women", "Boys", "Girls"]
# articleType: (masterCategory, subCategory, genders, products, usage)
ARTICLES = {
    "Tshirts": ("Apparel", "Topwear", ALL, 56, "Casual"),
    "Shirts": ("Apparel", "Topwear", ADULTS, 36, "Formal"),
    "Kurtas": ("Apparel", "Topwear", ADULTS, 20, "Ethnic"),
    "Jeans": ("Apparel", "Bottomwear", ADULTS, 24, "Casual"),
    "Shorts": ("Apparel", "Bottomwear", ALL, 16, "Sports"),
    "Dresses": ("Apparel", "Dress", ["Women", "Girls"], 20, "Casual"),
    "Watches": ("Accessories", "Watches", ADULTS, 28, "Casual"),
    "Handbags": ("Accessories", "Bags", ["Women"], 24, "Casual"),
    "Sunglasses": ("Accessories", "Eyewear", ADULTS, 20, "Casual"),
    "Caps": ("Accessories", "Headwear", ["Men", "Unisex"], 12, "Sports"),
    "Ties": ("Accessories", "Ties", ["Men"], 8, "Formal"),
    "Casual Shoes": ("Footwear", "Shoes", ADULTS, 32, "Casual"),
    "Heels": ("Footwear", "Shoes", ["Women"], 20, "Casual"),
    "Perfume and Body Mist": ("Personal Care", "Fragrance", ADULTS, 8, "NA"),
    "Umbrellas": ("Accessories", "Umbrellas", ["Unisex"], 1, "NA"),
}
# Outlines in a unit square, x to the right and y down; each is mirrored about x = 0.5 unless the type is in SIDEWAYS.
OUTLINES = {
    "Tshirts": [
        (0.5, 0.17),
        (0.40, 0.16),
        (0.33, 0.12),
        (0.14, 0.20),
        (0.04, 0.42),
        (0.18, 0.47),
        (0.25, 0.36),
        (0.25, 0.90),
        (0.5, 0.91),
    ],
    "Shirts": [
        (0.5, 0.15),
        (0.41, 0.09),
        (0.30, 0.14),
        (0.15, 0.22),
        (0.06, 0.74),
        (0.18, 0.77),
        (0.27, 0.40),
        (0.26, 0.92),
        (0.5, 0.93),
    ],
    "Kurtas": [
        (0.5, 0.09),
        (0.42, 0.07),
        (0.32, 0.10),
        (0.19, 0.17),
        (0.11, 0.58),
        (0.22, 0.60),
        (0.30, 0.32),
        (0.23, 0.97),
        (0.5, 0.97),
    ],
    "Jeans": [(0.5, 0.05), (0.29, 0.05), (0.24, 0.40), (0.20, 0.97), (0.40, 0.97), (0.47, 0.38), (0.5, 0.33)],
    "Shorts": [(0.5, 0.20), (0.27, 0.20), (0.17, 0.74), (0.43, 0.78), (0.48, 0.52), (0.5, 0.48)],
    "Dresses": [
        (0.5, 0.16),
        (0.43, 0.13),
        (0.38, 0.04),
        (0.34, 0.04),
        (0.33, 0.20),
        (0.36, 0.38),
        (0.15, 0.93),
        (0.5, 0.96),
    ],
    "Watches": [
        (0.5, 0.04),
        (0.41, 0.04),
        (0.40, 0.30),
        (0.28, 0.38),
        (0.25, 0.50),
        (0.28, 0.62),
        (0.40, 0.70),
        (0.41, 0.96),
        (0.5, 0.96),
    ],
    "Handbags": [(0.5, 0.42), (0.18, 0.42), (0.10, 0.84), (0.16, 0.90), (0.5, 0.90)],
    "Sunglasses": [
        (0.5, 0.44),
        (0.40, 0.42),
        (0.16, 0.42),
        (0.06, 0.45),
        (0.10, 0.60),
        (0.22, 0.65),
        (0.36, 0.62),
        (0.43, 0.50),
        (0.5, 0.49),
    ],
    "Caps": [
        (0.30, 0.62),
        (0.28, 0.40),
        (0.42, 0.28),
        (0.60, 0.28),
        (0.72, 0.42),
        (0.74, 0.56),
        (0.95, 0.66),
        (0.90, 0.71),
        (0.66, 0.64),
    ],
    "Ties": [(0.5, 0.06), (0.44, 0.07), (0.41, 0.13), (0.46, 0.19), (0.40, 0.80), (0.5, 0.94)],
    "Casual Shoes": [
        (0.08, 0.44),
        (0.26, 0.40),
        (0.42, 0.52),
        (0.78, 0.58),
        (0.93, 0.66),
        (0.94, 0.74),
        (0.07, 0.74),
        (0.06, 0.58),
    ],
    "Heels": [
        (0.10, 0.30),
        (0.22, 0.34),
        (0.44, 0.56),
        (0.70, 0.68),
        (0.93, 0.70),
        (0.94, 0.76),
        (0.58, 0.76),
        (0.24, 0.54),
        (0.16, 0.78),
        (0.10, 0.78),
        (0.13, 0.52),
    ],
    "Perfume and Body Mist": [(0.5, 0.10), (0.40, 0.10), (0.40, 0.26), (0.26, 0.32), (0.26, 0.92), (0.5, 0.92)],
    "Umbrellas": [
        (0.5, 0.10),
        (0.30, 0.16),
        (0.14, 0.34),
        (0.08, 0.52),
        (0.30, 0.48),
        (0.47, 0.52),
        (0.48, 0.90),
        (0.5, 0.92),
    ],
}
SIDEWAYS = {"Caps", "Casual Shoes", "Heels"}


def draw(seed: int = 0) -> bytes:
    """The sample as the bytes of a zip in Kaggle's layout, the same for the same seed.

    Beside `styles.csv` and `images/` it holds `user_photos/`, `gallery.csv` and `queries.csv` in the form of
    document 003: a product on clutter with its box in pixels.
    """
    rows, pictures, photos = _products(seed)
    _make_ugly(rows, pictures)
    lines = [",".join(COLUMNS), *(",".join(row) for row in rows)]
    files = {"styles.csv": ("\n".join(lines) + "\n").encode()}
    files |= {f"images/{image_id}.jpg": data for image_id, data in pictures.items()}
    files |= {f"user_photos/{number}.jpg": data for number, (data, _, _) in enumerate(photos)}
    files["gallery.csv"] = _table(["seller_img_id", "img_path"], [(i, f"images/{i}.jpg") for i in pictures])
    files["queries.csv"] = _table(
        ["user_img_id", "img_path", "bbox_x", "bbox_y", "bbox_w", "bbox_h", "product_id"],
        [(n, f"user_photos/{n}.jpg", *box, product) for n, (_, box, product) in enumerate(photos)],
    )
    return _zip(files)


def _products(seed: int):
    """Every product's rows and images, and a user photo of each eighth product."""
    rows, pictures, photos = [], {}, []
    image_id, number = FIRST_ID, 0
    for article, (master, sub, genders, count, usage) in ARTICLES.items():
        for _ in range(count):
            rng = np.random.default_rng([seed, number])
            gender, colour = str(rng.choice(genders)), str(rng.choice(list(COLOURS)))
            pattern, brand = str(rng.choice(PATTERNS)), str(rng.choice(BRANDS))
            style = {"article": article, "gender": gender, "colour": colour, "pattern": pattern, "look": rng.random(4)}
            season, year = str(rng.choice(["Summer", "Fall", "Winter", "Spring"])), int(rng.integers(2010, 2018))
            name = f"{brand} {gender} {pattern} {colour} {article.rstrip('s')} {number:03d}"
            for _ in range(1 if article == "Umbrellas" else int(rng.choice([1, 2, 2, 3]))):
                picture, _ = _picture(style, rng)
                pictures[image_id] = _jpeg(picture)
                rows.append([str(image_id), gender, master, sub, article, colour, season, str(year), usage, name])
                image_id += int(rng.integers(1, 4))
            if number % 8 == 0:
                photo, box = _user_photo(style, rng)
                photos.append((_jpeg(photo), box, int(rows[-1][0])))
            number += 1
    return rows, pictures, photos


def _picture(style: dict, rng: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    """One image of a product on white, and its mask: a small turn, shift and change of light tell images apart."""
    size = (WIDTH * SCALE, HEIGHT * SCALE)
    mask, colours = _product(style, size)
    turn, (x, y) = float(rng.normal(0, 2)), (int(shift) for shift in rng.integers(-2, 3, 2) * SCALE)
    mask = mask.rotate(turn, Image.Resampling.BICUBIC, translate=(x, y))
    colours = colours.rotate(turn, Image.Resampling.BICUBIC, translate=(x, y))
    light = float(rng.uniform(0.9, 1.08))
    shaded = _shade(np.asarray(colours, np.float32) * light, rng)
    shadow = ImageChops.offset(mask.filter(ImageFilter.GaussianBlur(3 * SCALE)), SCALE, 2 * SCALE)
    canvas = 255 - np.asarray(shadow, np.float32)[..., None] * 0.14
    inside = np.asarray(mask.filter(ImageFilter.GaussianBlur(1)), np.float32)[..., None] / 255
    pixels = shaded * inside + np.broadcast_to(canvas, (*canvas.shape[:2], 3)) * (1 - inside)
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS), mask.resize((WIDTH, HEIGHT))


def _product(style: dict, size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """A product's mask and colours, without light."""
    width, height = size
    article, look = style["article"], style["look"]
    slim = 0.88 if style["gender"] in ("Women", "Girls") else 1.0
    small = 0.86 if style["gender"] in ("Boys", "Girls") else 1.0
    outline = OUTLINES[article]
    if article not in SIDEWAYS:
        outline = outline + [(1 - x, y) for x, y in reversed(outline)]
    stretch = (slim * small * (0.94 + 0.12 * look[0]), small * (0.94 + 0.1 * look[1]))
    points = [((0.5 + (x - 0.5) * stretch[0]) * width, (0.52 + (y - 0.52) * stretch[1]) * height) for x, y in outline]
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).polygon(points, fill=255)
    if article == "Handbags":
        top = 0.52 - (0.30 + 0.08 * look[2]) * stretch[1]
        box = [0.30 * width, top * height, 0.70 * width, 0.62 * height]
        ImageDraw.Draw(mask).arc(box, 180, 360, fill=255, width=3 * SCALE)
    mask = mask.filter(ImageFilter.GaussianBlur(SCALE)).point(lambda value: 255 if value > 127 else 0)
    colours = _cloth(style, size)
    _details(ImageDraw.Draw(colours), style, size)
    return mask, colours


def _cloth(style: dict, size: tuple[int, int]) -> Image.Image:
    """The product's colour with its pattern."""
    width, height = size
    base = np.array(COLOURS[style["colour"]], np.float32)
    accent = base * 0.55 if base.mean() > 110 else base + (255 - base) * 0.55
    y, x = np.mgrid[0:height, 0:width] / SCALE
    period = 5 + 5 * style["look"][3]
    if style["pattern"] == "Striped":
        marks = np.sin(2 * np.pi * y / period) > 0.35
    elif style["pattern"] == "Check":
        marks = (np.sin(2 * np.pi * x / period) > 0.4) ^ (np.sin(2 * np.pi * y / period) > 0.4)
    elif style["pattern"] == "Printed":
        middle = np.hypot(x - WIDTH / 2, (y - HEIGHT * 0.5) * 0.9)
        marks = (middle < 4 + 5 * style["look"][2]) & (np.sin(middle * (0.8 + style["look"][3])) > -0.2)
    else:
        marks = np.zeros((height, width), bool)
    pixels = np.where(marks[..., None], accent, base)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _details(pen: ImageDraw.ImageDraw, style: dict, size: tuple[int, int]) -> None:
    """What makes the type recognisable: buttons, dial, lenses, sole, seams."""
    width, height = size
    base = COLOURS[style["colour"]]
    dark = tuple(int(value * 0.45) for value in base)
    bright = tuple(int(value + (255 - value) * 0.7) for value in base)

    def at(*values):  # unit coordinates, x and y in turn, to pixels
        return [value * (width if i % 2 == 0 else height) for i, value in enumerate(values)]

    for draw in (_seams, _parts):
        draw(pen, at, style["article"], style["look"], dark, bright)


def _seams(pen, at, article: str, look, dark, bright) -> None:
    """Of clothes: necks, buttons, collars, waists, pockets."""
    if article in ("Tshirts", "Dresses"):
        pen.arc(at(0.39, 0.05, 0.61, 0.22), 20, 160, fill=dark, width=2 * SCALE)
    if article in ("Shirts", "Kurtas"):
        pen.line(at(0.5, 0.13, 0.5, 0.92 if article == "Shirts" else 0.45), fill=dark, width=SCALE // 2)
        for step in range(6 if article == "Shirts" else 3):
            centre = 0.22 + 0.11 * step
            pen.ellipse(at(0.485, centre - 0.01, 0.515, centre + 0.012), fill=bright)
        pen.polygon(at(0.40, 0.09, 0.5, 0.19, 0.5, 0.13, 0.44, 0.07), fill=dark)
        pen.polygon(at(0.60, 0.09, 0.5, 0.19, 0.5, 0.13, 0.56, 0.07), fill=dark)
    if article in ("Jeans", "Shorts"):
        waist = 0.05 if article == "Jeans" else 0.20
        pen.rectangle(at(0, waist, 1, waist + 0.05), fill=dark)
        pen.line(at(0.5, waist, 0.5, waist + 0.30), fill=dark, width=SCALE)
        pen.arc(at(0.24, waist, 0.42, waist + 0.14), 20, 100, fill=bright, width=SCALE // 2)
        pen.arc(at(0.58, waist, 0.76, waist + 0.14), 80, 160, fill=bright, width=SCALE // 2)


def _parts(pen, at, article: str, look, dark, bright) -> None:
    """Of everything else: dials, straps, lenses, brims, soles, lids."""
    if article == "Watches":
        dial = (238, 238, 240) if look[2] > 0.5 else (34, 36, 44)
        pen.ellipse(at(0.27, 0.35, 0.73, 0.65), fill=(168, 168, 174))
        pen.ellipse(at(0.32, 0.385, 0.68, 0.615), fill=dial)
        hand = (20, 20, 20) if look[2] > 0.5 else (240, 240, 240)
        pen.line(at(0.5, 0.5, 0.5, 0.41), fill=hand, width=SCALE)
        pen.line(at(0.5, 0.5, 0.60, 0.53), fill=hand, width=SCALE)
    if article == "Handbags":
        pen.line(at(0.15, 0.55, 0.85, 0.55), fill=dark, width=SCALE)
        pen.ellipse(at(0.47, 0.53, 0.53, 0.58), fill=(212, 178, 92))
    if article == "Sunglasses":
        for left in (0.09, 0.57):
            pen.ellipse(at(left, 0.435, left + 0.34, 0.635), fill=(26, 28, 34) if look[2] > 0.4 else (112, 84, 60))
            pen.arc(at(left + 0.05, 0.46, left + 0.25, 0.58), 190, 260, fill=(176, 182, 190), width=SCALE)
    if article == "Caps":
        pen.arc(at(0.30, 0.26, 0.80, 1.0), 200, 270, fill=dark, width=SCALE)
        pen.line(at(0.28, 0.60, 0.95, 0.68), fill=dark, width=SCALE)
    if article == "Casual Shoes":
        pen.rectangle(at(0, 0.69, 1, 0.76), fill=(240, 240, 238) if look[2] > 0.4 else dark)
        for step in range(4):
            pen.line(at(0.36 + 0.07 * step, 0.53, 0.31 + 0.07 * step, 0.60), fill=bright, width=SCALE)
    if article == "Perfume and Body Mist":
        pen.rectangle(at(0.38, 0.08, 0.62, 0.27), fill=(196, 168, 96))
        pen.rectangle(at(0.34, 0.52, 0.66, 0.72), fill=(244, 240, 230))
    if article == "Ties":
        pen.line(at(0.44, 0.19, 0.56, 0.19), fill=dark, width=SCALE)


def _shade(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light from the left, soft folds and a little noise."""
    height, width = pixels.shape[:2]
    folds = Image.fromarray(rng.integers(0, 256, (12, 7), dtype=np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    light = np.linspace(1.10, 0.84, width)[None, :, None] * (
        0.88 + np.asarray(folds, np.float32)[..., None] / 255 * 0.24
    )
    return pixels * light + rng.normal(0, 5, (height, width, 1))


def _user_photo(style: dict, rng: np.random.Generator) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """The product on clutter, 160x120, and its box (x, y, width, height) in pixels."""
    clutter = Image.fromarray(rng.integers(40, 216, (6, 8, 3), dtype=np.uint8)).resize(
        (160, 120), Image.Resampling.BICUBIC
    )
    pen = ImageDraw.Draw(clutter)
    for _ in range(6):
        x, y = int(rng.integers(0, 150)), int(rng.integers(0, 110))
        fill = tuple(int(value) for value in rng.integers(20, 236, 3))
        pen.rectangle([x, y, x + int(rng.integers(8, 50)), y + int(rng.integers(6, 40))], fill=fill)
    picture, mask = _picture(style, rng)
    left, top = int(rng.integers(5, 95)), int(rng.integers(2, 38))
    clutter.paste(picture, (left, top), mask)
    x0, y0, x1, y1 = mask.getbbox() or (0, 0, *mask.size)
    return clutter.filter(ImageFilter.GaussianBlur(0.6)), (left + x0, top + y0, x1 - x0, y1 - y0)


def _make_ugly(rows: list[list[str]], pictures: dict[int, bytes]) -> None:
    """The faults of the real data, in place: each must show in the ingest report and stop nothing."""
    ids = list(pictures)

    def change(position, how):
        pictures[ids[position]] = _jpeg(how(Image.open(io.BytesIO(pictures[ids[position]]))))

    change(3, lambda image: image.convert("L"))
    change(7, lambda image: image.crop((0, 10, 60, 70)))
    change(11, lambda image: image.resize((45, 80)))
    pictures[ids[20]] = pictures[ids[20]][: len(pictures[ids[20]]) // 2]  # cut short
    pictures[ids[31]] = pictures[ids[30]]  # equal bytes under two ids
    del pictures[ids[40]]  # a row without an image
    rows[50][9] += ", pack of 2"  # an unquoted comma, as 22 of Kaggle's rows have
    rows[60][6] = rows[61][7] = ""  # blank season, blank year
    rows[62][5] = "NA"  # a colour named NA: a label, not a missing value


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _table(header: list[str], rows: list[tuple]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([header, *rows])
    return buffer.getvalue().encode()


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)  # ZipInfo's fixed date keeps the bytes the same
    return buffer.getvalue()
