"""A small convolutional network trained from nothing, as document 004's: blocks of convolution and max pooling.

Source: document 004, "Algorithm, phase 1": convolutions, flattening, dropout, pixels from 0 to 1. It gives no sizes.
Differs: the sizes are ours; flattening is the encoder's pooling and dropout the finetune's, as for every other
backbone.
"""

import keras
from keras import layers

FILTERS = [32, 64, 128, 128]  # of each block's convolution, 3 × 3


def SmallCnn(input_shape: tuple[int, int, int], include_top: bool = False, weights: None = None) -> keras.Model:
    """The network without weights: (B, height, width, 3) from 0 to 1 → (B, height/16, width/16, 128)."""
    if include_top or weights is not None:
        raise ValueError(
            f"SmallCnn has neither a classifier nor weights of its own. Received: {include_top}, {weights!r}"
        )
    inputs = x = keras.Input(input_shape)
    for number, filters in enumerate(FILTERS):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"block{number}_conv")(x)
        x = layers.MaxPooling2D(name=f"block{number}_pool")(x)
    return keras.Model(inputs, x, name="small_cnn")
