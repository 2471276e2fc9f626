"""How a training went, epoch by epoch."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from pipeline.figures.style import done


def training_curves(history: pd.DataFrame) -> Figure:
    """Against the epoch: the loss and each of its terms while learning, and what the validated part says."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    validated = [name for name in history if name.startswith("validation_")]
    losses = [name for name in history if name not in ("epoch", *validated)]
    losses.sort(key="loss".__ne__)  # the sum before its terms
    for axis, names, title in zip(axes, (losses, validated), ("loss, learning", "validation"), strict=True):
        for name in names:
            whole = name in ("loss", "validation_mAP")
            label = name.removeprefix("validation_").replace("_", " ")
            axis.plot(history["epoch"], history[name], "o-" if whole else ".--", lw=2 if whole else 1, label=label)
        axis.set(title=title, xlabel="epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(frameon=False, fontsize=7)
    return done(figure)
