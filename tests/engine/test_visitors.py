"""A stream is ended when nobody hears it, and not when a busy server sends late."""

import pytest

from psmooth import visitors


def test_a_stream_is_unheard_after_it_was_behind_for_long_and_not_in_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    now, behind = 100.0, True
    monkeypatch.setattr(visitors.time, "monotonic", lambda: now)
    monkeypatch.setattr(visitors, "_is_behind", lambda: behind)
    is_unheard = visitors._listening()
    assert not is_unheard(), "however much has come in one moment"
    now += visitors.SECONDS_UNHEARD
    assert not is_unheard()
    behind = False
    now += 1
    assert not is_unheard(), "it was fetched meanwhile"
    behind = True
    now += 1
    assert not is_unheard(), "from here on it counts again"
    now += visitors.SECONDS_UNHEARD + 1
    assert is_unheard()
