"""Words that no product is described by are said in words that some are, and none is dropped in silence."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data import text, thesaurus

SHOP = {"dress", "glass", "watch", "trouser", "pant", "red", "blue", "jacket", "sandal", "tie", "wear", "men"}


@pytest.mark.parametrize(
    ("asked", "said", "instead"),
    [
        ("gown", "dress", {"gown": ["dress"]}),
        ("Crimson GOWN", "red dress", {"crimson": ["red"], "gown": ["dress"]}),
        ("men's slacks", "men s trousers pants", {"s": [], "slacks": ["trousers", "pants"]}),
        ("wristwatches", "watch", {"wristwatches": ["watch"]}),
        ("red zzz", "red zzz", {"zzz": []}),
        ("red dress", "red dress", {}),
        ("", "", {}),
        ("spectacles & espadrilles", "glasses sandal", {"spectacles": ["glasses"], "espadrilles": ["sandal"]}),
    ],
)
def test_a_word_is_said_by_its_synonyms_else_by_its_kind(asked, said, instead):
    told, found = thesaurus.understood(asked, SHOP)
    assert {word: [one.rstrip("s") for one in words] for word, words in found.items()} == {
        word: [one.rstrip("s") for one in words] for word, words in instead.items()
    }
    assert [text.stem(word) for word in told.split()] == [text.stem(word) for word in said.split()]


def test_the_commoner_sense_comes_first_and_the_nearer_word():
    assert thesaurus.understood("gown", {"dress", "robe", "clothing"})[1] == {"gown": ["dress"]}
    assert thesaurus.understood("gown", {"robe", "clothing"})[1] == {"gown": ["clothing"]}


@given(st.text(max_size=60), st.sets(st.sampled_from(sorted(SHOP))))
def test_no_word_is_lost_and_none_is_invented(said, known):
    told, instead = thesaurus.understood(said, known)
    asked = text.words(said)
    assert set(instead) == {word for word in asked if text.stem(word) not in known}
    expected = [one for word in asked for one in (instead.get(word) or [word])]
    assert told.split() == expected
    assert all(text.stem(word) in known for words in instead.values() for word in words)
    assert {text.stem(word) for words in instead.values() for word in words} <= set(thesaurus.stems_of(said))


def test_the_table_holds_single_words_alone():
    lines = thesaurus.TABLE.read_text(encoding="utf-8").splitlines()
    assert lines == sorted(lines, key=lambda line: line.split("\t")[0])
    assert all(re.fullmatch(r"[a-z]{3,}\t[a-z]{3,}([,;][a-z]{3,})*", line) for line in lines)


NOUNS = """  1 a licence
00000001 06 n 02 gown 0 evening_gown 1 001 @ 00000002 n 0000 | what is worn
00000002 06 n 02 dress 0 Frock 0 002 @ 00000003 n 0000 ~ 00000001 n 0000 | a kind
00000003 06 n 01 garment 0 001 @ 00000004 n 0000 | what is broader
00000004 03 n 01 thing 0 000 | what is too far up
00000005 18 n 02 gown 0 student 0 000 | a person
00000006 07 n 01 deep-red 0 001 @i 00000007 n 0000 | a colour
00000007 07 n 01 red 0 000 | its kind
"""
WORDS = """  1 a licence
deep-red n 1 1 @ 1 0 00000006
evening_gown n 1 1 @ 1 0 00000001
frock n 1 1 @ 1 0 00000002
garment n 1 1 @ 1 0 00000003
gown n 2 1 @ 2 0 00000005 00000001
red n 1 0 1 0 00000007
student n 1 0 1 0 00000005
"""


def test_the_table_is_made_of_a_wordnet(tmp_path):
    (tmp_path / "data.noun").write_text(NOUNS)
    (tmp_path / "index.noun").write_text(WORDS)
    thesaurus.make(tmp_path, tmp_path / "table")
    assert (tmp_path / "table").read_text().splitlines() == [
        "deepred\tred",
        "frock\tdress;garment;thing",
        "garment\tthing",
        "gown\tdress,frock;garment",
    ]
