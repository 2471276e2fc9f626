"""The tensors of a PyTorch file, read without PyTorch and without running anything that the file says."""

import collections
import io
import math
import pickle

import numpy as np

from pipeline.encoders.weights import WeightsError

# PyTorch's names of what a tensor holds
NUMBERS: dict[str, np.dtype] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Tensors(pickle.Unpickler):
    """Makes ordered dictionaries and descriptions of tensors; any other global is refused, so nothing can run.

    `storages`: by key, what the numbers of a tensor are and how many there are.
    """

    def __init__(self, file: io.BytesIO, storages: dict[str, tuple[np.dtype, int]]):
        super().__init__(file)
        self.storages = storages

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, size, stride, *_: (storage, offset, size, stride)
        if module == "torch" and name in NUMBERS:
            return name
        raise pickle.UnpicklingError(f"{module}.{name} is not a tensor; a weights file needs nothing else")

    def persistent_load(self, identity):
        _, kind, key, _, length, _ = identity
        self.storages[key] = (NUMBERS[kind], length)
        return key


def read(data: bytes) -> dict[str, np.ndarray]:
    """The tensors of a PyTorch file in the layout before version 1.6, without torch.

    The file is five pickles and then the raw numbers.

    Raises:
        WeightsError: it holds anything else, or is cut or damaged.
    """
    file, values = io.BytesIO(data), {}
    storages: dict[str, tuple[np.dtype, int]] = {}
    try:
        for _ in range(3):  # magic number, protocol, machine
            _Tensors(file, storages).load()
        tensors, keys = _Tensors(file, storages).load(), _Tensors(file, storages).load()
        for key in keys:
            kind, length = storages[key]
            if int.from_bytes(file.read(8), "little") != length:
                raise WeightsError("a tensor has another length than its table says: the file is cut or damaged")
            values[key] = np.frombuffer(file.read(length * kind.itemsize), kind)
        return {name: _strided(values[key], *place) for name, (key, *place) in tensors.items()}
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise WeightsError(f"no PyTorch file of tensors alone ({error})") from None


def _strided(numbers: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> np.ndarray:
    """A tensor out of its storage. The published file has its axes in TensorFlow's order behind PyTorch's sizes."""
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    too_many = math.prod(size) > len(numbers)  # a stride of 0 would let a tensor outgrow its numbers
    if offset < 0 or min(size, default=1) < 1 or min(stride, default=0) < 0 or last >= len(numbers) or too_many:
        raise WeightsError("a tensor reaches past its numbers: the file is cut or damaged")
    steps = [step * numbers.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(numbers[offset:], size, steps, writeable=False).copy()
