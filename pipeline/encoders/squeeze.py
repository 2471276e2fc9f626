"""Many features squeezed to a few beside those that stay: principal components of which no part drowns another."""

import keras
import numpy as np
from keras import ops
from scipy.linalg import eigh
from threadpoolctl import threadpool_limits

MOST = 6.0  # of a squeezed number, in standard deviations
SHARE = 0.35  # the standard deviation of the squeezed numbers beside features of about 1
FLOOR = 1e-3  # of the largest component's spread, below which a component is noise
ROWS = 6144  # pictures that are looked at: their dot products, not the features', are what is decomposed


class Squeeze(keras.layers.Layer):
    """Keeps the first `kept` numbers, and projects the others: (B, kept + F) → (B, kept + squeezed).

    Its weights, `mean` (F,) and `projection` (F, squeezed), are fitted by `fitted` and not trained.
    """

    def __init__(self, kept: int, squeezed: int):
        super().__init__(name="squeeze", dtype="float32")
        self.kept, self.squeezed = kept, squeezed

    def build(self, shape):
        """Called by Keras."""
        others = shape[-1] - self.kept
        self.mean = self.add_weight((others,), initializer="zeros", trainable=False, name="mean")
        self.projection = self.add_weight(
            (others, self.squeezed), initializer="glorot_uniform", trainable=False, name="projection"
        )

    def call(self, features):
        """The kept features, and the others squeezed."""
        others = ops.matmul(features[:, self.kept :] - self.mean, self.projection)
        return ops.concatenate([features[:, : self.kept], SHARE * ops.clip(others, -MOST, MOST)], axis=-1)

    def compute_output_shape(self, shape):
        """Called by Keras."""
        return (shape[0], self.kept + self.squeezed)


def fitted(features: np.ndarray, sizes: list[int], squeezed: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`mean` (F,) and `projection` (F, squeezed) for `Squeeze`, float32, from pictures that may be learnt from.

    Each part is centred and scaled to the same mean squared length; then the largest principal components, each
    divided by the root of its spread, so that the first no longer drown the others and the last, which are noise, stay
    small; then all together have the standard deviation 1.

    Args:
        features: float32 (N, F), parts side by side.
        sizes: how many numbers each part has.
        squeezed: components; what fewer pictures or features cannot give is 0.
        seed: draws the pictures whose covariance is taken, where there are more than `ROWS`.
    """
    chosen = np.random.default_rng(seed).permutation(len(features))[:ROWS]
    drawn = features[np.sort(chosen)].astype(np.float64)
    mean = drawn.mean(axis=0)
    drawn -= mean
    parts = np.split(drawn, np.cumsum(sizes)[:-1], axis=1)
    scale = np.repeat([1 / max(np.sqrt(np.square(part).sum(axis=1).mean()), 1e-12) for part in parts], sizes)
    drawn *= scale
    found = min(squeezed, len(drawn) - 1, drawn.shape[1])
    with threadpool_limits(1):  # sums over several threads depend on how many there are
        squares, pictures = eigh(drawn @ drawn.T, subset_by_index=[len(drawn) - found, len(drawn) - 1])
        lengths = np.sqrt(np.maximum(squares[::-1], squares[-1] * 1e-12))
        directions = drawn.T @ pictures[:, ::-1] / lengths  # of length 1
    deviation = lengths / np.sqrt(len(drawn))
    projection = directions / np.sqrt(deviation + FLOOR * deviation[0])
    projection /= max(float((drawn @ projection).std()), 1e-12)
    projection = np.pad(scale[:, None] * projection, ((0, 0), (0, squeezed - found)))
    return mean.astype(np.float32), projection.astype(np.float32)
