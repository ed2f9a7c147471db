import base64
import json

import pytest

from orchestrator.providers.base import FileInput, Inputs, UrlInput
from orchestrator.transport.messages import Request

from .making import JPEG, PNG, edits, order

URL = UrlInput(url="https://pictures.example/a.png")


def names(request: Request) -> list[str]:
    assert request.form is not None
    return [part.name for part in request.form]


def test_it_gets_the_bytes_of_local_images() -> None:
    assert edits().capabilities.inputs is Inputs.CONTENT


def test_one_image_goes_as_image_and_several_go_in_brackets() -> None:
    one = edits().submission(order("openai-edits", references=(PNG,)))
    assert (one.method, one.url, one.json) == ("POST", "https://api.openai.com/v1/images/edits", None)
    assert names(one) == ["model", "prompt", "image", "n"]
    two = edits().submission(order("openai-edits", references=(PNG, JPEG)))
    assert names(two) == ["model", "prompt", "image[]", "image[]", "n"]


def test_a_full_form_has_its_parts_in_one_order_and_texts_as_the_api_reads_them() -> None:
    job = {
        "prompt": "красная кружка", "n": 2, "size": "auto",
        "params": {"output_compression": 80, "output_format": "webp"}, "extra": {"sharp": True, "style": {"a": 1}, "name": "x"},
    }  # fmt: skip
    request = edits().submission(order("openai-edits", job=job, references=(PNG, JPEG), mask=PNG))
    assert request.form is not None
    assert [(part.name, part.content, part.filename, part.content_type) for part in request.form] == [
        ("model", b"gpt-image-2", None, None),
        ("prompt", "красная кружка".encode(), None, None),
        ("image[]", PNG.content, "mug.png", "image/png"),
        ("image[]", JPEG.content, "style.jpeg", "image/jpeg"),
        ("mask", PNG.content, "mug.png", "image/png"),
        ("n", b"2", None, None),
        ("size", b"auto", None, None),
        ("output_format", b"webp", None, None),
        ("output_compression", b"80", None, None),
        ("sharp", b"true", None, None),
        ("style", b'{"a": 1}', None, None),
        ("name", b"x", None, None),
    ]


@pytest.mark.parametrize(
    ("filename", "safe"),
    [
        ("кружка.PNG", "image.png"),
        ("my mug (1).png", "my_mug_1.png"),
        ("../../etc/passwd", "passwd.png"),
        ("C:\\pictures\\mug.png", "mug.png"),
        ('a"b\r\nX: y.png', "a_b_X_y.png"),
        ("", "image.png"),
        (".png", "png.png"),
    ],
)
def test_a_file_name_is_made_safe_for_any_server(filename: str, safe: str) -> None:
    image = FileInput(filename=filename, content_type="image/png", content=b"x")
    request = edits().submission(order("openai-edits", references=(image,)))
    assert request.form is not None
    assert request.form[2].filename == safe


def test_one_url_makes_the_whole_request_json_with_local_images_as_data_urls() -> None:
    request = edits().submission(
        order("openai-edits", job={"n": 2, "params": {"quality": "low"}}, references=(PNG, URL), mask=JPEG)
    )
    assert request.form is None
    assert request.json is not None
    assert list(json.loads(request.json).items()) == [
        ("model", "gpt-image-2"),
        ("prompt", "a mug"),
        ("images", [{"image_url": "data:image/png;base64," + base64.b64encode(PNG.content).decode()}, {"image_url": URL.url}]),
        ("mask", {"image_url": "data:image/jpeg;base64," + base64.b64encode(JPEG.content).decode()}),
        ("n", 2),
        ("quality", "low"),
    ]


def test_a_url_as_mask_is_reason_enough_for_json() -> None:
    request = edits().submission(order("openai-edits", references=(PNG,), mask=URL))
    assert request.json is not None
    assert json.loads(request.json)["mask"] == {"image_url": URL.url}


def test_the_account_may_insist_on_either_form() -> None:
    as_json = edits().submission(order("openai-edits", at={"options": {"edit_body": "json"}}, references=(PNG,)))
    assert as_json.json is not None
    as_form = edits().submission(order("openai-edits", at={"options": {"edit_body": "multipart"}}, references=(PNG,)))
    assert as_form.form is not None
    with pytest.raises(TypeError, match="URL"):
        edits().submission(order("openai-edits", at={"options": {"edit_body": "multipart"}}, references=(URL,)))


def test_image_bytes_do_not_show_in_a_requests_repr() -> None:
    secretive = FileInput(filename="a.png", content_type="image/png", content=b"SECRET")
    assert "SECRET" not in repr(edits().submission(order("openai-edits", references=(secretive,))))
