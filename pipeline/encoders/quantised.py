"""Product-quantised weights: a file of codes and codebooks → the numbers of a ResNet.

Source: Martinez et al. (2021), "Permute, Quantize, and Fine-tune: Efficient Compression of Neural Networks",
https://arxiv.org/abs/2010.15703: each row of a convolution's weights is cut into blocks, and a block is kept as the
number of its nearest in a codebook of at most 256. Batch normalisation is folded: a scale and a shift are left.
"""

import hashlib
import zipfile
from pathlib import Path

import keras
import numpy as np
from keras import layers

from pipeline.encoders.card import WeightsError

LARGEST = 64 * 2**20  # bytes, of the file and of what it unpacks to; ResNet50's are 2.7 MB


def load(network: keras.Model, path: Path) -> str:
    """Puts a file's weights into a network of `encoders.resnet`, whose layers have its names; the file's SHA-256.

    Raises:
        WeightsError: the file is missing, too large, no archive of arrays, or of another network.
    """
    arrays = _arrays(path)
    wanted = {layer.name: layer for layer in network.layers if layer.weights}
    have = {key.rpartition(".")[0] for key in arrays}
    if odd := sorted(have ^ set(wanted)):
        raise WeightsError(f"{path.name} does not fit {network.name}: only one of them has {odd[0]}")
    for name, layer in wanted.items():
        try:
            layer.set_weights(_values(layer, name, arrays))
        except (KeyError, ValueError, IndexError) as error:
            raise WeightsError(f"{path.name} does not fit {network.name} at {name}: {error}") from None
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _values(layer: layers.Layer, name: str, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    """A layer's weights in Keras's order and axes; of batch normalisation the mean is 0 and the variance 1."""
    if isinstance(layer, layers.BatchNormalization):
        scale, shift = arrays[f"{name}.weight"], arrays[f"{name}.bias"]
        return [scale, shift, np.zeros_like(shift), np.ones_like(scale)]
    height, width, into, out = layer.kernel.shape
    plain = arrays.get(f"{name}.weight")
    if plain is None:
        codes = arrays[f"{name}.codes_matrix"].astype(np.uint16)  # a signed number of some tool's may have been meant
        plain = arrays[f"{name}.codebook"].astype(np.float32)[codes]
    return [plain.reshape(out, into, height, width).transpose(2, 3, 1, 0)]


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The file's arrays by name; nothing is unpickled, and nothing larger than `LARGEST` is read."""
    if not path.is_file():
        raise WeightsError(f"{path.name} is missing. Expected an .npz of codes and codebooks. Received: {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            size = max(path.stat().st_size, sum(member.file_size for member in archive.infolist()))
        if size > LARGEST:
            raise WeightsError(f"{path.name} unpacks to {size:,} bytes; at most {LARGEST:,} are read")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path.name} is no .npz of arrays ({error})") from None
