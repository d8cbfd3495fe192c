"""What a link may set."""

import pytest

from psmooth.interface.address import Link, read_link

MENUS = {"models": ["pocket"], "examples": 8}


def test_everything_on_the_list_is_read() -> None:
    query = {
        "model": "pocket", "task": "own", "classes": "a; b", "sentence": "a {}", "noise": "0.5", "votes": "10000",
        "target": "0.1", "prompts": "few_shot", "denoiser": "learned", "example": "3",
    }  # fmt: skip
    link = read_link(query, **MENUS)  # type: ignore[arg-type]
    assert link.example == 3
    assert link.settings == {
        **{key: query[key] for key in ("model", "task", "classes", "sentence", "prompts", "denoiser")},
        "noise": 0.5, "votes": 10_000, "target": 0.1,
    }  # fmt: skip


def test_a_mirrored_denoiser_of_the_menu_is_read_and_others_are_not() -> None:
    assert read_link({"denoiser": "learned-mirror"}, **MENUS).settings == {"denoiser": "learned-mirror"}  # type: ignore[arg-type]
    assert read_link({"denoiser": "mirror"}, **MENUS).settings == {}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", "local-dir:/etc"), ("task", "x"), ("noise", "2"), ("noise", "nan"), ("votes", "5"), ("example", "-1"),
        ("example", "8"), ("classes", "x" * 3_000), ("prompts", "bank:a"), ("secret", "1"), ("target", "inf"),
    ],
)  # fmt: skip
def test_everything_else_is_passed_over(key: str, value: str) -> None:
    assert read_link({key: value}, **MENUS) == Link({}, None, False)  # type: ignore[arg-type]
