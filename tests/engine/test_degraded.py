"""An image that is not what was asked for is paid for: it is kept, whole, and said to be degraded."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.engine.degraded import degraded
from orchestrator.jobs.spec import JobSpec
from orchestrator.results import SavedImage

from .bench import query, rows
from .conftest import OpenBench

IMAGE = SavedImage(
    file="b/mug-0.png", sha256="ab" * 32, bytes=9, format="png", width=1024, height=1536, alpha=False, one_colour=0.0
)
SPEC = JobSpec(key="mug", account="a", provider="toapis", model="m", prompt="a mug")


@pytest.mark.parametrize("size", [None, "auto", "1024x1536", " 1024x1536 ", "2:3", "512:768", "large"])
def test_the_size_that_was_asked_for_is_fine_in_pixels_and_as_a_ratio(size: str | None) -> None:
    assert degraded(replace(SPEC, size=size), IMAGE) is None


@pytest.mark.parametrize("size", ["1536x1024", "1024x1024", "1024x1537", "3:2", "1:1"])
def test_another_size_is_named_with_the_one_asked_for(size: str) -> None:
    assert degraded(replace(SPEC, size=size), IMAGE) == f"asked for {size}, got 1024x1536"


def test_a_ratio_may_be_rounded_as_models_round_it() -> None:
    assert degraded(replace(SPEC, size="16:9"), replace(IMAGE, width=1792, height=1024)) is None
    assert degraded(replace(SPEC, size="16:9"), replace(IMAGE, width=1536, height=1024)) is not None


@pytest.mark.parametrize(
    ("params", "lacks"),
    [
        ({"output_format": "png"}, None),
        ({"output_format": "PNG"}, None),
        ({"output_format": "webp"}, "asked for webp, got png"),
        ({"background": "opaque"}, None),
        ({"background": "transparent"}, "asked for a transparent background, got one without transparency"),
    ],
)
def test_format_and_transparency_are_compared_with_the_order(params: dict[str, Any], lacks: str | None) -> None:
    assert degraded(replace(SPEC, params=params), IMAGE) == lacks
    assert degraded(replace(SPEC, extra=params), IMAGE) == lacks


def test_jpg_is_jpeg_and_alpha_is_transparency() -> None:
    spec = replace(SPEC, params={"output_format": "jpg", "background": "transparent"})
    assert degraded(spec, replace(IMAGE, format="jpeg", alpha=True)) is None


def test_an_image_of_one_colour_is_told_beside_all_the_rest() -> None:
    spec = replace(SPEC, size="1:1")
    assert degraded(spec, replace(IMAGE, one_colour=0.9995)) == (
        "asked for 1:1, got 1024x1536; 99.95% of its pixels have one colour"
    )


@pytest.mark.parametrize(("provider", "lacks"), [("openai-images", "asked for 1024x1024, got 64x64"), ("toapis", None)])
async def test_a_degraded_image_is_kept_and_told_and_the_run_succeeds(
    open_bench: OpenBench, provider: str, lacks: str | None
) -> None:
    bench = await open_bench(provider)
    finished = await bench.run(rows(2))
    assert finished.exit_code == 0
    images = [image for row in bench.manifest() for image in row["images"]]
    assert [image["degraded"] for image in images] == [lacks, lacks]
    assert all((bench.out / image["file"]).exists() for image in images)
    assert [event.facts["degraded"] for event in bench.named("image_saved")] == [lacks, lacks]
    assert query(bench.database, "SELECT degraded FROM image") == [(lacks,), (lacks,)]
    assert finished.overviews[0].degraded == (2 if lacks else 0)
