from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jobs.secrets import Secret
from orchestrator.transport.blotter import Blotter

KEY = "tt-4711/very+secret-key"


def blotted(content: bytes, *cuts: int, key: str = KEY) -> bytes:
    blotter = Blotter(Secret(key))
    edges = [0, *sorted(cuts), len(content)]
    pieces = [content[start:end] for start, end in pairwise(edges)]
    return b"".join([*(blotter.take(piece) for piece in pieces), blotter.rest()])


@given(st.lists(st.integers(0, 40), max_size=6))
def test_a_key_is_blotted_out_wherever_the_body_is_cut(cuts: list[int]) -> None:
    assert blotted(f"before {KEY} after".encode(), *cuts) == b"before " + b"*" * len(KEY) + b" after"


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_a_body_without_the_key_comes_through_as_it_is(content: bytes, cuts: list[int]) -> None:
    assert blotted(content, *cuts) == content


@given(st.text(alphabet="ab", min_size=16, max_size=18), st.text(alphabet="ab"), st.lists(st.integers(0, 40), max_size=4))
def test_a_key_that_begins_like_itself_is_found_too(key: str, around: str, cuts: list[int]) -> None:
    content = (around + key + around).encode()
    found = blotted(content, *cuts, key=key)
    assert key.encode() not in found
    assert len(found) == len(content)


def test_headers_and_escaped_keys_are_blotted_out() -> None:
    assert Blotter(Secret(KEY)).header(f"Bearer {KEY}") == "Bearer " + "*" * len(KEY)
    assert b"4711" not in blotted(b"https://a.example/?key=tt-4711%2Fvery%2Bsecret-key")


def test_nothing_is_held_back_that_cannot_become_the_key() -> None:
    blotter = Blotter(Secret(KEY))
    assert blotter.take(b"{...}") == b"{...}"
    assert blotter.take(b"{...} tt-47") == b"{...} "
    assert blotter.take(b"12") == b"tt-4712"


@pytest.mark.parametrize("key", [None, Secret("short-key"), Secret("")])
def test_a_short_key_is_left_alone_because_images_could_hold_it_by_chance(key: Secret | None) -> None:
    assert Blotter(key).take(b"image data short-key image data") == b"image data short-key image data"
