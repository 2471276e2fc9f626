"""The gallery in PostgreSQL, one database or several, which any number of site processes share.

Nothing of it is kept here: what one process changes, the next question of any other sees. Distances come out as in the
gallery of one computer, whose functions measure again what the database has found. Words weigh what they weighed when
the catalogue was loaded, where the other gallery weighs them anew with every change.
"""

import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd

from pipeline import params, paths
from pipeline.data import catalog, images, text
from pipeline.encoders import store
from pipeline.retrieval import database
from pipeline.retrieval.database import DatabaseError, Server
from pipeline.retrieval.distances import DISTANCES
from pipeline.site import encoders, gallery
from pipeline.site.answers import DIGITS, VOTERS, vote
from pipeline.site.products import Conflict, Missing, check
from pipeline.site.questions import FARTHEST_PAGE, FILTERS, Page, Question, SearchError, narrowed
from pipeline.site.snapshots import TOLD, described

SCHEMA = 1  # the last of the migrations
WIDE = 1_000_000_000  # dimensions of words: as many as pgvector allows
PORTION = 32  # pictures that are read and encoded together
SHOWN = "NOT EXISTS (SELECT FROM hidden AS h WHERE h.key = f.key)"
OTHERS = "f.key <> ALL (ARRAY(SELECT key FROM product WHERE id = %(like)s OR copies = %(copies)s))"
ALIKE = "-(words <#> %(words)s::sparsevec)"
COLUMNS = ", ".join(f'"{name}"' for name in TOLD)
# the values of a column one after the other by its index: a millisecond, where counting them reads every product
VALUES = """
WITH RECURSIVE seen (value) AS (
  SELECT min("{name}") FROM product
  UNION ALL SELECT (SELECT min("{name}") FROM product WHERE "{name}" > value) FROM seen WHERE value IS NOT NULL)
SELECT value FROM seen WHERE EXISTS (SELECT FROM product AS f WHERE "{name}" = value AND {shown})
""".replace("{shown}", SHOWN)
Given = TypeVar("Given")


class Table(NamedTuple):
    """An encoder's features in one database."""

    number: int
    dimension: int
    indexed: bool

    @property
    def name(self) -> str:
        return f"feature_{self.number}"


class Found(NamedTuple):
    """A product as a database finds it; `part`: which of them. They sort as answers do."""

    far: float
    key: int
    part: int
    alike: float | None


class Asked(NamedTuple):
    """What is searched: by the features (D,) of a picture, by the weights of words, or both; without what is a copy."""

    question: Question
    vector: np.ndarray | None
    copies: str | None
    weights: dict[str, float]


class Shared:
    """Products in one database or, by the hash of their ids, in several: all of these answer, or none is believed."""

    indexes: Sequence[str] = ["exact", "hnsw"]
    at_once = database.MOST

    def __init__(self, addresses: Sequence[str]):
        """Asks every database what it holds.

        Raises:
            DatabaseError: one does not answer, or they are not all the parts of one loaded catalogue.
        """
        self.servers = [Server(address) for address in addresses]
        self._asking = ThreadPoolExecutor(database.MOST * len(self.servers), thread_name_prefix="database")
        held = self._all(lambda part, server: _held(server))
        if len({(digest, parts) for digest, _, parts in held}) > 1 or len(held) != held[0][2]:
            said = ", ".join(
                f"{server.name}: part {part + 1} of {parts}" for server, (_, part, parts) in self._with(held)
            )
            raise DatabaseError(f"these are not all the parts of one catalogue. Name each database once. Found: {said}")
        self.servers = [server for server, (_, part, _) in sorted(self._with(held), key=lambda one: one[1][1])]
        if sorted(part for _, part, _ in held) != list(range(len(held))):
            raise DatabaseError("a part of the catalogue is named twice, and another is not. Name each database once")
        self._tables: dict[str, list[Table]] = {}
        self._look()

    def _with(self, values: list[Given]) -> list[tuple[Server, Given]]:
        return list(zip(self.servers, values, strict=True))

    def _all(self, work: Callable[[int, Server], Given]) -> list[Given]:
        """What each database answers, in their order. Raises DatabaseError: one of them does not."""
        if len(self.servers) == 1:
            return [work(0, self.servers[0])]
        futures = [self._asking.submit(work, part, server) for part, server in enumerate(self.servers)]
        faults = [str(error) for future in futures if isinstance(error := future.exception(), DatabaseError)]
        if faults:
            said = "; ".join(faults)
            raise DatabaseError(f"{len(faults)} of {len(futures)} databases failed, so nothing is answered: {said}")
        return [future.result() for future in futures]

    def _of(self, identity: str) -> Server:
        """The database that has or would have a product. Raises Missing: none can have such an id."""
        if not catalog.ID_PATTERN.fullmatch(identity):
            raise Missing(f"there is no product {identity[:80]!r}")
        return self.servers[part_of(identity, len(self.servers))]

    def _look(self) -> None:
        """Notes which encoders all databases have."""
        found = self._all(lambda part, server: tables(server))
        everywhere = set(found[0]).intersection(*found)
        self._tables = {identity: [one[identity] for one in found] for identity in everywhere}

    def start(self) -> None:
        """There is nothing to wait for."""

    def having(self, data: str, names: Sequence[str]) -> list[str]:
        """Those of some encoders whose features, as this run made them, are here. Raises SearchError: of none."""
        here = [name for name in names if store.meta(paths.features(data, name)).get("encoder_id") in self._tables]
        if names and not here:
            raise SearchError(f"the database has no features of {names}. Load them: python -m pipeline.app load")
        return here

    def load(self, study: params.Study, name: str) -> encoders.Ready:
        """An encoder's network. Raises SearchError: the databases have no such features. StoreError, WeightsError."""
        identity = store.meta(paths.features(study.data.name, name)).get("encoder_id", "")
        self._look()
        if identity not in self._tables:
            raise SearchError(f"the database has no features of {name}. Load them: python -m pipeline.app load")
        nothing = np.empty((0, self._tables[identity][0].dimension), np.float32)
        return encoders.Ready(name, identity, encoders.network(study, name), nothing)

    @contextmanager
    def holding(self, ready: encoders.Ready) -> Iterator[None]:
        """Every added product has features of that encoder; nothing else has to wait."""
        self._complete(ready)
        yield

    def _complete(self, ready: encoders.Ready) -> None:
        """Encodes what was added where this encoder was not at hand."""

        def of_part(part: int, server: Server) -> None:
            table = self._tables[ready.identity][part]
            asked = f"SELECT key, picture FROM missing JOIN product USING (key) WHERE encoder = %s LIMIT {PORTION}"
            while rows := server.ask(asked, (table.number,)):
                vectors = {key: ready.encode(images.decode(bytes(picture))) for key, picture in rows}
                with server.transaction() as connection:
                    for key, vector in vectors.items():
                        _keep(connection, table, key, vector)

        self._all(of_part)

    def describing(self, stems: Sequence[str]) -> set[str]:
        """Those of some words' stems that describe a product, or did. Raises DatabaseError."""
        asked = "SELECT stem FROM word WHERE stem = ANY(%s)"
        return {stem for part in self._all(lambda _, server: server.ask(asked, (list(stems),))) for (stem,) in part}

    def search(self, ready: encoders.Ready, question: Question, vector: np.ndarray | None) -> gallery.Answer:
        """As `Gallery.search`. Raises SearchError, Missing, DatabaseError."""
        self._complete(ready)
        if question.index not in self.indexes or not (question.index == "exact" or self._indexed(ready)):
            raise SearchError(f"the database has no index {question.index} of {ready.name}. Use index=exact")
        copies = None
        if question.like is not None:
            vector, copies = self._asking_product(ready, question.like)
        weights = self._weights(question.text) if question.text else {}
        asked = Asked(question, vector, copies, weights)
        wanted, chosen = question.offset + question.count, _without_nul(narrowed(question))
        voters = self._nearest(ready, asked, {}, VOTERS if chosen else max(wanted, VOTERS))
        shown = (self._nearest(ready, asked, chosen, wanted) if chosen else voters)[question.offset : wanted]
        told = self._told(ready, asked, {*shown, *voters[:VOTERS]})
        types = [told[one][0][catalog.ARTICLE] for one in _in_order(voters[:VOTERS], told)]
        return _page(question, [told[one] for one in _in_order(shown, told)]), vote(np.array(types, object))

    def _indexed(self, ready: encoders.Ready) -> bool:
        """Whether every database has an index of an encoder, be it since a moment ago. Raises DatabaseError."""
        if not all(table.indexed for table in self._tables[ready.identity]):
            self._look()
        return all(table.indexed for table in self._tables[ready.identity])

    def _nearest(self, ready: encoders.Ready, asked: Asked, chosen: dict[str, list[str]], count: int) -> list[Found]:
        """The products nearest to what is asked, of all databases."""
        question, vector = asked.question, asked.vector
        near = min(max(database.SEARCH_DEPTH, 2 * count), database.CANDIDATES)
        values: dict[str, Any] = {"like": question.like, "copies": asked.copies, **chosen}
        values |= {"count": count, "near": near, "share": question.image_weight}
        values["vector"] = None if vector is None else database.written(vector)

        def of_part(part: int, server: Server) -> list[Found]:
            table = None if vector is None else self._tables[ready.identity][part]
            words = {"words": _placed(server, asked.weights)}
            rows = server.ask(_statement(table, question, chosen), values | words)
            return [Found(far, key, part, alike) for far, key, alike in rows]

        return sorted(found for part in self._all(of_part) for found in part)[:count]

    def _asking_product(self, ready: encoders.Ready, identity: str) -> tuple[np.ndarray, str | None]:
        """A product's features (D,), and what its copies have in common. Raises Missing."""
        server = self._of(identity)
        table = self._tables[ready.identity][self.servers.index(server)]
        statement = (
            f"SELECT v::real[], copies FROM product AS f JOIN {table.name} USING (key) WHERE id = %s AND {SHOWN}"
        )
        if not (rows := server.ask(statement, (identity,))):
            raise Missing(f"there is no product {identity[:80]!r}")
        return np.array(rows[0][0], np.float32), rows[0][1]

    def _weights(self, said: str) -> dict[str, float]:
        """The stems of a text that describe some product, and how much each weighs; together of length 1.

        Raises:
            SearchError: there is none.
        """
        counts = Counter(text.stems(said.replace("\0", " ")))
        asked = "SELECT stem, weight FROM word WHERE stem = ANY(%s)"
        known = {
            stem: weight
            for part in self._all(lambda _, server: server.ask(asked, (list(counts),)))
            for stem, weight in part
        }
        if not known:
            raise SearchError(f"no product is described by {said!r}. Try a kind, a colour or a brand")
        return _of_length_one({stem: counts[stem] * weight for stem, weight in known.items()})

    def _told(
        self, ready: encoders.Ready, asked: Asked, found: set[Found]
    ) -> dict[Found, tuple[dict[str, Any], float]]:
        """What is told of each product that is still there, and its distance as the gallery of one computer has it."""

        def of_part(part: int, server: Server) -> dict[Found, tuple[dict[str, Any], float]]:
            here = {one.key: one for one in found if one.part == part}
            table = self._tables[ready.identity][part]
            features = f"(SELECT v::real[] FROM {table.name} AS v WHERE v.key = f.key)"
            features = "NULL" if asked.vector is None else features
            statement = f"SELECT key, {features}, {COLUMNS} FROM product AS f WHERE key = ANY(%s) AND {SHOWN}"
            rows = server.ask(statement, (list(here),)) if here else []
            far = _measured(asked, [row[1] for row in rows], [here[row[0]].alike for row in rows])
            return {
                here[row[0]]: (dict(zip(TOLD, row[2:], strict=True)), apart)
                for row, apart in zip(rows, far, strict=True)
            }

        return {one: said for part in self._all(of_part) for one, said in part.items()}

    def status(self) -> dict[str, Any]:
        """As `Gallery.status`."""
        counted = (
            "SELECT (SELECT count(*) FROM product), (SELECT count(*) FROM product WHERE NOT catalogued), "
            "(SELECT count(*) FROM hidden)"
        )
        every, added, hidden = map(
            sum, zip(*(part[0] for part in self._all(lambda _, one: one.ask(counted))), strict=True)
        )
        choices = {name: self._choices(name) for name in FILTERS}
        return {"products": every - hidden, "added": added, "hidden": hidden, "filters": choices}

    def _choices(self, name: str) -> list[str]:
        values = self._all(lambda part, server: server.ask(VALUES.replace("{name}", name)))
        return sorted({value for part in values for (value,) in part})

    def listed(self, page: Page) -> dict[str, Any]:
        """A page of the products, as /api/v1/products answers it. Raises SearchError: too far for several databases."""
        chosen = _without_nul(narrowed(page))
        where = " AND ".join([SHOWN, *(f'"{name}" = ANY(%({name})s)' for name in chosen)])
        totals = self._all(lambda _, one: one.ask(f"SELECT count(*) FROM product AS f WHERE {where}", chosen)[0][0])
        if page.offset >= sum(totals):
            return {"total": sum(totals), "offset": page.offset, "products": []}
        skipped = page.offset if len(self.servers) == 1 else 0  # several know each its own order alone
        if page.offset - skipped > FARTHEST_PAGE:
            raise SearchError(
                f"of products in several databases offset= leaves out {FARTHEST_PAGE:,} at most. Received: "
                f"{page.offset}. Narrow the list by filters: {', '.join(FILTERS)}"
            )
        values = {**chosen, "skipped": skipped, "count": page.offset - skipped + page.count}
        ordered = f"SELECT key FROM product AS f WHERE {where} ORDER BY key OFFSET %(skipped)s LIMIT %(count)s"
        keys = self._all(lambda part, one: [(key, part) for (key,) in one.ask(ordered, values)])
        shown = sorted(key for part in keys for key in part)[page.offset - skipped :][: page.count]
        told = f"SELECT key, {COLUMNS} FROM product WHERE key = ANY(%s)"
        rows = self._all(lambda part, one: one.ask(told, ([key for key, of in shown if of == part],)))
        facts = [dict(zip(TOLD, row[1:], strict=True)) for row in sorted(row for part in rows for row in part)]
        return {"total": sum(totals), "offset": page.offset, "products": facts}

    def hidden(self) -> list[dict[str, Any]]:
        """The catalogue's products that were taken away, in its order."""
        asked = f"SELECT key, {COLUMNS} FROM product JOIN hidden USING (key)"
        rows = sorted(row for part in self._all(lambda _, server: server.ask(asked)) for row in part)
        return [dict(zip(TOLD, row[1:], strict=True)) for row in rows]

    def product(self, identity: str) -> dict[str, Any]:
        """As `Gallery.product`. Raises Missing."""
        return dict(zip([*TOLD, "added"], self._row(identity, f"{COLUMNS}, NOT catalogued"), strict=True))

    def picture(self, identity: str) -> bytes | None:
        """An added product's image; None: the catalogue has it. Raises Missing."""
        (data,) = self._row(identity, "picture")
        return None if data is None else bytes(data)

    def _row(self, identity: str, columns: str) -> tuple:
        rows = self._of(identity).ask(f"SELECT {columns} FROM product AS f WHERE id = %s AND {SHOWN}", (identity,))
        if not rows:
            raise Missing(f"there is no product {identity[:80]!r}")
        return rows[0]

    def check(self, identity: str) -> None:
        """Raises Conflict where an id is taken."""
        if self._of(identity).ask("SELECT FROM product WHERE id = %s", (identity,)):
            raise Conflict(f"the id {identity!r} is taken. Choose another")

    def add(self, identity: str, facts: dict[str, str], picture: bytes, vectors: dict[str, np.ndarray]) -> None:
        """As `Gallery.add`. Raises ProductError, Conflict, DatabaseError: when it came during the addition, all of it
        may be there, or nothing."""
        from psycopg import IntegrityError

        check(identity, facts)
        for last in (False, True):
            try:
                self._put(identity, facts, picture, vectors)
                break
            except IntegrityError as error:
                if (broken := error.diag.constraint_name) == "product_id_key":
                    raise Conflict(f"the id {identity!r} is taken. Choose another") from None
                if broken != "product_pkey" or last:  # else another process has added one in the same nanosecond
                    said = f"{self._of(identity).name} refuses {identity!r}, by its {broken}"
                    raise DatabaseError(f"the database {said}; ask again in a moment") from None

    def _put(self, identity: str, facts: dict[str, str], picture: bytes, vectors: dict[str, np.ndarray]) -> None:
        """Stores a product. Raises DatabaseError; psycopg.IntegrityError: its id is taken, or its key."""
        server, key = self._of(identity), time.time_ns()
        there = {name: of[self.servers.index(server)] for name, of in self._tables.items()}
        columns = "".join(f', "{name}"' for name in facts)
        row = f"INSERT INTO product (key, id, catalogued, picture, words{columns}) VALUES (%s, %s, false, %s, %s"
        with server.transaction() as connection:
            words = _described(connection, {catalog.ID: identity, **facts})
            values = (key, identity, picture, words, *facts.values())
            connection.execute(f"{row}{', %s' * len(facts)})", values)
            connection.execute("INSERT INTO missing SELECT number, %s FROM encoder", (key,))
            for name in there.keys() & vectors.keys():
                _keep(connection, there[name], key, vectors[name])

    def remove(self, identity: str) -> None:
        """Deletes an added product, hides one of the catalogue. Raises Missing."""
        hide = "INSERT INTO hidden SELECT key FROM product WHERE id = %s AND catalogued ON CONFLICT DO NOTHING"
        with self._of(identity).transaction() as connection:
            gone = connection.execute("DELETE FROM product WHERE id = %s AND NOT catalogued", (identity,)).rowcount
            if not gone and not connection.execute(hide, (identity,)).rowcount:
                raise Missing(f"there is no product {identity[:80]!r}")

    def restore(self, identity: str) -> None:
        """Shows a hidden product of the catalogue again. Raises Conflict."""
        shown = "DELETE FROM hidden USING product WHERE hidden.key = product.key AND id = %s"
        with self._of(identity).transaction() as connection:
            if not connection.execute(shown, (identity,)).rowcount:
                raise Conflict(f"{identity!r} was not taken away, or it was an added product, which is gone for good")


def part_of(identity: str, parts: int) -> int:
    """Which of several databases a product is in, from 0."""
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big") % parts


def tables(server: Server) -> dict[str, Table]:
    """The features that a database has, by their encoder's identity. Raises DatabaseError."""
    index = "to_regclass('feature_' || number || '_hnsw')"
    indexed = f"EXISTS (SELECT FROM pg_index WHERE indexrelid = {index} AND indisvalid)"  # not one that is half built
    rows = server.ask(f"SELECT identity, number, dimension, {indexed} FROM encoder")
    return {identity: Table(*told) for identity, *told in rows}


def sparse(weights: dict[int, float]) -> str:
    """Weights by their places, from 1, as the database reads them."""
    told = ",".join(f"{place}:{float(np.float32(weight))!r}" for place, weight in sorted(weights.items()) if weight)
    return f"{{{told}}}/{WIDE}"


def _held(server: Server) -> tuple[str, int, int]:
    """Which catalogue a database holds, and which part of how many."""
    if server.ask("SELECT to_regclass('migration') IS NULL")[0][0]:
        raise DatabaseError(f"nothing was loaded into {server.name}. Load a run: python -m pipeline.app load")
    if (number := server.ask("SELECT max(number) FROM migration")[0][0]) > SCHEMA:
        raise DatabaseError(f"{server.name} is at migration {number}, newer than this program ({SCHEMA}). Update it")
    if number < SCHEMA:
        raise DatabaseError(f"{server.name} is at migration {number}, this program at {SCHEMA}. Run: … load")
    if not (held := server.ask("SELECT digest, part, parts FROM catalogue")):
        raise DatabaseError(f"a load into {server.name} was stopped. Run it again: python -m pipeline.app load")
    return held[0]


def _statement(table: Table | None, question: Question, chosen: dict[str, list[str]]) -> str:
    """The nearest products of one database, as SQL; without a table by their words alone."""
    where = [SHOWN, *([OTHERS] if question.like is not None else [])]
    if chosen:
        equal = " AND ".join(f'p."{name}" = ANY(%({name})s)' for name in chosen)
        where.append(f"EXISTS (SELECT FROM product AS p WHERE p.key = f.key AND {equal})")
    source, far, alike = "product AS f", f"1 - ({ALIKE})", ALIKE if question.text else "NULL::real"
    if table is None:
        where.append(f"{ALIKE} > 0")
    elif question.index == "exact":
        source, far = f"{table.name} AS f", database.far(question.distance)
        if question.text:
            source += " JOIN product USING (key)"
            far = f"%(share)s * {far} + (1 - %(share)s) * (1 - ({ALIKE}))"
    else:
        source = f"({database.through_index(table.name, table.dimension, ' AND '.join(where))}) AS f"
        where, far = ["true"], database.far("cosine")
    return (
        f"SELECT {far} AS far, key, {alike} FROM {source} WHERE {' AND '.join(where)} ORDER BY far, key LIMIT %(count)s"
    )


def _measured(asked: Asked, features: list[list[float]], alike: list[float | None]) -> np.ndarray:
    """The distances of some products, float32, by the functions that measure without a database."""
    if not alike:
        return np.empty(0, np.float32)
    words = np.maximum(1 - np.array(alike, float), 0)
    if asked.vector is None:
        return words.astype(np.float32)
    far = DISTANCES[asked.question.distance](asked.vector[None], np.array(features, np.float32))[0]
    share = asked.question.image_weight
    return (share * far + (1 - share) * words).astype(np.float32) if asked.weights else far


def _in_order(found: list[Found], told: dict[Found, tuple[dict[str, Any], float]]) -> list[Any]:
    """Those that are still there, nearest first."""
    return sorted((one for one in found if one in told), key=lambda one: (told[one][1], one.key))


def _page(question: Question, found: list[tuple[dict[str, Any], float]]) -> list[dict[str, Any]]:
    results = [
        {"rank": rank, **facts, "distance": round(float(far), DIGITS)}
        for rank, (facts, far) in enumerate(found, 1 + question.offset)
    ]
    return [row for row in results if question.farthest is None or row["distance"] <= question.farthest]


def _without_nul(chosen: dict[str, list[str]]) -> dict[str, list[str]]:
    """The same choice without values that no text of a database can be, so no product either."""
    return {name: [value for value in values if "\0" not in value] for name, values in chosen.items()}


def _of_length_one(weights: dict[str, float]) -> dict[str, float]:
    length = math.sqrt(sum(weight**2 for weight in weights.values())) or 1
    return {stem: weight / length for stem, weight in weights.items()}


def _placed(server: Server, weights: dict[str, float]) -> str | None:
    """Words' weights by the places that they have in one database; None where nothing is said."""
    if not weights:
        return None
    places = server.ask("SELECT stem, place FROM word WHERE stem = ANY(%s)", (list(weights),))
    return sparse({place: weights[stem] for stem, place in places})


def _described(connection: Any, facts: dict[str, str]) -> str:
    """The weights of the words that describe a new product; those that nothing was called before are noted."""
    counts = Counter(text.stems(described(pd.DataFrame([facts], columns=catalog.COLUMNS, dtype=object))[0]))
    new = (
        "INSERT INTO word (stem, weight) SELECT stem, ln((1 + products) / 2.0) + 1 FROM unnest(%s::text[]) AS stem, "
        "catalogue ON CONFLICT DO NOTHING"
    )
    connection.execute(new, (sorted(counts),))  # in one order, so that two who do so never wait for each other
    rows = connection.execute("SELECT stem, place, weight FROM word WHERE stem = ANY(%s)", (list(counts),)).fetchall()
    places = {stem: place for stem, place, _ in rows}
    weights = _of_length_one({stem: counts[stem] * weight for stem, _, weight in rows})
    return sparse({places[stem]: weight for stem, weight in weights.items()})


def _keep(connection: Any, table: Table, key: int, vector: np.ndarray) -> None:
    """Stores features of an added product; of one that is gone meanwhile nothing stays."""
    there = (
        f"INSERT INTO {table.name} (key, v) SELECT key, %s::vector FROM product WHERE key = %s ON CONFLICT DO NOTHING"
    )
    connection.execute(there, (database.written(vector), key))
    connection.execute("DELETE FROM missing WHERE encoder = %s AND key = %s", (table.number, key))
