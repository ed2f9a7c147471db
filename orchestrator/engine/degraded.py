"""Whether an image is what was asked for. What is not is kept all the same, for it is paid for, and said to be `degraded`."""

from collections.abc import Iterator

from orchestrator.jobs.spec import JobSpec
from orchestrator.providers.sizes import pair
from orchestrator.results import SavedImage

_TOLERANCE = 0.03
"""Of a ratio: models round edges to multiples of 16 or more, and sell 1792 x 1024 as 16:9."""


def degraded(spec: JobSpec, image: SavedImage) -> str | None:
    """Return in words what an image lacks of its order, or None."""
    return "; ".join([*_size(spec, image), *_format(spec, image), *_content(image)]) or None


def _size(spec: JobSpec, image: SavedImage) -> Iterator[str]:
    """Compare pixels with pixels and ratios with ratios; `auto` and words leave the size to the model."""
    asked = pair((spec.size or "").strip())
    if asked is None:
        return
    if ":" in str(spec.size):
        wanted, found = asked[0] / asked[1], image.width / image.height
        as_asked = abs(found - wanted) <= _TOLERANCE * wanted
    else:
        as_asked = asked == (image.width, image.height)
    if not as_asked:
        yield f"asked for {str(spec.size).strip()}, got {image.width}x{image.height}"


def _format(spec: JobSpec, image: SavedImage) -> Iterator[str]:
    fields = {**spec.params, **spec.extra}
    asked = str(fields.get("output_format") or image.format).lower()
    if asked.replace("jpg", "jpeg") != image.format:
        yield f"asked for {asked}, got {image.format}"
    if fields.get("background") == "transparent" and not image.alpha:
        yield "asked for a transparent background, got one without transparency"


def _content(image: SavedImage) -> Iterator[str]:
    if image.one_colour:
        yield f"{image.one_colour:.2%} of its pixels have one colour"
