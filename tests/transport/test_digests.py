import base64
import hashlib

import pytest

from orchestrator.transport.digests import Contradicted, Digests, promised

MD5 = hashlib.md5(b"PNG", usedforsecurity=False).digest()
BASE64 = base64.b64encode(MD5).decode()


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-MD5": BASE64},
        {"x-goog-hash": f"crc32c=n03x6A==,md5={BASE64}"},
        {"x-goog-hash": f"md5={BASE64}"},
        {"ETag": f'"{MD5.hex()}"'},
        {"ETag": f'"{MD5.hex().upper()}"'},
    ],
)
def test_an_md5_is_found_wherever_file_hosts_put_it(headers: dict[str, str]) -> None:
    assert promised(headers) == MD5


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ETag": f'W/"{MD5.hex()}"'},
        {"ETag": f'"{MD5.hex()}-3"'},
        {"ETag": '"0x8DA12B34"'},
        {"ETag": MD5.hex()},
        {"x-goog-hash": "crc32c=n03x6A=="},
        {"Content-MD5": "not base64!"},
        {"Content-MD5": base64.b64encode(b"short").decode()},
    ],
)
def test_what_is_no_md5_is_not_compared(headers: dict[str, str]) -> None:
    assert promised(headers) is None


def test_a_contradicted_body_is_believed_when_it_comes_again_as_it_was() -> None:
    digests = Digests()
    with pytest.raises(Contradicted):
        digests.check("a.example", MD5, b"first")
    with pytest.raises(Contradicted):
        digests.check("a.example", MD5, b"other")
    digests.check("a.example", MD5, b"first")
    digests.check("a.example", MD5, b"from now on the host's tags are no digests")
    with pytest.raises(Contradicted):
        digests.check("b.example", MD5, b"another host")
