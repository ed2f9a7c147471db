import base64
import json

import pytest

from orchestrator.jobs.reports import Status
from orchestrator.providers.base import Inputs, LimitsProvider, UrlInput
from orchestrator.transport.messages import Request

from .making import JPEG, MASK, PNG, REMOTE, answer, local, sample
from .relays import account, adapter, errors, order, spec, warnings

EDITS = "ttapi-edits"
URL = UrlInput(url="https://pictures.example/a.png")
JSON = {"options": {"edit_body": "json"}}


def parts(request: Request) -> list[tuple[str, bytes, str | None]]:
    assert request.form is not None
    return [(part.name, part.content, part.filename) for part in request.form]


def test_the_guides_four_pictures_go_as_files_of_one_form() -> None:
    job = {"prompt": "Create a lovely gift basket with these four items in it"}
    request = adapter(EDITS).submission(order(EDITS, job=job, references=(PNG, JPEG, PNG, PNG)))
    assert (request.method, request.url, request.json) == ("POST", "https://api.ttapi.org/v1/images/edits", None)
    assert request.auth == ("TT-API-KEY", "")
    assert parts(request) == [
        ("model", b"gpt-image-1", None),
        ("prompt", b"Create a lovely gift basket with these four items in it", None),
        ("image[]", PNG.content, "mug.png"),
        ("image[]", JPEG.content, "style.jpeg"),
        ("image[]", PNG.content, "mug.png"),
        ("image[]", PNG.content, "mug.png"),
        ("n", b"1", None),
    ]


def test_a_mask_and_every_field_of_the_form_have_their_place() -> None:
    job = {"size": "1024x1024 ", "n": 2, "model": "dall-e-2", "params": {"response_format": "url", "quality": "standard"}}
    request = adapter(EDITS).submission(order(EDITS, job=job, references=(PNG,), mask=PNG))
    assert [(name, content) for name, content, _ in parts(request)] == [
        ("model", b"dall-e-2"), ("prompt", b"draw a mug"), ("image", PNG.content), ("mask", PNG.content), ("n", b"2"),
        ("size", b"1024x1024"), ("quality", b"standard"), ("response_format", b"url"),
    ]  # fmt: skip


def test_the_newer_form_is_json_with_addresses() -> None:
    at = {"options": {"edit_body": "json", "auth": "bearer"}}
    request = adapter(EDITS).submission(
        order(EDITS, at=at, references=(URL, PNG), mask=URL, job={"params": {"input_fidelity": "high"}})
    )
    assert (request.form, request.auth) == (None, ("Authorization", "Bearer "))
    assert json.loads(request.json or b"") == {
        "model": "gpt-image-1",
        "prompt": "draw a mug",
        "images": [{"image_url": URL.url}, {"image_url": "data:image/png;base64," + base64.b64encode(PNG.content).decode()}],
        "mask": {"image_url": URL.url},
        "n": 1,
        "input_fidelity": "high",
    }


def test_an_address_never_turns_a_form_into_json_unasked() -> None:
    with pytest.raises(TypeError, match="URL"):
        adapter(EDITS).submission(order(EDITS, references=(URL,)))


def test_the_guides_answer_is_read() -> None:
    report = adapter(EDITS).read_submission(answer(sample("edits_base64.json")))
    assert (report.status, [output.base64 for output in report.outputs]) == (Status.SUCCEEDED, ["..."])
    assert report.usage["total_tokens"] == 100


def test_a_failure_in_the_envelope_is_read_with_status_200_too() -> None:
    report = adapter(EDITS).read_submission(answer({"status": "FAILED", "message": "blocked by the safety system", "data": None}))
    assert report.failure is not None
    assert report.failure.code == "refused"


def test_it_gets_the_bytes_of_local_images_and_knows_no_uploads() -> None:
    capabilities = adapter(EDITS).capabilities
    assert (capabilities.inputs, dict(capabilities.references)) == (Inputs.CONTENT, {})
    assert set(adapter(EDITS).options()) == {"auth", "edit_body", "task_path"}


@pytest.mark.parametrize("field", [{"references": (local(), REMOTE)}, {"mask": REMOTE}])
def test_an_address_is_left_to_be_fetched_for_the_form_and_goes_as_it_is_in_json(field: dict[str, object]) -> None:
    provider = adapter(EDITS)
    assert isinstance(provider, LimitsProvider)
    for at, urls in ((None, False), (JSON, True)):
        assert errors(EDITS, at=at, **field) == []
        limits = provider.image_limits(spec(EDITS, **field), account(EDITS, **(at or {})), mask="mask" in field)
        assert limits.urls is urls


@pytest.mark.parametrize(
    ("name", "value"),
    [("background", "opaque"), ("output_format", "webp"), ("input_fidelity", "high"), ("moderation", "low"), ("user", "u")],
)
def test_fields_of_the_newer_page_are_doubtful_in_the_form_of_the_older_one(name: str, value: str) -> None:
    expected = f"{name} may be refused or ignored (ttapi-edits gpt-image-1): TTAPI lists it for edit_body: json only"
    assert expected in warnings(EDITS, params={name: value})
    assert errors(EDITS, params={name: value}) == []
    assert expected not in warnings(EDITS, params={name: value}, at=JSON)


def test_a_file_in_json_is_doubtful_and_too_long_a_one_impossible() -> None:
    assert (
        "a file goes as a data URL (ttapi-edits gpt-image-1): OpenAI documents that, TTAPI shows web addresses only"
        in warnings(EDITS, at=JSON)
    )
    (error,) = errors(EDITS, at=JSON, references=(local(size=15_728_641),))
    assert error.startswith("a file of 15728641 bytes is too long for a data URL")
    assert errors(EDITS, at=JSON, references=(local(size=15_728_000),)) == []


def test_dall_e_2_takes_one_small_square_png_as_a_file() -> None:
    def said(**fields: object) -> list[str]:
        return errors(EDITS, model="dall-e-2", **fields)

    assert said() == []
    assert said(references=(local(size=4_194_304),), mask=MASK) == []
    assert "must be at most 4.00 MiB" in said(references=(local(size=4_194_305),))[0]
    assert "must be square" in said(references=(local(width=100),))[0]
    assert "must be one of png" in said(references=(local(format="jpeg"),))[0]
    assert "references must be 1 to 1" in said(references=(local(), local()))[0]
    assert "takes files only" in said(at=JSON)[0]


def test_gpt_images_take_up_to_sixteen_pictures_of_25_mb() -> None:
    assert errors(EDITS, references=(local(size=26_214_400),) * 16) == []
    assert "references must be 1 to 16" in errors(EDITS, references=(local(),) * 17)[0]
    assert "references must be 1 to 16" in errors(EDITS, references=())[0]
    assert "must be at most 25.00 MiB" in errors(EDITS, references=(local(size=26_214_401),))[0]
    for picture_format in ("png", "jpeg", "webp"):
        assert errors(EDITS, references=(local(format=picture_format),)) == []
    assert "must be one of png, jpeg, webp" in errors(EDITS, references=(local(format="gif"),))[0]


def test_a_mask_is_a_small_png_with_alpha_in_the_size_of_the_first_picture() -> None:
    assert errors(EDITS, mask=MASK) == []
    assert "must be one of png" in errors(EDITS, mask=local(alpha=True, format="webp"))[0]
    assert "must have an alpha channel" in errors(EDITS, mask=local())[0]
    assert "must be at most 4.00 MiB" in errors(EDITS, mask=local(alpha=True, size=4_194_305))[0]
    assert "must have the size of the first reference" in errors(EDITS, mask=local(alpha=True, width=1))[0]
