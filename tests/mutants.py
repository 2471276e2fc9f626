"""Faults put into the code one at a time, and the tests that must find each: `python tests/mutants.py [word …]`.

A word chooses the mutants whose module or description has it. The work is done in a copy of the checkout, so the code
here stays as it is. Prints which test killed each mutant, or ALIVE; ends with 1 where one lives.
"""

import contextlib
import importlib
import itertools
import math
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import clones
import pytest

LONGEST = 180  # seconds that the tests of a mutant may take: one that never ends is found as well
LIBRARIES = ("sqlite3", "hypothesis", "pandas", "sklearn.metrics", "scipy.stats", "numba", "seaborn", "keras")
STAMPS = itertools.count(1)
FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", re.MULTILINE)


class Mutant(NamedTuple):
    """One fault: `old` stands once in the module, and `new` takes its place; `tests` must fail then."""

    module: str
    tests: str
    what: str
    old: str
    new: str


# by module and the tests that must find its faults (below tests/, blanks between): what is wrong, what stands in the
# code, and what takes its place. The smallest tests that find it, and none with TensorFlow where others do.
MUTANTS: dict[tuple[str, str], list[tuple[str, str, str]]] = {
    ("pipeline/files.py", "test_files.py"): [
        (
            "a file's part stays after a fault",
            "        partial.replace(path)\n    finally:\n        partial.unlink(missing_ok=True)",
            "        partial.replace(path)\n    finally:\n        pass",
        ),
        (
            "the older folder is removed before the new one has its name",
            "            folder.replace(earlier)",
            "            shutil.rmtree(folder)",
        ),
        (
            "recovery puts an old folder over the new one",
            "    if earlier.exists() and not folder.exists():",
            "    if earlier.exists() and (shutil.rmtree(folder, ignore_errors=True) or True):",
        ),
    ],
    ("pipeline/vectors.py", "retrieval/test_ranking.py::test_a_vector_of_zeros_is_as_far_as_a_right_angle"): [
        ("zeros are divided by zero", "np.where(norms == 0, 1, norms)", "norms"),
    ],
    ("pipeline/vectors.py", "test_vectors.py"): [
        (
            "one block's smallest is all's",
            "lowest = np.min([rows.min(axis=0) for",
            "lowest = np.max([rows.min(axis=0) for",
        ),
        ("numbers that are infinite are finite", "~np.isfinite(rows)", "np.isnan(rows)"),
        ("the last piece is left out", "range(0, len(vectors), ROWS)", "range(0, len(vectors) - ROWS, ROWS)"),
        (
            "all at once",
            "(start, vectors[start : start + ROWS])",
            "(start, (vectors * vectors * 0 + vectors)[start : start + ROWS])",
        ),
    ],
    ("pipeline/encoders/resnet.py", "encoders/test_quantised.py"): [
        (
            "the stride is on the first 1×1: v1",
            'channels, 1, 1, f"{name}.conv1", f"{name}.bn1"))\n'
            '    y = layers.ReLU(name=f"{name}.relu2")(_convolve(y, channels, 3, stride,',
            'channels, 1, stride, f"{name}.conv1", f"{name}.bn1"))\n'
            '    y = layers.ReLU(name=f"{name}.relu2")(_convolve(y, channels, 3, 1,',
        ),
        (
            "padding on one side",
            "layers.ZeroPadding2D(kernel // 2,",
            "layers.ZeroPadding2D(((0, kernel // 2 * 2), (0, kernel // 2 * 2)),",
        ),
    ],
    ("pipeline/encoders/quantised.py", "encoders/test_quantised.py"): [
        ("axes in PyTorch's order", ".transpose(2, 3, 1, 0)]", ".transpose(3, 2, 1, 0)]"),
        ("anything is unpickled", "allow_pickle=False", "allow_pickle=True"),
        ("a bomb is unpacked", "if size > LARGEST:", "if size < 0:"),
        ("further arrays are passed over", "sorted(have ^ set(wanted))", "sorted(set(wanted) - have)"),
    ],
    (
        "pipeline/encoders/weights.py",
        "encoders/test_quantised.py::test_weights_of_one_resnet50_are_refused_by_the_other",
    ): [
        (
            "any network's weights will do",
            'if (network := card.get("backbone", spec.backbone)) != spec.backbone:',
            "if False:",
        ),
    ],
    (
        "pipeline/encoders/efficientnet_lite.py",
        "encoders/test_weights.py::test_lite_has_its_papers_size_and_knows_what_it_sees",
    ): [
        (
            "the first and the last stage are scaled too",
            "math.ceil(depth * repeats) if repeats > 1 else 1",
            "math.ceil(depth * repeats)",
        ),
    ],
    (
        "pipeline/evaluation/thresholds.py",
        "evaluation/test_scoring.py::test_thresholds_are_read_from_all_test_pairs_and_some_train_pairs",
    ): [
        ("the test part answers train pictures", "if gallery_codes[item] != NOBODYS and ", "if "),
    ],
    ("pipeline/evaluation/reenactment.py", "evaluation/test_reenactment.py"): [
        ("the query counts itself", "distance, counted, itself)", "distance, counted)"),
        ("a similarity is taken for a distance", "1 - step.threshold if distance", "step.threshold if distance"),
        ("the count with the query is not one less", "low <= reported - 1 <= high", "low <= reported <= high"),
        ("other documents' tables too", '(verdicts["document"] == "001") & ', ""),
    ],
    ("pipeline/evaluation/crossed.py", "evaluation/test_crossed.py"): [
        (
            "a network's own vectors ask another's pictures",
            "vectors[ask].vectors[queries], gallery",
            "gallery.vectors[queries], gallery",
        ),
        ("copies are neighbours", "NEAREST, (duplicates[queries], duplicates))", "NEAREST)"),
        ("all that was found is in common", ".any(axis=2).mean()", ".any(axis=2).any()"),
        ("a network that is not there is read", "if {*one[1:]} <= {*encoders}", "if one[1] in encoders"),
    ],
    ("pipeline/report/formulas.py", "report/test_formulas.py"): [
        ("formulas in a line stay TeX", "return convert(body)\n", "return body\n"),
    ],
    (
        "pipeline/progress.py",
        "test_progress.py::test_work_ahead_comes_in_the_order_of_its_items_and_no_more_of_it_is_held_than_is_said",
    ): [
        ("one result more is held ahead", "len(waiting) > most", "len(waiting) > most + 1"),
    ],
    ("pipeline/progress.py", "test_progress.py"): [
        ("bars stay hidden after a fault", "    try:\n        yield\n    finally:\n", "    if not (yield):\n"),
    ],
    ("pipeline/params/sections.py", "params/test_params.py::test_a_misspelt_key_is_named_with_the_nearest"): [
        ("unknown keys are taken", 'extra="forbid"', 'extra="ignore"'),
    ],
    ("pipeline/params/sections.py", "params/test_params.py::test_a_bad_value_is_named_with_what_is_allowed"): [
        ("text is taken for a number", "strict=True", "strict=False"),
    ],
    ("pipeline/params/kinds.py", "params/test_params.py::test_a_bad_value_is_named_with_what_is_allowed"): [
        ("a count may be 0", "Count = Annotated[int, Field(ge=1)]", "Count = Annotated[int, Field(ge=0)]"),
    ],
    ("pipeline/params/networks.py", "params/test_params.py::test_an_image_size_is_a_side_or_height_and_width"): [
        ("the largest side is refused", "side <= 1024", "side < 1024"),
    ],
    ("pipeline/params/networks.py", "params/test_params.py::test_posteriors_that_cannot_be_are_refused"): [
        ("shares may leave nothing", "*self.beside.values()])) >= 1:", "*self.beside.values()])) > 1:"),
    ],
    ("pipeline/params/chapters.py", "params/test_params.py::test_a_bad_value_is_named_with_what_is_allowed"): [
        ("hit@1 need not be measured", "if 1 not in self.cutoffs or self", "if self"),
    ],
    ("pipeline/params/finetuning.py", "params/test_params.py::test_a_term_that_can_be_is_taken"): [
        ("one margin for all classes is no pair", "margin[0] > margin[1]", "margin[0] >= margin[1]"),
    ],
    ("pipeline/params/finetuning.py", "params/test_params.py::test_a_finetune_that_cannot_be_is_refused"): [
        (
            "two views may be the same",
            "if self.views == 2 and self.augment is None:",
            "if self.views == 3 and self.augment is None:",
        ),
    ],
    ("pipeline/params/study.py", "params/test_params.py::test_a_bad_value_is_named_with_what_is_allowed"): [
        (
            "all pictures may be for testing",
            "test_share: Annotated[float, Field(gt=0, lt=1)]",
            "test_share: Annotated[float, Field(gt=0, le=1)]",
        ),
    ],
    ("pipeline/params/systems.py", "params/test_params.py::test_a_system_that_cannot_be_is_named"): [
        ("the image alone need not be among the weights", " or weights[-1] != 1:", ":"),
    ],
    ("pipeline/params/references.py", "params/test_params.py::test_no_encoder_takes_a_finetune_by_year"): [
        (
            "a finetune by year may be searched with",
            'if isinstance(made, Finetune) and made.split == "temporal":',
            'if isinstance(made, Finetune) and made.split == "product" and False:',
        ),
    ],
    ("pipeline/params/cards.py", "params/test_params.py::test_a_finetune_starts_from_one_of_its_own_split"): [
        ("a finetune may start from one that saw its test part", "start.split != finetune.split", "False"),
    ],
    (
        "pipeline/params/cards.py",
        "params/test_params.py::test_a_finetune_starts_from_one_of_its_own_seed_which_draws_what_is_validated",
    ): [
        ("a finetune may validate on what the one before it learnt", "start.seed != finetune.seed", "False"),
    ],
    ("pipeline/params/references.py", "params/test_params.py::test_serving_needs_vectors_of_one_length"): [
        (
            "served vectors may have other heads",
            "return encoder.weights, encoder.head, encoder.posteriors, encoder.beside",
            "return encoder.weights, encoder.posteriors, encoder.beside",
        ),
    ],
    ("pipeline/stages.py", "test_stages.py::test_a_row_that_says_what_cannot_be_is_refused"): [
        ("a stage may do nothing", "if bool(stage.notebook) == bool(stage.work):", "if stage.notebook and stage.work:"),
    ],
    ("pipeline/data/boxes.py", "data/test_boxes.py"): [
        ("a box loses the pixels that it touches", "math.ceil(x + width)", "math.floor(x + width)"),
        ("a box beside its picture is taken", "if inside[0] >= inside[2] or", "if inside[0] > inside[2] or"),
    ],
    ("pipeline/data/catalog.py", "data/test_catalog.py::test_the_thesiss_images_are_all_of_kaggles"): [
        ("drawn pictures count as the thesis's", 'report["source"] != DRAWN and ', ""),
        ("some of the thesis's pictures are enough", 'report["pictures"] >= 44_400', 'report["pictures"] > 44_000'),
    ],
    (
        "pipeline/data/catalog.py",
        "data/test_catalog.py::test_codes_are_equal_where_labels_are_and_blank_is_relevant_to_nothing",
    ): [
        ("half a label is a label", ".isna().any(axis=1)", ".isna().all(axis=1)"),
    ],
    ("pipeline/data/catalog.py", "data/test_catalog.py::test_draws_are_seeded_ascending_and_without_repeats"): [
        (
            "what is drawn stands in no order",
            "np.sort(np.random.default_rng(seed).permutation(rows)[:count])",
            "np.random.default_rng(seed).permutation(rows)[:count]",
        ),
    ],
    (
        "pipeline/data/catalog.py",
        "evaluation/test_study.py::test_pictures_under_one_name_are_one_product_and_those_without_a_name_one_each",
    ): [
        (
            "pictures without a name are one product",
            "np.where(codes < 0, len(frame)",
            "np.where(codes < -1, len(frame)",
        ),
    ],
    ("pipeline/data/images.py", "data/test_images.py"): [
        (
            "the largest picture is refused",
            "if pixels > MAX_PIXELS",
            "if pixels >= MAX_PIXELS",
        ),
        (
            "what is too wide alone is not reduced",
            "image.width > width or image.height > height",
            "image.width > width and image.height > height",
        ),
        ("a photo is not turned", "ImageOps.exif_transpose(image)", "image.copy()"),
        ("one scan too many is read", "scans > MAX_SCANS or", "scans > MAX_SCANS + 1 or"),
        ("scans are counted without their pixels", "scans * pixels > MAX_SCANNED", "scans > MAX_SCANNED"),
        (
            "a film behind a picture counts as scans",
            "or (marker := found[1][0]) == END:",
            "or not (marker := found[1][0]):",
        ),
        ("a PNG of crumbs is read", "if place >= len(data):", "if place >= 0:"),
        ("a turned photo's size is not", "image.size[::-1] if turned", "image.size if turned"),
    ],
    ("pipeline/data/images.py", "data/test_images.py::test_grey_of_sixteen_bits_keeps_its_shades"): [
        ("white of 16 bits is not white", "/ 257)", "/ 258)"),
    ],
    ("pipeline/data/queries.py", "data/test_queries.py"): [
        ("a box of no numbers is taken", "if not abs(value) <= 1e9:", "if abs(value) > 1e9:"),
        ("the last of two rows counts as well", "elif name in seen:", "elif not name:"),
    ],
    ("pipeline/data/ingest.py", "data/test_catalog.py::test_no_product_straddles_the_split"): [
        (
            "products straddle the split",
            "chooser.split(frame, groups=together)",
            "chooser.split(frame, groups=frame[ID])",
        ),
        ("odd years ask whatever even years have", "np.where(learnt, SEEN, TEST)", "np.where(learnt, TEST, TEST)"),
    ],
    (
        "pipeline/data/ingest.py",
        "data/test_catalog.py::test_even_years_are_learnt_and_odd_ones_ask_unless_an_even_one_has_their_product_or_bytes",
    ): [
        ("odd years are learnt from", "temporal[remainder == 0] = TRAIN", "temporal[remainder == 1] = TRAIN"),
        ("what has no year counts as learnt", "together[remainder == 0]", "together[remainder != 1]"),
    ],
    ("pipeline/data/groups.py", "data/test_groups.py"): [
        ("copies may be parted", "count + catalog.duplicates(frame)", "count + images"),
        ("another case is another name", ".casefold()", ""),
        ("a name of nothing but punctuation is a blank", ' in "LMN") or name', ' in "LMN")'),
        ("pictures without a name belong together", "named = names >= 0", "named = names >= -1"),
    ],
    ("pipeline/data/ingest.py", "data/test_catalog.py::test_a_bad_row_is_left_out_by_name"): [
        ("an id may come twice", "if row[ID] in known:", "if row[ID] is None:"),
    ],
    ("pipeline/data/ingest.py", "data/test_catalog.py::test_pictures_with_equal_bytes_grey_and_odd_sizes_are_named"): [
        ("one of equal pictures is not named", "frame.duplicated(SHA256, keep=False)", "frame.duplicated(SHA256)"),
    ],
    ("pipeline/data/sources.py", "data/test_sources.py::test_a_path_that_leaves_the_archive_is_refused"): [
        (
            "a path may leave the archive",
            'path.is_absolute() or ".." in path.parts or ":" in name or "\\0" in member',
            'path.is_absolute() or ":" in name or "\\0" in member',
        ),
    ],
    ("pipeline/data/sources.py", "data/test_sources.py"): [
        ("a symbolic link is taken", "stat.S_ISLNK(member.external_attr >> 16)", "stat.S_ISLNK(member.external_attr)"),
        ("a bomb is unpacked", "member.file_size > 2**20 and", "member.file_size > 2**50 and"),
        ("a member's stated size is believed", "_bounded(file.read(limit + 1), what, limit)", "file.read()"),
        ("the largest member is refused", "if len(data) > limit:", "if len(data) >= limit:"),
    ],
    ("pipeline/data/cropper.py", "data/test_cropper.py"): [
        ("specks count as the product", "corners[areas * 4 >= areas.max()]", "corners[areas * 400 >= areas.max()]"),
        (
            "specks are pieces of their own",
            "if areas[place] >= SMALLEST * small.width * small.height",
            "if areas[place] >= 0",
        ),
        (
            "a box stays in the pixels of the reduced photo",
            "(round(int(value) / factor) for value in corners)",
            "(round(int(value)) for value in corners)",
        ),
        ("boxes that miss each other overlap", "both = max(width, 0) * max(height, 0)", "both = abs(width * height)"),
    ],
    ("pipeline/encoders/store.py", "encoders/test_store.py"): [
        (
            "the packed file is not written whole and renamed",
            "            with files.whole_file(path) as partial:",
            "            for partial in [path]:\n                partial.unlink(missing_ok=True)",
        ),
        (
            "a working file is left behind",
            "    finally:\n        working.unlink(missing_ok=True)",
            "    finally:\n        pass",
        ),
        ("a part may have any shape", "if vectors.shape != (len(ids), dimension):", "if vectors.shape[1:] == ():"),
        ("fewer pictures will do", "if done != count:", "if done > count:"),
        ("an older folder stays in the way", "if (path / mapped.MANIFEST).is_file():", "if path.is_file():"),
        ("what a killed run left stays in the way", '("working", "partial"):', '("working",):'),
        ("the form has nothing to do with the number", "    if count > LARGE:\n", "    if path.suffix == '.mapped':\n"),
    ],
    ("pipeline/encoders/mapped.py", "encoders/test_store.py encoders/test_mapped.py"): [
        ("the array is held", 'mmap_mode="r", allow_pickle', "mmap_mode=None, allow_pickle"),
        ("damaged shards are read", "if one != other]", "if one == '']"),
        ("damaged ids are read", 'if _hash(lines) != told["ids"]:', 'if not told["ids"]:'),
        ("numbers of another shape are read", '(told["pictures"], int(told["dimension"])):', "vectors.shape:"),
        ("another schema is read", 'if told["schema"] != SCHEMA:', 'if "schema" not in told:'),
        ("an original gets its copy's numbers", "for copy, original in copies", "for original, copy in copies"),
        ("a copy is looked for beside its place", "(one, done + at)", "(one, at)"),
        ("an older file stays beside the folder", "        if folder.is_file():", "        if folder.is_dir():"),
        ("shards may be of any size", 'if told["rows"] != ROWS:', 'if not told["rows"]:'),
    ],
    ("pipeline/encoders/store.py", "encoders/test_store.py::test_a_feature_set_checks_itself"): [
        (
            "ids may come twice",
            "len(set(self.ids.tolist())) != len(self.ids)",
            "len(set(self.ids.tolist())) > len(self.ids)",
        ),
        ("features may be no numbers", "if wrong := not_finite(self.vectors):", "if wrong := 0:"),
    ],
    ("pipeline/encoders/store.py", "encoders/test_store.py::test_another_schema_and_wrong_rows_are_refused"): [
        ("a file of another schema is read", 'and facts.get("schema") != SCHEMA:', 'and "schema" not in facts:'),
    ],
    (
        "pipeline/encoders/store.py",
        "encoders/test_store.py::test_a_copy_gets_the_features_of_its_original_and_nobody_else_does",
    ): [
        ("an original gets its copy's features", "[(original, copy) for", "[(copy, original) for"),
    ],
    ("pipeline/encoders/concatenation.py", "encoders/test_concatenation.py"): [
        (
            "the shares are changed over",
            "[_part(first, 1 - share), _part(second, share)]",
            "[_part(first, share), _part(second, 1 - share)]",
        ),
        ("a part has its share of the length, not of its square", "return share**0.5 *", "return share *"),
    ],
    (
        "pipeline/encoders/concatenation.py",
        "encoders/test_concatenation.py::test_parts_of_other_pictures_are_refused_and_leave_nothing",
    ): [
        (
            "parts of other pictures are joined",
            "if not np.array_equal(first.ids, second.ids):",
            "if len(first.ids) != len(second.ids):",
        ),
    ],
    (
        "pipeline/encoders/torch_file.py",
        "encoders/test_weights.py::test_a_tensor_that_reaches_past_its_numbers_is_refused",
    ): [
        ("a tensor may end one number too late", "last >= len(numbers)", "last > len(numbers)"),
        ("a tensor may outgrow its numbers", " or too_many:", ":"),
    ],
    ("pipeline/encoders/weights.py", "encoders/test_weights.py::test_a_file_with_a_link_to_another_is_refused"): [
        ("a link in a file is followed", "if not isinstance(link, h5py.HardLink):", "if False:"),
    ],
    (
        "pipeline/encoders/weights.py",
        "encoders/test_weights.py::test_a_small_file_that_asks_for_much_is_refused_unread",
    ): [
        ("any number of numbers is read", "if total > MOST_NUMBERS else None", "if total < 0 else None"),
        ("a piece may be of any size", "math.prod(item.chunks) > max(", "-math.prod(item.chunks) > max("),
        ("a file may hold any number of things", "if seen > MOST_ITEMS:", "if seen < 0:"),
    ],
    (
        "pipeline/encoders/weights.py",
        "encoders/test_weights.py::test_training_starts_from_the_head_only_where_it_has_the_same_shape",
    ): [
        (
            "training starts from a head of another shape",
            "shapes(path) == sorted(tuple(weight.shape) for weight in heads[0].weights)",
            "_shapes(path)",
        ),
    ],
    (
        "pipeline/encoders/backbones.py",
        "encoders/test_backbones.py::test_what_stands_beside_an_embedding_is_what_concatenations_of_its_parts_are",
    ): [
        ("what stands beside has its share of the length", "[share**0.5 * _mean([seen", "[share * _mean([seen"),
        (
            "the embedding keeps the length of what stands beside it",
            "sum([*shares.values(), *extra.values()])",
            "sum(shares.values())",
        ),
    ],
    (
        "pipeline/encoders/backbones.py",
        "encoders/test_backbones.py::test_an_encoder_is_the_published_preprocessing_then_the_network_then_the_mean",
    ): [
        ("pixels are scaled by a hair less", "return (x - 127.0) / 128.0", "return (x - 127.0) / 127.0"),
    ],
    (
        "pipeline/encoders/extract.py",
        "encoders/test_extract.py::test_features_of_other_data_have_another_fingerprint_and_each_encoder_its_own_name",
    ): [
        ("the data are no part of the fingerprint", '"data": data, "name": name}', '"name": name}'),
    ],
    (
        "pipeline/encoders/extract.py",
        "encoders/test_extract.py::"
        "test_pictures_with_equal_bytes_have_one_vector_though_the_network_adds_noise_and_rank_by_id",
    ): [
        ("copies keep the vectors of their places", "if image_id != first}", "if not first}"),
    ],
    ("pipeline/encoders/extract.py", "encoders/test_extract.py::test_shards_of_two_kinds_of_machine_are_not_joined"): [
        ("shards of two kinds are joined", "for shard in made})) > 1:", "for shard in made})) > 2:"),
    ],
    ("pipeline/encoders/shards.py", "encoders/test_shards.py"): [
        ("a damaged shard is kept", "if _hash(vectors) != shard.sha256:", "if not shard.sha256:"),
        ("a shard of another shape is kept", "return shard if vectors.shape == shape else None", "return shard"),
        ("two writers write to one file", 'f".{socket.gethostname()}.{os.getpid()}"', '""'),
    ],
    (
        "pipeline/evaluation/blocks.py",
        "evaluation/test_blocks.py::test_blocks_of_any_size_give_the_files_of_whole_rankings",
    ): [
        (
            "a relevant item stands before itself",
            'relevant.of(query), own, "right")',
            'relevant.of(query), own, "left")',
        ),
        ("a place is counted for another item", "item = items[query, at]", "item = at"),
        ("ties stand in any order", "return (bits << np.uint64(32)) | positions", "return bits << np.uint64(32)"),
        ("what is left out of a view stands in it", "            if not goes:\n", "            if True:\n"),
        ("a span is not added", "[one.pairs for one in some]", "[one.pairs for one in some[:1]]"),
    ],
    (
        "pipeline/retrieval/distances.py",
        "evaluation/test_blocks.py::test_tiles_are_a_gallery_in_its_order_and_no_other_is_less_than_it_may_be",
    ): [
        ("the last tile may be of a single item", "range(TILE, count - LEAST + 1, TILE)", "range(TILE, count, TILE)"),
    ],
    ("pipeline/scale.py", "test_scale.py::test_a_worker_with_other_variables_or_code_is_refused_by_name"): [
        ("any worker will do", "    if differing:\n", "    if not differing:\n"),
    ],
    ("pipeline/scale.py", "test_scale.py::test_a_worker_keeps_no_result_once_it_is_here"): [
        ("a result that was taken is kept", "        pieces.discard(piece)\n", ""),
    ],
    ("pipeline/scale.py", "test_scale.py::test_a_fault_of_a_piece_is_the_works_fault"): [
        ("a fault of a piece is a result", "            if fault:\n", "            if False:\n"),
    ],
    ("pipeline/params/scale.py", "test_scale.py::test_a_place_is_one_place"): [
        (
            "a scheduler and SLURM at once",
            "if len(named) != (self.engine == DASK):",
            "if not named and self.engine == DASK:",
        ),
    ],
    ("pipeline/encoders/extract.py", "encoders/test_extract.py::test_a_disk_too_small_is_said_before_the_work"): [
        ("a full disk is found out late", "if free < needed:", "if free < 0:"),
    ],
    (
        "pipeline/retrieval/distances.py",
        "retrieval/test_ranking.py::test_rounding_takes_no_cosine_distance_out_of_0_to_2",
    ): [
        ("cosine is not cut off at 0 and 2", "return np.clip(distances, 0, 2, out=distances)", "return distances"),
    ],
    (
        "pipeline/retrieval/ranking.py",
        "retrieval/test_ranking.py::test_a_distance_below_zero_or_without_a_number_is_named",
    ): [
        ("what is no number is passed by", "            if not value >= 0:\n                return False\n", ""),
        ("what is no number is ranked", "if row.size and not row.min() >= 0:", "if row.size and row.min() < 0:"),
    ],
    (
        "pipeline/retrieval/ranking.py",
        "retrieval/test_ranking.py::test_the_bits_of_a_distance_do_not_hang_on_the_chunk",
    ): [
        ("a single query is multiplied by itself", "[:1] if len(queries) == 1 else", "[:1] if len(queries) == 0 else"),
    ],
    ("pipeline/retrieval/ranking.py", "retrieval/test_ranking.py::test_chunks_fit_into_their_budget"): [
        ("chunks ahead take no room", "BUDGET // (query * (cores + 1) * DOZEN)", "BUDGET // (query * DOZEN)"),
        (
            "a chunk for each core whatever it takes",
            "min(max(BUDGET // (query * chunk) - 1, 1), cores)",
            "cores",
        ),
    ],
    (
        "pipeline/evaluation/scoring.py",
        "evaluation/test_scoring.py::test_the_chunks_that_queries_are_ranked_in_change_nothing",
    ): [
        (
            "rows stand chunk by chunk",
            "[table for place in zip(*parts, strict=True) for table in place]",
            "[table for chunk in parts for table in chunk]",
        ),
    ],
    ("pipeline/retrieval/ranking.py", "retrieval/test_ranking.py::test_a_zero_with_a_sign_is_a_zero"): [
        ("a zero with a sign comes last", "(row + np.float32(0)).view", "row.view"),
    ],
    (
        "pipeline/retrieval/ranking.py",
        "retrieval/test_ranking.py::test_the_nearest_of_a_ranking_equal_a_loop_that_passes_over_copies",
    ): [
        ("copies take neighbours' places", "first = order[:, : count + most]", "first = order[:, : count + 1]"),
    ],
    (
        "pipeline/retrieval/ranking.py",
        "retrieval/test_ranking.py::test_a_query_with_fewer_others_than_the_rest_finds_no_copy",
    ): [
        (
            "copies are neighbours of a query that has fewer others",
            "np.isfinite(distances).sum(axis=1).min()",
            "np.isfinite(distances).sum(axis=1).max()",
        ),
    ],
    (
        "pipeline/retrieval/ranking.py",
        "retrieval/test_ranking.py::test_the_same_dimension_does_not_make_another_fingerprint_right",
    ): [
        (
            "two encoders are compared",
            "if queries.encoder_id != gallery.encoder_id:",
            "if queries.vectors.shape[1] != gallery.vectors.shape[1]:",
        ),
    ],
    ("pipeline/retrieval/ranking.py", "retrieval/test_ranking.py::test_neighbours_check_themselves"): [
        (
            "distances may fall along a row",
            "if (np.diff(self.distances, axis=1) < 0).any():",
            "if (np.diff(self.distances, axis=1) < 0).all():",
        ),
    ],
    (
        "pipeline/retrieval/ranking.py",
        "retrieval/test_ranking.py::test_the_smallest_of_a_row_are_those_of_a_stable_sort_block_by_block",
    ): [
        (
            "equal ones come in the other order",
            "while at > 0 and value < values[row, at - 1]:",
            "while at > 0 and value <= values[row, at - 1]:",
        ),
        ("the last of equal ones is kept", "            if value >= largest:", "            if value > largest:"),
        ("a block's place is forgotten", "= value, first + place", "= value, place"),
    ],
    (
        "pipeline/retrieval/indexes.py",
        "retrieval/test_indexes.py::test_overlap_counts_any_of_those_at_the_last_distance",
    ): [
        ("only the first of ties is found", "distances <= exact[:, -1:] + tolerance", "distances <= exact + tolerance"),
    ],
    ("pipeline/encoders/visual_words.py", "encoders/test_visual_words.py"): [
        ("words are learnt from test pictures too", "catalog.rows_of(frame, catalog.TRAIN)", "frame.index.to_numpy()"),
        ("a word's length is forgotten", "np.square(words).sum(axis=1) - 2", "0 - 2"),
        ("a histogram is not rooted", "np.sqrt(counts / len(found))", "(counts / len(found))"),
        ("fewer corners than words are k-means's to refuse", "if len(every) < spec.words:", "if False:"),
        ("a bag is the same whatever it is made of", "spec.model_dump()]", "0]"),
    ],
    (
        "pipeline/retrieval/indexes.py",
        "retrieval/test_indexes.py::test_clusters_find_what_is_nearest_in_the_nearest_cluster_and_nothing_beside_it",
    ): [
        ("a cluster's places are taken for the gallery's", "members[cluster][found], away", "found, away"),
        (
            "every query is asked of the first cluster",
            "nearest = fitted.predict(queries)",
            "nearest = np.zeros(len(queries), int)",
        ),
    ],
    (
        "pipeline/systems/recommendation.py",
        "systems/test_recommendation.py::test_a_forest_learns_from_the_train_part_and_is_asked_about_the_test_part",
    ): [
        (
            "a forest learns what it is asked",
            ".fit(features.vectors[learnt], names[learnt])",
            ".fit(features.vectors[asked], names[asked])",
        ),
    ],
    (
        "pipeline/evaluation/protocols.py",
        "evaluation/test_protocols.py::test_f1_is_a_loop_over_what_is_neither_the_query_nor_its_copy",
    ): [
        ("a query's copies are found", "np.where(labels >= 0, alike - own, 0)", "np.where(labels >= 0, alike - 1, 0)"),
    ],
    ("pipeline/retrieval/indexes.py", "retrieval/test_indexes.py::test_rounding_takes_no_distance_out_of_0_to_2"): [
        ("distances of an index are not cut off", "np.clip(distances, 0, 2))", "distances)"),
    ],
    (
        "pipeline/retrieval/reranking.py",
        "retrieval/test_reranking.py::test_re_ranking_is_the_slow_transcription_of_the_paper",
    ): [
        (
            "two thirds are not enough",
            "_shared(mutual, first) * 3 <= len(mutual) * 2",
            "_shared(mutual, first) * 3 < len(mutual) * 2",
        ),
        (
            "the last neighbour is none",
            "asked_distances[row, rank] <= near_distances[place, -1]",
            "asked_distances[row, rank] < near_distances[place, -1]",
        ),
    ],
    (
        "pipeline/retrieval/rerankers.py",
        "retrieval/test_rerankers.py::test_what_is_hidden_might_as_well_not_be_there",
    ): [
        (
            "a hidden picture expands the query",
            "return _left(found, hidden[1][found[0]] == hidden[0][:, None], count)",
            "return found[0][:, :count], found[1][:, :count]",
        ),
        (
            "a hidden picture is added to the gallery's others",
            "changed = np.flatnonzero(passed[:, : better.neighbours].any(axis=1))",
            "changed = np.empty(0, int)",
        ),
        ("a hidden picture is somebody's neighbour", "lists[0][changed], lists[1][changed] = some", "pass"),
    ],
    (
        "pipeline/systems/user_photos.py",
        "systems/test_user_photos.py::test_a_hidden_picture_brings_up_nothing_by_expanding_the_query",
    ): [
        (
            "re-ranking sees what the protocol hides",
            "order = find(asked[how], run.top + twins, hidden)",
            "order = find(asked[how], run.top + twins, None)",
        ),
        (
            "the own picture is asked for while it is hidden",
            "values |= precisions(find(asked[how], run.top + twins, None)",
            "values |= precisions(find(asked[how], run.top + twins, hidden)",
        ),
    ],
    (
        "pipeline/retrieval/others.py",
        "retrieval/test_reranking.py::test_database_augmentation_expands_each_item_by_its_others",
    ): [
        ("an item is the nearest of the others", "itself = near == rows[:, None]", "itself = near < 0"),
    ],
    ("pipeline/systems/hybrid.py", "systems/test_hybrid.py::test_a_mix_is_a_distance"): [
        (
            "a mix is not cut off at 0 and 2",
            "np.clip(np.float32(1) - similarity, 0, 2)",
            "(np.float32(1) - similarity)",
        ),
    ],
    (
        "pipeline/report/publish.py",
        "report/test_pages.py::test_a_publications_lock_has_the_stages_of_its_study_alone",
    ): [
        ("stages of other studies are published", """.strip(" '\\"") in names)""", """.strip(" '\\""))"""),
    ],
    ("pipeline/data/thesaurus.py", "data/test_thesaurus.py"): [
        (
            "a word's plural is not looked up",
            "_table().get(word) or _table().get(stem(word)) or []",
            "_table().get(word) or []",
        ),
        (
            "the last group is taken, not the first",
            "for group in _groups(word):",
            "for group in reversed(_groups(word)):",
        ),
        ("a word without another is dropped", "(instead.get(word) or [word])", "instead.get(word, [word])"),
        ("senses of persons are kept", "if synsets[sense][0] in KINDS", "if synsets[sense][0]"),
    ],
    ("pipeline/site/site.py", "site/test_searches.py"): [
        ("the words as they were asked are searched", 'update={"text": said}', "update={}"),
    ],
    (
        "pipeline/evaluation/seeds.py",
        "evaluation/test_seeds.py::test_the_exam_is_spread_too_with_the_mean_of_its_bounds",
    ): [
        (
            "a number is told twice under one name",
            'reached[~reached["measure"].isin(twice)]',
            "reached",
        ),
    ],
    ("pipeline/data/text.py", "data/test_text.py"): [
        ("new words take the places of known ones", "len(known) + place", "place"),
        ("a word of the label is left in", "if stem(word) not in left_out", "if word not in left_out"),
    ],
    ("pipeline/data/text.py", "data/test_text.py::test_a_plural_has_the_stem_of_its_word"): [
        ("two letters lose their plural", "len(word) > 2 else", "len(word) > 1 else"),
    ],
    (
        "pipeline/evaluation/metrics.py",
        "evaluation/test_metrics.py::test_average_precisions_of_several_relevances_equal_a_loop_over_what_is_left",
    ): [
        (
            "a query takes no rank of its copies",
            "if gallery_codes[item] != query_codes[query]:\n                rank += 1",
            "rank += 1\n            if gallery_codes[item] != query_codes[query]:",
        ),
        ("no label is relevant to no label", "== asked[label] and asked[label] >= 0:", "== asked[label]:"),
    ],
    ("pipeline/evaluation/metrics.py", "evaluation/test_metrics.py::test_each_metric_equals_its_loop"): [
        (
            "a small gallery raises precision",
            "hits[:, :k].sum(axis=1) / k,",
            "hits[:, :k].sum(axis=1) / min(k, hits.shape[1]),",
        ),
        (
            "F1 forgets what there is",
            "2 * hits[:, :k].sum(axis=1) / (k + np",
            "2 * hits[:, :k].sum(axis=1) / (k + 1 + 0 * np",
        ),
        (
            "AP@n is divided by n",
            "_precision_sums(np.ascontiguousarray(hits[:, :depth])) / np.maximum(relevant, 1)",
            "_precision_sums(np.ascontiguousarray(hits[:, :depth])) / np.clip(relevant, 1, depth)",
        ),
    ],
    (
        "pipeline/evaluation/metrics.py",
        "evaluation/test_metrics.py::test_chance_is_exact_over_every_ranking_of_a_small_gallery",
    ): [
        ("chance is certain one item too early", "few = size - relevant < k", "few = size - relevant <= k"),
        ("chance counts the item itself", "others = (relevant - 1) /", "others = relevant /"),
    ],
    ("pipeline/evaluation/metrics.py", "evaluation/test_metrics.py::test_what_is_no_column_of_scores_is_refused"): [
        ("a score of no rank is one of all", "or (depth is None and at)", ""),
    ],
    ("pipeline/evaluation/metrics.py", "evaluation/test_metrics.py::test_hits_and_gains_equal_a_loop_over_labels"): [
        ("blank labels are relevant to each other", "if query_labels[query] >= 0:", "if query_labels[query] >= -1:"),
        ("blank labels agree", "if same and query_labels[query, label] >= 0:", "if same:"),
    ],
    ("pipeline/evaluation/metrics.py", "evaluation/test_metrics.py::test_what_is_seen_equals_a_loop"): [
        ("who is not in the gallery is found", "goes = not member[item]", "goes = False"),
    ],
    (
        "pipeline/evaluation/statistics.py",
        "evaluation/test_statistics.py::test_each_difference_has_the_standard_error_of_the_resamples_that_have_it",
    ): [
        (
            "the studentised maximum divides by N",
            "np.nanstd(resampled, axis=0, ddof=1)",
            "np.nanstd(resampled, axis=0, ddof=0)",
        ),
    ],
    ("pipeline/evaluation/statistics.py", "evaluation/test_statistics.py"): [
        (
            "two sets of queries are drawn alike",
            "chosen = np.random.default_rng([seed, queries])",
            "chosen = np.random.default_rng([seed])",
        ),
        (
            "two sets of queries are drawn alike within labels",
            "chosen = np.random.default_rng([seed, len(values)])",
            "chosen = np.random.default_rng([seed])",
        ),
        (
            "a row of nan in one column counts",
            "known = np.isfinite(values).all(axis=1)",
            "known = np.isfinite(values).any(axis=1)",
        ),
        (
            "a count of more than a byte is cut off",
            "        counts = _with_room(counts, int(drawn.max()))\n",
            "",
        ),
    ],
    (
        "pipeline/evaluation/statistics.py",
        "evaluation/test_statistics.py::test_the_interval_equals_scipys_within_monte_carlo_error",
    ): [
        ("both tails lie on each side", "((1 - level) / 2, (1 + level) / 2)", "(1 - level, level)"),
        ("what is skewed is taken for even", "np.clip(skewness, -1, 1) / 6", "np.clip(skewness, -1, 1) * 0"),
    ],
    (
        "pipeline/evaluation/statistics.py",
        "evaluation/test_statistics.py::test_the_macro_mean_and_its_variance_equal_a_loop_over_labels_and_products",
    ): [
        (
            "a product's own share shrinks its distance",
            "np.where(several, np.sqrt((1 - share) ** 2 + others), 1)",
            "np.ones_like(share)",
        ),
        ("a label of one product never moves", "single = (products == 1).sum()", "single = 0"),
    ],
    (
        "pipeline/evaluation/statistics.py",
        "evaluation/test_statistics.py::"
        "test_a_resample_without_a_value_does_not_take_the_interval_from_a_difference_that_has_one",
    ): [
        (
            "one missing draw takes the interval away",
            "np.isfinite(resampled).sum(axis=0) - 1",
            "np.full(resampled.shape[1], len(resampled) - 1)",
        ),
    ],
    (
        "pipeline/evaluation/statistics.py",
        "evaluation/test_statistics.py::test_where_a_label_is_a_product_the_labels_are_what_is_drawn",
    ): [
        ("a label that is a product never moves", "if (np.bincount(label) == 1).all():", "if len(label) < 0:"),
    ],
    (
        "pipeline/evaluation/statistics.py",
        "evaluation/test_statistics.py::test_resampled_means_equal_a_loop_that_leaves_nan_out",
    ): [
        (
            "columns with gaps of their own have those of the first",
            "alike = (known == known[:, :1]).all()",
            "alike = True",
        ),
    ],
    (
        "pipeline/evaluation/statistics.py",
        "evaluation/test_statistics.py::test_a_difference_without_a_value_spoils_no_other",
    ): [
        (
            "what has no value widens the others",
            "np.nan_to_num(np.abs(resampled - estimates) / safe)[:, known].max(axis=1)",
            "np.nan_to_num(np.abs(resampled - estimates) / safe, nan=9.0).max(axis=1)",
        ),
    ],
    ("pipeline/evaluation/within.py", "evaluation/test_within.py"): [
        (
            "a picture at the threshold is below it",
            "(distances < np.float32(limit))",
            "(distances <= np.float32(limit))",
        ),
        ("an end is a count that no picture has", ', method="inverted_cdf")', ")"),
        (
            "drawn pictures ask one another",
            "counts(features.take(rows), features,",
            "counts(features.take(rows), features.take(rows),",
        ),
        (
            "what lies nearer counts as between",
            "between = by_end[threshold] - by_end[above]",
            "between = by_end[threshold]",
        ),
        (
            "a key names the outer of two thresholds alone",
            "for end in (above, threshold) if end",
            "for end in (threshold,)",
        ),
    ],
    ("pipeline/evaluation/network_sizes.py", "evaluation/test_network_sizes.py"): [
        ("a network that no claim asks for is counted", 'if card.get("backbone") in asked', 'if "backbone" in card'),
        ("cards are read that nobody asks for", " if asked else []", ""),
    ],
    ("pipeline/evaluation/sample_picture.py", "evaluation/test_sample_picture.py"): [
        ("counts one more than the thesis's are sifted out", "<= max(SHIFTS)", "< max(SHIFTS)"),
        (
            "earlier counts stand beside other pictures",
            "columns = {name: column[kept] for name, column in columns.items()}",
            "columns = {name: column[: kept.sum()] for name, column in columns.items()}",
        ),
        (
            "the thesis's own counts are among the others",
            "others = ~(whether[IN] | whether[OUT])",
            "others = ~whether[OUT]",
        ),
        ("without the picture a count is one more", "OUT: (shifts == 1)", "OUT: (shifts == -1)"),
    ],
    ("pipeline/evaluation/scaled.py", "evaluation/test_scaled.py"): [
        ("what exceeds the scale is not cut off", "most), 1e-12), 0, 1)", "most), 1e-12), 0, None)"),
        ("a picture is a pair with itself", "np.triu_indices(len(vectors), 1)", "np.triu_indices(len(vectors), 0)"),
    ],
    ("pipeline/evaluation/thresholds.py", "evaluation/test_thresholds.py"): [
        ("a threshold that rounding left below its step is read one too low", "threshold * (1 + 1e-9)", "threshold"),
        ("blank labels are right", "if query_labels[query] >= 0 and", "if"),
    ],
    ("pipeline/evaluation/thresholds.py", "evaluation/test_thresholds.py::test_the_first_miss_equals_a_loop"): [
        (
            "the first miss counts as found",
            "return np.where(ranks < counts, first, np.inf), ranks",
            "return np.where(ranks < counts, first, np.inf), ranks + (ranks < counts)",
        ),
        (
            "a miss behind the ranks that count is one",
            "np.where(ranks < counts, first, np.inf)",
            "np.where(ranks <= counts, first, np.inf)",
        ),
    ],
    (
        "pipeline/evaluation/thresholds.py",
        "evaluation/test_thresholds.py::test_transferred_thresholds_are_judged_over_all_test_pairs",
    ): [
        (
            "a threshold just before the first miss takes it in",
            'thresholds, side="right") - 1',
            'thresholds, side="right")',
        ),
    ],
    (
        "pipeline/evaluation/thresholds.py",
        "evaluation/test_thresholds.py::test_the_best_threshold_has_the_largest_f1_on_train_and_is_judged_on_test",
    ): [
        (
            "the threshold is chosen on the test part",
            'place = int(curve(counts, TRAIN_ALL)["F1"]',
            'place = int(curve(counts, TEST_ALL)["F1"]',
        ),
    ],
    (
        "pipeline/evaluation/threshold_choice.py",
        "evaluation/test_threshold_choice.py::test_right_per_query_is_right_matches_over_queries",
    ): [
        (
            "right ones per query are of all pairs",
            "counts[thresholds.TEST_RIGHT].sum() / queries",
            "counts[thresholds.TEST_ALL].sum() / queries",
        ),
    ],
    (
        "pipeline/evaluation/threshold_choice.py",
        "evaluation/test_threshold_choice.py::test_what_one_pictures_threshold_loses_is_the_difference_of_two_f1",
    ): [
        (
            "what one picture's threshold loses has the other sign",
            'row["F1"] - row["one picture, F1"]',
            'row["one picture, F1"] - row["F1"]',
        ),
    ],
    (
        "pipeline/evaluation/protocols.py",
        "evaluation/test_protocols.py::test_features_of_the_same_pictures_in_another_order_are_refused",
    ): [
        (
            "features of other pictures are taken",
            "if features.ids.tolist() != frame[catalog.ID].tolist():",
            "if len(features.ids) != len(frame):",
        ),
    ],
    (
        "pipeline/evaluation/protocols.py",
        "evaluation/test_scoring.py::test_whole_product_out_removes_every_picture_of_the_querys_product_and_every_copy",
    ): [
        (
            "copies may be found where the product may not",
            "View(PRODUCT_OUT, ALL, both, both, everything, first, is_test)",
            "View(PRODUCT_OUT, ALL, both[:, 1:], both[:, 1:], everything, first, is_test)",
        ),
    ],
    (
        "pipeline/evaluation/protocols.py",
        "evaluation/test_scoring.py::test_held_out_types_ask_among_themselves_and_among_all",
    ): [
        (
            "seen types answer",
            "View(HELD_OUT, UNSEEN, bytes_, bytes_, held,",
            "View(HELD_OUT, UNSEEN, bytes_, bytes_, everything,",
        ),
        (
            "seen types ask",
            "View(HELD_OUT, ALL, bytes_, bytes_, everything, unseen, held)",
            "View(HELD_OUT, ALL, bytes_, bytes_, everything, unseen, is_test)",
        ),
    ],
    (
        "pipeline/evaluation/protocols.py",
        "evaluation/test_scoring.py::test_the_22_types_ask_test_against_test_with_the_query_for_ap_and_without",
    ): [
        (
            "train pictures answer",
            "View(UPC, TEST, single, single, is_test & clothes,",
            "View(UPC, TEST, single, single, clothes,",
        ),
        ("the query is left out of its AP", "View(UPC_IN, TEST, nobody,", "View(UPC_IN, TEST, single,"),
        ("a type of just so many is one of the 22", "sizes > UPC_MORE_THAN", "sizes >= UPC_MORE_THAN"),
    ],
    ("pipeline/evaluation/labelled.py", "evaluation/test_labelled.py"): [
        (
            "what was never learnt is near the last class",
            "labels[true >= 0, true[true >= 0]] = 1",
            "labels[np.arange(len(part)), true] = 1",
        ),
    ],
    ("pipeline/evaluation/siblings.py", "evaluation/test_siblings.py"): [
        ("the query is no listing", "rows[RELEVANT].to_numpy() + 1", "rows[RELEVANT].to_numpy()"),
    ],
    (
        "pipeline/data/ingest.py",
        "data/test_catalog.py::test_half_of_each_sub_category_s_types_are_held_out_and_the_odd_ones_take_turns",
    ): [
        ("the odd type is always held out", "more ^= len(types) % 2 == 1", "more ^= False"),
        ("a type is where its last picture is", "names.mode().min()", "names.iloc[-1]"),
    ],
    ("pipeline/encoders/squeeze.py", "encoders/test_squeeze.py"): [
        ("a part drowns another", "scale = np.repeat([1 / max(", "scale = np.repeat([1 + 0 * max("),
        (
            "components are whitened whole",
            "projection = directions / np.sqrt(deviation",
            "projection = directions / (deviation",
        ),
    ],
    ("pipeline/encoders/descriptors.py", "encoders/test_descriptors.py"): [
        ("the white ground counts", "keepdims=True) < LIGHTEST", "keepdims=True) < 256"),
        ("an engine rounds what lies on an edge", "ops.floor(values * count + EDGE)", "ops.floor(values * count)"),
        ("an engine says what is white", "EDGE, LIGHTEST = 5e-5, PAPER - 0.005", "EDGE, LIGHTEST = 5e-5, PAPER + 1e-5"),
        ("JPEG's order of frequencies is another", "(1, 0), (2, 0), (1, 1)", "(1, 0), (1, 1), (2, 0)"),
        (
            "the box is not the product's",
            "part = ops.floor(ops.subtract(places, first)",
            "part = ops.floor(ops.subtract(places, 0 * first)",
        ),
    ],
    ("pipeline/encoders/exported.py", "encoders/test_exported.py"): [
        ("vectors are not checked", "/ length) > NEAR", "/ length) > 1e9"),
        ("the shares are not rooted", "* share**0.5", "* share"),
    ],
    ("pipeline/encoders/packed.py", "encoders/test_packed.py"): [
        ("weights need not be the card's", "if weights.fingerprint(folder) != card", "if None and folder != card"),
        ("numbers stay whole", "numbers = numbers.astype(np.float16)", "numbers = numbers * 1"),
        ("any backbone will do", "if spec.backbone != backbone:", "if spec.backbone == None:"),
    ],
    (
        "pipeline/encoders/packed.py",
        "encoders/test_packed.py::test_a_concatenation_is_packed_as_one_network_with_its_cosines "
        "encoders/test_packed.py::test_a_concatenation_that_is_not_one_networks_is_refused_with_why",
    ): [
        (
            "shares of parts of parts are not multiplied",
            "shares.get(encoder, 0) + share * own",
            "shares.get(encoder, 0) + own",
        ),
        (
            "other weights stand beside a head",
            "if ours.read_bytes() != theirs.read_bytes():",
            "if not ours.read_bytes():",
        ),
        (
            "a picture is prepared in one part's way",
            "if getattr(part, field) != value:",
            "if not hasattr(part, field):",
        ),
        ("what else a part looks at is left away", '("also", "posteriors", "beside")', '("posteriors", "beside")'),
        ("a descriptor may be prepared in any way", 'wanted["preprocessing"] = "own"', "pass"),
        ("opinions keep their share", "{label: own * share for label", "{label: share for label"),
    ],
    ("pipeline/params/cards.py", "encoders/test_packed.py"): [
        ("any size is read", "        if size > most:\n", "        if size < 0:\n"),
        ("links are followed", "if path.is_symlink() or not", "if not"),
    ],
    ("pipeline/params/cards.py", "params/test_params.py::test_packed_weights_are_held_to_their_card"): [
        ("the split may be another", "            if given != said:", "            if given is None:"),
        ("pictures may be seen otherwise", "        if given[field] != told[field]:", "        if field is None:"),
        ("Kaggle's two sets are two shops", "self.data == data.name or", "self.data == data.name and"),
    ],
    (
        "pipeline/data/ingest.py",
        "data/test_sources.py::test_a_gallery_of_which_no_product_is_known_is_refused_before_anything_is_written",
    ): [
        ("nothing need be known of the products", "if rows[ARTICLE].isna().all():", "if rows.empty:"),
    ],
    ("pipeline/own.py", "test_own.py"): [
        ("equal pictures are one product", 'if seen[digest] > 1 else ""', 'if seen[digest] > 9 else ""'),
        ("features of other pictures are taken", " and kept.ids.tolist() == ids", ""),
        ("each start computes anew", "return kept.encoder_id == identity and", "return kept.encoder_id == ids and"),
        ("folders of one name are one", "hexdigest()[:8]", "hexdigest()[:0]"),
        ("what is left out is silent", "for line in [*lines[:SHOWN], *more]", "for line in more"),
    ],
    ("pipeline/paths.py", "test_installed.py"): [
        (
            "the code's own folder is the study's",
            'ROOT = _BESIDE if CHECKOUT else user_cache_path("fashion-retrieval-study")',
            "ROOT = _BESIDE",
        ),
        ("every place is a checkout", 'CHECKOUT = (_BESIDE / "params" / "config.yaml").exists()', "CHECKOUT = True"),
    ],
    ("pipeline/matching.py", "test_matching.py"): [
        ("a photo finds itself", "if match not in own][:count]", "if match][:count]"),
        (
            "faults of the gallery are silent",
            "    if not one:\n        rows +=",
            "    if one and not one:\n        rows +=",
        ),
        (
            "hidden files are read",
            '[*folders, *names] if not name.startswith(".")',
            '[*folders, *names] if not name.startswith("/")',
        ),
    ],
    ("pipeline/evaluation/named.py", "evaluation/test_named.py"): [
        ("the same listing is asked too", 'if QUESTIONS[name][2] != "product"', 'if QUESTIONS[name][2] != "nothing"'),
        ("nothing to find counts as nothing found", "hits, relevant, k), np.nan)", "hits, relevant, k), 0.0)"),
    ],
    ("pipeline/evaluation/trec.py", "evaluation/test_trec.py"): [
        ("what cannot be found is listed", "found[:count]", "found"),
        ("everybody asks", "asks = view.asks[rows]", "asks = view.asks[rows] >= 0"),
        ("all that is found is relevant", "for row in found[right]", "for row in found"),
    ],
    ("pipeline/training/losses.py", "training/test_product_names.py::test_image_text_equals_a_slow_loop"): [
        ("texts do not ask", "ops.transpose(similarity), ops.transpose(right))) / 2", "similarity, right)) / 2"),
    ],
    (
        "pipeline/evaluation/protocols.py",
        "evaluation/test_scoring.py::test_temporal_asks_with_odd_years_and_finds_even_ones",
    ): [
        (
            "odd years answer",
            "(catalog.TEMPORAL_SPLIT, catalog.TRAIN)",
            "(catalog.TEMPORAL_SPLIT, catalog.SEEN)",
        ),
    ],
    (
        "pipeline/evaluation/scoring.py",
        "evaluation/test_scoring.py::test_temporal_asks_with_odd_years_and_finds_even_ones",
    ): [
        (
            "what a view asks is not looked at",
            "asks, weighed = view.asks[rows],",
            "asks, weighed = np.ones(len(rows), bool),",
        ),
    ],
    (
        "pipeline/evaluation/scoring.py",
        "evaluation/test_scoring.py::test_sizes_the_catalogue_has_no_pictures_for_are_left_out",
    ): [
        ("a subset of all pictures is left out", "if size <= images]", "if size < images]"),
    ],
    (
        "pipeline/evaluation/scoring.py",
        "evaluation/test_scoring.py::test_thresholds_are_read_from_all_test_pairs_and_some_train_pairs",
    ): [
        (
            "train queries find their copies",
            "thresholds.histogram(distances, (asked.learnt[rows], asked.learnt), (labels[rows], labels), top)",
            "thresholds.histogram(distances, (rows, np.arange(len(labels))), (labels[rows], labels), top)",
        ),
    ],
    (
        "pipeline/evaluation/study.py",
        "evaluation/test_study.py::test_every_value_is_the_mean_over_queries_with_something_to_find",
    ): [
        (
            "queries with nothing to find are counted as answered",
            "answered = first[RELEVANT].to_numpy() > 0",
            "answered = first[RELEVANT].to_numpy() >= 0",
        ),
    ],
    (
        "pipeline/evaluation/study.py",
        "evaluation/test_study.py::test_the_interval_of_a_mean_equals_a_loop_over_the_same_draws_of_products",
    ): [
        (
            "queries of one product are drawn one by one",
            "run.resamples, run.seed, products[rows])",
            "run.resamples, run.seed)",
        ),
    ],
    ("pipeline/evaluation/mistakes.py", "evaluation/test_mistakes.py"): [
        ("blank labels are right", '(wanted == got) & (wanted != "")', "(wanted == got)"),
    ],
    ("pipeline/evaluation/mistakes.py", "evaluation/test_mistakes.py::test_a_neighbour_is_named_by_its_worst_fault"): [
        ("the last of the first neighbours does not count", "neighbours[RANK] <= first", "neighbours[RANK] < first"),
    ],
    (
        "pipeline/evaluation/self_match.py",
        "evaluation/test_self_match.py::test_the_share_of_the_self_match_is_what_leaves_with_the_query",
    ): [
        ("the share is of what is left", '/ wide["query in"]', '/ wide["query out"]'),
    ],
    ("pipeline/retrieval/expansion.py", "retrieval/test_expansion.py"): [
        ("a test picture is added to others", "catalog.rows_of(frame, catalog.TRAIN)", "np.arange(len(frame))"),
        ("a picture is its own neighbour", "itself = places == rows[:, None]", "itself = places == -2"),
        (
            "features in another order will do",
            "list(features.ids) != frame[catalog.ID].tolist()",
            "len(features.ids) != len(frame)",
        ),
        ("another train part has the same name", ", features.ids[context].tolist()]", "]"),
        ("one neighbour is added", "places, spec.alpha)", "places[:, :1], spec.alpha)"),
        (
            "nothing stands beside a share of one",
            "if spec.share < 1 else expanded",
            "if spec.share < 1 else vectors[rows]",
        ),
    ],
    ("pipeline/evaluation/seeds.py", "evaluation/test_seeds.py"): [
        ("one seed is a spread", 'kept["count"] > 1', 'kept["count"] > 0'),
        ("macro F1 has the accuracy's interval", 'reached["measure"] != "accuracy"', 'reached["measure"] == "product"'),
    ],
    (
        "pipeline/evaluation/changes.py",
        "evaluation/test_changes.py::test_pairs_differ_in_one_setting_and_the_later_stands_first",
    ): [
        ("another seed is a change", ' and differing != ["seed"]', ""),
        ("two settings at once are one change", "len(differing) == 1", "1 <= len(differing) <= 2"),
    ],
    (
        "pipeline/evaluation/changes.py",
        "evaluation/test_changes.py::test_batches_of_another_size_are_one_change_where_the_steps_are_as_many",
    ): [
        (
            "a quarter of the steps is no change",
            'one["epochs"] * sizes[1] == other["epochs"] * sizes[0]',
            'one["epochs"] != other["epochs"]',
        ),
    ],
    ("pipeline/evaluation/facts.py", "evaluation/test_facts.py::test_few_is_fewer_than"): [
        ("as many as n are fewer than n", 'group["rows"] < few', 'group["rows"] <= few'),
    ],
    ("pipeline/evaluation/separation.py", "evaluation/test_separation.py"): [
        ("a picture is a pair with itself", "np.triu_indices(len(labels), 1)", "np.triu_indices(len(labels), 0)"),
        ("pictures without a label count", "known = labels >= 0", "known = labels >= -1"),
    ],
    (
        "pipeline/evaluation/validation.py",
        "evaluation/test_validation.py::test_neighbours_are_those_of_a_loop_without_the_query_and_its_copies",
    ): [
        ("a query finds itself", '"cosine", count, (duplicates[rows], duplicates))', '"cosine", count)'),
    ],
    ("pipeline/evaluation/validation.py", "evaluation/test_validation.py::test_blank_labels_are_relevant_to_nothing"): [
        ("nothing to find is no number", "if np.isfinite(values).any() else 0.0", "if len(values) else 0.0"),
    ],
    ("pipeline/evaluation/classification.py", "evaluation/test_classification.py"): [
        ("classes that are only predicted count", "labels=np.unique(true), ", ""),
        ("an accuracy's pictures are drawn singly", "RESAMPLES, 0, products)", "RESAMPLES, 0)"),
    ],
    ("pipeline/training/losses.py", "training/test_losses.py::test_sup_con_equals_equation_2_of_its_paper"): [
        ("an anchor stands in its own softmax", "ops.where(candidate, similarity, -FAR)", "similarity"),
    ],
    (
        "pipeline/training/losses.py",
        "training/test_losses.py::test_batch_hard_takes_the_farthest_positive_and_the_nearest_negative",
    ): [
        (
            "the nearest positive is taken",
            "farthest = ops.max(ops.where(positive, distance, -FAR), axis=1)",
            "farthest = ops.min(ops.where(positive, distance, FAR), axis=1)",
        ),
    ],
    (
        "pipeline/training/losses.py",
        "training/test_losses.py::test_cross_entropy_equals_keras_and_leaves_out_rows_without_a_label",
    ): [
        ("rows without a label cost something", "known = labels >= 0", "known = labels >= -1"),
    ],
    (
        "pipeline/training/layers.py",
        "training/test_layers.py::test_a_batch_larger_than_the_memory_leaves_its_last_rows",
    ): [
        (
            "a batch that is too large leaves its first rows",
            "embeddings, numbers = embeddings[-self.size :]",
            "embeddings, numbers = embeddings[: self.size]",
        ),
    ],
    (
        "pipeline/training/objective.py",
        "training/test_objective.py::test_a_memory_counts_for_nothing_until_enough_batches_were_seen",
    ): [
        (
            "a memory counts one batch too early",
            "memory.batches > term.memory.warm_up",
            "memory.batches >= term.memory.warm_up",
        ),
    ],
    (
        "pipeline/training/objective.py",
        "training/test_objective.py::"
        "test_weight_decay_alone_moves_kernels_and_class_centres_and_no_bias_scale_or_shift",
    ): [
        ("biases decay", "len(weight.shape) <= 1]", "len(weight.shape) < 1]"),
    ],
    (
        "pipeline/training/losses.py",
        "training/test_losses.py::test_contrastive_is_its_papers_sum_where_an_anchor_has_one_pair_of_each_kind",
    ): [
        ("negatives below the margin are pushed", "candidate), similarity > margin)", "candidate), similarity > -2.0)"),
    ],
    ("pipeline/training/batches.py", "training/test_batches.py"): [
        (
            "pictures without a group are one group",
            "np.where(groups < 0, -1 - np.arange(len(groups)), groups)",
            "groups",
        ),
        (
            "fewer pictures than one batch are none",
            "max(count // spec.size * spec.size, min(count, spec.size))",
            "count // spec.size * spec.size",
        ),
        ("a product is learnt and validated", "_cut(together[train], VALIDATION_SHARE", "_cut(train, VALIDATION_SHARE"),
        ("what is learnt is validated too", '"learn": frame.iloc[train[learn]],', '"learn": frame.iloc[train],'),
    ],
    ("pipeline/training/augment.py", "training/test_augment.py"): [
        ("black is shown where the picture ends", 'mode="edge"', 'mode="constant"'),
        ("the edge is repeated on two sides only", "-min(across), max(across) - width,", "-min(across),"),
        ("a window leaves the picture", "slack = abs(1 - scale) / 2", "slack = abs(1 - scale)"),
        (
            "a quarter of the pictures is mirrored",
            "mirrored=augment.flip and flip > 0",
            "mirrored=augment.flip and flip > 0.5",
        ),
    ],
    ("pipeline/training/checkpoint.py", "training/test_checkpoint.py::test_the_best_epoch_outlives_a_worse_one"): [
        ("the last epoch is the best", "partial / STATE if best else self.folder / BEST", "partial / STATE"),
    ],
    (
        "pipeline/training/fit.py",
        "training/test_fit.py::test_by_year_the_accuracy_has_its_ceiling_beside_it_and_what_was_seen_counts_apart",
    ): [
        ("what was seen counts as the future", 'for part in ("test", "seen"))', 'for part in ("seen", "test"))'),
        ("types that cannot be learnt are no bound", "known = set(", "known = set(test[0]) | set("),
    ],
    ("pipeline/training/fit.py", "training/test_fit.py::test_patience_stops_and_gives_back_the_best_epoch"): [
        ("each epoch is kept as the best", "_best(history, self.spec) == len(history) - 1)", "True)"),
        ("patience ends one epoch late", ">= spec.patience)", "> spec.patience)"),
    ],
    (
        "pipeline/training/fit.py",
        "training/test_fit.py::test_before_training_a_new_head_is_left_out_and_after_it_vectors_are_those_of_the_result",
    ): [
        ("a new head counts before training", "        if self.known:\n", "        if True:\n"),
    ],
    ("pipeline/training/fit.py", "training/test_fit.py::test_a_run_that_goes_on_has_the_vectors_of_its_beginning"): [
        (
            "what it began with is what it goes on from",
            "            before = self._before(source)\n            history = state.restore(self.learner)\n",
            "            history = state.restore(self.learner)\n            before = self._before(source)\n",
        ),
    ],
    ("pipeline/figures/side_by_side.py", "figures/test_figures.py"): [
        (
            "all queries of one search, then those of the next",
            "[row for of_query in zip(*shown, strict=True) for row in of_query]",
            "[row for of_search in shown for row in of_search]",
        ),
    ],
    ("pipeline/figures/study_plots.py", "figures/test_figures.py"): [
        ("a threshold without a count is drawn", 'table.dropna(subset=["reported"])', "table"),
        ("a difference that touches 0 is green", 'RIGHT if row["low of all"] > 0', 'RIGHT if row["low of all"] >= 0'),
    ],
    ("pipeline/figures/panel.py", "figures/test_figures.py"): [
        (
            "right neighbours are framed red",
            "*(RIGHT if right else WRONG for right in",
            "*(WRONG if right else RIGHT for right in",
        ),
    ],
    ("pipeline/figures/threshold.py", "figures/test_figures.py"): [
        ("thresholds beyond the curve are drawn", "single <= far", "single >= 0"),
    ],
    ("pipeline/systems/hybrid.py", "systems/test_hybrid.py"): [
        (
            "a gain is over the text alone",
            "statistics.difference_interval(gains, samples - samples[:, -1:])",
            "statistics.difference_interval(gains, samples - samples[:, :1])",
        ),
        (
            "a copy is a neighbour",
            "(duplicates[positions] != duplicates[rows][:, None])",
            "(positions != rows[:, None])",
        ),
        (
            "test queries choose the weight",
            "best = wide[catalog.TRAIN].mean().idxmax()",
            "best = wide[catalog.TEST].mean().idxmax()",
        ),
        ("what nearest pictures say is a leak", "    if mode == PSEUDO_TEXT:\n        return False\n", ""),
    ],
    ("pipeline/systems/simulation.py", "systems/test_simulation.py"): [
        ("a white shirt loses its inside", "~np.isin(parts, border[border > 0])", "~light"),
    ],
    (
        "pipeline/systems/index_study.py",
        "systems/test_index_study.py::test_copies_are_jittered_a_little_and_the_first_not_at_all",
    ): [
        ("the first copies are jittered", "    jitter[: len(vectors)] = 0\n", ""),
    ],
    ("pipeline/data/near.py", "data/test_near.py"): [
        (
            "where a product stands is part of its looks",
            "        product = picture.crop((left, top, right, bottom))",
            "        product = picture.crop((0, 0, *picture.size))",
        ),
        ("equal bytes are near copies", " & (bytes_[ones] != bytes_[others])", ""),
        ("a later block's pictures are taken for the first's", "        others += start\n", ""),
        ("all pairs are kept", " < NEAREST\n", " < NEAREST * 99\n"),
        ("all of a chain are left out", "pd.Series(groups).duplicated()", "pd.Series(groups).duplicated(keep=False)"),
    ],
    ("pipeline/systems/composites.py", "systems/test_composites.py"): [
        (
            "products may cover each other",
            "        if not any(cropper.overlap(wide, other) for other in taken):",
            "        if True:",
        ),
        (
            "a photo's boxes are counted once a product",
            'boxes=table["boxes"].mask(again).astype(float)',
            'boxes=table["boxes"].astype(float)',
        ),
        (
            "the box that is searched is the first, not the best",
            "key=lambda pair: pair[1], default",
            "key=lambda pair: 0, default",
        ),
        (
            "the own picture may be found",
            "    first = pass_over(order, own, max(CUTOFFS))",
            "    first = order[:, : max(CUTOFFS)]",
        ),
    ],
    ("pipeline/systems/detector.py", "systems/test_composites.py"): [
        (
            "a box's place counts where no product is",
            "axis=-1) * there",
            "axis=-1)",
        ),
        (
            "a box stands a cell to the left",
            "    left = (across + values[:, 1])",
            "    left = (across - 1 + values[:, 1])",
        ),
    ],
    ("pipeline/systems/user_photos.py", "systems/test_user_photos.py::test_precisions_equal_a_slow_loop"): [
        ("a photo's own picture is left to find", "- hidden.get((duplicates[row], label), 0)", ""),
    ],
    (
        "pipeline/systems/recommendation.py",
        "systems/test_recommendation.py::test_duplicates_are_counted_with_what_rounding_makes_of_them",
    ): [
        ("rounding hides no copy", "(away <= 1e-6).sum()", "(away < 0).sum()"),
    ],
    ("pipeline/evaluation/statistics.py", "claims/test_claims.py"): [
        ("one missing draw takes the standard error away", "np.nanstd(resampled,", "np.std(resampled,"),
    ],
    ("pipeline/claims/verdicts.py", "claims/test_claims.py"): [
        ("rounding takes a value from its tolerance", "claim.judge.tolerance + 1e-9", "claim.judge.tolerance"),
        ("a value alone contradicts", '(verdict, "") if sure or', '(verdict, "") if True or'),
        ("a count of the data contradicts nothing", " or split(key)[0] == facts.FAMILY for", " for"),
        ("0 itself keeps no bound", "REPRODUCED if low >= 0", "REPRODUCED if low > 0"),
        ("0 itself breaks a bound", "CONTRADICTED if high < 0", "CONTRADICTED if high <= 0"),
        ("the margin itself lies outside", "-margin <= low and high <= margin", "-margin < low and high < margin"),
        ("equal ones stand in no order", "(steps <= 0).all()", "(steps < 0).all()"),
        (
            "two differences are judged one by one",
            "statistics.simultaneous(estimates, samples)",
            "statistics.difference_interval(estimates, samples)",
        ),
        ("what has no value is judged", " or not np.isfinite(values[key])]", "]"),
        ("one of a pair without draws is 0", "np.full(count, float(values[key]))", "np.zeros(count)"),
        (
            "one of a pair without draws takes the other's",
            "if key in resampled else np.full",
            "if key in resampled else next(iter(resampled.values())) if resampled else np.full",
        ),
    ],
    ("pipeline/claims/verdicts.py", "claims/test_claims.py::test_a_retrieval_is_not_above_one_with_the_same_scores"): [
        ("equal ones are above each other", "if a > judge.margin", "if a >= judge.margin"),
    ],
    (
        "pipeline/claims/verdicts.py",
        "claims/test_claims.py::test_of_several_pairs_the_worst_decides_and_those_not_run_are_passed_over",
    ): [
        ("one pair that was not run leaves a claim unjudged", "if not run:", "if len(run) < len(pairs):"),
    ],
    ("pipeline/claims/verdicts.py", "claims/test_claims.py::test_other_pictures_than_the_thesiss_give_no_verdict"): [
        ("other pictures are judged", "if measured and not comparable:", "if measured and comparable is None:"),
    ],
    ("pipeline/claims/verdicts.py", "claims/test_claims.py::test_a_bound_of_two_ends_holds_when_both_do"): [
        ("of two ends the last decides", "_at_most(_worst(sides.values())", "_at_most([*sides.values()][-1]"),
    ],
    (
        "pipeline/claims/verdicts.py",
        "claims/test_claims.py::test_a_count_of_one_picture_is_held_against_the_middle_of_all",
    ): [
        (
            "the ends of the middle lie outside",
            "REPRODUCED if low <= claim.reported <= high",
            "REPRODUCED if low < claim.reported < high",
        ),
    ],
    (
        "pipeline/claims/verdicts.py",
        "claims/test_claims.py::test_a_claim_that_cannot_be_judged_is_answered_by_its_statements_and_says_what_they_say"
        " claims/test_claims.py::test_what_was_judged_as_it_was_said_needs_no_substitute",
    ): [
        ("a statement that was not judged answers", ' and row["verdict"] in MEASURED:', ":"),
        ("a claim that was judged is said to be answered", 'if row["verdict"] in (NOT_TESTABLE, NOT_RUN) and ', "if "),
        ("what cannot be tested is never answered", "in (NOT_TESTABLE, NOT_RUN)", "in (NOT_RUN,)"),
        ("what is missing is no longer said", '[row["evidence"], *said[row["claim"]]]', 'said[row["claim"]]'),
    ],
    ("pipeline/claims/verdicts.py", "claims/test_claims.py::test_what_a_document_prints_is_divided_again"): [
        ("a wrong quotient passes", "(INCONSISTENT if wrong else REPRODUCED)", "REPRODUCED"),
    ],
    ("pipeline/claims/registry.py", "claims/test_claims.py::test_a_bound_has_one_end_at_least"): [
        (
            "a bound may have no end",
            "claim.judge.at_least is None and claim.judge.at_most is None",
            "claim.judge.at_least is None and claim.judge.at_most is not None",
        ),
    ],
    (
        "pipeline/claims/registry.py",
        "claims/test_claims.py::test_a_key_that_no_measurement_can_have_is_refused_with_the_nearest",
    ): [
        (
            "a key that nothing measures is taken",
            "if fault := keys.fault(key, patterns, names):",
            "if fault := keys.fault(key, patterns, names) and '':",
        ),
    ],
    ("pipeline/claims/summary.py", "claims/test_claims.py::test_verdicts_are_counted_by_document"): [
        ("a verdict that nothing got has no column", ".reindex(columns=VERDICTS, fill_value=0)", ""),
        (
            "what a substitute was asked counts as said",
            'table["claim"].map(base) == table["claim"]',
            'table["claim"] != ""',
        ),
    ],
    (
        "pipeline/report/docs.py",
        "report/test_docs.py::test_an_edited_number_is_made_anew_and_an_unknown_part_is_refused",
    ): [
        ("a part without its end stays as it was", " != 2 * len(BLOCK.findall(text)):", " < 0:"),
    ],
    ("pipeline/report/docs.py", "report/test_docs.py::test_generated_parts_are_what_the_numbers_and_the_code_say"): [
        ("the front page leads with what was learnt", "_headline(TEST), _headline()", "_headline(), _headline()"),
    ],
    (
        "pipeline/report/numbers.py",
        "report/test_docs.py::test_generated_parts_are_what_the_numbers_and_the_code_say",
    ): [
        ("a minus is lost", '"−" if value < 0 else', '"−" if value < -1 else'),
    ],
    ("pipeline/report/publish.py", "report/test_pages.py"): [
        (
            "a run that is not finished is published",
            "if not path.exists()]:\n        raise PagesError",
            "if path is None]:\n        raise PagesError",
        ),
    ],
    ("pipeline/report/numbers.py", "report/test_numbers.py"): [
        ("an interval is not turned round", "found[1][:0:-1]", "found[1][1:]"),
        ("empty cells are numbers", " if not math.isnan(one[0])", ""),
        ("code has headings", '" " * len(code[0]), page', "code[0], page"),
        ("another difference than the evidence's first", "DIFFERENCE.search(str(", "DIFFERENCE.fullmatch(str("),
        (
            "a number that moved is no fault",
            "if (shown := _shown(one, match)) != line.said:",
            "if not _shown(one, match):",
        ),
        ("a number without a line is no fault", "sorted({*found} - {*listed})", "sorted(set(found) - {*found})"),
        ("a number that is gone is no fault", "sorted({*listed} - {*found})", "sorted(set(found) - {*found})"),
        ("one of several rows is taken", "if len(found) != 1:", "if not found:"),
        ("an interval may be anything", 'if not match["interval"]:', "if True:"),
        ("a loss is a gain", 'sign = "−" if value < 0 else', 'sign = "+" if value < 0 else'),
        ("a cell's column is not looked at", "if mark and column in row.index else", "if not mark else"),
    ],
    ("pipeline/report/finetuning_tables.py", "report/test_finetuning_tables.py"): [
        ("a difference is not turned round", "(-number for number in table", "(number for number in table"),
        ("an interval's ends stay where they are", '["difference", HIGH, LOW]', '["difference", LOW, HIGH]'),
        ("seeds are set against others", "if seed in others]", "if seed in others][::-1] * 2"),
        ("one training is said to be all", "fmean(found)) + (", "found[0]) + ("),
        ("every place is one", 'table[table["place"] == PLACE]', 'table[table["place"] != PLACE]'),
        ("against what is not said", '"" if against == base else', '"" if against else'),
        ("what the run has not is asked for", "    if f", "    if not f"),
    ],
    ("pipeline/report/system_tables.py", "report/test_system_tables.py"): [
        ("the median is the slowest", "{_time(one['single p50 ms'])} (", "{_time(one['single p95 ms'])} ("),
        (
            "the smallest gallery is the catalogue",
            '== table["components"].max(), "pictures"].max()',
            '== 64, "pictures"].max()',
        ),
        ("the document's weight is the image alone", 'found.loc[0.7, "mAP"]', 'found.loc[1.0, "mAP"]'),
    ],
    ("pipeline/report/exam_table.py", "report/test_docs.py"): [
        ("one training is shown for three", 'keep="last"', 'keep="first"'),
        ("held-out types are asked of who has learnt them", "other if question.startswith(HELD_OUT) else name", "name"),
        ("an aim that is just met is not bold", "if value >= least", "if value > least"),
    ],
    ("pipeline/report/pages.py", "report/test_pages.py"): [
        ("a chapter that did not run is linked", "if chapter in ran else", "if chapter else"),
        (
            "a link to a notebook stays one",
            'return f"[{words}]({page}{mark}{anchor})" if page else words',
            "return match[0]",
        ),
        ("a page of an item leads beside itself", 'up = "../" * page.count("/")', 'up = ""'),
    ],
    ("pipeline/site/questions.py", "site/test_questions.py"): [
        (
            "words are compared by any distance",
            'if question.text and question.distance != "cosine":',
            'if question.text is None and question.distance != "cosine":',
        ),
        (
            "an index searches words",
            'question.index != "exact" and (question.text or',
            'question.index != "exact" and (',
        ),
    ],
    ("pipeline/site/products.py", "site/test_products.py"): [
        ("a number comes twice", "number = max(before, last) + 1", "number = last + 1"),
        ("a removal is no change", "        _next(connection)\n        if catalogued:", "        if catalogued:"),
        ("nobody's product is hidden", "if catalogued:\n", "if catalogued or identity:\n"),
        ("looking makes a file", "there = path.exists() and path.stat().st_size > 0", "there = True"),
        ("features of another product are kept", "WHERE number = ? AND id = ?", "WHERE number >= ? AND id = ?"),
    ],
    ("pipeline/site/snapshots.py", "site/test_products.py"): [
        (
            "what was taken away stays",
            "kept[now.catalogued :] = [",
            "kept[: now.catalogued] = [True] * now.catalogued or [",
        ),
        ("a blank becomes a value", "np.where(new.isna(), -1, ", "np.where(new.isna(), 0, "),
        ("features are not parted from their products", "[part[stays], vectors[name]]", "[part, vectors[name]]"),
    ],
    (
        "pipeline/site/snapshots.py",
        "site/test_searches.py::test_what_only_the_added_products_decide_is_done_once_and_not_in_each_search",
    ): [("added features are scaled in each search", "        if key not in self.measures:", "        if True:")],
    ("pipeline/site/snapshots.py", "site/test_searches.py::test_a_shown_product_costs_no_call_of_pandas"): [
        (
            "a shown product goes through pandas",
            "return dict(zip(TOLD, self.told[row], strict=True))",
            "return pd.Series(self.told[row], TOLD, object).to_dict()",
        ),
    ],
    (
        "pipeline/site/snapshots.py",
        "site/test_searches.py::test_what_filters_choose_from_is_counted_once_until_products_change",
    ): [
        (
            "filter values are counted at each call",
            "    @cached_property\n    def choices",
            "    @property\n    def choices",
        ),
    ],
    (
        "pipeline/site/local.py",
        "site/test_searches.py::test_the_ten_thousandth_addition_takes_not_much_longer_than_the_hundredth",
    ): [
        (
            "with each addition all added features are read",
            "vectors = {one.identity: encoders.of_added(one, self.shelf, new)",
            "vectors = {one.identity: encoders.of_added(one, self.shelf, now.added + new)[len(now.added) :]",
        ),
        (
            "with each addition all added products are read",
            "            new = [row[:2] for row in shelf.new]\n",
            "            new = [row[:2] for row in shelf.new]\n            products.look(self.shelf)\n",
        ),
    ],
    ("pipeline/site/guard.py", "site/test_guard.py"): [
        ("any name is the site's", "        return name in names\n", "        return True\n"),
        ("another page's picture loads an encoder", 'not scope["path"].startswith("/api") or', "True or"),
        ("a page of the proxy's name is foreign", "not in self.public", "not in set()"),
        ("more than the token is taken", "if not hmac.compare_digest(given, ", "if not given.startswith("),
        ("whoever comes may write", "        if not self.on:\n", "        if not self.on and self.token:\n"),
        ("questions are not counted", "self.at_work += asks", "self.at_work += 0"),
    ],
    ("pipeline/site/guard.py", "site/test_crowd.py"): [
        ("a class is too much at once", "MOST_AT_WORK = 500", "MOST_AT_WORK = 100"),
    ],
    ("pipeline/app.py", "site/test_crowd.py"): [
        ("connections are counted, not questions", 'lifespan="off",', 'lifespan="off", limit_concurrency=100,'),
    ],
    ("pipeline/app.py", "site/test_guard.py::test_a_head_without_an_end_is_refused_in_one_line"): [
        ("a head may be as long as it likes", "event_size=32_768", "event_size=32_768_000"),
    ],
    ("pipeline/app.py", "site/test_guard.py::test_what_answers_first_loads_no_library_of_the_study"): [
        (
            "it listens after the program is loaded",
            "    try:\n        listening = _listening(given.host",
            "    from pipeline.site import service\n\n    try:\n        listening = service and _listening(given.host",
        ),
    ],
    ("pipeline/site/kept.py", "site/test_kept.py"): [
        ("a photo's mark is known to whoever has it", "blake2b(photo, key=self._key,", "blake2b(photo,"),
        ("photos are kept for ever", "now - asked <= SECONDS and ", ""),
        ("photos are kept without end", " and self.held <= MOST_BYTES", ""),
        (
            "what was just asked for goes first",
            "self._photos[mark] = self._clock(), photo\n        return photo",
            "return photo",
        ),
        (
            "a photo that is sent twice counts twice",
            "        self._forget(mark)\n        self._photos",
            "        self._photos",
        ),
        (
            "what was let go is counted still",
            "self.held -= len(self._photos.pop(mark)[1])",
            "self._photos.pop(mark)",
        ),
    ],
    ("pipeline/site/connections.py", "site/test_guard.py"): [
        ("an answer that nobody takes is held", "        if now >= left:", "        if now < left:"),
        ("a slow reader is cut off", "        if now >= left:", "        if left:"),
        (
            "half a head is waited for",
            "        elif self._silence is None:",
            "        elif not self.conn.trailing_data[0]:",
        ),
        (
            "an answer that takes long is cut off",
            "if self.cycle is not None and not self.cycle.response_complete:",
            "if self.cycle is None:",
        ),
        (
            "a body that was answered without it is taken for ever",
            "if self.cycle is not None and not self.cycle.response_complete:",
            "if self.conn.their_state is not h11.IDLE:",
        ),
        ("a silence that has ended closes a connection", "            self._silence.cancel()\n", ""),
        ("what is no HTTP is answered in plain text", 'json.dumps({"error": msg}).encode()', "msg.encode()"),
        (
            "one that says nothing is kept",
            "        self._silence = None\n        self.transport.close()",
            "        pass",
        ),
    ],
    ("pipeline/site/turns.py", "site/test_turns.py"): [
        ("large photos take every thread", "max(1, CORES - 1)", "CORES"),
        ("all wait for large photos", "lane = self._lanes[kind]", 'lane = self._lanes["large photos"]'),
        ("more searches at once than a gallery answers", '"searches": searches', '"searches": 40'),
        ("one who has left is worked for", "if await request.is_disconnected():", "if False:"),
        ("all may wait", "if lane.waiting >= MOST_WAITING:", "if lane.waiting > 10 * MOST_WAITING:"),
    ],
    ("pipeline/site/study.py", "site/test_judged.py::test_a_machine_without_openmp_answers_several_people"): [
        ("two people count at once", "    with _counting:", "    if True:"),
    ],
    ("pipeline/site/bodies.py", "site/test_turns.py"): [
        ("bodies are never let go", "self.held -= length", "self.held -= 0"),
        ("a form that is cut short is taken", 'if not parts[-1].startswith(b"--"):', "if not parts[-1]:"),
    ],
    ("pipeline/matching.py", "test_matching.py::test_a_table_of_matches_holds_no_formula"): [
        ("a table of matches has formulas", "plain(value) for", "value for"),
    ],
    ("pipeline/encoders/regions.py", "encoders/test_regions.py"): [
        (
            "what stands beside is a cell's too",
            "sum([*spec.posteriors.values(), *spec.beside.values()])",
            "sum(spec.posteriors.values())",
        ),
        ("a mirror image's cells stand mirrored", "cells[:, ::turn] / length", "cells / length"),
        (
            "class probabilities are compared with cells",
            "[:, -dimension:]",
            "[:, :dimension]",
        ),
        ("a constant is given to the cells", "cells * slope", "cells * slope + 0.01"),
        ("probabilities' share is the embedding's", "return part * total", "return total"),
        (
            "the other vector counts by its length",
            "toward = unit(other[None].astype(np.float32))",
            "toward = other[None]",
        ),
        ("a mirror image has a graph of its own", '"beside": {}, "mirrored": False}', '"beside": {}}'),
    ],
    ("pipeline/site/apart.py", "site/test_apart.py"): [
        ("who compiles an encoder lets all wait", '        _write("encoder", ', '        print("encoder", '),
        ("who compiles cells lets all wait", '    _write("cells", ', '    print("cells", '),
        ("a process that died is believed", "    if code:\n", "    if not said:\n"),
        ("a process may take for ever", "timeout=LONGEST", "timeout=None"),
        ("weights that are missing are a process's death", "if code == NO_WEIGHTS:", "if not said:"),
    ],
    (
        "pipeline/site/apart.py",
        "test_installed.py::test_a_site_that_is_stopped_waits_for_no_network_that_is_compiled",
    ): [
        ("a program that ends waits for a network", "for process in list(_working):", "for process in []:"),
    ],
    ("pipeline/site/site.py", "site/test_questions.py"): [
        ("a database's products are asked for what memory has", "if not isinstance(self.gallery, Local):", "if False:"),
    ],
    ("pipeline/site/study.py", "site/test_judged.py"): [
        ("the one that asks is judged", "answers.others(now, far, row)", "far"),
        ("another gallery's score is shown", "        names.GALLERY: names.ALL,\n", ""),
        ("a rest is invented", "alike - float(shares.sum(dtype=float))", "alike"),
        ("hidden products are on the map", "& ~now.hidden[np.minimum(rows, len(now.hidden) - 1)]", ""),
        ("one that is on the map is not its own nearest", "np.where(rows == asked.row, -1, far[rows])", "-far[rows]"),
    ],
    (
        "pipeline/data/images.py",
        "site/test_judged.py::test_where_a_picture_stands_in_the_cells_is_where_it_is_prepared",
    ): [
        ("a padded picture fills its frame", 'if network.resize not in ("pad", "native"):', "if network.resize:"),
    ],
    ("pipeline/files.py", "site/test_turns.py::test_a_table_holds_no_formula"): [
        ("a formula is written", "value.startswith(formula)", "value.startswith(formula[1:])"),
    ],
    ("pipeline/site/tables.py", "site/test_turns.py::test_a_table_holds_no_formula"): [
        ("a batch's table has formulas", "files.plain(value)", "value"),
    ],
    ("pipeline/encoders/compiled.py", "encoders/test_compiled.py::test_what_was_compiled_by_other_code_is_not_taken"): [
        ("what was compiled outlives an edit", ', "code": code()}', "}"),
    ],
    ("pipeline/site/products.py", "site/test_answers.py"): [
        ("the longest name is refused", "len(value) > LONGEST", "len(value) >= LONGEST"),
        ("one product too many is taken", ">= MOST:", "> MOST:"),
    ],
    ("pipeline/site/answers.py", "site/test_answers.py"): [
        (
            "a shown distance does not find its product",
            "distances[shown].round(DIGITS) <= question.farthest",
            "distances[shown] <= question.farthest",
        ),
        ("what was taken away is found", "    distances[now.hidden] = FARTHEST\n", ""),
        (
            "words find what they do not describe",
            "far = np.where(alike > 0, words, FARTHEST) if far is None",
            "far = words if far is None",
        ),
        ("the next page is the first again", "[question.offset :]", ""),
        (
            "a product finds its copy",
            "distances[now.duplicates == now.duplicates[row]] = FARTHEST",
            "distances[row] = FARTHEST",
        ),
        ("a blank type has a vote", "if isinstance(kind, str))", "if kind is not None)"),
    ],
    ("pipeline/site/photos.py", "site/test_answers.py"): [
        ("a box may have five numbers", "len(numbers) != 4", "len(numbers) < 4"),
        ("the largest photo is refused", "len(data) > MOST_BYTES", "len(data) >= MOST_BYTES"),
        ("a small box of a large photo is searched blurred", " * min(size) / min(wanted)", ""),
    ],
    ("pipeline/reproduce.py", "test_reproduce.py::test_another_run_is_named_and_a_note_of_one_that_is_gone_is_not"): [
        (
            "another run is not noticed",
            "        lock.acquire()  # the system",
            "        pass  # the system",
        ),
    ],
    (
        "pipeline/reproduce.py",
        "test_reproduce.py::test_lines_end_at_a_carriage_return_too_and_split_characters_are_whole",
    ): [
        (
            "a last line without its end is lost",
            "    if rest:\n        yield rest",
            "    if not rest:\n        yield rest",
        ),
    ],
    (
        "pipeline/sources.py",
        "test_stages.py::test_a_stage_follows_from_every_module_that_it_reaches_and_from_no_other",
    ): [
        (
            "what imports import is not followed",
            "waiting += [] if module in PLUMBING else imports_of(module)",
            "waiting += []",
        ),
    ],
    ("pipeline/graph.py", "test_stages.py::test_a_graph_that_was_edited_by_hand_is_refused"): [
        ("a graph that was edited is run", 'if paths.GRAPH.read_text(encoding="utf-8") != text():', "if not text():"),
    ],
    ("pipeline/schedule.py", "test_schedule.py"): [
        ("the least awaited stage comes first", "max(self._ready, key", "min(self._ready, key"),
        ("a stage is given twice", "                    self._ready.remove(name)\n", ""),
        ("after a fault stages are given out", "while not self._stopped and self._order", "while self._order"),
        (
            "whoever waits is not told of a stage's end",
            "self._order.done(name)\n            self._changed.notify_all()",
            "self._order.done(name)",
        ),
        ("only those that follow at once are counted", "|= after[name] | {name}", "|= {name}"),
    ],
    ("pipeline/reproduce.py", "test_reproduce.py::test_two_processes_speak_at_once_and_the_one_that_failed_is_heard"): [
        (
            "a process is told apart from none",
            "self.working.setdefault(process, Working())",
            "self.working.setdefault(0, Working())",
        ),
    ],
    (
        "pipeline/reproduce.py",
        "test_reproduce.py::test_a_worker_that_ends_in_a_stage_fails_the_run_and_the_other_takes_no_more",
    ): [
        ("a killed worker ended well", "return abs(worker.wait()) or 1", "return 0"),
        ("a worker that says nothing ended well", "return abs(worker.wait()) or 1", "return abs(worker.wait())"),
    ],
    (
        "pipeline/reproduce.py",
        "test_reproduce.py::test_stages_that_are_stale_are_those_that_changed_and_all_that_follow",
    ): [
        (
            "what follows from a changed stage is left as it was",
            ".union(*({s.name for s in ancestors(graph, stage)} for stage in changed))",
            ".union(())",
        ),
        ("a worker waits for a stage that does not run", "if name in stale}, len", "}, len"),
    ],
    ("pipeline/warm.py", "test_warm.py::test_a_warm_process_that_has_died_is_told_at_once"): [
        ("a dead warm process is waited for", "or (server and not _lives(int(server)))", "or (server and False)"),
    ],
    (
        "pipeline/environment.py",
        "test_reproduce.py::test_a_process_that_starts_anew_is_waited_for_and_tells_how_the_new_one_ended",
    ): [
        (
            "how the new process ended is not told",
            "sys.exit(subprocess.call(command, env=chosen))",
            "sys.exit(0 * subprocess.call(command, env=chosen))",
        ),
    ],
    (
        "pipeline/app.py",
        "site/test_app.py::test_it_answers_while_the_program_is_loaded_and_control_c_ends_it_quietly",
    ): [
        (
            "each answer waits for a confirmation",
            "listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)",
            "pass",
        ),
    ],
    ("pipeline/site/site.py", "site/test_service.py::test_a_first_encoder_that_failed_and_was_tried_again_is_ready"): [
        ("a first encoder that failed stays so", 'if self.phase == "failed" and self._started:', "if False:"),
    ],
    (
        "pipeline/site/service.py",
        "site/test_service.py::test_products_that_another_process_changes_are_asked_for_again_in_a_moment",
    ): [
        ("a store that is busy is told as a full disk", "& 0xFF in (sqlite3.SQLITE_BUSY,", "& 0xFF in (-1,"),
    ],
    (
        "pipeline/site/service.py",
        "site/test_service.py::test_searches_without_a_photo_take_turns_and_neither_a_picture_nor_a_photo_waits_for_them",
    ): [
        (
            "searches for a product's like are all at work at once",
            'return await request.app.state.turns.run(request, lambda: site.search(question, wait=False), "searches")',
            "return await run_in_threadpool(site.search, question, None, False)",
        ),
    ],
    ("pipeline/site/service.py", "site/test_kept.py::test_photos_go_in_time_though_nobody_asks"): [
        (
            "kept photos go when somebody asks, and not before",
            "    app.state.kept.tidy()\n",
            "    pass\n",
        ),
    ],
    (
        "pipeline/site/service.py",
        "site/test_service.py::test_what_is_asked_of_a_photo_is_asked_of_one_that_was_sent_before",
    ): [
        (
            "a kept photo's product is judged by none",
            "study.judge(site, question, photo, wait=False))\n\n\n@router.post",
            "study.judge(site, question, None, wait=False))\n\n\n@router.post",
        ),
    ],
    (
        "pipeline/systems/detector.py",
        "systems/test_composites.py::test_a_kept_detector_says_what_the_trained_one_says_and_of_a_longer_photo_in_its_own_pixels",
    ): [
        (
            "a kept head's last layer is cut at 0",
            "seen if kernel is layered[-2] else np.maximum(seen, 0)",
            "np.maximum(seen, 0)",
        ),
        ("boxes of a tall photo are those of its square", "(box.x - left * there.side) * wide", "box.x * wide"),
    ],
    (
        "pipeline/systems/detector.py",
        "systems/test_composites.py::test_a_box_that_only_touches_the_photo_is_not_proposed",
    ): [
        ("slivers are proposed", ">= SMALLEST * photo.width", ">= 0 * photo.width"),
    ],
    ("pipeline/evaluation/separation.py", "evaluation/test_space.py"): [
        ("as many clusters as vectors", "if count >= len(vectors):", "if count > len(vectors):"),
        ("clusters that there are not are told", "if len(np.unique(clusters)) == count:", "if True:"),
    ],
    ("pipeline/evaluation/space_tables.py", "evaluation/test_space_tables.py"): [
        ("the lowest silhouette is told", '["silhouette"].idxmax()', '["silhouette"].idxmin()'),
    ],
    ("pipeline/reproduce.py", "test_reproduce.py::test_a_fault_here_leaves_nobody_waiting"): [
        ("somebody waits for ever after a fault", "        plan.stop()  # all is done", "        pass  # all is done"),
    ],
    ("pipeline/run.py", "test_run.py"): [
        ("a stage runs for two items", "(len(rest) != 1 or rest[0] not in items)", "rest[0] not in items"),
    ],
    ("pipeline/checking/runs.py", "checking/test_verify.py"): [
        (
            "a copy in the cache is believed by its name",
            "return path if path.is_file() and hash_of(path) == known.removesuffix(FOLDER) else None",
            "return path if path.is_file() else None",
        ),
        (
            "what DVC ignores counts as a folder's",
            "if root is None or not ignored.match_file(",
            "if root is None or True or not ignored.match_file(",
        ),
    ],
    ("pipeline/checking/record.py", "checking/test_verify.py"): [
        ("an edited chapter is not seen", "if entry.deps.get(path) != hash_]", "if path not in entry.deps]"),
        ("parameters of today are not looked at", " + _parameters(entry.params, values)", ""),
    ],
    ("pipeline/checking/scratch.py", "checking/test_verify.py"): [
        ("the clone lacks what is yours", "_link(_given(parameters), place)", "_given(parameters)"),
        ("a link leaves the clone", "and there.resolve().is_relative_to(place)", ""),
        ("a run with limits may take for ever", "timeout=seconds, preexec_fn", "timeout=None, preexec_fn"),
        (
            "the committed parameters are run in place of those given",
            "        shutil.copyfile(parameters, place / paths.PARAMS.name)\n",
            "",
        ),
    ],
    ("pipeline/checking/runs.py", "checking/test_compare.py"): [
        (
            "an option of git's is taken for a commit",
            'if not re.fullmatch(r"[\\w][\\w./^~@{}-]*", revision):',
            "if not revision:",
        ),
    ],
    ("pipeline/checking/verify.py", "checking/test_verify.py"): [
        (
            "what follows from other inputs is held to be a difference of its own",
            "    row.is_(OTHER, _after(OTHER, before))\n",
            "",
        ),
        (
            "an edited lock is told as an edited file",
            "    if present[path] in readers or (known and present[path] == known.outs.get(path)):",
            "    if False:",
        ),
        (
            "a record is believed whatever lies here",
            'if entry is None or record.get("outs") != entry.outs:',
            "if entry is None:",
        ),
        ("a parameter that moved is not named", "[*parameters(known.params, entry.params), *(", "[*("),
        (
            "the best verdict is the run's",
            "return max((row.verdict for row in rows)",
            "return min((row.verdict for row in rows)",
        ),
        (
            "training explains what follows from none",
            "    row.trained = any(other.trained for other in before)",
            "    row.trained = True",
        ),
    ],
    ("pipeline/checking/moved.py", "checking/test_verify.py"): [
        ("a number in a name is a number", r"(?<![\w@.])-?(?:", "-?(?:"),
        ("a whole number may be one off", "if places or found.trained else 0.0", ""),
        ("an interval's end counts as its value", "1 / ENDS if name in ends else 1.0", "1.0"),
        (
            "a number outside its interval is the same",
            "not found.words and not found.outside and",
            "not found.words and",
        ),
        ("words may be others", "bool(not found.words and", "bool("),
        ("the least difference is told as the largest", "nan=np.inf).argmax()", "nan=np.inf).argmin()"),
        (
            "hashes of mapped features are judged",
            r'(r"/features/[^/]+/", None, None)',
            r'(r"/features/[^/]+/$", None, None)',
        ),
        ("a file of any size is read", "if now.stat().st_size > GROWN * was.stat().st_size + SPARE:", "if False:"),
    ],
    ("pipeline/checking/receipt.py", "checking/test_receipt.py"): [
        (
            "hashes of a receipt are not looked at",
            'if row["verdict"] == SAME and (',
            'if row["verdict"] == SAME and False and (',
        ),
        ("a signature for anything will do", '"check-novalidate", "-n", NAMESPACE', '"check-novalidate", "-n", "git"'),
        ("a receipt may lack stages", "sorted(reference.stages.keys() - said.keys() - ", "sorted(set() - "),
    ],
    ("pipeline/checking/compare.py", "checking/test_compare.py"): [
        ("every change is real", '(table["low"] > 0) | (table["high"] < 0)', 'table["difference"] != 0'),
        ("other pictures are paired", "if pictures is None:", "if False:"),
        ("a page has any number of figures", "figures[:shown],", "figures,"),
        ("nobody is told how to get what is not here", "left_out += [FETCH] if any(", "left_out += [] if any("),
        ("a long diff is cut in silence", '[*diff[:LONGEST], f"… {len(diff) - LONGEST} lines more"]', "diff[:LONGEST]"),
    ],
    ("pipeline/checking/submission.py", "checking/test_grade.py"): [
        ("folders are passed over at any depth", "        if Path(place) == root:", "        if place:"),
        ("a zip's path may lead out", 'if path.is_absolute() or ".." in path.parts or', "if"),
        ("a zip may hold links", "if stat.S_ISLNK(member.external_attr >> 16):", "if False:"),
        ("links are followed", "if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):", "if False:"),
        ("YAML may unfold", "if ALIAS.search(", "if False and ALIAS.search("),
        ("a notebook of any size is read", "if path.stat().st_size > NOTEBOOK:", "if False:"),
        ("a record of any size is read", "record.name in RECORDS or", "False or"),
        (
            "a table of any number of rows is read",
            "if described.num_rows * described.num_columns > CELLS:",
            "if False:",
        ),
        ("a scheduler that a submission names is asked", '["scale"] if asked.scale != here.scale else []', "[]"),
        ("a path that a submission names is read", "if weights.path not in files]", "if False]"),
        (
            "a pipe that the lock names is opened",
            "return None if not first or first[0] in SKIPPED else runs.at(self.place, path)",
            "return runs.at(self.place, path)",
        ),
    ],
    ("pipeline/checking/grade.py", "checking/test_grade.py"): [
        ("a lock may say other parameters", "    if not _as_stated(run, chain):", "    if not run:"),
        ("other code is a reason for any number", "        if not own:  #", "        if False:  #"),
        ("a run of its own parameters is not asked", "if not looked.its_own and any(", "if any("),
        ("scores are not looked at", "if not abs(stated - again) <= EXACT:", "if False:"),
        (
            "the order of cells is not looked at",
            "return [] if counts == list(range(1, len(counts) + 1)) else",
            "return [] if True else",
        ),
        ("what a metric follows from is not looked at", "    if edited:\n", "    if False:\n"),
        ("an invented number has its points", "RIGHT if abs(stated - expected) <= part.tolerance else WRONG", "RIGHT"),
        ("a formula comes into the table", "files.plain(printable(value)) if", "printable(value) if"),
    ],
    ("pipeline/report/html.py", "checking/test_compare.py"): [
        ("pages draw what stands in notebooks", "autoescape=True", "autoescape=False"),
    ],
    (
        "pipeline/report/published.py",
        "report/test_published_pages.py::test_a_tables_measured_number_is_the_published_one",
    ): [
        ("a number is shown where a verdict rests on several", 'if keys in run.values else ""', 'if keys else ""'),
    ],
    (
        "pipeline/figures/svg.py",
        "report/test_published_pages.py::test_a_figure_is_the_same_text_each_time_and_two_share_no_name",
    ): [
        ("two figures share names", 'rf"\\g<1>{name}-{number}"', 'rf"\\g<1>a-{number}"'),
        ("digits that machines differ in stay", "_renamed(LONG.sub(", "_renamed(re.compile('never').sub("),
    ],
    ("pipeline/checking/overview.py", "checking/test_overview.py"): [
        ("the run's pictures are never said to be drawn", '["source"] == DRAWN', '["source"] == ""'),
    ],
}


def chosen(words: Sequence[str] = ()) -> list[Mutant]:
    """The mutants whose module or description has one of some words; all where there is no word."""
    mutants = [Mutant(module, tests, *row) for (module, tests), rows in MUTANTS.items() for row in rows]
    return [one for one in mutants if not words or any(word in f"{one.module} {one.what}" for word in words)]


def tested(place: Path, tests: Iterable[str], longest: float = LONGEST) -> tuple[int, str]:
    """How pytest ended in a copy, and the test that failed first, or its last words."""
    log = place / "tests.log"
    fork = os.fork()
    if fork == 0:
        _become(place, log, [f"tests/{test}" for test in tests])  # and never comes back
    until = time.monotonic() + longest
    while not (ended := os.waitpid(fork, os.WNOHANG))[0]:
        if time.monotonic() > until:
            os.killpg(fork, signal.SIGKILL)
            os.waitpid(fork, 0)
            return 1, f"no end within {longest} s"
        time.sleep(0.05)
    said = log.read_text(encoding="utf-8", errors="replace")
    found = FAILED.search(said)
    return os.waitstatus_to_exitcode(ended[1]), found[1] if found else said[-3000:]


def _become(place: Path, log: Path, tests: list[str]) -> None:
    """The fork's own life: pytest in the copy, whose own package is found first."""
    os.setsid()
    with log.open("w") as said:
        os.dup2(said.fileno(), 1), os.dup2(said.fileno(), 2)
    os.chdir(place)
    os.environ["PYTHONPATH"] = sys.path[0] = str(place)  # the first is for what tests start
    del sys.modules["clones"]  # the copy has its own
    try:
        os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))
    finally:
        os._exit(70)


def _load() -> None:
    """The libraries, without what TensorFlow says of itself as it is loaded."""
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    for library in LIBRARIES:
        importlib.import_module(library)
    os.dup2(kept, 2)


@contextlib.contextmanager
def mutated(place: Path, mutant: Mutant) -> Iterator[None]:
    """A copy with a fault, until the block ends."""
    path = place / mutant.module
    text, stamp = path.read_text(encoding="utf-8"), path.stat()
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    os.utime(path, (at := next(STAMPS), at))  # no two mutants take each other's compiled code
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # what was compiled of it is good again


def lives(place: Path, mutant: Mutant) -> bool:
    """Whether no test finds a mutant; says which one does. Where pytest cannot even begin, that finds it too."""
    begun = time.monotonic()
    with mutated(place, mutant):
        code, said = tested(place, mutant.tests.split())
    by = said.removeprefix("tests/") if code == pytest.ExitCode.TESTS_FAILED else "pytest, which could not begin"
    verdict = f"killed by {by}" if code else "ALIVE"
    print(f"{mutant.module}: {mutant.what}: {verdict} ({time.monotonic() - begun:.0f} s)", flush=True)
    return code == 0


def main(words: list[str]) -> int:
    """Runs the mutants that some words choose; 1 where one lives."""
    mutants, begun = chosen(words), time.monotonic()
    _load()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        place = clones.make(Path(folder))
        (place / ".venv").symlink_to(clones.ROOT / ".venv")
        every = sorted({test for mutant in mutants for test in mutant.tests.split()})
        code, said = tested(place, every, longest=math.inf)
        if code:
            sys.exit(f"without a mutant: {said}")
        print(f"without a mutant every test passes ({time.monotonic() - begun:.0f} s)", flush=True)
        alive = sum(lives(place, mutant) for mutant in mutants)
    print(f"{len(mutants) - alive} of {len(mutants)} killed, {alive} alive, {time.monotonic() - begun:.0f} s")
    return int(alive > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
