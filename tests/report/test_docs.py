"""README.md and docs/: tables are what numbers and code say, links lead somewhere, commands exist."""

import re
import tomllib
from itertools import product

import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline import paths, run, stages
from pipeline.claims import registry
from pipeline.evaluation import exam, tables
from pipeline.report import docs, exam_table, publication, publish

PAGES = [*docs.pages(), paths.ROOT / "CONTRIBUTING.md", paths.ROOT / "CHANGELOG.md"]
TEXTS = {page.relative_to(paths.ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
READERS = {"student", "reviewer", "instructor", "running", "results", "systems", "training", "claims", "site", "data"}
READERS |= {"scale", "database", "design", "glossary"}
MAKEFILE = (paths.ROOT / "Makefile").read_text(encoding="utf-8")


def prose(text):
    """A page without its blocks of code, in which a bracket is no link and `#` is no heading."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text):
    """The names that headings are linked by, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(text):
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(text))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def code(text):
    """What stands in code, in a line or in a block."""
    return re.findall(r"`([^`\n]+)`", prose(text)) + re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_every_reader_has_a_page():
    assert [page.stem for page in docs.pages()[1:]] == sorted(READERS)
    for name in READERS:
        assert f"(docs/{name}.md)" in TEXTS["README.md"]


@pytest.mark.parametrize("name", TEXTS)
def test_generated_parts_are_what_the_numbers_and_the_code_say(name):
    assert docs.filled(TEXTS[name]) == TEXTS[name], "write them anew: python -m pipeline.run docs"


def test_every_generated_part_stands_on_a_page():
    shown = {match["name"] for text in TEXTS.values() for match in docs.BLOCK.finditer(text)}
    assert shown == set(docs.BLOCKS)


def test_the_picture_is_of_the_published_numbers():
    assert docs.PICTURE.read_text(encoding="utf-8") == docs.picture()
    assert docs.TRADE.read_text(encoding="utf-8") == docs.trade()
    assert docs.PICTURE.name in TEXTS["README.md"]
    assert docs.PICTURE.stat().st_size < 10_000
    measured = publish.published_metrics(docs.PLACE, ["classification-cosine"]).set_index(
        ["protocol", "gallery", "relevance", "metric"]
    )["value"]
    assert f">{measured['strict', 'test', 'articleType', 'mAP']:.3f}<".replace("0.", ".") in docs.picture()
    assert f">{registry.load()['001-5.2.1-padded-map'].reported:.3f}<".replace("0.", ".") in docs.picture()


def test_an_edited_number_is_made_anew_and_an_unknown_part_is_refused():
    text = TEXTS["docs/results.md"]
    edited = text.replace(".495 [", ".999 [")
    assert edited != docs.filled(edited) == text
    with pytest.raises(ValueError, match=r"no part is called 'encodrs'.*encoders"):
        docs.filled(text.replace("begin encoders", "begin encodrs").replace("end encoders", "end encodrs"))
    with pytest.raises(ValueError, match="no other half"):
        docs.filled(text.replace("<!-- end encoders -->", ""))


def test_which_encoders_lose_by_fewer_components_is_said_by_the_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(docs, "PLACE", tmp_path)
    table = pd.DataFrame({"encoder": "one", "components": [0, 5, 9, 20], "variance": [1, 0.8, 0.95, 1]})
    table["mAP"] = [0.5, 0.9, 0.4, 0.45]
    both = pd.concat([table, table.assign(encoder="two", mAP=[0.5, 0.2, 0.5, 0.48])])
    both.to_csv(tmp_path / "components.csv", index=False)
    rows, said = docs.components().split("\n\n")
    assert rows.splitlines()[2:] == [
        "| one | .500 | −.050 | −.050 | 9 of 20 |",
        "| two | .500 | −.020 | +.020 | 9 of 20 |",
    ]
    assert said.endswith("1 gain (+.020 to +.020) and 1 lose (−.050 to −.050), those that lose being `one`.")
    both[both["encoder"] == "two"].to_csv(tmp_path / "components.csv", index=False)
    assert docs.components().endswith("1 gain (+.020 to +.020).")


PLACE = ["protocol", "gallery", "relevance", "metric"]


def published(place, rows):
    """A publication of what some encoders reach in the exam: a row for each question and encoder."""
    asked = pd.DataFrame(rows, columns=exam.COLUMNS)
    where = pd.DataFrame([exam.QUESTIONS[question] for question in asked["question"]], columns=PLACE)
    measured = pd.concat([asked.drop(columns="question"), where], axis=1).assign(distance="cosine")
    (place / "metrics").mkdir(parents=True)
    measured.to_csv(place / "metrics" / "all.csv", index=False)
    (place / "params.yaml").write_text("retrievals: {all: {}}")
    return publication.Published(place.name, place)


ASKED = ["closed", "closed_seed_1", "closed_on_new_types", "open", "pretrained", "closed_and_tuned"]


def test_the_exam_is_shown_with_the_mean_of_its_seeds_and_new_types_by_who_never_saw_them(tmp_path, monkeypatch):
    monkeypatch.setattr(docs, "FRESH", tmp_path)
    questions = list(exam.QUESTIONS)
    rows = [
        (question, encoder, (place + 2 * row) / 100, (place + row) / 100, (place + 3 * row) / 100, place / 1000)
        for row, encoder in enumerate(ASKED, 1)
        for place, question in enumerate(questions)
    ]
    published(tmp_path, rows)
    spread = pd.DataFrame({"encoder": "closed", "measure": [*questions, "accuracy"], "seeds": 2, "mean": 0.5})
    spread.assign(low=[0.4] * len(questions) + [None], high=0.6).to_csv(tmp_path / "seeds.csv", index=False)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in docs.questioned().splitlines()[2:]]
    assert [row[0] for row in rows] == questions
    for place, row in enumerate(rows):
        closed = ".500 [.400, .600]"
        if row[0].startswith("held-out"):
            closed = f"{(place + 6) / 100:.3f} [{(place + 3) / 100:.3f}, {(place + 9) / 100:.3f}]".replace("0.", ".")
        assert row[2] == closed
        assert row[1].startswith(f"{(place + 10) / 100:.3f}"[1:])
        tuned = "" if row[0].startswith("held-out") else f"{(place + 12) / 100:.3f}"[1:]
        assert row[3].startswith(tuned) and bool(row[3]) == bool(tuned)
        assert row[4].startswith(f"{(place + 8) / 100:.3f}"[1:])
        assert row[5] == f"{place / 1000:.3f}"[1:]
    short = [[cell.strip() for cell in line.split("|")[1:-1]] for line in docs.exam().splitlines()]
    assert short[0] == ["mAP", *exam_table.SHORT.values()]
    for row in short[2:6]:
        whole = dict(zip(questions, [line[1 + short.index(row) - 2] for line in rows], strict=True))
        assert row[1:] == [whole[question].partition(" ")[0] for question in exam_table.SHORT]


def test_what_learns_nothing_stands_beside_chance_and_the_names_where_they_were_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(docs, "FRESH", tmp_path)
    rows = [
        (question, encoder, (place + 10 * row) / 100, 0, 1, place / 1000)
        for row, encoder in enumerate(("colours", "closed", "hash"))
        for place, question in enumerate(exam.QUESTIONS)
    ]
    published(tmp_path, rows)
    written = [*rows[:3], ("articleType", "product names", 0.75, 0.7, 0.8, 0.003)]
    pd.DataFrame(written, columns=exam.COLUMNS).to_csv(tmp_path / "exam.csv", index=False)
    head, _, *lines = ([cell.strip() for cell in line.split("|")[1:-1]] for line in docs.baselines().splitlines())
    assert head == ["question", "a random ranking", "perceptual hash", "colour histogram", "product names, no picture"]
    for place, line in enumerate(lines):
        numbers = [f"{value:.3f}".lstrip("0") for value in (place / 1000, (place + 20) / 100, place / 100)]
        assert line == [list(exam.QUESTIONS)[place], *numbers, ".750" if line[0] == "articleType" else ""]


def test_an_aim_is_bold_where_it_is_met_by_the_mean_of_seeds_or_the_one_training(tmp_path):
    rows = [(question, encoder, 0.5, 0.4, 0.6, 0.1) for encoder, question in product(ASKED, exam.QUESTIONS)]
    one, two = published(tmp_path / "one", rows), published(tmp_path / "two", rows)
    spread = pd.DataFrame(
        [("closed_and_tuned", "same listing", 0.44, 0.43, 0.46), ("closed_and_tuned", "accuracy", 0.89, None, None)],
        columns=["encoder", "measure", "mean", "low", "high"],
    )
    spread.to_csv(tmp_path / "one/seeds.csv", index=False)
    accuracy = pd.DataFrame(
        {"encoder": ["closed_and_tuned"], "accuracy": 0.8, "accuracy low": 0.7, "accuracy high": 0.9}
    )
    accuracy.to_csv(tmp_path / "two/concatenations.csv", index=False)
    for publication_of in (one, two):
        publication_of.__dict__["values"] = {}  # neither has other measurements
    head, lines = exam_table.aims(one, two)
    table = pd.DataFrame(lines, columns=head).set_index("question")
    assert list(table) == ["aim", "by", f"`{one.data}`", f"`{two.data}`"]
    assert table.loc["same listing"].tolist() == [
        *("≥ .45", "**closed and tuned**", ".440 [.430, .460]", "**.500** [.400, .600]")
    ]
    assert table.loc["accuracy"].tolist()[2:] == ["**.890**", ".800 [.700, .900]"]
    assert table.loc["held-out types, among all"].tolist()[:3] == ["≥ .60", "**open**", ".500 [.400, .600]"]
    assert table.loc["odd years, accuracy of learnt types"].tolist()[2:] == ["", ""]
    assert all(reached for *_, reached in exam_table.aims(publication.of(publication.FRESH))[1])


@pytest.mark.parametrize(("least", "said"), [(1.0, "1.0 in each"), (0.9984, ".998 or more in each")])
def test_what_a_query_that_may_find_itself_reaches_is_the_least_of_every_size(monkeypatch, least, said):
    rows = [
        ("one", "thesis", "200", "articleType", "hit@1", 1.0),
        ("one", "thesis", "500", "articleType", "hit@1", least),
        ("one", "thesis", "500", "gender", "hit@1", 0.1),
        ("one", "thesis", "500", "articleType", "mAP", 0.2),
        ("one", "strict", "all", "articleType", "hit@1", 0.3),
        ("other", "thesis", "200", "articleType", "hit@1", 0.4),
    ]
    columns = ["retrieval", "protocol", "gallery", "relevance", "metric", "value"]
    monkeypatch.setattr(docs, "_metrics", lambda: pd.DataFrame(rows, columns=columns))
    assert docs._itself(pd.Index(["one"])) == said


def test_another_split_has_its_own_numbers_and_the_first_ones_in_brackets(tmp_path):
    runs = []
    for name, encoders, plus in (("second", ASKED[:5], 0.1), ("third", ASKED, 0.1), ("first", ASKED, 0.0)):
        rows = [
            (question, encoder, plus + place / 1000, 0.0, 0.9, plus)
            for place, (encoder, question) in enumerate(product(encoders, exam.QUESTIONS))
        ]
        runs.append(published(tmp_path / name, rows))
    second, third, first = runs
    assert all(exam_table.has(run) for run in runs)
    tuned = exam_table.another(third, first)["**closed and tuned**: the network too"]
    assert [question for question, cell in tuned.items() if not cell] == [
        question for question in exam.QUESTIONS if question.startswith("held-out")
    ]
    shown = exam_table.another(second, first)
    said = {encoder: words for encoder, _, words in exam_table.SHOWN}
    assert list(shown) == [*(said[name] for name in ("pretrained", "closed", "open")), "*a random ranking*"]
    at = list(product(ASKED, exam.QUESTIONS)).index(("closed", "articleType"))
    assert shown.at["articleType", said["closed"]] == f".{100 + at:03} [.000, .900] (.{at:03})"
    assert shown.at["articleType", "*a random ranking*"] == ".100 (.000)"


def test_the_page_of_results_leads_with_test_pictures_among_test_pictures_and_names_the_pixels():
    table = publish.published_metrics(docs.PLACE, list(docs.ENCODERS))
    typed = tables.pick(table, protocol="strict", relevance="articleType", metric="mAP")
    values = {(row.retrieval, row.gallery): f"{row.value:.3f}"[1:] for row in typed.itertuples()}
    for retrieval, name in docs.ENCODERS.items():
        (line,) = [line for line in TEXTS["docs/results.md"].splitlines() if line.startswith(f"| {name} |")]
        assert line.split("|")[2].split()[0] == values[retrieval, "test"] != values[retrieval, "all"]
        assert line.split("|")[-2].strip() == values[retrieval, "all"]
    products = tables.pick(table, protocol="strict", relevance="product", metric="mAP", gallery="all")
    products = products.set_index("retrieval")["value"]
    gained = products["classification-cosine"] - products["efficientnet_lite0_native-cosine"]
    assert f"against 224 pixels, +{gained:.3f} at its 80×64".replace("+0", "+") in TEXTS["README.md"]


def test_the_front_page_is_short():
    assert len(TEXTS["README.md"].encode()) <= 6000


def test_the_front_page_says_how_long_it_takes_as_the_page_about_running_does():
    for name in ("README.md", "docs/running.md"):
        assert TEXTS[name].count("two to five minutes on two cores") == 1


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_leads_somewhere(name):
    for target in links(TEXTS[name]):
        place, _, anchor = target.partition("#")
        file = (paths.ROOT / name).parent / place if place else paths.ROOT / name
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("name", TEXTS)
def test_every_command_exists(name):
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    commands = {*run.COMMANDS, *(stage.name for stage in stages.STAGES), "STAGE"}
    for said in code(TEXTS[name]):
        assert set(re.findall(r"^(?:\$ )?make ([a-z]+)", said, re.MULTILINE)) <= targets
        assert set(re.findall(r"-m pipeline\.run (\w+)", said)) <= commands
        for module in re.findall(r"-m ((?:pipeline|benchmarks)[\w.]*)", said):
            assert (paths.ROOT / module.replace(".", "/")).with_suffix(".py").exists(), module


@pytest.mark.parametrize("name", TEXTS)
def test_data_suites_and_paths_that_are_named_exist(name):
    for said in code(TEXTS[name]):
        for kind, choice in re.findall(r"\b(data|suite)=(\w+)", said):
            assert (paths.SUITES / kind / f"{choice}.yaml").exists(), said
        for path in re.findall(r"\b(?:notebooks|pipeline|tests|params|reference|docs|benchmarks)/[\w./-]*", said):
            assert (paths.ROOT / path).exists(), path


def test_the_licence_is_said_the_same_everywhere():
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = YAML(typ="safe").load((paths.ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert project["license"] == citation["license"] == "MIT"
    assert (paths.ROOT / project["license-files"][0]).read_text(encoding="utf-8").startswith("MIT License")
    assert citation["authors"] == [{"name": "The authors of the fashion retrieval study"}]


def test_one_version_is_said_where_it_is_installed_cited_and_described():
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = YAML(typ="safe").load((paths.ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    first, day = re.search(r"^## (\S+), (.+)$", TEXTS["CHANGELOG.md"], re.MULTILINE).groups()
    assert project["version"] == citation["version"] == first
    assert str(citation.get("date-released", "not released yet")) == day
    assert f"git tag -a v{first} " in TEXTS["CONTRIBUTING.md"]


def test_the_pages_are_published_without_a_secret():
    text = (paths.ROOT / ".github/workflows/pages.yml").read_text(encoding="utf-8")
    flow = YAML(typ="safe").load(text)
    commands = [step["run"] for step in flow["jobs"]["build"]["steps"] if "run" in step]
    assert commands == ["make reproduce", "make docs"]
    assert flow["jobs"]["build"]["steps"][-1]["with"]["path"] in MAKEFILE
    assert "secrets." not in text and flow["permissions"] == {"contents": "read"}


def test_commit_hooks_fetch_nothing():
    hooks = YAML(typ="safe").load((paths.ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in hooks["repos"]] == ["local"]
    assert {hook["language"] for hook in hooks["repos"][0]["hooks"]} == {"system"}
