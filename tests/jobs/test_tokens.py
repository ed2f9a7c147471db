from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jobs.tokens import LENGTH, Mint, hash_of, is_same

OURS, OTHERS = Mint(bytes(range(32))), Mint(bytes(range(1, 33)))


def test_an_attempt_has_one_token_and_no_two_have_the_same() -> None:
    tokens = {OURS.callback(f"{number:032x}") for number in range(1000)}
    assert len(tokens) == 1000
    assert OURS.callback("0" * 32) in tokens
    assert OTHERS.callback("0" * 32) not in tokens


def test_a_token_fits_into_a_path_and_carries_128_random_bits() -> None:
    token = OURS.callback("0" * 32)
    assert len(token) == LENGTH == 32
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert len(urlsafe_b64decode(token)) * 8 == 128 + 64


def test_a_mint_knows_its_own_tokens_and_no_others() -> None:
    for token in (OURS.callback("a"), OURS.reference(1, "ab")):
        assert OURS.made(token)
        assert not OTHERS.made(token)


def test_one_changed_bit_is_noticed() -> None:
    content = bytearray(urlsafe_b64decode(OURS.callback("a")))
    for place in range(len(content) * 8):
        content[place // 8] ^= 1 << place % 8
        assert not OURS.made(urlsafe_b64encode(content).decode())
        content[place // 8] ^= 1 << place % 8


@given(st.text(max_size=40))
def test_invented_tokens_are_never_ours(text: str) -> None:
    assert not OURS.made(text)


def test_what_is_asked_of_one_kind_does_not_open_the_other() -> None:
    assert OURS.callback("1 ab") != OURS.reference(1, "ab")


def test_hashes_are_compared_whole() -> None:
    assert is_same(hash_of("a"), hash_of("a"))
    assert not is_same(hash_of("a"), hash_of("b"))


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 4"):
        Mint(b"1234")
