"""Questions in the format of SQuAD v2 become a task, or one line says why not."""

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from families import write_family
from tiny_text import WORDS, write_tiny_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from triadapt import cli
from triadapt.config import ConfigError, parse_config
from triadapt.events import Baseline, Evaluation, Finished
from triadapt.tasks.existing_file import LARGEST_BYTES
from triadapt.tasks.qa.answers import answers, best_span
from triadapt.tasks.qa.questions import Question
from triadapt.tasks.qa.reading import glance, read_questions, spread
from triadapt.tasks.qa.scores import exact_match, f1, normalized, scores
from triadapt.tasks.qa.settings import Settings
from triadapt.tasks.qa.windows import Windows
from triadapt.tasks.registry import TASKS
from triadapt.training.session import build_task
from triadapt.training.train import train

MINI = Path(__file__).parents[3] / "shared" / "data" / "squad_v2_mini"


def squad(contexts: int = 8, title: str = "a") -> dict[str, Any]:
    """Contexts of words; of each one question that is answered by the word behind the one it names, and one without
    an answer."""
    paragraphs = []
    for c in range(contexts):
        words = [WORDS[(c * 5 + i * (1 + c % 3)) % 12] for i in range(10)]
        context, start = " ".join(words), len(" ".join(words[:4])) + 1
        asked = {"question": f"behind {words[3]}", "answers": [{"text": words[4], "answer_start": start}]}
        paragraphs.append({
            "context": f"{context} {c}",
            "qas": [
                {"id": f"{title}{c}", "is_impossible": False, **asked},
                {"id": f"{title}{c}n", "is_impossible": True, "question": "behind zebra", "answers": []},
            ],
        })  # fmt: skip
    return {"version": "v2.0", "data": [{"title": title, "paragraphs": paragraphs}]}


def write(whole: Any, path: Path) -> str:
    path.write_text(json.dumps(whole), encoding="utf-8")
    return str(path)


def flat(whole: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "id": row["id"], "context": paragraph["context"], "question": row["question"],
            "answers": {name: [one[name] for one in row["answers"]] for name in ("text", "answer_start")},
        }
        for article in whole["data"] for paragraph in article["paragraphs"] for row in paragraph["qas"]
    ]  # fmt: skip


def refusal(**settings: Any) -> str:
    with pytest.raises(ConfigError) as error:
        read_questions(Settings(**settings))
    (line,) = error.value.lines
    return line


# Scores


def test_answers_are_compared_without_case_punctuation_articles_and_spaces() -> None:
    assert normalized("  The Cat's,\na  HAT! ") == "cats hat"
    assert normalized("an anthem of theirs") == "anthem of theirs"
    assert exact_match("the U.S.", ["us", "America"]) == 1 and exact_match("us all", ["us"]) == 0


@pytest.mark.parametrize(
    ("given", "gold", "expected"),
    [
        ("big cat sat", ["cat"], 2 * 1 / (3 + 1)),
        ("the big cat", ["big dog", "cat big"], 1.0),  # the nearest; order does not count
        ("b b", ["b"], 2 / 3),  # a word counts as often as it stands on both sides
        ("dog", ["cat"], 0.0),
        ("", [], 1.0),
        ("cat", [], 0.0),
        ("", ["cat"], 0.0),
        ("cat", ["the", "cat"], 1.0),
        ("", ["the", "cat"], 0.0),  # an answer of nothing but articles does not count
        ("the", [], 1.0),
    ],
)  # fmt: skip
def test_f1_of_cases_worked_by_hand(given: str, gold: list[str], expected: float) -> None:
    assert f1(given, gold) == pytest.approx(expected)


def test_both_kinds_of_questions_are_told_apart_where_there_are_both() -> None:
    found = scores(["big cat", "", "dog"], [["cat"], [], []])
    assert found == pytest.approx(
        {"f1": (2 / 3 + 1) / 3, "exact_match": 1 / 3, "f1 with answer": 2 / 3, "f1 without answer": 0.5}
    )
    assert list(scores(["cat"], [["cat"]])) == ["f1", "exact_match"]


# Spans and windows


def test_the_best_span_is_the_best_of_every_pair() -> None:
    draw = torch.Generator().manual_seed(0)
    for length, longest in ((1, 1), (1, 5), (7, 3), (12, 30), (20, 1)):
        begin, end = torch.randn(2, length, generator=draw)
        pairs = {(i, j): float(begin[i] + end[j]) for i in range(length) for j in range(i, min(length, i + longest))}
        value, i, j = best_span(begin, end, longest)
        assert value == pytest.approx(max(pairs.values())) and pairs[i, j] == pytest.approx(value)


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """As GPT-2's: bytes, nothing set around or between texts."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: index for index, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|endoftext|>")


@pytest.mark.parametrize("kind", ["CLS", "bytes", "decoder with CLS"])
def test_windows_cover_every_context_and_hold_every_answer(kind: str, tmp_path: Path) -> None:
    write_tiny_tokenizer(tmp_path)
    tokenizer = byte_tokenizer() if kind == "bytes" else AutoTokenizer.from_pretrained(tmp_path)
    context = " ".join(WORDS[i % 11] for i in range(70)) + " kü zebra 5 end"
    start = context.index("zebra")
    questions = [
        Question("1", context, "which animal", ("zebra 5",), (start,)),
        Question("2", "apple river", "which animal " * 40, (), ()),
    ]
    most, stride = (120, 50) if kind == "bytes" else (40, 12)
    windows = Windows(
        tokenizer, questions, most=most, stride=stride, decoder=kind == "decoder with CLS", model_is="qa.model = 'm'"
    )
    assert max(windows.lengths) <= most and len(windows) > 3
    covered: set[int] = set()
    holding = 0
    for row, index in enumerate(windows.question):
        ids, (first, behind), null = windows.columns["input_ids"][row], windows.contexts[row], windows.nulls[row]
        assert ids[null] == (tokenizer.cls_token_id if kind == "CLS" else windows._last)
        assert null == 0 if kind == "CLS" else null == len(ids) - 1
        if index == 0:
            offsets = windows.offsets[row]
            assert len(offsets) == behind - first
            covered |= {place for begin, end in offsets for place in range(begin, end)}
            begin, end = windows.spans[row]
            if begin != null:
                holding += 1
                assert context[offsets[begin - first, 0] : offsets[end - first, 1]].strip() == "zebra 5"
            else:
                assert (offsets[-1, 1] < start + 7) or (offsets[0, 0] > start)
        else:
            assert windows.spans[row] == (null, null)
    assert holding and {place for place, letter in enumerate(context) if letter != " "} <= covered
    allowed, spans = windows.places([0, len(windows) - 1], most)
    assert bool(allowed.gather(1, spans).all()) and allowed.sum(1).tolist() == [
        windows.contexts[row][1] - windows.contexts[row][0] + 1 for row in (0, len(windows) - 1)
    ]


def test_the_answer_is_the_best_over_all_windows_and_none_where_no_answer_scores_higher(tmp_path: Path) -> None:
    write_tiny_tokenizer(tmp_path)
    context = " ".join(WORDS[i % 12] for i in range(60))
    question = Question("1", context, "where", (), ())
    windows = Windows(
        AutoTokenizer.from_pretrained(tmp_path), [question], most=32, stride=8, decoder=False, model_is=""
    )
    token_scores = [torch.zeros(length, 2) for length in windows.lengths]
    token_scores[1][windows.contexts[1][0] + 2, 0] = 3.0
    token_scores[1][windows.contexts[1][0] + 3, 1] = 2.0
    offsets = windows.offsets[1]
    expected = context[offsets[2, 0] : offsets[3, 1]]
    for null, threshold, answer in ((4.9, 0.0, expected), (5.1, 0.0, ""), (5.1, 1.0, expected), (4.9, -1.0, "")):
        for one, place in zip(token_scores, windows.nulls, strict=True):
            one[place, 0] = null
        token_scores[0][windows.nulls[0], 0] = 9.0  # a window that is sure has no say against one that is not
        assert answers(windows, token_scores, [question], longest=30, threshold=threshold) == [answer]
    assert answers(windows, token_scores, [question], longest=1, threshold=2.0) != [expected]


def test_a_tokenizer_without_places_is_refused_with_one_line() -> None:
    class Slow:
        is_fast = False

    with pytest.raises(ConfigError, match=r"qa\.model = 'm': its tokenizer does not say where tokens stand") as error:
        Windows(Slow(), [], most=32, stride=8, decoder=False, model_is="qa.model = 'm'")
    assert len(error.value.lines) == 1


# Files


def test_rows_of_json_lines_and_of_the_hub_are_the_same_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, held = squad(12), squad(6, "b")
    lines = [tmp_path / "train.jsonl", tmp_path / "dev.jsonl"]
    for path, side in zip(lines, (whole, held), strict=True):
        path.write_text("\n\n".join(map(json.dumps, flat(side))), encoding="utf-8")
    nested = read_questions(Settings(train=write(whole, tmp_path / "a.json"), dev=write(held, tmp_path / "b.json")))
    assert read_questions(Settings(train=str(lines[0]), dev=str(lines[1]))).sha256 == nested.sha256
    assert nested.facts["without_answer"] == {"train": 12, "dev": 6}
    tables = {"train": datasets.Dataset.from_list(flat(whole)), "validation": datasets.Dataset.from_list(flat(held))}
    monkeypatch.setattr(datasets, "load_dataset", lambda name, subset, split, revision: tables[split])
    of_hub = read_questions(Settings(dataset="owner/squad"))
    assert of_hub.sha256 == nested.sha256 and of_hub.facts["dataset"] == "owner/squad"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionError("no route"), "the hub cannot be reached"),
        (ValueError("something else"), "something else"),
        (FileNotFoundError("Dataset 'owner/squad' doesn't exist on the Hub"), "doesn't exist on the Hub"),
    ],
)
def test_what_the_hub_answers_is_one_line(error: Exception, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object, **__: object) -> None:
        raise error

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(datasets, "load_dataset", load)
    line = refusal(dataset="owner/squad")
    assert line.startswith("qa.dataset = 'owner/squad': ") and said in line


def test_a_path_is_no_dataset_of_the_hub(tmp_path: Path) -> None:
    for name in ("/etc", "../x", str(tmp_path), "a/b/c"):
        with pytest.raises(ConfigError, match="not the id of a dataset"):
            parse_config({"task": "qa", "qa": {"dataset": name}})
        assert "not the id of a dataset" in refusal(dataset=name)


def test_a_split_that_is_not_there_is_named_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object, **__: object) -> None:
        raise ValueError("Unknown split \"x\". Should be one of ['a', 'b'].")

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert refusal(dataset="owner/squad", train_split="x") == "qa.train_split = 'x': owner/squad has a, b"


def test_without_held_out_questions_those_of_one_context_in_ten_are(tmp_path: Path) -> None:
    found = read_questions(Settings(train=write(squad(60), tmp_path / "a.json")))
    assert len(found.dev) == 12 and len(found.train) == 108
    assert not {q.context for q in found.dev} & {q.context for q in found.train}
    assert found.facts["held_out_questions_seen_in_training"] == 0
    assert "name a file of held-out questions in qa.dev" in refusal(train=write(squad(20), tmp_path / "few.json"))


def test_questions_that_are_scored_are_spread_over_all() -> None:
    questions = [Question(str(i), "c", "q", (), ()) for i in range(100)]
    assert [q.id for q in spread(questions, 4)] == ["0", "25", "50", "75"] and spread(questions[:3], 4) == questions[:3]


def question_of(whole: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = whole["data"][0]["paragraphs"][1]["qas"][0]
    return found


def _set(place: Callable[[Any], Any], name: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    def change(whole: dict[str, Any]) -> Any:
        place(whole)[name] = value
        return whole

    return change


AT = "article 1, paragraph 2, question 1"
BAD: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a list": (lambda whole: [1], "holds a list, not"),
    "no data": (lambda whole: {"version": "v2.0"}, "no data; give a list"),
    "data that is no list": (_set(lambda w: w, "data", "x"), "data is a text, not a list"),
    "no paragraphs": (lambda whole: {"data": [{}]}, "article 1: no paragraphs; give a list"),
    "a text for an article": (lambda whole: {"data": ["x"]}, "article 1: a text, not a table"),
    "no context": (_set(lambda w: w["data"][0]["paragraphs"][1], "context", None), "paragraph 2: context is a null"),
    "no id": (_set(question_of, "id", None), f"{AT}: id is a null, not a text"),
    "an empty question": (_set(question_of, "question", " "), f"{AT}: question is empty"),
    "no answers": (_set(question_of, "answers", None), f"{AT}: answers is a null, not a list"),
    "an answer that is no table": (_set(question_of, "answers", ["x"]), f"{AT}: a text, not a table"),
    "an answer elsewhere": (
        _set(lambda w: question_of(w)["answers"][0], "answer_start", 1), "does not stand at answer_start 1 of its"
    ),
    "an answer before the beginning": (
        _set(lambda w: question_of(w)["answers"][0], "answer_start", -5), "does not stand at answer_start -5"
    ),
    "half a number": (_set(lambda w: question_of(w)["answers"][0], "answer_start", 1.5), "answer_start is 1.5, not a"),
    "an empty answer": (_set(lambda w: question_of(w)["answers"][0], "text", ""), f"{AT}: answers.text is empty"),
    "an answer to none": (_set(question_of, "is_impossible", True), f"{AT}: is_impossible is true, but it has"),
    "none and yet possible": (_set(question_of, "answers", []), f"{AT}: is_impossible is false, but it has no"),
    "half a character": (_set(question_of, "question", "a \ud800"), f"{AT}: question holds half a character"),
    "an id twice": (_set(question_of, "id", "a0"), "two questions have the id 'a0'; give each its own"),
    "no question": (lambda whole: {"data": []}, "0 questions, at least 8 are needed; give more"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "said"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_in_a_file_is_one_line_that_says_where(
    change: Callable[[dict[str, Any]], Any], said: str, tmp_path: Path
) -> None:
    good, bad = write(squad(), tmp_path / "good.json"), write(change(squad()), tmp_path / "bad.json")
    for settings, side in (({"train": bad, "dev": good}, "train"), ({"train": good, "dev": bad}, "dev")):
        line = refusal(**settings)
        assert line.startswith(f"qa.{side} = {bad!r}: ") and said in line
        assert glance(Settings(**settings)) == [line]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b"", "is empty"), ("a.json", b"{", "not JSON"), ("a.json", b"\xff\xfe{}", "not JSON"),
        ("a.json", b"[" * 50_000, "not JSON"), ("a.jsonl", b'{"id": 1}\n{"id"', "row 1: no context; give a text"),
        ("a.jsonl", b"5\n", "row 1: a number, not a table"), ("a.jsonl", b"\n{", "row 2: not JSON"),
        ("a.jsonl", b'{"id": 1, "context": "c", "question": "q"}', "row 1: no answers; give"),
        ("a.jsonl", b'{"id": 1, "context": "c", "question": "q", "answers": {"text": ["c"], "answer_start": []}}',
         "row 1: 1 answers.text but 0 answers.answer_start"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_one_line(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    line = refusal(train=str(tmp_path / name), dev=str(tmp_path / name))
    assert said in line and glance(Settings(train=str(tmp_path / name))) == [line]


def test_names_that_cannot_be_read_are_one_line_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = write(squad(), tmp_path / "good.json")
    assert refusal(train=f"{tmp_path}/none.json").endswith("none.json': no such file")
    assert "is a folder; name a file in it" in refusal(train=str(tmp_path))
    for name in ("a\0b.json", "x" * 5000 + ".json", "~nobody-of-this-name/a.json"):
        assert len(glance(Settings(train=name))) == 1
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    assert "2.0 GiB, the limit is 2; cut it" in refusal(train=good, dev=str(tmp_path / "large.json"))
    assert refusal(train=good, dev="rows.csv").endswith("no such file")
    (tmp_path / "rows.csv").write_text("a")
    assert "give one of .json, .jsonl" in refusal(train=good, dev=f"{tmp_path}/rows.csv")


def test_settings_that_do_not_go_together_are_refused_before_a_run_is_made() -> None:
    for section, said in (
        ({}, r"qa\.train = '': name a file of questions"),
        ({"train": "a.csv"}, r"qa\.train = 'a\.csv': cannot be read as questions"),
        ({"train": "a.json", "dataset": "owner/squad"}, r"qa\.train = 'a\.json': qa\.dataset is named, too"),
        ({"train": "a.json", "max_tokens": 64, "stride": 33}, r"qa\.stride = 33: must be at most 32"),
    ):
        with pytest.raises(ConfigError, match=said) as error:
            parse_config({"task": "qa", "qa": section})
        assert len(error.value.lines) == 1


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inner for found in _places(one, (*path, key)))]


def test_whatever_is_changed_in_a_file_is_either_right_or_one_line_each(tmp_path: Path) -> None:
    good, dev = squad(), write(squad(6, "b"), tmp_path / "dev.json")
    values = [None, 0, -1, 1.5, True, "", "x", "\ud800", [], {}, [[]], 10**30, float("nan"), "apple " * 200]
    refused = 0
    for seed in range(60):
        draw = random.Random(seed)
        whole: Any = copy.deepcopy(good)
        path = draw.choice(_places(whole)[1:])
        holder = whole
        for key in path[:-1]:
            holder = holder[key]
        if draw.random() < 0.3:
            del holder[path[-1]]
        else:
            holder[path[-1]] = draw.choice(values)
        text = json.dumps(whole)
        if seed % 5 == 0:  # bytes, too
            cut = draw.randrange(len(text))
            text = text[:cut] + draw.choice(["", "}", '"', "\x00", text[: draw.randrange(200)]]) + text[cut + 1 :]
        (tmp_path / "a.json").write_text(text, encoding="utf-8")
        try:
            read_questions(Settings(train=f"{tmp_path}/a.json", dev=dev))
        except ConfigError as error:
            refused += 1
            assert len(error.lines) == 1 and error.lines[0].isprintable(), seed
            assert error.lines[0].startswith("qa.train = ") and len(error.lines[0]) < 600
    assert 20 < refused < 60


# Training


@pytest.mark.parametrize("family", ["bert", "llama", "gpt2"])
def test_a_model_learns_to_answer_and_the_events_tell_it(family: str, tmp_path: Path) -> None:
    path = write(squad(30), tmp_path / "a.json")
    values = {
        "task": "qa", "method": "triadaptlora", "steps": 30, "warmup": 2, "interval": 2, "reference_rank": 2,
        "batch_size": 16, "learning_rate": 2e-2, "eval_every": 10,
        "qa": {"train": path, "dev": path, "model": write_family(family, tmp_path / "model"), "max_tokens": 32,
               "stride": 8, "eval_rows": 60},
    }  # fmt: skip
    config = parse_config(values)
    task = build_task(config, "cpu")
    events = list(train(config, task=task))
    assert isinstance(events[-1], Finished)
    found = [event.metrics for event in events if isinstance(event, Evaluation)]
    assert found[-1]["loss"] < found[0]["loss"] and list(found[0])[:2] == ["f1", "exact_match"]
    assert [(event.name, event.value) for event in events if isinstance(event, Baseline)] == [("no answer", 0.5)]
    described = task.describe()
    assert described["no_answer_token"] == ("CLS" if family == "bert" else "an end of text behind the context")
    assert described["rows"] == {"train": 60, "dev": 60, "evaluated": 60}
    assert task.build_model().state_dict().keys() == task.build_model().state_dict().keys()


def test_a_window_longer_than_the_model_takes_is_one_line(tmp_path: Path) -> None:
    path = write(squad(), tmp_path / "a.json")
    settings = Settings(train=path, dev=path, model=write_family("bert", tmp_path / "model"))
    with pytest.raises(ConfigError, match=r"qa\.max_tokens = 384: the model takes at most 64 tokens; lower it"):
        TASKS["qa"].build_task(settings=settings, seed=1, batch_size=4, steps=2, device="cpu")


@pytest.mark.skipif(not MINI.is_dir(), reason=f"{MINI} is not there")
def test_a_small_part_of_squad_trains_and_is_scored(tmp_path: Path) -> None:
    values = {
        "task": "qa", "method": "lora", "steps": 12, "warmup": 2, "interval": 2, "reference_rank": 2,
        "batch_size": 16, "learning_rate": 2e-2, "eval_every": 6,
        "qa": {"train": f"{MINI}/train.json", "dev": f"{MINI}/dev.json", "max_tokens": 64, "stride": 16,
               "train_rows": 100, "eval_rows": 40, "model": write_family("bert", tmp_path / "model")},
    }  # fmt: skip
    events = list(train(parse_config(values)))
    found = [event.metrics for event in events if isinstance(event, Evaluation)]
    assert found[-1]["loss"] < found[0]["loss"]
    assert all(0 <= found[-1][name] <= 1 for name in ("f1", "exact_match", "f1 with answer", "f1 without answer"))
    assert found[-1]["f1"] >= found[-1]["exact_match"]
    questions = read_questions(Settings(train=f"{MINI}/train.json", dev=f"{MINI}/dev.json"))
    assert (len(questions.train), len(questions.dev)) == (626, 706)
    assert questions.facts["held_out_questions_seen_in_training"] == 208
    perfect = scores([q.answers[0] if q.answers else "" for q in questions.dev], [q.answers for q in questions.dev])
    assert np.allclose(list(perfect.values()), 1)


def test_the_command_line_says_in_one_line_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = write({"data": [{"paragraphs": 3}]}, tmp_path / "bad.json")
    assert cli.main(["train", "--task", "qa", "--set", f"qa.train={bad}", "--runs", str(tmp_path / "runs")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"triadapt: qa.train = {bad!r}: article 1: paragraphs is a number, not a list"
    assert not (tmp_path / "runs").exists()
