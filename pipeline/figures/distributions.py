"""How values are distributed."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from pipeline.figures.style import done


def distribution(values: pd.DataFrame, value: str, group: str, title: str) -> Figure:
    """The distribution of a value in each group, every group scaled to the same area."""
    figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
    sns.histplot(values, x=value, hue=group, stat="density", common_norm=False, bins=50, element="step", ax=axis)
    axis.set_title(title)
    return done(figure)
