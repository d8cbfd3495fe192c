"""Class names from the table and from a visitor."""

import pytest

from psmooth.errors import TaskError
from psmooth.tasks import TASKS, Task, find_task, own_task

# As the reference code spells them (PromptSmooth's data/plip_datasets_clsnames.py; chest X-rays: the paper).
PAPER = {
    "kather_colon": (
        "An H&E image patch of {}.",
        "adipose tissue; background; debris; lymphocytes; mucus; smooth muscle; normal colon mucosa; "
        "cancer-associated stroma; colorectal adenocarcinoma epithelium",
    ),
    "pannuke": ("An H&E image of {} tissue.", "benign; malignant"),
    "sicapv2": (
        "a histopathology slide showing {}.",
        "benign glands; atrophic dense glands; cribriform ill-formed fused papillary patterns; "
        "isolated nest cells without lumen roseting patterns",
    ),
    "skin_cancer": (
        "a histopathology slide showing {}.",
        "necrosis; skeletal muscle; eccrine sweat glands; vessels; elastosis; chondral tissue; hair follicle; "
        "epidermis; nerves; subcutis; dermis; sebaceous glands; squamous-cell carcinoma; melanoma in-situ; "
        "basal-cell carcinoma; naevus",
    ),
    "covid": (None, "covid; normal"),
    "rsna18": (None, "Lung Opacity; No Lung Opacity Not Normal; Normal"),
}


def test_every_task_of_the_table_is_whole():
    for task in TASKS.values():
        assert len(task.class_ids) == len(task.class_names) == len(set(task.class_ids))
        assert all(template.count("{}") == 1 for template in task.templates)
        assert task.class_name(task.class_ids[-1]) == task.class_names[-1]


def test_own_class_names_are_split_and_trimmed():
    task = own_task(" tumour ; no  tumour\nnot sure;;", "a slide of {}.")
    assert task.class_names == ("tumour", "no tumour", "not sure")
    assert own_task("肿瘤；正常；").class_names == ("肿瘤", "正常")
    assert task.class_ids == ("tumour", "no_tumour", "not_sure")
    assert own_task("a\r\nb;\r\n").class_names == ("a", "b")
    assert own_task(["細胞", "組織"]).class_ids == ("細胞", "組織")


def test_two_and_fifty_names_work():
    assert len(own_task("a; b").class_names) == 2
    assert len(own_task([f"c{place}" for place in range(50)]).class_names) == 50


def test_the_tasks_of_the_paper_stand_after_those_of_the_pocket_models():
    assert list(TASKS)[-6:] == list(PAPER)
    for name, (template, words) in PAPER.items():
        assert "; ".join(TASKS[name].class_names) == words
        assert template is None or TASKS[name].templates == (template,)


def test_names_that_make_the_same_id_get_numbers():
    assert own_task(["a b", "a-b"]).class_ids == ("class_1", "class_2")
    assert own_task(["!", "?"]).class_ids == ("class_1", "class_2")


@pytest.mark.parametrize(
    ("names", "template", "word"),
    [
        ("one", "of {}", "at least two"),
        ("a; A", "of {}", "the same"),
        ("a; ; b", "of {}", "is empty"),
        ("a\n\nb", "of {}", "is empty"),
        (["a", ""], "of {}", "is empty"),
        ("", "of {}", "at least two"),
        ("a; " + "x" * 81, "of {}", "1 to 80"),
        ([f"c{i}" for i in range(51)], "of {}", "at most 50"),
        ("a; b", "of nothing", "exactly once"),
        ("a; b", "{} of {}", "exactly once"),
        ("a; b", "{0} of {}", "exactly once"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(names, template, word):
    with pytest.raises(TaskError, match=word):
        own_task(names, template)


def test_a_task_is_found_by_its_id():
    assert find_task("blood_cells") is TASKS["blood_cells"]
    own = own_task("a; b")
    assert find_task(own) is own
    with pytest.raises(TaskError, match="no task 'nosuch'"):
        find_task("nosuch")


@pytest.mark.parametrize(
    ("names", "template", "word"),
    [
        ("a; b", "x" * 40_000 + "{}", "at most 300 characters; this one has 40,002"),
        ("a; " * 7_000, "of {}", "more than 20,000 characters"),
        (["a" * 80] * 300, "of {}", "more than 20,000 characters"),
        (["a", None], "of {}", "'None' is no text"),
        (["a", ["b"]], "of {}", "is no text"),
        (["a", float("nan")], "of {}", "'nan' is no text"),
        (["a", True], "of {}", "'True' is no text"),
        (None, "of {}", "a text or a list of texts"),
        (7, "of {}", "a text or a list of texts"),
        ({"a": 1, "b": 2}, "of {}", "a text or a list of texts"),
        ("a; b\ud800", "of {}", "half a character"),
        (["a", "\udfff"], "of {}", "half a character"),
        ("a; b", "of \ud83d {}", "half a character"),
        ("a; b", None, "'None' is no text"),
        ("a; b", 3.5, "'3.5' is no text"),
    ],
)
def test_what_is_too_long_or_no_text_is_refused_before_a_tokenizer_has_it(names, template, word):
    with pytest.raises(TaskError, match=word) as refusal:
        own_task(names, template)
    str(refusal.value).encode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"templates": ("{}" + "x" * 300,)},
        {"templates": ()},
        {"templates": ("of {}",) * 101},
        {"templates": (None,)},
        {"class_names": ("a", "b" * 81)},
        {"class_names": ("a", "\ud800")},
        {"class_ids": ("a",)},
        {"class_ids": ("a", None)},
        {"id": "\ud800"},
        {"name": None},
    ],
)
def test_no_way_leads_round_the_bounds(wrong):
    facts = {"class_ids": ("a", "b"), "class_names": ("a", "b"), "templates": ("of {}",)}
    assert Task("own", "own", "any", **facts).class_name("b") == "b"
    with pytest.raises(TaskError):
        Task(**{"id": "own", "name": "own", "modality": "any", **facts, **wrong})


@pytest.mark.parametrize("wrong", [None, 7, ["blood_cells"], float("nan"), "\ud800", "x" * 40_000])
def test_what_is_no_task_is_refused_in_a_short_sentence(wrong):
    with pytest.raises(TaskError, match="There is no task") as refusal:
        find_task(wrong)
    assert len(str(refusal.value).encode()) < 500
