"""Parameters: what is allowed passes, what is not is named with its place, what is allowed and what was received."""

import copy
import json
from itertools import product
from pathlib import Path

import pytest
from clones import compose
from ruamel.yaml import YAML

from pipeline import params, paths, run

ENCODER, FINETUNE = "efficientnet_lite0_pad", "classification"
SUITES = sorted(path.stem for path in (paths.ROOT / "params/suite").glob("*.yaml"))
SOURCES = sorted(path.stem for path in (paths.ROOT / "params/data").glob("*.yaml"))


@pytest.fixture(scope="module")
def values(tmp_path_factory):
    text = compose(tmp_path_factory.mktemp("params") / "params.yaml").read_text()
    return YAML(typ="safe").load(text)


def load(folder, values, *path, value=None, drop=False):
    """The parameters after one change."""
    changed = copy.deepcopy(values)
    place = changed
    for key in path[:-1]:
        place = place[key]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with (folder / "params.yaml").open("w") as file:
        YAML(typ="safe").dump(changed, file)
    return params.load(folder / "params.yaml")


@pytest.fixture
def refused(values, tmp_path):
    """Changes the default parameters and gives the error's text."""

    def change(*path, **how):
        with pytest.raises(params.ParamsError) as error:
            load(tmp_path, values, *path, **how)
        assert str(error.value).startswith("params.yaml: ")
        return str(error.value)

    return change


LEARNT_BY = ["data=fashion_small", "data.name=fashion_small_fresh", "data.seed=20261130"]  # the published encoders
LEARNT = [("fashion_small", "own"), ("fashion_large", "own")]  # what comes along has learnt from these products


@pytest.mark.parametrize(("data", "suite"), [pair for pair in product(SOURCES, SUITES) if pair not in LEARNT])
def test_every_data_source_composes_with_every_suite(tmp_path, data, suite):
    study = params.load(compose(tmp_path / "params.yaml", f"data={data}", f"suite={suite}"))
    assert study.data.name == data


EXPANSION = {"encoder": "joint", "neighbours": 10, "alpha": 3.0, "share": 0.5}
PARTS = ["offline", "lite", "sizes", "contrast", "resnet50", "documents", "seeds", "recommended"]


@pytest.mark.parametrize("suite", PARTS)
def test_all_has_what_the_suites_have(tmp_path, suite):
    values = YAML(typ="safe")
    whole, part = (
        values.load(compose(tmp_path / f"{name}.yaml", f"suite={name}").read_text()) for name in ("all", suite)
    )
    for section in (
        "weights",
        "finetunes",
        "encoders",
        "bags",
        "concatenations",
        "expansions",
        "retrievals",
        "user_photos",
        "index_studies",
    ):
        for name, entry in part.get(section, {}).items():
            assert whole[section][name] == entry, f"{section}.{name}"


def test_another_seed_is_all_that_a_finetune_of_seeds_has_of_its_own(tmp_path):
    values = YAML(typ="safe")
    seeds, offline = (
        values.load(compose(tmp_path / f"{name}.yaml", f"suite={name}").read_text()) for name in ("seeds", "offline")
    )
    assert len(seeds["finetunes"]) == 16
    for name, spec in seeds["finetunes"].items():
        first, seed = name.rsplit("_seed_", 1)
        assert spec == {**offline["finetunes"][first], "seed": int(seed)}, name
        assert seeds["encoders"][name] == {**offline["encoders"][first], "weights": name}, name
        assert seeds["retrievals"][f"{name}-cosine"] == {"encoder": name, "distance": "cosine"}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (LEARNT_BY[:2], r"data\.seed must be 20261130 with weights\.small.*Received: 0"),
        ([*LEARNT_BY, "data.test_share=0.3"], r"data\.test_share must be 0\.2.*Received: 0\.3"),
        (
            ["data=fashion_large", "data.seed=20261130"],
            r"data\.name must be 'fashion_small_fresh'.*Received: 'fashion_large'",
        ),
        (
            ["data=folder", "encoders.small.interpolation=nearest"],
            r"encoders\.small\.interpolation.*'bicubic'.*'nearest'",
        ),
        (["data=folder", "encoders.small.head.0.activation=linear"], r"encoders\.small\.head must be what the card"),
        (["data=folder", "encoders.small.squeeze=100"], r"encoders\.small\.squeeze.*320\. Received: 100"),
        (
            ["data=folder", "weights.small.path=nowhere"],
            r"weights\.small\.path: no packed encoder\. Allowed: \['small', 'small_open'\]",
        ),
    ],
)
def test_packed_weights_are_held_to_their_card(tmp_path, overrides, said):
    with pytest.raises(params.ParamsError, match=said):
        params.load(compose(tmp_path / "params.yaml", "suite=own", *overrides))


def test_packed_weights_are_taken_by_the_split_that_they_have_learnt_from(tmp_path):
    composed = compose(tmp_path / "params.yaml", "suite=own", *LEARNT_BY)
    assert {one.source for one in params.load(composed).weights.values()} == {"packed"}


@pytest.fixture
def packed_by(values, tmp_path, monkeypatch):
    """The default parameters with packed weights, which have learnt from the same data in a given way."""
    card = json.loads((paths.PUBLISHED / "small/card.json").read_text(encoding="utf-8"))
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path / "published")
    (tmp_path / "published/given").mkdir(parents=True)
    changed = copy.deepcopy(values)
    data = {"data": "sample", "source": "drawn", "data_seed": changed["data"]["seed"], "test_share": 0.2}
    changed["weights"]["given"] = {"source": "packed", "backbone": "efficientnet_lite0", "path": "given"}

    def given(**learnt):
        card["learnt"] = [{**data, "split": "product", "seed": 0, **learnt}]
        (tmp_path / "published/given/card.json").write_text(json.dumps(card), encoding="utf-8")
        return changed

    return given


@pytest.mark.parametrize(("learnt", "field"), [({"split": "temporal"}, "split"), ({"seed": 3}, "seed")])
def test_a_finetune_from_packed_weights_learns_from_what_they_have_learnt_from(
    values, packed_by, tmp_path, learnt, field
):
    start = {**values["finetunes"][FINETUNE], "init": "given"}
    assert load(tmp_path, packed_by(), "finetunes", "second", value=start).finetunes["second"].init == "given"
    with pytest.raises(params.ParamsError, match=rf"finetunes\.second\.{field} must be that of the finetune it starts"):
        load(tmp_path, packed_by(**learnt), "finetunes", "second", value=start)
    free = packed_by(**learnt, data="elsewhere", source="folder")  # other pictures leave it free
    assert load(tmp_path, free, "finetunes", "second", value=start).finetunes["second"].init == "given"


def test_no_encoder_takes_packed_weights_that_have_learnt_by_year(packed_by, tmp_path):
    card = json.loads((paths.ROOT / "pipeline/encoders/published/small/card.json").read_text(encoding="utf-8"))
    spec = {**card["encoder"], "weights": "given"}
    assert load(tmp_path, packed_by(), "encoders", "spare", value=spec).encoders["spare"].weights == "given"
    with pytest.raises(params.ParamsError, match=r"encoders\.spare\.weights must not have learnt.*Received: 'given'"):
        load(tmp_path, packed_by(split="temporal"), "encoders", "spare", value=spec)


def test_the_committed_parameters_are_the_composed_defaults(tmp_path):
    assert paths.PARAMS.read_bytes() == compose(tmp_path / "params.yaml").read_bytes()


@pytest.mark.parametrize("override", ["suite=quik", "data.seed=-1", "encoders.nothing.head=[]"])
def test_a_composition_that_cannot_be_leaves_the_parameters_as_they_were(tmp_path, monkeypatch, override):
    monkeypatch.setattr(paths, "PARAMS", tmp_path / "params.yaml")
    assert run.compose(["data.seed=5"]) == 0
    before = paths.PARAMS.read_bytes()
    assert params.load(paths.PARAMS).data.seed == 5
    with pytest.raises(params.ParamsError):
        run.compose([override])
    assert paths.PARAMS.read_bytes() == before


def test_a_misspelt_key_is_named_with_the_nearest(refused):
    text = refused("encoders", ENCODER, "imagesize", value=160)
    assert f"unknown key 'encoders.{ENCODER}.imagesize'" in text
    assert "Did you mean 'image_size'?" in text
    assert "'batch_size'" in text


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (
            ("encoders", ENCODER, "pooling"),
            "average",
            "'avg', 'max' or 'flatten'. Received: 'average'. Did you mean 'avg'?",
        ),
        (("encoders", ENCODER, "backbone"), "resnet5", "Did you mean 'resnet50'?"),
        (("encoders", ENCODER, "image_size"), 16, "from 32 to 1024. Received: 16"),
        (("encoders", ENCODER, "image_size"), [224], "[height, width]"),
        (("encoders", ENCODER, "image_size"), True, "whole number"),
        (("encoders", ENCODER, "pad_color"), [0, 0, 300], "less than or equal to 255. Received: 300"),
        (("encoders", ENCODER, "batch_size"), "32", "valid integer. Received: '32'"),
        (("finetunes", FINETUNE, "optimiser", "learning_rate"), "1e-4", "write it as a number, without quotes: 0.0001"),
        (("finetunes", FINETUNE, "optimiser", "learning_rate"), 0, "greater than 0"),
        (("finetunes", FINETUNE, "epochs"), True, "valid integer. Received: True"),
        (("finetunes", FINETUNE, "dropout"), 1.0, "less than 1"),
        (("knn_retrieval", "cutoffs"), [0], "knn_retrieval.cutoffs.0: Input should be greater than or equal to 1"),
        (("knn_retrieval", "relevances"), ["articletype"], "Did you mean 'articleType'?"),
        (("data", "test_share"), 1.5, "less than 1"),
        (
            ("weights", "efficientnet_lite0", "backbone"),
            "vgg16",
            "lite holds ['efficientnet_lite0', 'efficientnet_lite1', 'efficientnet_lite2'] alone",
        ),
        (("weights", "efficientnet_lite0", "source"), "file", "needs a path: a .weights.h5"),
        (("weights", "mobilenet_v2_random", "seed"), None, "random needs a seed"),
        (("encoders", ENCODER, "pad_color"), [0, 0], "at least 3 items"),
        (("encoders", ENCODER, "image_size"), [224, 224, 3], "[height, width]"),
        (("encoders", ENCODER, "image_size"), 224.0, "whole number"),
        (("knn_retrieval", "galleries"), [], "at least 1 item"),
        (("knn_retrieval", "cutoffs"), [5, 10], "cutoffs need 1 among them"),
        (("knn_retrieval", "galleries"), ["test"], "galleries all first"),
        (("knn_retrieval", "gains"), {"gender": 1.0}, "a picture of another type has no gain"),
        (("embedding_space", "umap_encoders"), ["efficientnet_lite0"], "umap_encoders names nothing"),
        (("embedding_space", "encoders"), ["joint", "efficientnet"], "embedding_space.encoders names nothing"),
        (("embedding_space", "umap_encoders"), ["classification_served"], "umap_encoders names nothing"),
        (("retrievals", "classification-cosine", "distance"), "cosin", "Did you mean 'cosine'?"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(refused, path, value, words):
    text = refused(*path, value=value)
    assert words in text
    assert ".".join(path[:-1]) in text


def test_a_missing_key_is_named(refused):
    assert "key 'data.seed' is missing" in refused("data", "seed", drop=True)


@pytest.mark.parametrize(
    ("joined", "words"),
    [
        ({"both": {"first": "join", "second": "arcface", "share": 0.3}}, "Did you mean 'joint'?"),
        ({"both": {"first": "joint", "second": "nothing", "share": 0.3}}, "concatenations.both.second names nothing"),
        ({"both": {"first": "joint", "second": "both", "share": 0.3}}, "concatenations.both.second names nothing"),
        (
            {"joint": {"first": "joint", "second": "arcface", "share": 0.3}},
            "'joint' is in encoders and in concatenations",
        ),
        ({"both": {"first": "joint", "second": "arcface", "share": 1.0}}, "less than 1"),
        ({"both": {"first": "joint", "second": "arcface", "share": 0}}, "greater than 0"),
        ({"both": {"first": "joint", "secnd": "arcface", "share": 0.3}}, "Did you mean 'second'?"),
        (
            {
                "a": {"first": "b", "second": "joint", "share": 0.3},
                "b": {"first": "joint", "second": "arcface", "share": 0.3},
            },
            "concatenations.a.first names nothing",
        ),
    ],
)
def test_a_concatenation_is_of_two_that_stand_before_it(refused, joined, words):
    assert words in refused("concatenations", value=joined)


@pytest.mark.parametrize(
    ("expanded", "words"),
    [
        ({"more": {**EXPANSION, "encoder": "join"}}, "Did you mean 'joint'?"),
        ({"more": {**EXPANSION, "encoder": "more"}}, "expansions.more.encoder names nothing"),
        ({"joint": EXPANSION}, "'joint' is in encoders and in expansions"),
        ({"joint_and_arcface": EXPANSION}, "'joint_and_arcface' is in concatenations and in expansions"),
        ({"more": {**EXPANSION, "share": 1.1}}, "less than or equal to 1"),
        ({"more": {**EXPANSION, "share": 0}}, "greater than 0"),
        ({"more": {**EXPANSION, "alpha": -1}}, "greater than or equal to 0"),
        ({"more": {**EXPANSION, "neighbours": 0}}, "greater than or equal to 1"),
        ({"more": {**EXPANSION, "neighbour": 5}}, "Did you mean 'neighbours'?"),
    ],
)
def test_an_expansion_is_of_an_encoder_or_a_concatenation(refused, expanded, words):
    assert words in refused("expansions", value=expanded)


def test_a_concatenation_may_be_part_of_a_later_one_and_is_searched_like_an_encoder(values, tmp_path):
    joined = {
        "x": {"first": "joint", "second": "arcface", "share": 0.3},
        "y": {"first": "x", "second": "joint", "share": 0.5},
    }
    values = copy.deepcopy(values)
    values["retrievals"] = {"y-cosine": {"encoder": "y", "distance": "cosine"}}
    values["embedding_space"]["encoders"] = ["joint", "x"]
    values["embedding_space"]["umap_encoders"] = ["x"]
    values["reenactment"]["models"] = {"a": {"retrieval": "y-cosine", "within": []}}
    assert list(load(tmp_path, values, "concatenations", value=joined).concatenations) == ["x", "y"]


def test_names_must_lead_somewhere(refused):
    assert "Did you mean 'efficientnet_lite0'?" in refused("encoders", ENCODER, "weights", value="efficientnet_lite")
    assert "retrievals" in refused("retrievals", "x-cosine", value={"encoder": "nothing", "distance": "cosine"})
    assert "finetunes.classification.init" in refused("finetunes", FINETUNE, "init", value="classification")


def test_case_d_takes_two_encoders_that_there_are(refused):
    one, other = "efficientnet_lite0_pad", "efficientnet_lite0_pat"
    assert "case d takes two encoders, or none" in refused("reenactment", "crossed", value=[one])
    assert "case d takes two encoders, or none" in refused("reenactment", "crossed", value=[one, one])
    assert f"Did you mean {one!r}?" in refused("reenactment", "crossed", value=[other, "joint"])


def test_networks_must_fit_their_weights(refused):
    assert "must be that of its weights" in refused("encoders", ENCODER, "backbone", value="mobilenet_v2")
    head = [{"units": 4, "activation": "relu"}]
    assert "was trained with" in refused("encoders", ENCODER, "head", value=head)
    assert "was trained with" in refused("encoders", "classification", "head", value=head)
    text = refused("finetunes", FINETUNE, "init", value="mobilenet_v2_random")
    assert "finetunes.classification.backbone must be that of its weights 'mobilenet_v2_random'" in text


def test_an_encoder_may_leave_out_the_head_of_its_finetune(values, tmp_path):
    assert load(tmp_path, values, "encoders", "arcface", "head", value=[]).encoders["arcface"].head == []


def test_a_finetune_may_start_from_another(values, tmp_path):
    second = {**values["finetunes"][FINETUNE], "init": FINETUNE}
    assert load(tmp_path, values, "finetunes", "second", value=second).finetunes["second"].init == FINETUNE


def test_finetunes_cannot_start_from_each_other(values, tmp_path):
    changed = copy.deepcopy(values)
    changed["finetunes"]["second"] = {**changed["finetunes"][FINETUNE], "init": FINETUNE}
    with pytest.raises(params.ParamsError):
        load(tmp_path, changed, "finetunes", FINETUNE, "init", value="second")


def test_a_misspelt_key_deep_in_a_list_is_named_with_its_place(refused):
    text = refused("finetunes", FINETUNE, "head", value=[{"unit": 4, "activation": "relu"}])
    assert "unknown key 'finetunes.classification.head.0.unit'" in text
    assert "Did you mean 'units'?" in text
    assert "key 'finetunes.classification.head.0.units' is missing" in text


FREE = {"kind": "contrastive", "by": "articleType", "weight": 1.0, "margin": 0.5}
ARCFACE = {"kind": "arcface", "by": "product", "weight": 1.0, "scale": 16.0, "margin": 0.3}
SUP_CON = {"kind": "sup_con", "by": "articleType", "weight": 1.0, "temperature": 0.1}


@pytest.mark.parametrize(
    ("name", "path", "value", "words"),
    [
        ("arcface", ("head",), [], "frozen: backbone leaves nothing to train without a head"),
        (
            "arcface",
            ("augment",),
            {"flip": True, "crop": 0, "pad": 0, "rotation": 0, "brightness": 0, "contrast": 0, "colour": 0},
            "augment must be null",
        ),
        ("classification", ("objective",), [{**SUP_CON, "by": "view"}], "it must not be null with by: view"),
        (
            "classification",
            ("objective",),
            [{"kind": "nt_xent_one_way", "weight": 1.0, "temperature": 0.1}],
            "it must not be null with by: view",
        ),
        ("classification", ("objective",), [{**FREE, "by": "view"}], "it must not be null with by: view"),
        (
            "classification",
            ("objective",),
            [{"kind": "cross_entropy", "by": "gender", "weight": 1.0}] * 2,
            "each kind of term is allowed once by each label. "
            "Received: ['cross_entropy_gender', 'cross_entropy_gender']",
        ),
        ("joint", ("objective",), [], "finetunes.joint.objective: List should have at least 1 item"),
        ("joint", ("monitor",), [], "finetunes.joint.monitor: List should have at least 1 item"),
        ("joint", ("monitor",), ["gender"], "finetunes.joint.monitor.0"),
        ("joint", ("share",), 0, "finetunes.joint.share: Input should be greater than 0"),
        ("joint", ("patience",), 0, "finetunes.joint.patience"),
        ("joint", ("split",), "year", "'product', 'temporal' or 'types'. Received: 'year'"),
        ("joint", ("precision",), "bfloat16", "Did you mean 'mixed_bfloat16'?"),
        ("joint", ("batches", "class_power"), 1.5, "finetunes.joint.batches.class_power"),
        ("joint", ("batches", "together"), "products", "Did you mean 'product'?"),
        ("joint", ("augment", "rotation"), 181.0, "finetunes.joint.augment.rotation"),
        ("joint", ("augment", "crop"), 1.0, "finetunes.joint.augment.crop: Input should be less than 1"),
        ("joint", ("optimiser", "warm_up"), -1.0, "finetunes.joint.optimiser.warm_up"),
    ],
)
def test_a_finetune_that_cannot_be_is_refused(refused, name, path, value, words):
    assert words in refused("finetunes", name, *path, value=value)


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ({**SUP_CON, "kind": "supcon"}, "sup_con"),
        ({**SUP_CON, "kind": "supcon"}, "Received: "),
        ({**SUP_CON, "kind": "supcon"}, "finetunes.joint.objective.1"),
        ({**SUP_CON, "by": "article"}, "finetunes.joint.objective.1.by: "),
        ({**SUP_CON, "by": "articletype"}, "Did you mean 'articleType'?"),
        ({**SUP_CON, "weight": 0}, "finetunes.joint.objective.1.weight: Input should be greater than 0"),
        (
            {**SUP_CON, "temperature": 11.0},
            "finetunes.joint.objective.1.temperature: Input should be less than or equal",
        ),
        ({**SUP_CON, "memory": {"size": 0, "warm_up": 1}}, "finetunes.joint.objective.1.memory.size: "),
        ({**SUP_CON, "memory": {"size": 8, "warmup": 1}}, "unknown key 'finetunes.joint.objective.1.memory.warmup'"),
        ({**SUP_CON, "memory": {"size": 8, "warmup": 1}}, "Did you mean 'warm_up'?"),
        ({**SUP_CON, "memory": {"size": 8}}, "key 'finetunes.joint.objective.1.memory.warm_up' is missing"),
        ({**SUP_CON, "margin": 0.5}, "unknown key 'finetunes.joint.objective.1.margin'"),
        ({**ARCFACE, "by": "view"}, "finetunes.joint.objective.1.by: "),
        ({**ARCFACE, "margin": [0.3, 0.1]}, "one margin in radians or [low, high]"),
        ({**ARCFACE, "margin": [0.3]}, "one margin in radians or [low, high]"),
        ({**ARCFACE, "margin": [0.1, 0.2, 0.3]}, "one margin in radians or [low, high]"),
        ({**ARCFACE, "margin": [0.1, 0.2, 0.3]}, "finetunes.joint.objective.1.margin: "),
        ({**ARCFACE, "margin": -0.1}, "finetunes.joint.objective.1.margin: "),
        ({**ARCFACE, "sub_centres": 0}, "finetunes.joint.objective.1.sub_centres: "),
        ({**FREE, "margin": 1.0}, "finetunes.joint.objective.1.margin: Input should be less than 1"),
        ({"kind": "cross_entropy", "by": "product", "weight": 1.0}, "finetunes.joint.objective.1.by: "),
        ({"kind": "sup_con", "by": "product", "weight": 1.0}, "'finetunes.joint.objective.1.temperature' is missing"),
    ],
)
def test_a_term_that_cannot_be_is_named_with_its_place(refused, term, words):
    first = {"kind": "cross_entropy", "by": "articleType", "weight": 1.0}
    assert words in refused("finetunes", "joint", "objective", value=[first, term])


def test_an_unknown_kind_is_told_every_known_one(refused):
    text = refused("finetunes", "joint", "objective", value=[{**SUP_CON, "kind": "supcon"}])
    for kind in (
        "cross_entropy",
        "arcface",
        "sup_con",
        "nt_xent_one_way",
        "triplet_batch_hard",
        "triplet_semi_hard",
        "contrastive",
    ):
        assert f"'{kind}'" in text


def test_a_misspelt_key_of_a_term_is_named_with_its_place_and_the_nearest(values, tmp_path):
    terms = copy.deepcopy(values["finetunes"]["joint"]["objective"])
    terms[1]["temprature"] = terms[1].pop("temperature")
    with pytest.raises(params.ParamsError) as error:
        load(tmp_path, values, "finetunes", "joint", "objective", value=terms)
    wrong, missing = sorted(str(error.value).splitlines(), reverse=True)
    assert "unknown key 'finetunes.joint.objective.1.temprature'" in wrong
    assert wrong.endswith("Did you mean 'temperature'?")
    assert "key 'finetunes.joint.objective.1.temperature' is missing" in missing


@pytest.fixture
def plain(values):
    """The default parameters without posteriors, so that any objective will do."""
    changed = copy.deepcopy(values)
    del changed["encoders"]["joint"]["posteriors"]
    return changed


@pytest.mark.parametrize(
    "term",
    [
        SUP_CON,
        {**SUP_CON, "by": "product", "memory": {"size": 8, "warm_up": 0}},
        FREE,
        ARCFACE,
        {**ARCFACE, "margin": [0.2, 0.2], "sub_centres": 3},
    ],
)
def test_a_term_that_can_be_is_taken(plain, tmp_path, term):
    made = load(tmp_path, plain, "finetunes", "joint", "objective", value=[term]).finetunes["joint"]
    assert made.objective[0].kind == term["kind"]
    assert made.views == 1


def test_a_term_by_view_shows_each_picture_twice(plain, tmp_path):
    made = load(tmp_path, plain, "finetunes", "joint", "objective", value=[{**SUP_CON, "by": "view"}])
    assert made.finetunes["joint"].views == 2


def test_no_encoder_takes_a_finetune_by_year(values, tmp_path):
    changed = copy.deepcopy(values)
    changed["finetunes"]["by_year"] = {**changed["finetunes"][FINETUNE], "split": "temporal"}
    spare = {**changed["encoders"]["classification"], "weights": "by_year"}
    assert load(tmp_path, changed, "eda", "top", value=10).finetunes["by_year"].split == "temporal"
    with pytest.raises(params.ParamsError, match="encoders.spare.weights must not have learnt.*Received: 'by_year'"):
        load(tmp_path, changed, "encoders", "spare", value=spare)


@pytest.mark.parametrize("splits", [("temporal", "product"), ("product", "temporal")])
def test_a_finetune_starts_from_one_of_its_own_split(values, tmp_path, splits):
    changed = copy.deepcopy(values)
    start = changed["finetunes"][FINETUNE]
    changed["finetunes"]["start"] = {**start, "split": splits[0]}
    with pytest.raises(params.ParamsError, match=f"finetunes.second.split must be.*Received: '{splits[1]}'"):
        load(tmp_path, changed, "finetunes", "second", value={**start, "init": "start", "split": splits[1]})
    taken = load(tmp_path, changed, "finetunes", "second", value={**start, "init": "start", "split": splits[0]})
    assert taken.finetunes["second"].init == "start"


def test_a_finetune_starts_from_one_of_its_own_seed_which_draws_what_is_validated(values, tmp_path):
    changed = copy.deepcopy(values)
    start = changed["finetunes"][FINETUNE]
    changed["finetunes"]["second"] = {**start, "init": FINETUNE}
    third = {**start, "init": "second"}
    with pytest.raises(params.ParamsError) as error:
        load(tmp_path, changed, "finetunes", "third", value={**third, "seed": 1})
    assert "finetunes.third.seed must be that of the finetune it starts from, 'second'" in str(error.value)
    assert "Allowed: 0, or this seed in all finetunes of the chain. Received: 1" in str(error.value)
    assert load(tmp_path, changed, "finetunes", "third", value=third).finetunes["third"].init == "second"
    other = {**start, "seed": 1}  # weights that learnt nothing of the catalogue leave the seed free
    assert load(tmp_path, changed, "finetunes", "other", value=other).finetunes["other"].seed == 1


def test_every_fault_is_a_line_of_its_own(values, tmp_path):
    changed = copy.deepcopy(values)
    changed["eda"]["top"] = 0
    changed["data"]["seed"] = -1
    with pytest.raises(params.ParamsError) as error:
        load(tmp_path, changed, "knn_retrieval", "neighbours", value="ten")
    lines = str(error.value).splitlines()
    assert sorted(line.split(": ")[1] for line in lines) == ["data.seed", "eda.top", "knn_retrieval.neighbours"]


@pytest.mark.parametrize("size", [32, 1024, [80, 64]])
def test_an_image_size_is_a_side_or_height_and_width(values, tmp_path, size):
    encoder = load(tmp_path, values, "encoders", ENCODER, "image_size", value=size).encoders[ENCODER]
    assert encoder.height_width == (tuple(size) if isinstance(size, list) else (size, size))


def test_weights_and_finetunes_share_no_name(refused):
    spec = {"source": "random", "backbone": "mobilenet_v2", "seed": 0}
    assert "must differ" in refused("weights", FINETUNE, value=spec)


def test_names_cannot_leave_their_folder(refused):
    assert "weights.../x" in refused("weights", "../x", value={"source": "lite", "backbone": "efficientnet_lite0"})


@pytest.mark.parametrize("text", ["1e-5", "1e-05", "0.00001"])
def test_numbers_are_numbers_however_dvc_writes_them(values, tmp_path, text):
    changed = copy.deepcopy(values)
    changed["finetunes"][FINETUNE]["optimiser"]["learning_rate"] = 12345.0
    with (tmp_path / "params.yaml").open("w") as file:
        YAML(typ="safe").dump(changed, file)
    path = tmp_path / "params.yaml"
    path.write_text(path.read_text().replace("12345.0", text))
    assert params.load(path).finetunes[FINETUNE].optimiser.learning_rate == 1e-5


def test_no_file_says_how_to_make_one(tmp_path):
    with pytest.raises(params.ParamsError, match="pipeline.run compose"):
        params.load(tmp_path / "none.yaml")


def test_broken_yaml_is_one_line(tmp_path):
    Path(tmp_path / "params.yaml").write_text("a: [1,\nb: 2")
    with pytest.raises(params.ParamsError) as error:
        params.load(tmp_path / "params.yaml")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"articleType": 1.0}, "encoders.joint.posteriors.articleType: Input should be less than 1. Received: 1.0"),
        ({"articleType": 0}, "encoders.joint.posteriors.articleType: Input should be greater than 0"),
        ({"articleType": "0.3"}, "encoders.joint.posteriors.articleType: "),
        ({"articletype": 0.3}, "Did you mean 'articleType'?"),
        (
            {"articleType": 0.5, "gender": 0.5},
            "encoders.joint: the shares of posteriors and beside must add up to less than 1",
        ),
        (
            {"articleType": 0.6, "gender": 0.3, "season": 0.2},
            "the embedding has the rest. Received: 1.1",
        ),
        ({"gender": 0.3}, "encoders.joint.posteriors names nothing. Allowed: ['articleType']. Received: 'gender'"),
        ({"articleType": 0.3, "season": 0.1}, "Allowed: ['articleType']. Received: 'season'"),
    ],
)
def test_posteriors_that_cannot_be_are_refused(refused, shares, words):
    assert words in refused("encoders", "joint", "posteriors", value=shares)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"pooled": 1.0}, "encoders.joint.beside.pooled: Input should be less than 1. Received: 1.0"),
        ({"pooled": 0}, "encoders.joint.beside.pooled: Input should be greater than 0"),
        ({"gradient": 0.1}, "Received: 'gradient'. Did you mean 'gradients'?"),
        ({"efficientnet_lite0": 0.1}, "encoders.joint.beside: allowed are ['pooled', 'colours', 'gradients'"),
        ({"pooled": 0.5, "gradients": 0.2}, "posteriors and beside must add up to less than 1: the embedding has the"),
    ],
)
def test_what_cannot_stand_beside_an_embedding_is_refused(refused, shares, words):
    assert words in refused("encoders", "joint", "beside", value=shares)


@pytest.mark.parametrize("encoder", [ENCODER, "mobilenet_v2_random", "arcface"])
def test_posteriors_need_a_finetune_that_classifies(refused, encoder):
    text = refused("encoders", encoder, "posteriors", value={"articleType": 0.3})
    assert f"encoders.{encoder}.posteriors names nothing. Allowed: []. Received: 'articleType'" in text


def test_posteriors_may_be_of_every_label_that_the_finetune_classifies(values, tmp_path):
    changed = copy.deepcopy(values)
    terms = [{"kind": "cross_entropy", "by": label, "weight": 1.0} for label in ("articleType", "gender", "season")]
    changed["finetunes"]["joint"]["objective"] = [*terms, {**SUP_CON, "by": "usage"}]
    shares = {"season": 0.5, "articleType": 0.25, "gender": 0.125}
    assert (
        load(tmp_path, changed, "encoders", "joint", "posteriors", value=shares).encoders["joint"].posteriors == shares
    )
    with pytest.raises(params.ParamsError, match=r"Allowed: \['articleType', 'gender', 'season'\]. Received: 'usage'"):
        load(tmp_path, changed, "encoders", "joint", "posteriors", value={"usage": 0.5})


def test_an_encoder_has_no_posteriors_unless_it_says_so(values, tmp_path):
    assert load(tmp_path, values, "encoders", "joint", "posteriors", drop=True).encoders["joint"].posteriors == {}


def test_shares_that_leave_nothing_are_refused_in_any_order(values):
    for labels in (["articleType", "gender", "season"], ["season", "gender", "articleType"]):
        shares = dict(zip(labels, (0.7, 0.2, 0.1) if labels[0] == "articleType" else (0.1, 0.2, 0.7), strict=True))
        with pytest.raises(params.ParamsError, match="less than 1"):
            params.check(params.Encoder, {**values["encoders"]["joint"], "posteriors": shares}, "params.yaml")


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ({"clasification": ["classification_served"]}, "Did you mean 'classification'?"),
        (
            {"classification": ["classification_served", "classification_serve"]},
            "Did you mean 'classification_served'?",
        ),
        ({"classification": ["nothing"]}, "evaluation.serving names nothing. Allowed: ["),
        ({"classification": []}, "at least 1 item"),
        (
            {"classification": ["classification_served", "joint"]},
            "encoders of the same weights, head, posteriors and beside. Received: classification, joint",
        ),
        ({ENCODER: ["classification"]}, f"Received: {ENCODER}, classification"),
    ],
)
def test_serving_names_encoders_of_the_same_weights(refused, pair, words):
    text = refused("evaluation", "serving", value=pair)
    assert words in text
    assert "evaluation.serving" in text


@pytest.mark.parametrize(
    "pair", [{}, {ENCODER: ["efficientnet_lite0_stretch"], "classification_served": ["classification"]}]
)
def test_serving_may_be_of_any_encoders_that_share_their_weights(values, tmp_path, pair):
    assert load(tmp_path, values, "evaluation", "serving", value=pair).evaluation.serving == pair


@pytest.mark.parametrize("change", [{"head": []}, {"posteriors": {"articleType": 0.3}}])
def test_serving_needs_vectors_of_one_length(values, tmp_path, change):
    changed = copy.deepcopy(values)
    served = {**values["encoders"]["classification_served"], **change}
    with pytest.raises(params.ParamsError, match="evaluation.serving"):
        load(tmp_path, changed, "encoders", "classification_served", value=served)


def test_a_notebook_refuses_a_name_it_does_not_have():
    with pytest.raises(params.ParamsError, match="unknown key 'tops'.*Did you mean 'top'"):
        params.from_notebook(params.Eda, {"data": "sample", "top": 3, "tops": 4, "In": [], "__name__": "x"}, data=str)


def test_a_notebook_cell_run_again_ignores_what_later_cells_made():
    namespace = {"data": "sample", "top": 3}
    first = params.from_notebook(params.Eda, namespace, data=str)
    namespace |= {"run": first, "shown": [1, 2], "top": 5}
    assert params.from_notebook(params.Eda, namespace, data=str).top == 5


def test_a_notebook_refuses_a_value_of_the_wrong_type_and_a_missing_name():
    with pytest.raises(params.ParamsError, match="top: .*valid integer. Received: '3'"):
        params.from_notebook(params.Eda, {"data": "sample", "top": "3"}, data=str)
    with pytest.raises(params.ParamsError, match="key 'data' is missing"):
        params.from_notebook(params.Eda, {"top": 3}, data=str)


@pytest.fixture(scope="module")
def systems(tmp_path_factory):
    """The parameters of everything, the smaller systems included."""
    text = compose(tmp_path_factory.mktemp("systems") / "params.yaml", "suite=offline").read_text()
    return YAML(typ="safe").load(text)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("index_studies", "s000", "encoder"), "nothing", "index_studies.s000.encoder names nothing"),
        (("index_studies", "s000", "indexes"), ["ball tree"], "Did you mean 'ball_tree'?"),
        (("hybrids", "s002", "encoder"), "joint_and_hed", "Did you mean 'joint_and_head'?"),
        (("hybrids", "s002", "weights"), [0.0, 0.5], "end with 1.0, the image alone"),
        (("hybrids", "s002", "weights"), [0.5, 0.0, 1.0], "must rise"),
        (("hybrids", "s002", "texts", "name", "columns"), ["name"], "productDisplayName"),
        (("user_photos", "s003", "encoders"), ["joint_and_head"], "user_photos.s003.encoders names nothing"),
        (("user_photos", "s003", "crops"), ["boxes"], "Did you mean 'box'?"),
        (("user_photos", "s003", "kinds"), ["placed", "clutered"], "Did you mean 'cluttered'?"),
        (("recommendations", "s004", "encoder"), "efficientnet_lite0_pad", "finetuned to tell articleType"),
        (("recommendations", "s004", "label"), "gender", "finetuned to tell gender"),
        (("recommendations", "s004", "encoder"), "joint", "must end at the layer before the classifier"),
    ],
)
def test_a_system_that_cannot_be_is_named(systems, tmp_path, path, value, words):
    with pytest.raises(params.ParamsError) as error:
        load(tmp_path, systems, *path, value=value)
    assert words in str(error.value)


def test_a_system_by_itself_is_that_of_the_whole_study(systems, tmp_path):
    for suite, section in (
        ("s000", "index_studies"),
        ("s002", "hybrids"),
        ("s003", "user_photos"),
        ("s004", "recommendations"),
    ):
        alone = YAML(typ="safe").load(compose(tmp_path / "params.yaml", f"suite={suite}").read_text())
        assert alone[section][suite] == systems[section][suite]
        assert all(systems["encoders"][name] == encoder for name, encoder in alone["encoders"].items())
        assert all(systems["finetunes"][name] == finetune for name, finetune in alone["finetunes"].items())
