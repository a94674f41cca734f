"""Names of containers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drayman.engine import naming
from drayman.engine.words import ADJECTIVES, SURNAMES
from drayman.errors import InvalidParameter


class Everything:
    """Every name is taken."""

    def __contains__(self, _: object) -> bool:
        return True


@pytest.mark.parametrize("name", ["ab", "/web", "a.b-c_d", "0x", "A" * 300])
def test_good_names_lose_their_slash(name: str) -> None:
    assert naming.check(name) == name.removeprefix("/")


@pytest.mark.parametrize("name", ["a", "", "/", "-ab", "a b", "ä1", "a/b", "//ab", "ab\n"])
def test_bad_names_are_refused_in_dockers_words(name: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        naming.check(name)
    assert str(caught.value) == (
        f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
    )


def test_a_generated_name_is_a_good_one() -> None:
    name = naming.generate(frozenset(), "f" * 64)
    adjective, _, surname = naming.check(name).partition("_")
    assert adjective in ADJECTIVES
    assert surname in SURNAMES


def test_the_short_id_is_the_last_resort() -> None:
    assert naming.generate(Everything(), "0123456789ab" + "f" * 52) == "0123456789ab"


def test_every_word_makes_a_good_name() -> None:
    for word in (*ADJECTIVES, *SURNAMES):
        assert word.isascii()
        assert word.isalpha()
        assert word == word.lower()
    assert len(set(ADJECTIVES)) == len(ADJECTIVES)
    assert len(set(SURNAMES)) == len(SURNAMES)


def test_an_id_never_reads_as_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = iter(["1" * 64, "1" * 12 + "a" * 52, "a" * 64])
    monkeypatch.setattr(naming.secrets, "token_hex", lambda _: next(candidates))
    assert naming.new_id() == "a" * 64


@given(st.text(max_size=20))
def test_check_lets_through_only_what_fits_the_pattern(name: str) -> None:
    try:
        checked = naming.check(name)
    except InvalidParameter:
        return
    assert len(checked) >= 2
    assert checked.isascii()
    assert "/" not in checked
