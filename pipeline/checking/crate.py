"""A run's provenance in the forms of its field: a Workflow Run RO-Crate, and CODECHECK's manifest.

Both are written from the lock, as plain JSON-LD and YAML. The library `rocrate` writes the same graph, but copies files
and dates it anew each time; here equal runs give equal bytes, and nothing needs to be installed.
Source: https://w3id.org/ro/wfrun/workflow/0.5 and /process/0.5 (the profiles), https://w3id.org/ro/crate/1.1,
https://codecheck.org.uk/spec/config/1.0/.
"""

import json
import mimetypes
import time
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from pipeline import files, paths
from pipeline.checking import runs
from pipeline.checking.runs import FOLDER, Entry, Run
from pipeline.params.sections import read_yaml

CRATE, MANIFEST = "ro-crate-metadata.json", "codecheck.yml"
PROFILES = [
    "https://w3id.org/ro/wfrun/process/0.5",
    "https://w3id.org/ro/wfrun/workflow/0.5",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
]
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
WORKFLOW = {
    "@id": "dvc.yaml",
    "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
    "programmingLanguage": {"@id": "https://dvc.org"},
}
TOOL = {"@id": "#pipeline.run", "@type": "SoftwareApplication", "name": "python -m pipeline.run"}
PLAIN = ["params.yaml", "dvc.lock"]  # what a run begins with and leaves, besides its stages' files
DVC = {"@id": "https://dvc.org", "@type": "ComputerLanguage", "name": "DVC", "url": "https://dvc.org"}
SHOWN = (".csv", ".json", ".ipynb")  # of a codecheck's manifest: what a reader can hold against a document


def write(run: Run, receipt: dict[str, Any]) -> list[Path]:
    """Writes both beside `dvc.yaml`, where the paths that they name begin, and returns them."""
    crate, manifest = paths.ROOT / CRATE, paths.ROOT / MANIFEST
    files.write_json(crate, metadata(run, receipt))
    stream = StringIO()
    yaml = YAML()
    yaml.explicit_start, yaml.width = True, 1000
    yaml.dump(codecheck(run, receipt), stream)
    files.write_text(manifest, stream.getvalue())
    return [crate, manifest]


def metadata(run: Run, receipt: dict[str, Any]) -> dict[str, Any]:
    """The crate: the graph as a workflow, each stage as an action that read files and made others."""
    cited = read_yaml(paths.ROOT / "CITATION.cff")
    seen = {path: hash_ for entry in run.stages.values() for path, hash_ in {**entry.deps, **entry.outs}.items()}
    names = {path: _id(path, hash_) for path, hash_ in sorted(seen.items()) if (paths.ROOT / path).exists()}
    stages = [_action(name, entry, names) for name, entry in run.stages.items()]
    plain = [{"@id": name, "@type": "File", "name": name} for name in PLAIN]
    profiles = [{"@id": name, "@type": "CreativeWork", "name": name.rsplit("/", 2)[1]} for name in PROFILES]
    whole = _whole(receipt, [names[path] for path in sorted(run.outs()) if path in names])
    parts = ["dvc.yaml", *PLAIN, *names.values()]
    described = _root(cited, parts, [action["@id"] for action in (whole, *stages)])
    workflow = {**WORKFLOW, "name": cited["title"]}
    listed = [_file(path, names[path], seen[path]) for path in names]
    return {
        "@context": CONTEXT,
        "@graph": [*described, workflow, DVC, TOOL, *profiles, *plain, whole, *stages, *listed],
    }


def _whole(receipt: dict[str, Any], results: list[str]) -> dict[str, Any]:
    """The action that all stages are parts of."""
    return {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"The study; held against the published run: {receipt['verdict']}",
        "description": f"{receipt['machine'].get('processor', 'unknown')}, commit {receipt['commit']}",
        "instrument": {"@id": WORKFLOW["@id"]},
        "object": [{"@id": "params.yaml"}],
        "result": [{"@id": name} for name in results],
    }


def _root(cited: dict[str, Any], parts: list[str], actions: list[str]) -> list[dict[str, Any]]:
    """The two entities that every crate begins with: what describes it, and the crate itself, of its commit's day."""
    described = {"@id": CRATE, "@type": "CreativeWork", "about": {"@id": "./"}}
    conforms = [{"@id": "https://w3id.org/ro/crate/1.1"}, {"@id": PROFILES[-1]}]
    day = (runs.git("log", "-1", "--format=%cs") or "").strip() or time.strftime("%Y-%m-%d")
    return [
        {**described, "conformsTo": conforms},
        {
            "@id": "./",
            "@type": "Dataset",
            "name": cited["title"],
            "description": cited["abstract"],
            "datePublished": day,
            "license": f"https://spdx.org/licenses/{cited['license']}",
            "conformsTo": [{"@id": name} for name in PROFILES],
            "mainEntity": {"@id": WORKFLOW["@id"]},
            "hasPart": [{"@id": name} for name in parts],
            "mentions": [{"@id": name} for name in actions],
        },
    ]


def _action(name: str, entry: Entry, names: dict[str, str]) -> dict[str, Any]:
    return {
        "@id": f"#stage-{name}",
        "@type": "CreateAction",
        "name": name,
        "instrument": {"@id": TOOL["@id"]},
        "object": [{"@id": names[path]} for path in entry.deps if path in names],
        "result": [{"@id": names[path]} for path in entry.outs if path in names],
    }


def _id(path: str, known: str) -> str:
    return f"{path}/" if known.endswith(FOLDER) else path


def _file(path: str, name: str, known: str) -> dict[str, Any]:
    if known.endswith(FOLDER):
        return {"@id": name, "@type": "Dataset", "name": path, "identifier": f"md5:{known}"}
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    size = str((paths.ROOT / path).stat().st_size)
    described = {"encodingFormat": kind, "contentSize": size, "identifier": f"md5:{known}"}
    return {"@id": name, "@type": "File", "name": path, **described}


def _shows(path: str, documents: dict[str, Any]) -> list[str]:
    """The documents' tables and figures that an executed notebook shows, each with its cell, and how it differs.

    `documents`: as docs/manifest.yaml has them.
    """
    if not path.endswith(".ipynb"):
        return []
    chapter = path.partition("/notebooks/")[2].removesuffix(".ipynb").partition("/")[0]
    there = {cell.get("id") for cell in json.loads((paths.ROOT / path).read_text(encoding="utf-8"))["cells"]}
    found = []
    for document, entries in documents.items():
        for name, entry in entries.items():
            place, _, cell = entry.get("cell", "").partition("#")
            if place == chapter and cell in there:
                differs = f"; {entry['but']}" if "but" in entry else ""
                found.append(f"shows {document}, {name} (cell {cell}{differs})")
    return found


def codecheck(run: Run, receipt: dict[str, Any]) -> dict[str, Any]:
    """CODECHECK's manifest: what was made, what the check found; who checked is for that person to fill in."""
    cited = read_yaml(paths.ROOT / "CITATION.cff")
    documents = read_yaml(paths.ROOT / "docs" / "manifest.yaml")
    makers = {path: name for name, entry in run.stages.items() for path in entry.outs}
    rows = [
        {"file": path, "comment": "; ".join([f"made by {name}", *_shows(path, documents)])}
        for path, name in makers.items()
        if path.endswith(SHOWN) and not path.startswith("build/")
    ]
    return {
        "version": "https://codecheck.org.uk/spec/config/1.0/",
        "paper": {"title": cited["title"], "authors": cited["authors"], "reference": "FILL IN"},
        "manifest": rows,
        "codechecker": [{"name": "FILL IN", "ORCID": "FILL IN"}],
        "summary": f"python -m pipeline.run verify: {receipt['verdict']}. {receipt['hardware']}".strip(),
        "repository": "FILL IN",
        "check_time": "FILL IN",
        "certificate": "FILL IN",
    }
