"""Class names from the table and from a visitor."""

import pytest

from psmooth.errors import TaskError
from psmooth.tasks import TASKS, find_task, own_task


def test_every_task_of_the_table_is_whole():
    for task in TASKS.values():
        assert len(task.class_ids) == len(task.class_names) == len(set(task.class_ids))
        assert all(template.count("{}") == 1 for template in task.templates)
        assert task.class_name(task.class_ids[-1]) == task.class_names[-1]


def test_own_class_names_are_split_and_trimmed():
    task = own_task(" tumour ; no  tumour\nnot sure;;", "a slide of {}.")
    assert task.class_names == ("tumour", "no tumour", "not sure")
    assert task.class_ids == ("tumour", "no_tumour", "not_sure")
    assert own_task(["細胞", "組織"]).class_ids == ("細胞", "組織")


def test_two_and_fifty_names_work():
    assert len(own_task("a; b").class_names) == 2
    assert len(own_task([f"c{place}" for place in range(50)]).class_names) == 50


def test_the_tasks_of_the_paper_stand_after_those_of_the_pocket_models():
    paper = {"kather_colon": 9, "pannuke": 2, "sicapv2": 4, "skin_cancer": 16, "covid": 2, "rsna18": 3}
    assert list(TASKS)[-6:] == list(paper)
    assert {name: len(TASKS[name].class_ids) for name in paper} == paper
    assert TASKS["pannuke"].templates == ("An H&E image of {} tissue.",)
    assert TASKS["rsna18"].class_names[1] == "No Lung Opacity Not Normal"


def test_names_that_make_the_same_id_get_numbers():
    assert own_task(["a b", "a-b"]).class_ids == ("class_1", "class_2")
    assert own_task(["!", "?"]).class_ids == ("class_1", "class_2")


@pytest.mark.parametrize(
    ("names", "template", "word"),
    [
        ("one", "of {}", "at least two"),
        ("a; A", "of {}", "the same"),
        ("a; ; b", "of {}", "is empty"),
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
