"""Each word that a network's or a finetune's parameter may be, and the code that answers to it."""

from typing import get_args

import numpy as np
import pytest
from PIL import Image

from pipeline.data import images
from pipeline.encoders import backbones, pretrained
from pipeline.params import finetuning, networks
from pipeline.training import batches


@pytest.mark.parametrize(
    ("words", "answers"),
    [
        (networks.Interpolation, images.INTERPOLATIONS),
        (networks.Pooling, backbones.POOLING),
        (networks.WeightsSource, pretrained.LICENCES),
        (finetuning.Split, batches.SPLITS),
    ],
    ids=["interpolation", "pooling", "source", "split"],
)
def test_the_code_answers_to_the_words_that_may_be_said_and_to_no_others(words, answers):
    assert sorted(get_args(words)) == sorted(answers)


def test_every_preprocessing_but_the_networks_own_is_a_scaling():
    assert set(get_args(networks.Preprocessing)) - {"own"} < set(backbones.SCALINGS)


def test_every_resize_brings_an_image_to_its_size_in_a_way_of_its_own():
    image = Image.effect_noise((30, 20), 60).convert("RGB")
    made = [images.resize(image, (40, 50), how) for how in get_args(networks.Resize)]
    assert {array.shape for array in made} == {(40, 50, 3)}
    assert len(np.unique(np.stack(made), axis=0)) == len(made)
