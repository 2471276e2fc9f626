"""README.md and docs/: what is between `<!-- begin NAME -->` and `<!-- end NAME -->`, and two pictures, made anew.

The numbers come from a published run, the tables of the code from the code: nothing in them is written by hand.
"""

import ast
import json
import math
import re
from collections.abc import Callable, Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import files, params, paths, stages
from pipeline.claims import summary
from pipeline.evaluation import space
from pipeline.evaluation.headline import headline, markdown
from pipeline.evaluation.metrics import HIT_AT_1, MAP
from pipeline.evaluation.names import ALL, STRICT, TEST, THESIS
from pipeline.evaluation.tables import pick
from pipeline.report import exam_table, finetuning_tables, publication, publish, sizes, system_tables
from pipeline.report.numbers import DIFFERENCE, decimal, signed
from pipeline.report.pages import heading

PLACE, FRESH = paths.reference(publication.STUDY), paths.reference(publication.FRESH)
README, DOCS = paths.ROOT / "README.md", paths.ROOT / "docs"
PICTURE, TRADE = DOCS / "claimed-and-measured.svg", DOCS / "speed-and-map.svg"
BLOCK = re.compile(
    r"^(?P<begin><!-- begin (?P<name>\w+) -->\n).*?^(?P<end><!-- end (?P=name) -->)", re.DOTALL | re.MULTILINE
)
ENCODERS = {  # what the page of results leads with of the headline
    "mobilenet_v2_stretch-cosine": "MobileNetV2, pretrained",
    "efficientnet_lite0_pad-cosine": "EfficientNet-Lite0, pretrained, padded to 224 pixels",
    "efficientnet_lite0_native-cosine": "the same, 80×64 pixels",
    "classification-cosine": "EfficientNet-Lite0, finetuned on the labels, 80×64",
    "joint_and_head-cosine": "**recommended**: labels and products",
}
# of the picture: what is said, the claim that holds the thesis's number, and the measurement (retrieval, metric), or
# the verdict whose evidence begins with it
BARS = [
    ("mAP, pretrained and padded", "001-5.2.1-padded-map", ("efficientnet_lite0_pad-cosine", MAP)),
    ("mAP, finetuned on the labels", "001-5.2.1-finetuned-map", ("classification-cosine", MAP)),
    (
        "the first result is right (“Recall@1”)",
        "001-5.2.1-padded-recall-1",
        ("efficientnet_lite0_pad-cosine", HIT_AT_1),
    ),
    ("share of right ones above similarity .78", "001-4.3b-threshold", None),
]


def write() -> list[Path]:
    """Writes the pictures and every page's generated parts; the files that were written."""
    files.write_text(PICTURE, picture())
    files.write_text(TRADE, trade())
    for page in pages():
        files.write_text(page, filled(page.read_text(encoding="utf-8")))
    return [PICTURE, TRADE, *pages()]


def pages() -> list[Path]:
    """The pages that a reader finds here, the front page first."""
    return [README, *sorted(DOCS.glob("*.md"))]


def filled(text: str) -> str:
    """A page with its generated parts made anew.

    Raises:
        ValueError: a mark that names nothing, or one without its other half.
    """

    def part(match: re.Match) -> str:
        name = match["name"]
        if name not in BLOCKS:
            raise ValueError(f"no part is called {name!r}. Allowed: {list(BLOCKS)}.{params.nearest(name, BLOCKS)}")
        return f"{match['begin']}{BLOCKS[name]().strip()}\n{match['end']}"

    if len(re.findall(r"^<!-- (?:begin|end) ", text, re.MULTILINE)) != 2 * len(BLOCK.findall(text)):
        raise ValueError(
            "a part begins with <!-- begin NAME --> and ends with <!-- end NAME -->; one has no other half"
        )
    return BLOCK.sub(part, text)


def claimed() -> str:
    """Four statements of the thesis, what was measured, and the verdict."""
    hits = _headline()[HIT_AT_1]
    finetuned, product = (
        _difference(name, -1) for name in ("001-4.1-finetuning-statement", "001-6.1-product-statement")
    )
    padded = [_difference("001-6.1-padding-statement", 1, place) for place in (0, 1)]
    rows = {
        "001-5.2-recall-means-statement": (
            "Recall@1 = 1.0: the first result is right",
            f"{_itself(hits.index)} of {len(hits)} rankings while a query may find itself; "
            f"{decimal(hits.min())} to {decimal(hits.max())} when not",
        ),
        "001-6.1-padding-statement": (
            "padding beats stretching",
            f"{padded[0]} mAP (MobileNetV2), {padded[1]} (EfficientNet-Lite0)",
        ),
        "001-4.1-finetuning-statement": (
            "finetuning on the labels hurts",
            f"by article type {finetuned} mAP among all pictures, most of which it learnt, {_among()} among test "
            f"pictures; by same product {product} against 224 pixels, {_at_80()} at its 80×64",
        ),
        "001-4.3b-threshold": (
            "similarity above .78: 4 pictures, all right",
            f"{decimal(_evidence('001-4.3b-threshold'))} of the pairs are right",
        ),
    }
    return _table(
        ["the thesis", "measured", "verdict"],
        [[said, measured, _verdict(name)["verdict"]] for name, (said, measured) in rows.items()],
    )


def components() -> str:
    """What centring and what fewer principal components do to each encoder, and which of them lose by these."""
    table, rows, changes = pd.read_csv(PLACE / "components.csv"), [], {}
    for encoder, curve in table.groupby("encoder", sort=False):
        found, most = curve.set_index("components")[MAP], curve["components"].max()
        enough = curve[(curve["components"] > 0) & (curve["variance"] >= space.ENOUGH)]["components"].min()
        changes[f"`{encoder}`"] = change = found[enough] - found[most]
        centring = signed(found[most] - found[0])
        rows.append([encoder, decimal(found[0]), centring, signed(change), f"{enough} of {most}"])
    gain, lose = ({name: one for name, one in changes.items() if (one < 0) == down} for down in (False, True))
    said = [
        f"{len(some)} {word} ({signed(min(some.values()))} to {signed(max(some.values()))})"
        for word, some in (("gain", gain), ("lose", lose))
        if some
    ]
    which = f", those that lose being {', '.join(lose)}" if lose else ""
    shown = _table(["encoder", "mAP as extracted", "centring", "90 %", "components kept"], rows)
    return f"{shown}\n\nBy leaving out a tenth of the variance {' and '.join(said)}{which}."


def encoders() -> str:
    """Some encoders, test pictures among test pictures: a finetuned network has learnt the labels of all others."""
    table, everything = _headline(TEST), _headline()
    rows = [
        [
            name,
            f"{decimal(table[MAP][retrieval])} [{decimal(table['mAP low'][retrieval])}, "
            f"{decimal(table['mAP high'][retrieval])}]",
            *(decimal(table[column][retrieval]) for column in ("macro mAP", HIT_AT_1, "precision@10")),
            decimal(everything[MAP][retrieval]),
        ]
        for retrieval, name in ENCODERS.items()
    ]
    by_chance = [decimal(known["mAP chance"].iloc[0]) for known in (table, everything)]
    chance = ["*a random ranking*", by_chance[0], "", "", "", by_chance[1]]
    header = ["encoder", "mAP [95 %]", "macro mAP", HIT_AT_1, "precision@10", "mAP among all"]
    return _table(header, [*rows, chance])


def exam() -> str:
    """Some of the exam's questions, where labels cannot have been memorised: a row for each encoder, and chance."""
    return _table(*exam_table.short(_fresh()))


def questioned() -> str:
    """Every question of the exam with the intervals: a row for each, a column for each encoder, and chance."""
    return _questions(exam_table.whole(_fresh()))


def baselines() -> str:
    """Every question of the exam by what learns nothing."""
    return _questions(exam_table.baselines(_fresh()))


def aims() -> str:
    """What the plan wanted of the exam, and what was reached on both splits."""
    return _table(*exam_table.aims(_fresh(), publication.of(publication.SECOND)))


def another_split() -> str:
    """The same on another split, in brackets what was reached on the first."""
    return _questions(exam_table.another(publication.of(publication.SECOND), _fresh()))


def _questions(cells: pd.DataFrame) -> str:
    return _table(["question", *cells], [[question, *row] for question, *row in cells.itertuples()])


def results() -> str:
    """The headline of every retrieval by the first distance."""
    return markdown(_metrics())


def questions() -> str:
    """Every notebook by its title, the chapters of one number in a line; for the front page."""
    found: dict[str, list[str]] = {}
    for name, title, _ in _notebooks():
        number, _, words = title.partition(":")[0].partition(" · ")
        found.setdefault(number, []).append(f"[{words}](notebooks/{name}.ipynb)")
    return "\n".join(f"{number}. {', '.join(links)}" for number, links in found.items())


def chapters() -> str:
    """Every notebook: its title, the stage that runs it and its whole question; for a page in docs/."""
    ran = {stage.notebook: f"`{stage.name}`" for stage in stages.chapters()}
    return _table(
        ["notebook", "stage", "question"],
        [
            [f"[{title}](../notebooks/{name}.ipynb)", ran.get(name, "by hand, after a run"), question]
            for name, title, question in _notebooks()
        ],
    )


def graph() -> str:
    """Every stage of the graph in its order."""
    return _table(
        ["stage", "runs once for", "what it does"],
        [[f"`{s.name}`", f"each of `{s.section}`" if s.each else "the study", s.does] for s in stages.STAGES],
    )


def rooms() -> str:
    """The code: every room with what it owns, every module with its first sentence."""
    lines = []
    for folder in [
        paths.ROOT / "pipeline",
        *sorted(path.parent for path in (paths.ROOT / "pipeline").glob("*/__init__.py")),
    ]:
        name = folder.relative_to(paths.ROOT).as_posix()
        lines += ["", f"**`{name}/`**: {_first_sentence(folder / '__init__.py')}", ""]
        modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
        lines += [f"* `{path.stem}`: {_first_sentence(path)}" for path in modules]
    return "\n".join(lines)


def choices() -> str:
    """Which data and which suites there are, each with the first line of what its file says."""
    found = [(kind, path) for kind in ("data", "suite") for path in sorted((paths.SUITES / kind).glob("*.yaml"))]
    return _table(["choice", "what it is"], [[f"`{kind}={path.stem}`", _comment(path)] for kind, path in found])


def speed() -> str:
    """Each ratio of the last bench with what was aimed at; the machine's limits in a sentence."""
    found = _bench()
    rows = [
        [row["work"], row["against"], f"{row['ratio']:.2g}×", f"{row['bar']:.2g}×" if row["bar"] else ""]
        for row in found["rows"]
    ]
    limits = [f"{value} {name}" for name, value in found["machine"].items() if isinstance(value, (int, float))]
    return (
        _table(["what", "against", "ratio", "aimed at"], rows)
        + f"\n\nMeasured on {found['day']}: {found['machine']['processor']}, {', '.join(limits)}."
    )


def same_bytes() -> str:
    """For how many threads and batches each network's features had how many different bytes in the last bench."""
    rows = [[row["network"], str(row["settings"]), str(row["different"])] for row in _bench()["bytes"]]
    return _table(["network", "threads and pictures at once", "different bytes"], rows)


def memory() -> str:
    """What each piece of work took at most in the last bench, for how many pictures, and what of it is features."""
    rows = [
        [row["work"], f"{row['pictures']:,}", f"{row['gigabytes']:.2f}", f"{row['features']:.2f}"]
        for row in _bench()["memory"]
    ]
    return _table(["work", "pictures", "GB at most", "GB of them features"], rows)


def _bench() -> dict[str, Any]:
    return json.loads(paths.BENCH.read_text(encoding="utf-8"))


def networks() -> str:
    """Each network's speed in the last bench, beside the best published mAP of an encoder with it."""
    rows = [
        [backbone, size, f"{speed:.0f}", f"{time:.1f}", *([decimal(best), f"`{name}`"] if name else ["", ""])]
        for backbone, size, speed, time, best, name in _speeds()
    ]
    return _table(["network", "size", "pictures a second", "ms for one", "highest mAP", "of"], rows)


def _speeds() -> list[tuple[str, str, float, float, float, str]]:
    """Of each network in the last bench: backbone, size, pictures a second, milliseconds for one, the best published
    mAP of an encoder with it, and that retrieval; no number and no name where none was published."""
    study, reached = params.load(PLACE / "params.yaml"), _headline()[MAP]
    rows = []
    for network in _bench()["networks"]:
        names = [
            name
            for name, spec in study.encoders.items()
            if (spec.backbone, list(spec.height_width)) == (network["backbone"], network["size"])
            and not (spec.also or spec.mirrored)  # which take longer than the plain network
        ]
        best = reached[[name for name in reached.index if name.rpartition("-")[0] in names]]
        found = (best.max(), str(best.idxmax())) if len(best) else (math.nan, "")
        size = "×".join(map(str, network["size"]))
        rows.append((network["backbone"], size, network["pictures_per_second"], network["milliseconds"], *found))
    return rows


def judged() -> str:
    """How many statements got which verdict, in a sentence."""
    table = publish.published_verdicts(PLACE)
    said = summary.as_said(table)
    counts, data = said["verdict"].value_counts(), said[said["verdict"] == summary.REPRODUCED]["see"]
    words = [f"{counts[name]} {name}" for name in summary.VERDICTS if name in counts]
    words[0] += f" ({(data == '05_evaluation#data').sum()} of them counts of the data)"
    return (
        f"{len(said)} statements of the thesis and four smaller documents are judged: {', '.join(words)}. "
        f"Further rows, each of a substitute that was asked the same (`-statement`): {len(table) - len(said)}. "
        f"{len(publish.published_parameters(PLACE)['retrievals'])} retrievals were measured."
    )


def verdicts() -> str:
    """How many statements of each document got which verdict."""
    return summary.counts(publish.published_verdicts(PLACE)).rename_axis("document").to_markdown()


def figures() -> str:
    """Every table and figure of the documents, with the cell that shows the same, or why none does."""
    documents = params.read_yaml(DOCS / "manifest.yaml")
    rows = [
        [
            document,
            name,
            entry["title"],
            _cell(entry["cell"]) if "cell" in entry else "",
            entry.get("why", entry.get("but", "")),
        ]
        for document, entries in documents.items()
        for name, entry in entries.items()
    ]
    shown = sum("cell" in entry for entries in documents.values() for entry in entries.values())
    return f"{shown} of {len(rows)} have a cell.\n\n" + _table(
        ["document", "table or figure", "title", "cell", "how it differs, or why there is none"], rows
    )


def picture() -> str:
    """What the thesis claims beside what was measured, as bars: an SVG of published numbers, no photographs."""
    table = _headline(TEST)
    lines = [_text(300, 18, "claimed by the thesis", "claimed"), _text(470, 18, "measured here", "measured")]
    lines += [
        '<rect x="282" y="8" width="12" height="12" class="c"/><rect x="452" y="8" width="12" height="12" class="m"/>'
    ]
    for place, (said, claim, cell) in enumerate(BARS):
        top = 34 + 46 * place
        values = [_verdict(claim)["reported"], table[cell[1]][cell[0]] if cell else _evidence(claim)]
        lines.append(_text(272, top + 22, said, "said"))
        for row, (value, kind) in enumerate(zip(map(float, values), "cm", strict=True)):
            width, y = round(360 * value), top + 18 * row
            lines.append(f'<rect x="282" y="{y}" width="{width}" height="15" class="{kind}"/>')
            lines.append(_text(288 + width, y + 12, decimal(value), "value"))
    lines.append(
        _text(
            10,
            230,
            "Claimed: ResNet50, most likely with the query in its own gallery. Measured: test pictures among test",
            "note",
        )
    )
    lines.append(
        _text(10, 245, "pictures, no query and no copy of it; EfficientNet-Lite0. Similarity .78: MobileNetV2.", "note")
    )
    return SVG.format(title="What the thesis claims and what was measured", height=255, body="\n".join(lines))


def trade() -> str:
    """Speed against mAP, a point per network of the last bench; a line joins those that none beats in both. An SVG."""
    rows = sorted((row for row in _speeds() if row[-1]), key=lambda row: -row[4])
    speeds = [row[2] for row in rows]
    low, high = math.log(min(speeds) / 1.3), math.log(max(speeds) * 1.3)
    points = [(70 + 560 * (math.log(row[2]) - low) / (high - low), 320 - 300 * row[4]) for row in rows]
    best = [place for place, row in enumerate(rows) if row[2] >= max(speeds[: place + 1])]
    line = " ".join(f"{points[place][0]:.0f},{points[place][1]:.0f}" for place in best)
    lines = [f'<polyline points="{line}" fill="none" stroke="#9aa0a6"/>']
    for tick in (0.2, 0.4, 0.6, 0.8):
        lines.append(_text(40, round(324 - 300 * tick), f"{tick:.1f}", "said note"))
        lines.append(f'<line x1="48" x2="690" y1="{320 - 300 * tick:.0f}" y2="{320 - 300 * tick:.0f}" stroke="#eee"/>')
    for place, ((x, y), row) in enumerate(zip(points, rows, strict=True)):
        kind = "m" if place in best else "c"
        lines.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="5" class="{kind}"/>')
        told = f"{row[0].removeprefix('efficientnet_')} {row[1]}, {row[3]:.1f} ms"
        side, end = (-9, " said") if x > 350 else (9, "")  # where there is room; higher and lower by turns
        lines.append(_text(round(x) + side, round(y) + (13 if place % 2 else -1), told, f"note{end}"))
    words = "up: mAP of the best published encoder with each network; right, by factors: pictures encoded a second"
    lines.append(_text(10, 328, words, "note"))
    return SVG.format(title="Speed and mAP of each network", height=335, body="\n".join(lines))


SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 {height}" width="700" height="{height}" role="img">
<title>{title}</title>
<style>
text {{ font: 13px Helvetica, Arial, sans-serif; fill: #222 }}
.said {{ text-anchor: end }} .note {{ font-size: 11px; fill: #555 }}
.c {{ fill: #9aa0a6 }} .m {{ fill: #4c78a8 }}
</style>
<rect width="700" height="{height}" fill="#fff"/>
{body}
</svg>
"""


def indexes() -> str:
    """What each index takes and misses."""
    return _table(*system_tables.indexes(_study()))


def hybrid() -> str:
    """What each weight of image and text finds."""
    return _table(*system_tables.hybrid(_study()))


def photos() -> str:
    """What each encoder finds for user photos."""
    return _table(*system_tables.photos(_study()))


def changes() -> str:
    """What one change of the thesis's finetuning on labels does."""
    return _table(*finetuning_tables.changes(_study(), "quarter"))


def growth() -> str:
    """What millions of pictures take, and when each part has to move."""
    rates = sizes.measured()
    rows = []
    for count in (1e6, 1e7, 1e8):
        one = sizes.size(count, rates)
        disk = [f"{one.pictures:,.0f} GB", f"{one.features:,.0f} GB", f"{one.memory:,.0f} GB"]
        rows.append([f"{count / 1e6:,.0f} million", *disk, f"{one.extraction:,.1f} h", f"{one.ranking:,.1f} h"])
    head = ["pictures", "as 80×60 pixels", "features", "memory to rank whole", "extraction"]
    most = {part: f"{count / 1e6:,.1f} million" for part, count in sizes.limits(rates).items()}
    return (
        _table([*head, f"{sizes.QUERIES:,} full rankings"], rows)
        + f"\n\nOn such a machine with {sizes.MACHINE / 1e9:.0f} GB, extraction takes a day from {most['extraction']} "
        f"pictures on, the rankings from {most['ranking']}, and memory ends at {most['memory']}."
    )


BLOCKS: dict[str, Callable[[], str]] = {
    "claimed": claimed,
    "encoders": encoders,
    "exam": exam,
    "questioned": questioned,
    "baselines": baselines,
    "aims": aims,
    "another_split": another_split,
    "results": results,
    "components": components,
    "questions": questions,
    "chapters": chapters,
    "graph": graph,
    "rooms": rooms,
    "choices": choices,
    "speed": speed,
    "networks": networks,
    "same_bytes": same_bytes,
    "memory": memory,
    "growth": growth,
    "indexes": indexes,
    "hybrid": hybrid,
    "photos": photos,
    "changes": changes,
    "judged": judged,
    "verdicts": verdicts,
    "figures": figures,
}


def _study() -> publication.Published:
    return publication.Published(PLACE.name, PLACE)


def _fresh() -> publication.Published:
    return publication.Published(FRESH.name, FRESH)


@cache
def _metrics() -> pd.DataFrame:
    return publish.published_metrics(PLACE, list(publish.published_parameters(PLACE)["retrievals"]))


def _headline(gallery: str = ALL) -> pd.DataFrame:
    """The rows of the table of results."""
    table = _metrics()
    return headline(table[table["distance"] == table["distance"].iloc[0]], gallery)


def _itself(retrievals: pd.Index) -> str:
    """What the least of them has as the first result of a query that may find itself, whatever the gallery's size."""
    found = pick(_metrics(), protocol=THESIS, relevance="articleType", metric=HIT_AT_1)
    least = found[found["retrieval"].isin(retrievals)]["value"].min()
    return "1.0 in each" if least == 1 else f"{decimal(least)} or more in each"


def _at_80() -> str:
    """What finetuning does to the same product where the pretrained network has no more pixels; without an interval."""
    rows = pick(_metrics(), protocol=STRICT, gallery=ALL, relevance="product", metric=MAP)
    found = rows.set_index("retrieval")["value"]
    return signed(found["classification-cosine"] - found["efficientnet_lite0_native-cosine"])


def _among() -> str:
    """What finetuning does to the article type where no picture was learnt: test pictures among test pictures."""
    reached = _headline(TEST)[MAP]
    return signed(reached["classification-cosine"] - reached["efficientnet_lite0_stretch-cosine"])


def _verdict(claim: str) -> pd.Series:
    """A published verdict; before statements had names of their own they stood under the claim's."""
    table = publish.published_verdicts(PLACE).set_index("claim")
    return table.loc[claim if claim in table.index else claim.removesuffix("-statement")]


def _evidence(claim: str) -> float:
    """The number that a verdict's evidence begins with."""
    return float(_verdict(claim)["evidence"].split()[0])


def _difference(claim: str, sign: int, place: int = 0) -> str:
    """A difference with its interval, as a verdict's evidence has it; `sign` −1: the other way round."""
    found = DIFFERENCE.findall(_verdict(claim)["evidence"])
    value, *ends = (sign * float(number) for number in found[place])
    low, high = sorted(ends)
    return f"{signed(value)} [{signed(low)}, {signed(high)}]"


def _notebooks() -> Iterator[tuple[str, str, str]]:
    """Every notebook's name, title and question without its links, which lead on from there; in reading order."""
    for path in sorted(paths.source_notebook("x").parent.glob("*.ipynb"), key=_reading_order):
        title, question = heading(path)
        yield path.stem, title, re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", question)


def _reading_order(path: Path) -> tuple[str, bool, str]:
    """By number; the thesis's chapter 4 before the smaller documents'."""
    return path.stem[:2], path.stem != "04_knn_retrieval", path.stem


def _cell(place: str) -> str:
    """A cell of a notebook as a link to its notebook, for a page in docs/."""
    return f"[`{place}`](../notebooks/{place.partition('#')[0]}.ipynb)"


def _first_sentence(path: Path) -> str:
    """What a module says of itself, up to its first full stop."""
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.split(r"(?<=\.)\s", said.split("\n\n")[0])[0].replace("\n", " ").rstrip(".:")


def _comment(path: Path) -> str:
    """What a file of parameters says of itself: its first comment's first sentence."""
    said = [line[1:].strip() for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
    whole = " ".join(line for line in said if not line.startswith("@"))
    first = re.split(r"(?<=\.)\s", whole)[0].rstrip(".:") if whole else ""
    return first.replace("<", "&lt;")  # `<id>` would be a tag, which no page shows


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(x: int, y: int, said: str, kind: str) -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(said)}</text>'
