"""Every claim's words stand in its document: by a table of lines and digests, and in the documents where they are."""

from pathlib import Path

import pytest
import quotes

from pipeline.claims import registry

REGISTRY, TABLE = registry.load(), quotes.read()
TEXT = ["a threshold of 19", "", "gave  3 matching", "images, and of 20", "gave 4", "of 19 nothing"]


@pytest.mark.parametrize("name", REGISTRY)
def test_a_claims_words_are_those_that_were_looked_up(name):
    claim = REGISTRY[name]
    again = "look it up in the documents: python tests/claims/quotes.py FOLDER"
    assert TABLE[name][1] == quotes.digest(claim.document, claim.words), again


def test_the_table_has_the_claims_and_no_others():
    assert list(TABLE) == list(REGISTRY)


def test_every_quote_stands_in_its_document_where_the_table_says():
    if not quotes.FOLDER:
        pytest.skip("the documents are not part of the project; CLAIM_DOCUMENTS names a folder with their texts")
    texts = {document: quotes.text_of(quotes.FOLDER, document) for document in quotes.DIGESTS}
    assert {document: digest for document, (_, digest) in texts.items()} == quotes.DIGESTS
    found = {name: quotes.line_of(claim.words, texts[claim.document][0]) for name, claim in REGISTRY.items()}
    assert found == {name: line for name, (line, _) in TABLE.items()}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("a threshold of 19 gave 3", 1),  # over the end of a line
        ("gave 3 matching images", 3),
        ("of 19 ... gave 4", 1),
        ("of 19 ... noth", 6),  # it stands nearer there than to the first 19
        ("of 19 nothing", 6),
        ("gave 4 ... of 20", None),  # not in this order
        ("gave 3 matching pictures", None),
        ("of 19 ... gave 5", None),
    ],
)
def test_a_quote_is_found_where_it_stands_word_for_word(words, line):
    assert quotes.line_of(words, TEXT) == line


def test_another_word_or_document_has_another_digest():
    one = quotes.digest("001", "gave 3 matching images")
    assert one == quotes.digest("001", "gave 3  matching\nimages")
    assert len({one, quotes.digest("002", "gave 3 matching images"), quotes.digest("001", "gave 3 images")}) == 3


def test_the_documents_themselves_are_not_here():
    kept = {path.name for path in Path(quotes.__file__).parent.iterdir() if path.suffix not in (".py", ".pyc")}
    assert kept <= {"quotes.csv", "__pycache__"}
