"""What happens to the user's own images before they are sent."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from orchestrator.results import DecodePool, NotAnImage, References, Target
from orchestrator.results.references import Copy

PLACE = {1: "N", 2: (52.0, 22.0, 12.0), 3: "E", 4: (4.0, 53.0, 42.0)}
GPS, ORIENTATION, MAKER = 0x8825, 0x0112, 0x010F


@pytest.fixture
async def references(tmp_path: Path) -> AsyncIterator[References]:
    async with DecodePool(workers=1) as pool:
        yield References(tmp_path / "copies", pool)


def photograph(path: Path, *, orientation: int = 1, form: str = "JPEG", size: tuple[int, int] = (80, 60)) -> Path:
    """Write a picture as a camera does: a red corner at the top left of what is stored, and where it was taken."""
    image = Image.new("RGB", size, (40, 90, 160))
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 4, size[1] // 4), fill=(230, 10, 10))
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKER] = orientation, "Camera 7"
    exif.get_ifd(GPS).update(PLACE)
    image.save(path, form, exif=exif)
    return path


async def made(references: References, path: Path, target: Target = Target()) -> Copy | None:  # noqa: B008 - frozen
    return await references.made(path, "ab" * 32, target)


def opened(references: References, copy: Copy) -> Image.Image:
    return Image.open(io.BytesIO(references.read(copy.name)))


async def test_an_image_without_anything_private_goes_as_it_is(references: References, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), (1, 2, 3)).save(tmp_path / "plain.png")
    assert await made(references, tmp_path / "plain.png") is None
    assert not references.folder.exists()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
async def test_where_and_with_what_a_picture_was_taken_is_not_sent(references: References, tmp_path: Path, form: str) -> None:
    path = photograph(tmp_path / "photo", form=form)
    copy = await made(references, path)
    assert copy is not None
    assert (copy.format, copy.width, copy.height) == (form.lower(), 80, 60)
    assert not opened(references, copy).getexif()
    assert b"Camera 7" not in references.read(copy.name)
    assert b"Camera 7" in path.read_bytes()


async def test_a_picture_taken_sideways_is_sent_upright(references: References, tmp_path: Path) -> None:
    copy = await made(references, photograph(tmp_path / "photo.jpg", orientation=6))
    assert copy is not None
    assert (copy.width, copy.height) == (60, 80)
    red, _, _ = opened(references, copy).convert("RGB").getpixel((57, 3))  # type: ignore[misc]  # the corner has moved
    assert red > 180


async def test_copies_are_private_to_the_user(references: References, tmp_path: Path) -> None:
    copy = await made(references, photograph(tmp_path / "photo.jpg"))
    assert copy is not None
    assert references.folder.stat().st_mode & 0o077 == 0
    assert (references.folder / copy.name).stat().st_mode & 0o077 == 0


async def test_an_image_is_shrunk_and_converted_only_when_allowed(references: References, tmp_path: Path) -> None:
    Image.effect_noise((700, 500), 90).convert("RGB").save(tmp_path / "large.png")
    assert await made(references, tmp_path / "large.png") is None
    target = Target(formats=("jpeg",), most_bytes=100_000)
    copy = await made(references, tmp_path / "large.png", target)
    assert copy is not None
    assert copy.format == "jpeg"
    assert copy.size <= 100_000
    assert abs(copy.width / copy.height - 1.4) < 0.02


async def test_what_cannot_be_made_small_enough_is_said(references: References, tmp_path: Path) -> None:
    Image.effect_noise((200, 200), 90).convert("RGB").save(tmp_path / "noise.png")
    with pytest.raises(NotAnImage, match="as small as 50 bytes"):
        await made(references, tmp_path / "noise.png", Target(most_bytes=50))


async def test_the_black_of_a_mask_becomes_transparent(references: References, tmp_path: Path) -> None:
    mask = Image.new("L", (20, 20), 255)
    ImageDraw.Draw(mask).rectangle((0, 0, 9, 19), fill=0)
    mask.save(tmp_path / "mask.png")
    copy = await made(references, tmp_path / "mask.png", Target(to_alpha=True))
    assert copy is not None
    assert copy.alpha
    alpha = opened(references, copy).getchannel("A")
    assert (alpha.getpixel((3, 3)), alpha.getpixel((15, 3))) == (0, 255)


async def test_different_wishes_make_different_copies(references: References, tmp_path: Path) -> None:
    path = photograph(tmp_path / "photo.jpg")
    names = [copy.name for target in (Target(), Target(formats=("png",))) if (copy := await made(references, path, target))]
    assert len(set(names)) == 2
