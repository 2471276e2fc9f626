"""What the suites of `params/` name: every encoder, retrieval and system's item that some choice of parameters has."""

from functools import cache

from pipeline import paths
from pipeline.params.sections import read_yaml

FOLDERS = ("suite", "system")


@cache
def known_names() -> dict[str, list[str]]:
    """By section of `params.yaml`, its names there or in any suite; by `section.field`, what its items list."""
    files = [path for folder in FOLDERS for path in sorted((paths.SUITES / folder).glob("*.yaml"))]
    files += [paths.PARAMS] if paths.PARAMS.exists() else []
    names: dict[str, dict[str, None]] = {}
    for values in map(read_yaml, files):
        for section, items in values.items():
            if isinstance(items, dict):
                names.setdefault(section, {}).update(dict.fromkeys(map(str, items)))
                for item in filter(lambda item: isinstance(item, dict), items.values()):
                    for field, inside in item.items():
                        if isinstance(inside, list | dict):
                            names.setdefault(f"{section}.{field}", {}).update(dict.fromkeys(map(str, inside)))
    return {section: list(items) for section, items in names.items()}
