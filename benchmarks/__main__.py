"""All comparisons in one run: a table, and reference/bench.json, which docs/running.md shows.

python -m benchmarks [--parts ranking features indexes site training networks bytes memory]
"""

import argparse
import json
import time

import numpy as np

from benchmarks import features, indexes, memory, ranking, rate, site, training
from pipeline import environment, files, machine, params, paths
from pipeline.encoders import extract
from pipeline.report.publication import STUDY

PARTS = {part.__name__.rpartition(".")[2]: part for part in (ranking, features, indexes, site, training)}
TABLES = {  # what is no ratio
    "networks": lambda: features.networks(params.load(paths.reference(STUDY) / "params.yaml")),
    "bytes": features.same_bytes,
    "memory": memory.rows,
}


def main() -> None:
    """Prints each ratio as it is measured; writes the file when all of them were asked for.

    A table that was not asked for stays as it was: what memory takes is the same beside other work, and takes longest.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=[*PARTS, *TABLES], choices=[*PARTS, *TABLES])
    chosen = parser.parse_args().parts
    if not environment.is_set():  # as the stages are started
        environment.restart("benchmarks", ["--parts", *chosen])
    found = {"day": time.strftime("%Y-%m-%d"), "machine": limits(), "rows": []}
    print(json.dumps(found["machine"], indent=1))
    for name in chosen:
        for row in PARTS[name].rows() if name in PARTS else ():
            met = "" if row.bar is None else f" (aimed at: {row.bar:.2g})"
            print(f"{row.ratio:.3g}×{met}  {row.work}: {row.ours:.3g} {row.unit}; {row.against}: {row.theirs:.3g}")
            found["rows"].append({**row._asdict(), "ratio": row.ratio})
        if name in TABLES:
            found[name] = list(TABLES[name]())
            print(json.dumps(found[name], indent=1))
    if set(chosen) >= PARTS.keys():
        kept = json.loads(paths.BENCH.read_text(encoding="utf-8")) if paths.BENCH.exists() else {}
        files.write_text(paths.BENCH, json.dumps({**kept, **found}, indent=1, ensure_ascii=False) + "\n")


def limits() -> dict:
    """What bounds all work on this machine, whoever does it."""
    a, b = np.ones((2, 2048, 2048), np.float32)
    memory = np.ones(2**27, np.uint8)
    with features.drawn(1024) as ids, paths.open_images("sample") as archive:
        spec, _ = features.made("mobilenet_v2", 128)
        decoded = rate(lambda: extract.load_pictures(archive, ids, spec), len(ids))
    return {
        **machine.describe(),
        "BLAS GFLOP/s, float32": round(rate(lambda: a @ b, 2 * 2048**3 / 1e9)),
        "memory GB/s, copied": round(rate(lambda: memory.copy(), 2 * len(memory) / 1e9), 1),
        "pictures decoded and resized to 128² a second, one thread": round(decoded),
    }


if __name__ == "__main__":
    main()
