"""What one change of a finetune does in a published run, as tables for the page of results."""

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
}
PLACE = "articleType, all"


def changes(run: Published, base: str) -> tuple[list[str], list[list[str]]]:
    """Each of a base's changes that the run has: the encoder's mAP among all pictures, and the difference it makes."""
    table = run.table("one_change")
    table = table[table["place"] == PLACE].set_index(["first", "second"]) if len(table) else table
    rows = []
    for encoder, said, against in CHANGES[base]:
        if f"{encoder}-cosine" not in run.params["retrievals"]:
            continue
        cells = [said, decimal(run.values[_key(encoder)])]
        if against is None:
            rows.append([*cells, ""])
            continue
        one, other = _key(encoder), _key(against)
        if (one, other) in table.index:
            found = table.loc[(one, other), ["difference", LOW, HIGH]].tolist()
        else:
            found = [-value for value in table.loc[(other, one), ["difference", HIGH, LOW]]]
        which = "" if against == base else " against the row above"
        rows.append([*cells, f"{signed(found[0])} [{signed(found[1])}, {signed(found[2])}]{which}"])
    return ["one change", "mAP", "difference"], rows


def _key(encoder: str) -> str:
    """The key of an encoder's mAP by article type among all pictures."""
    return f"{encoder}-cosine/{STRICT}/{ALL}/articleType/{MAP}"
