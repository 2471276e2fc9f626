"""Features that no network makes of one picture alone: named by what they are made from, and written whole."""

import hashlib
import json
from typing import Any

from pipeline import paths
from pipeline.encoders import store
from pipeline.encoders.store import FeatureSet, Parts


def write(data: str, name: str, facts: list[Any], count: int, dimension: int, parts: Parts) -> FeatureSet:
    """Writes `features/<name>.sqlite`, and returns it; its `encoder_id` is the name with the fingerprint of the facts.

    Args:
        facts: all that changes a vector, as JSON can hold it.
        count: pictures in all. parts: some ids and their vectors (B, D) after others.

    Raises:
        ValueError, OSError, sqlite3.Error: as `store.write`.
    """
    fingerprint = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    meta = {"encoder_id": f"{name}:{fingerprint}", "dimension": str(dimension), "encoder": name}
    store.write(paths.features(data, name), meta, count, parts)
    return store.read(paths.features(data, name))
