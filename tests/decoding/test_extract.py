import base64
import json
from collections.abc import Iterator
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.decoding import extract
from orchestrator.decoding.extract import decoded, spooled_text
from orchestrator.decoding.facts import NotAnImage


def whole(pieces: list[bytes]) -> bytes:
    return b"".join(decoded(pieces))


def spread(text: bytes, size: int) -> list[bytes]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def escaped_by(server: str, text: str) -> bytes:
    """JSON string content as different servers write the same base64."""
    plain = json.dumps(text)[1:-1]
    match server:
        case "php":
            return plain.replace("/", "\\/").encode()
        case "dotnet":
            return plain.replace("+", "\\u002B").replace("=", "\\u003d").encode()
        case _:
            return plain.encode()


@given(content=st.binary(max_size=300), size=st.integers(1, 50), urlsafe=st.booleans(), padded=st.booleans(), data=st.booleans())
def test_any_common_way_of_writing_base64_gives_the_bytes(
    content: bytes, size: int, urlsafe: bool, padded: bool, data: bool
) -> None:
    text = base64.urlsafe_b64encode(content) if urlsafe else base64.encodebytes(content)
    text = text if padded else text.rstrip(b"\n=")
    pieces = spread(text, size)
    if data:
        pieces[:1] = [b"data:image/png;base64," + (pieces[0] if pieces else b"")]
    assert whole(pieces) == content


@pytest.mark.parametrize("server", ["plain", "php", "dotnet"])
@pytest.mark.parametrize("piece", [1, 5, 7, 64, 1 << 20])
def test_a_range_of_a_spooled_answer_gives_the_bytes(server: str, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract, "_PIECE", piece)
    content = bytes(range(256)) * 3
    text = escaped_by(server, base64.b64encode(content).decode())
    file = BytesIO(b'{"status":200}\n' + b'{"b64_json": "' + text + b'"}')
    assert whole(list(spooled_text(file, 14, len(text)))) == content


@pytest.mark.parametrize("text", [b"QUJD!", b"QUI=QUJD", b"QQ==QUJD", b"Q", b"<html>", b"data:image/png;base64", b"QUJD\xc3\xa9"])
def test_what_is_no_base64_is_refused(text: bytes) -> None:
    with pytest.raises(NotAnImage):
        whole([text])


def test_a_range_that_the_file_does_not_have_is_refused() -> None:
    with pytest.raises(NotAnImage, match="ends within"):
        list(spooled_text(BytesIO(b'{}\n"QUJD"'), 1, 400))


def test_a_damaged_escape_is_refused() -> None:
    with pytest.raises(NotAnImage, match="damaged"):
        list(spooled_text(BytesIO(b"{}\nQU\\qJD"), 0, 7))


def test_decoding_holds_one_piece_at_a_time() -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"QUJD" * 256

    assert max(len(piece) for piece in decoded(endless())) <= 768
