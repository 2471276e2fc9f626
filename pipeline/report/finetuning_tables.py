"""What one change of a finetune does in a published run, as tables for the page of results."""

from collections.abc import Callable
from statistics import fmean

from pipeline.evaluation.metrics import MAP
from pipeline.evaluation.names import ALL, STRICT
from pipeline.evaluation.tables import HIGH, LOW
from pipeline.report.numbers import decimal, signed
from pipeline.report.publication import Published

# by the finetune that the others differ from: each encoder, what is changed, and what it is set against, which is
# the base or the row above
CHANGES = {
    "quarter": [
        ("quarter", "**g**: labels, 5 epochs, batches of 32", None),
        ("quarter_epochs_10", "10 epochs", "quarter"),
        ("classification", "all products to learn from, not a quarter", "quarter"),
        ("quarter_augmented", "changed pictures: crop, flip, turn, light, colour", "quarter"),
        ("quarter_supcon", "changed pictures, contrast by label (SupCon)", "quarter_augmented"),
        ("quarter_simclr", "changed pictures, contrast by view (SimCLR)", "quarter_supcon"),
        ("quarter_triplet", "triplets, batch-hard", "quarter"),
        ("quarter_128", "batches of 128", "quarter"),
        ("quarter_pairs", "batches of 128, pictures of one product together", "quarter_128"),
        ("quarter_joint", "the same, with contrast by type and product, gender and colour as labels", "quarter_pairs"),
        ("quarter_head", "the head alone, the network frozen", "quarter"),
    ],
    # what section 6.2 recommends for contrast by view, each with as many steps but for the row that says so
    "contrast": [
        ("contrast", "contrast by view (SimCLR), 5 epochs, batches of 32", None),
        ("contrast_a_category", "a: contrast by article type", "contrast"),
        ("contrast_b_batches_128", "b: batches of 128, 20 epochs", "contrast"),
        ("contrast_c_epochs_30", "c: 30 epochs, batches of 192", "contrast"),
        ("contrast_c_epochs_30_of_32", "c: 30 epochs, batches of 32, six times the steps", "contrast"),
        ("contrast_d_augmented", "d: more changes of a picture: brightness, contrast", "contrast"),
        ("contrast_a_to_d", "a to d together, 30 epochs, batches of 192", "contrast"),
    ],
}
PLACE = "articleType, all"
SEEDS = (0, 1, 2)


def changes(run: Published, base: str) -> tuple[list[str], list[list[str]]]:
    """Each of a base's changes that the run has: the encoder's mAP among all pictures, and the difference it makes.

    Of an encoder that was trained with several seeds the mean, and in brackets the least and the most; else a
    difference has its interval over queries, and none where two encoders differ in more than one setting.
    """
    rows = []
    for encoder, said, against in CHANGES[base]:
        if f"{encoder}-cosine" not in run.params["retrievals"]:
            continue
        found = [*_trainings(run, encoder).values()]
        cells = [said, decimal(fmean(found)) + (f" [{_span(found, decimal)}]" if len(found) > 1 else "")]
        if against is None:
            rows.append([*cells, ""])
            continue
        which = "" if against == base else " against the row above"
        rows.append([*cells, _difference(run, encoder, against) + which])
    return ["one change", "mAP", "difference"], rows


def _difference(run: Published, encoder: str, against: str) -> str:
    """What a change does: of each seed against the same seed where both have several, else by the run's own table."""
    ones, others = _trainings(run, encoder), _trainings(run, against)
    found = [ones[seed] - others[seed] for seed in ones if seed in others]
    if len(found) > 1:
        return f"{signed(fmean(found))} [{_span(found, signed)}]"
    table = run.table("one_change")
    table = table[table["place"] == PLACE].set_index(["first", "second"])
    one, other = _key(encoder), _key(against)
    if (one, other) in table.index:
        value, low, high = table.loc[(one, other), ["difference", LOW, HIGH]].tolist()
    elif (other, one) in table.index:
        value, low, high = (-number for number in table.loc[(other, one), ["difference", HIGH, LOW]])
    else:
        return f"{signed(run.values[one] - run.values[other])}, several changes, no interval"
    return f"{signed(value)} [{signed(low)}, {signed(high)}]"


def _trainings(run: Published, encoder: str) -> dict[int, float]:
    """What an encoder has by each seed that the run searched with, the first that without a seed in its name."""
    names = {seed: f"{encoder}_seed_{seed}" if seed else encoder for seed in SEEDS}
    return {seed: run.values[_key(name)] for seed, name in names.items() if _key(name) in run.values}


def _span(values: list[float], shown: Callable[[float], str]) -> str:
    return f"{shown(min(values))} to {shown(max(values))}"


def _key(encoder: str) -> str:
    """The key of an encoder's mAP by article type among all pictures."""
    return f"{encoder}-cosine/{STRICT}/{ALL}/articleType/{MAP}"
