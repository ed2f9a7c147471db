from typing import Any

import pytest

from .making import MASK, RELAY, REMOTE, account, edits, errors, images, local, responses, spec, toapis, warnings

MIB = 2**20


def refs(count: int, **fields: Any) -> dict[str, Any]:
    return {"references": (local(**fields),) * count}


GOOD = [
    ("toapis five", toapis, "gpt-4o-image", refs(5)),
    ("toapis largest", toapis, "gpt-4o-image", refs(1, size=10 * MIB, format="webp")),
    ("toapis sixteen", toapis, "gpt-image-1.5-official", refs(16)),
    ("toapis url", toapis, "gpt-4o-image", {"references": (REMOTE,)}),
    ("toapis mask", toapis, "gpt-4o-image", {**refs(1), "mask": local(size=4 * MIB)}),
    ("edits sixteen", edits, "gpt-image-2", refs(16)),
    ("edits largest", edits, "gpt-image-2", refs(1, size=50 * MIB, format="jpeg")),
    ("edits mask", edits, "gpt-image-2", {**refs(1), "mask": MASK}),
    ("edits url mask", edits, "gpt-image-2", {**refs(1), "mask": REMOTE}),
]
FIT = "; fit_references: true on the account lets it be converted and shrunk"
ALPHA = "; black_white_masks: true on the account makes it of a mask's black"
BAD = [
    ("none", edits, "gpt-image-2", {"references": ()}, "references must be 1 to 16 (openai-edits gpt-image-2); got 0"),
    ("none, unlisted", edits, "mine", {"references": ()}, "references must be at least 1 (openai-edits mine); got 0"),
    ("seventeen", edits, "gpt-image-2", refs(17), "references must be 1 to 16 (openai-edits gpt-image-2); got 17"),
    ("too large", edits, "gpt-image-2", refs(1, size=51 * MIB),
     "reference 1 must be at most 50.00 MiB (openai-edits gpt-image-2); got 51.00 MiB" + FIT),
    ("gif", edits, "gpt-image-2", refs(1, format="gif"),
     "reference 1 must be one of png, jpeg, webp (openai-edits gpt-image-2); got gif" + FIT),
    ("no alpha", edits, "gpt-image-2", {**refs(1), "mask": local()},
     "mask must have an alpha channel whose transparent part is to be changed (openai-edits gpt-image-2)" + ALPHA),
    ("jpeg mask", edits, "gpt-image-2", {**refs(1), "mask": local(alpha=True, format="jpeg")},
     "mask must be one of png (openai-edits gpt-image-2); got jpeg" + FIT),
    ("other size", edits, "gpt-image-2", {**refs(1), "mask": local(alpha=True, width=511)},
     "mask must have the size of the first reference, 512x512 (openai-edits gpt-image-2); got 511x512"),
    ("large mask", edits, "gpt-image-2", {**refs(1), "mask": local(alpha=True, size=51 * MIB)},
     "mask must be at most 50.00 MiB (openai-edits gpt-image-2); got 51.00 MiB"),
    ("not http", edits, "gpt-image-2", {"references": (type(REMOTE)(url="ftp://x/y.png"),)},
     "reference 1 must be a file or an http(s) URL (openai-edits gpt-image-2)"),
    ("six", toapis, "gpt-4o-image", refs(6), "references must be 0 to 5 (toapis gpt-4o-image); got 6"),
    ("toapis gif", toapis, "gpt-4o-image", refs(1, format="gif"),
     "reference 1 must be one of png, jpeg, webp (toapis gpt-4o-image); got gif" + FIT),
    ("toapis size", toapis, "gpt-4o-image", refs(1, size=10 * MIB + 1024 * 11),
     "reference 1 must be at most 10.00 MiB (toapis gpt-4o-image); got 10.01 MiB" + FIT),
    ("toapis mask", toapis, "gpt-4o-image", {**refs(1), "mask": local(size=5 * MIB)},
     "mask must be at most 4.00 MiB (toapis gpt-4o-image); got 5.00 MiB"),
    ("toapis base64", toapis, "gpt-4o-image", {"references": (type(REMOTE)(url="data:image/png;base64,x"),)},
     "reference 1 must be a file or an http(s) URL (toapis gpt-4o-image)"),
    ("2.5 takes none", toapis, "gpt-image-2.5-flare", refs(1), "references cannot be sent (toapis gpt-image-2.5-flare); got 1"),
    ("images takes none", images, "gpt-image-2", refs(1), "references cannot be sent (openai-images gpt-image-2); got 1"),
]  # fmt: skip
DALLE = [
    ("two", refs(2), "references must be 1 to 1 (openai-edits dall-e-2); got 2"),
    ("oblong", refs(1, width=511), "reference 1 must be square (openai-edits dall-e-2); got 511x512"),
    ("jpeg", refs(1, format="jpeg"), "reference 1 must be one of png (openai-edits dall-e-2); got jpeg" + FIT),
    ("large", refs(1, size=5 * MIB), "reference 1 must be at most 4.00 MiB (openai-edits dall-e-2); got 5.00 MiB" + FIT),
]


@pytest.mark.parametrize(("make", "model", "fields"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_images_within_the_limits_pass(make: Any, model: str, fields: dict[str, Any]) -> None:
    assert errors(make(), model=model, **fields) == []


@pytest.mark.parametrize(("make", "model", "fields", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_an_image_outside_the_limits_is_named(make: Any, model: str, fields: dict[str, Any], message: str) -> None:
    assert errors(make(), model=model, **fields) == [message]


@pytest.mark.parametrize(("fields", "message"), [row[1:] for row in DALLE], ids=[row[0] for row in DALLE])
def test_dalle_2_edits_one_small_square_png(fields: dict[str, Any], message: str) -> None:
    assert errors(edits(), model="dall-e-2", at={"base_url": RELAY}, **fields) == [message]


def test_a_setting_that_is_on_already_is_no_advice() -> None:
    at = {"fit_references": True, "black_white_masks": True}
    assert errors(edits(), at=at, mask=local(), **refs(1, format="gif")) == [
        "reference 1 must be one of png, jpeg, webp (openai-edits gpt-image-2); got gif",
        "mask must have an alpha channel whose transparent part is to be changed (openai-edits gpt-image-2)",
    ]


def test_a_mask_has_no_place_where_nothing_is_edited() -> None:
    assert errors(images(), mask=MASK) == ["a mask cannot be sent (openai-images gpt-image-2)"]


def test_a_mask_without_a_reference_is_doubtful_at_toapis() -> None:
    assert warnings(toapis(), mask=MASK) == ["a mask without a reference has nothing to cover (toapis gpt-4o-image)"]


def test_a_mask_above_four_mebibytes_is_doubtful_at_openai() -> None:
    found = warnings(edits(), mask=local(alpha=True, size=5 * MIB))
    assert found == ["mask of 5.00 MiB may be refused (openai-edits gpt-image-2): some pages allow 4.00 MiB only"]


@pytest.mark.parametrize(
    ("make", "model", "options", "urls", "mask_urls"),
    [
        (edits, "gpt-image-2", {}, True, True),
        (edits, "gpt-image-2", {"edit_body": "json"}, True, True),
        (edits, "gpt-image-2", {"edit_body": "multipart"}, False, False),
        (edits, "dall-e-2", {}, False, False),
        (responses, "gpt-image-2", {}, True, False),
        (toapis, "gpt-4o-image", {}, True, True),
    ],
)
def test_a_url_is_no_mistake_and_is_left_to_be_fetched_where_the_request_has_no_place_for_it(
    make: Any, model: str, options: dict[str, Any], urls: bool, mask_urls: bool
) -> None:
    adapter, at = make(), {"base_url": RELAY, "options": options}
    shown = {"references": (REMOTE,), "mask": REMOTE}
    assert errors(adapter, model=model, at=at, **shown) == []
    job, settings = spec(adapter.id, model=model, **shown), account(adapter.id, **at)
    assert [adapter.image_limits(job, settings, mask=mask).urls for mask in (False, True)] == [urls, mask_urls]


def test_a_mask_of_a_conversation_covers_the_image_that_is_gone_on_with() -> None:
    assert warnings(responses(), mask=MASK, continues="mug") == []


def test_moderation_needs_the_json_form_of_edits() -> None:
    assert errors(edits(), params={"moderation": "low"})[0].startswith("moderation needs the JSON form of edits")
    assert errors(edits(), params={"moderation": "low"}, references=(REMOTE,)) == []
    assert errors(edits(), params={"moderation": "low"}, at={"options": {"edit_body": "json"}}) == []


def test_dalle_2_has_no_json_form() -> None:
    at = {"base_url": RELAY, "options": {"edit_body": "json"}}
    assert errors(edits(), model="dall-e-2", at=at) == [
        "the JSON form of edits is for GPT image models only; got dall-e-2 - set edit_body: multipart"
    ]


@pytest.mark.parametrize(("size", "fits"), [(15_728_622, True), (15_728_625, False)])
def test_a_file_beside_a_url_must_fit_into_a_data_url(size: int, fits: bool) -> None:
    found = errors(edits(), references=(REMOTE, local(size=size)))
    assert bool(found) is not fits
    if found:
        assert "too long for the JSON form of edits (20971520 characters)" in found[0]
