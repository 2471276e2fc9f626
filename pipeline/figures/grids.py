"""Images in rows, to look at."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from pipeline.figures.style import done


def image_grid(images: Sequence[np.ndarray], titles: Sequence[str], across: int = 10) -> Figure:
    """Images (height, width, 3) in rows, each under its title; an empty row where there are none."""
    rows = max(1, -(-len(images) // across))
    figure, axes = plt.subplots(rows, across, figsize=(0.95 * across, 1.55 * rows), squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, title in zip(axes.flat, images, titles, strict=False):
        axis.imshow(image)
        axis.set_title(title, fontsize=6.5)
    return done(figure)
