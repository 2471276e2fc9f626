"""Where each claim's words stand in its document: `python tests/claims/quotes.py FOLDER` writes `quotes.csv` anew.

The documents are not part of the project (a thesis and four reports, which are their authors'), so their text cannot be
looked into by every test. What is kept is, of each quote, the line of the document's text that it begins
in, and a digest of document and words: a word that is changed afterwards no longer has its digest, and the quote has to
be looked up again by someone who has the documents. A document is a file whose name begins with its number.
"""

import csv
import hashlib
import os
import re
import sys
from pathlib import Path

from pipeline.claims import registry

TABLE = Path(__file__).with_name("quotes.csv")
FOLDER = os.environ.get("CLAIM_DOCUMENTS", "")
# the texts that the lines were counted in
DIGESTS = {
    "000": "93c1cabafe86647081cd418a4c6e91ef42a00e9b1fb8828e85d152146228a566",
    "001": "e6960010448408063c40ec09af572de1c947115afe33718d2775e822ded41ff6",
    "002": "2c3c8081459f40f023a926cbeb90a2e728df31a8b782ccf34f23c9d9911dc5fb",
    "003": "0f728de481e1b3206b0510f27a10a915314739edb508afa05af43a9f86672cbf",
    "004": "cea6d0145653f137dbdb4fec11c05d62190930ec975decc9fb749294b8d9b0fb",
}


def digest(document, words):
    """What changes when a quote does."""
    return hashlib.sha256(f"{document} {plain(words)}".encode()).hexdigest()[:16]


def plain(text):
    """Text with one blank for any white space."""
    return re.sub(r"\s+", " ", text).strip()


def text_of(folder, document):
    """The lines of a document, and the digest of its bytes."""
    (path,) = sorted(Path(folder).glob(f"{document}*.txt"))
    data = path.read_bytes()
    return data.decode("utf-8").split("\n"), hashlib.sha256(data).hexdigest()


def line_of(words, lines):
    """The line, from 1, that a quote begins in: its parts stand in the text in their order, as near to one another as
    they do anywhere; None where they do not.
    """
    ends, whole = [], ""
    for line in lines:
        whole += (" " if whole and plain(line) else "") + plain(line)
        ends.append(len(whole))
    parts = [plain(part) for part in words.split("...")]
    found = []
    for match in re.finditer(re.escape(parts[0]), whole):
        at = match.start()
        for part in parts:
            at = whole.find(part, at)
            if at < 0:
                break
            at += len(part)
        else:
            found.append((at - match.start(), match.start()))
    return next(number for number, end in enumerate(ends, 1) if end > min(found)[1]) if found else None


def read():
    """The table: line and digest by claim."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["claim"]: (int(row["line"]), row["digest"]) for row in csv.DictReader(file)}


def write(folder):
    """Looks every quote up and writes the table; names those that are not found."""
    texts = {document: text_of(folder, document)[0] for document in DIGESTS}
    found = {name: line_of(claim.words, texts[claim.document]) for name, claim in registry.load().items()}
    if missing := [name for name, line in found.items() if line is None]:
        raise SystemExit(f"not in their documents: {', '.join(missing)}")
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["claim", "line", "digest"])
        for name, claim in registry.load().items():
            rows.writerow([name, found[name], digest(claim.document, claim.words)])


if __name__ == "__main__":
    write(sys.argv[1])
