"""Receipts: what `verify` found on one machine, to be kept, signed with an SSH key, and checked by others.

A signature says who vouches for a receipt, not that anything ran: that only a run of one's own can say.
"""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from pipeline import files, machine
from pipeline.checking import runs
from pipeline.checking.runs import Run, RunError
from pipeline.checking.verify import SAME, STATUS, Row, hardware, worst

FORMAT = "fashion-retrieval-study receipt 1"
NAMESPACE = "fashion-retrieval-study"  # of signatures: one made for something else is none
LARGEST = 2**22  # bytes of a receipt
ALLOWED = "allowed_signers"  # beside receipts: whose keys are known, in OpenSSH's form
TIME = 30  # seconds for ssh-keygen
TEXTS = ("data", "reference", "lock", "verdict")
NEEDED = {"format", "data", "commit", "reference", "lock", "machine", "verdict", "stages"}


def make(here: Run, reference: Run, rows: list[Row], data: str, seconds: float) -> dict[str, Any]:
    """What was found: the commit and what in it is not committed, the locks, the machine, and a row per stage."""
    changed = (runs.git("status", "--porcelain") or "").splitlines()
    return {
        "format": FORMAT,
        "data": data,
        "commit": (runs.git("rev-parse", "HEAD") or "").strip() or None,
        "not committed": [line[3:] for line in changed],
        "reference": digest(reference.lock),
        "lock": digest(here.lock),
        "machine": here.machine or machine.describe(),
        "machine is": "the run's" if here.machine else "the one that verified; the run's was not recorded",
        "seconds": round(seconds, 1),
        "verdict": worst(rows),
        "hardware": hardware(here, reference, rows),
        "stages": [row.as_json() for row in rows],
    }


def digest(lock: bytes) -> str:
    """The SHA-256 of a lock."""
    return hashlib.sha256(lock).hexdigest()


def sign(receipt: Path, key: Path) -> Path:
    """Signs a receipt with an SSH key (the public half will do where an agent holds the other); the signature's file.

    Raises:
        RunError: no OpenSSH, or it refuses the key.
    """
    signature = receipt.with_name(f"{receipt.name}.sig")
    signature.unlink(missing_ok=True)
    code, said = _ssh_keygen("-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(receipt))
    if code or not signature.exists():
        raise RunError(f"ssh-keygen does not sign with {key}: {said}")
    return signature


def check(receipt: Path, reference: Run) -> tuple[dict[str, Any], list[str]]:
    """Someone's receipt, and what is wrong with it; nothing where it says what the published run's lock says.

    Raises:
        RunError: a file that is no receipt.
    """
    found = read(receipt)
    wrong = []
    if found["reference"] != digest(reference.lock):
        wrong.append("it was held against another publication than today's")
    said = {row["stage"]: row for row in found["stages"]}
    wrong += [f"{name}: not in the receipt" for name in sorted(reference.stages.keys() - said.keys() - {"sources"})]
    for name, row in said.items():
        known = reference.stages.get(name)
        if row["verdict"] == SAME and (known is None or row["outs"] != known.outs):
            wrong.append(f"{name}: says {SAME!r}, and its hashes are not the published ones")
    verdicts = [row["verdict"] for row in found["stages"]]
    if found["verdict"] != max(verdicts, key=list(STATUS).index, default=None):
        wrong.append(f"its verdict {found['verdict']!r} is not the worst of its stages'")
    return found, wrong


def read(path: Path) -> dict[str, Any]:
    """A receipt's values.

    Raises:
        RunError: a file that is no receipt.
    """
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise RunError(f"{path} is no receipt: a file of at most {LARGEST:,} bytes")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        missing = NEEDED - found.keys()
        known = all(
            isinstance(row["stage"], str) and row["verdict"] in STATUS and isinstance(row["outs"], dict)
            for row in found["stages"]
        )
        known &= isinstance(found["machine"], dict) and all(isinstance(found[name], str) for name in TEXTS)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise RunError(f"{path} is no receipt: it is not what verify writes") from None
    if missing or found["format"] != FORMAT or not known:
        raise RunError(f"{path} is no receipt of this form: {FORMAT}. It lacks {sorted(missing)}, or says another")
    return found


def signed_by(receipt: Path) -> str:
    """Who signed: a name of `allowed_signers`, a key that is not in it, or nobody; a wrong signature is told."""
    signature, allowed = receipt.with_name(f"{receipt.name}.sig"), receipt.parent / ALLOWED
    if not signature.exists():
        return "not signed"
    text = receipt.read_bytes()
    code, said = _ssh_keygen("-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(signature), given=text)
    if code:
        return f"WRONG SIGNATURE: {said}"
    key = next((word for word in said.split() if word.startswith("SHA256:")), "a key")
    if allowed.exists():
        code, names = _ssh_keygen("-Y", "find-principals", "-f", str(allowed), "-s", str(signature))
        name = names.splitlines()[0] if not code and names else ""
        verified = ["-Y", "verify", "-f", str(allowed), "-I", name, "-n", NAMESPACE, "-s", str(signature)]
        if name and not _ssh_keygen(*verified, given=text)[0]:
            return f"signed by {name}"
    return f"signed with a key that {ALLOWED} does not name: {key}"


def _ssh_keygen(*arguments: str, given: bytes = b"") -> tuple[int, str]:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise RunError("ssh-keygen is not there: OpenSSH is needed to sign and to check signatures")
    try:
        said = subprocess.run([program, *arguments], input=given, capture_output=True, timeout=TIME)
    except subprocess.TimeoutExpired:
        raise RunError(f"ssh-keygen did not end in {TIME} seconds: does its key ask for a passphrase?") from None
    return said.returncode, (said.stdout + said.stderr).decode(errors="replace").strip()


def write(folder: Path, found: dict[str, Any]) -> Path:
    """Writes a receipt and returns its file."""
    files.write_json(folder / "receipt.json", found)
    return folder / "receipt.json"
