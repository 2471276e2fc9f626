"""Small convolutional networks that are trained from nothing: document 004's, and one that the thesis cites.

Source: document 004, "Algorithm, phase 1": convolutions, flattening, dropout, pixels from 0 to 1; it gives no sizes.
Mawoneke et al. (2020) as document 001, section 2.3.3, tells it: 32 filters of 3 × 3, pooling of 2 × 2.
Differs: the sizes of the first are ours; flattening is the encoder's pooling, dense layers its head, and dropout the
finetune's, as for every other backbone.
"""

import keras
from keras import layers

FILTERS = [32, 64, 128, 128]  # of each block's convolution, 3 × 3


def SmallCnn(input_shape: tuple[int, int, int], include_top: bool = False, weights: None = None) -> keras.Model:
    """The network without weights: (B, height, width, 3) from 0 to 1 → (B, height/16, width/16, 128)."""
    return _blocks("small_cnn", input_shape, FILTERS, include_top, weights)


def MawonekeCnn(input_shape: tuple[int, int, int], include_top: bool = False, weights: None = None) -> keras.Model:
    """One block without weights: (B, height, width, 3) from 0 to 1 → (B, height/2, width/2, 32)."""
    return _blocks("mawoneke_cnn", input_shape, [32], include_top, weights)


def _blocks(name: str, input_shape, filters: list[int], include_top: bool, weights: None) -> keras.Model:
    if include_top or weights is not None:
        raise ValueError(
            f"{name} has neither a classifier nor weights of its own. Received: {include_top}, {weights!r}"
        )
    inputs = x = keras.Input(input_shape)
    for number, count in enumerate(filters):
        x = layers.Conv2D(count, 3, padding="same", activation="relu", name=f"block{number}_conv")(x)
        x = layers.MaxPooling2D(name=f"block{number}_pool")(x)
    return keras.Model(inputs, x, name=name)
