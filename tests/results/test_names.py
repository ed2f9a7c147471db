import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.results.names import safe_name

keys = st.text(alphabet=st.characters(codec=None), max_size=120) | st.text(alphabet="aA./\\-_ \0é漢", max_size=20)


@given(keys)
def test_a_name_never_leaves_its_folder_and_always_fits(key: str) -> None:
    name = safe_name(key)
    assert name
    assert not name.startswith((".", "-"))
    assert not name.endswith(".")
    assert not set('/\\\0:*?"<>| \n\t') & set(name)
    assert len(name) <= 80
    assert len(name.encode()) <= 200
    assert unicodedata.normalize("NFC", name) == name


@given(keys)
def test_a_safe_name_stays_as_it_is(key: str) -> None:
    assert safe_name(safe_name(key)) == safe_name(key)


@given(st.lists(keys, unique=True, max_size=20))
def test_different_keys_get_different_names(each: list[str]) -> None:
    assert len({safe_name(key) for key in each}) == len(each)


@pytest.mark.parametrize("key", ["mug-front", "Katze_7", "пример", "漢字", "हिन्दी", "v1.2", "café"])
def test_readable_keys_of_any_script_are_names_already(key: str) -> None:
    assert safe_name(key) == key


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("../../etc/passwd", "etc-passwd-03df7c61"),
        ("a b", "a-b-c8687a08"),
        ("", "unnamed-e3b0c442"),
        ("..", "unnamed-ec8d5a52"),
        ("con", "name-con-"),
        ("NUL.txt", "name-NUL.txt-"),
        (".hidden", "hidden-"),
        ("-rf", "rf-"),
        ("x" * 81, "x" * 71 + "-"),
    ],
)
def test_anything_else_is_changed_and_marked_with_a_hash(key: str, name: str) -> None:
    assert safe_name(key).startswith(name[:-8] if name[-1] != "-" else name)
    assert safe_name(key) != key
