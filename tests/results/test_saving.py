import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.results import Arrival, DecodePool, NotAnImage, OutputFolder, Results, Spool, UnsafeImage, inspect
from orchestrator.results.arrival import SMALL
from tests.decoding.pictures import picture


@pytest.fixture
async def results(tmp_path: Path) -> AsyncIterator[Results]:
    results = Results(tmp_path / "out", Spool(tmp_path / "spool"), DecodePool(workers=2))
    yield results
    await results.close()


@pytest.fixture
def folder(results: Results) -> OutputFolder:
    return results.folder("spring")


def names(folder: OutputFolder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir())


def text_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


async def test_an_image_inside_a_spooled_answer_becomes_a_file(results: Results, folder: OutputFolder, tmp_path: Path) -> None:
    content = picture("PNG", size=(64, 64), mode="RGBA")
    body = json.dumps({"data": [{"b64_json": "data:image/png;base64," + text_of(content)}]}).replace("/", "\\/").encode()
    spool = Spool(tmp_path / "spool")
    await spool.keep("att_1", 200, {}, body)
    marker = json.loads((await spool.read("att_1")).body)["data"][0]["b64_json"]
    assert marker.startswith("data:image/png;base64,spool:")
    saved = await results.save_inline(folder, marker, attempt_id="att_1", stem="mug", index=0)
    assert (tmp_path / "out" / saved.file).read_bytes() == content
    assert (saved.file, saved.sha256, saved.bytes) == ("spring/mug-0.png", hashlib.sha256(content).hexdigest(), len(content))
    assert (saved.format, saved.width, saved.height, saved.alpha) == ("png", 64, 64, True)
    assert names(folder) == ["mug-0.png"]
    spool.close()


async def test_an_image_in_several_events_becomes_a_file(results: Results, folder: OutputFolder, tmp_path: Path) -> None:
    content = picture("PNG", size=(200, 200))
    text = text_of(content)
    third = len(text) // 3
    spool = Spool(tmp_path / "spool")
    await spool.keep("att_1", 200, {}, f"{text[:third]}\n{text[-third:]}".encode())
    first, last = (await spool.read("att_1")).body.decode().split()
    whole = f"data:image/png;base64,{first}{text[third:-third]}{last}"
    saved = await results.save_inline(folder, whole, attempt_id="att_1", stem="mug", index=0)
    assert first.startswith("spool:")
    assert saved.sha256 == hashlib.sha256(content).hexdigest()
    spool.close()


@pytest.mark.parametrize(("form", "extension"), [("JPEG", "jpg"), ("WEBP", "webp"), ("GIF", "gif"), ("AVIF", "avif")])
async def test_the_extension_is_what_the_bytes_are(results: Results, folder: OutputFolder, form: str, extension: str) -> None:
    saved = await results.save_inline(folder, text_of(picture(form)), attempt_id="att_1", stem="mug", index=3)
    assert saved.file == f"spring/mug-3.{extension}"


@pytest.mark.parametrize(("pixels", "in_memory"), [(48, True), (700, False)])
async def test_a_download_becomes_a_file(results: Results, folder: OutputFolder, pixels: int, in_memory: bool) -> None:
    arrival = Arrival(folder, "att_1", 1)
    content = picture("PNG", size=(pixels, pixels))
    for start in range(0, len(content), 1000):
        arrival.write(content[start : start + 1000])
    assert (arrival.part is None) is in_memory
    saved = await results.save_arrival(arrival, stem="mug")
    assert saved.file == "spring/mug-1.png"
    assert names(folder) == ["mug-1.png"]
    assert (folder.path / "mug-1.png").read_bytes() == content
    assert saved.sha256 == hashlib.sha256(content).hexdigest()


async def test_a_discarded_download_leaves_no_file(folder: OutputFolder) -> None:
    for size in (10, SMALL + 1):
        arrival = Arrival(folder, "att_1", 1)
        arrival.write(bytes(size))
        arrival.discard()
    assert names(folder) == []


async def test_a_large_literal_needs_no_spool(results: Results, folder: OutputFolder) -> None:
    content = picture("PNG", size=(700, 700))
    saved = await results.save_inline(folder, text_of(content), attempt_id="att_1", stem="mug", index=0)
    assert saved.bytes == len(content) > 1 << 20


async def test_saving_the_same_again_finds_the_file_that_is_there(results: Results, folder: OutputFolder) -> None:
    text = text_of(picture())
    first = await results.save_inline(folder, text, attempt_id="att_1", stem="mug", index=0)
    again = await results.save_inline(folder, text, attempt_id="att_1", stem="mug", index=0)
    assert again == first
    assert names(folder) == ["mug-0.png"]


async def test_a_foreign_file_is_never_overwritten(results: Results, folder: OutputFolder) -> None:
    (folder.path / "mug-0.png").write_text("mine")
    (folder.path / "mug-0.2.png").symlink_to(folder.path / "nowhere")
    (folder.path / "mug-0.3.png").mkdir()
    saved = await results.save_inline(folder, text_of(picture()), attempt_id="att_1", stem="mug", index=0)
    assert saved.file == "spring/mug-0.4.png"
    assert (folder.path / "mug-0.png").read_text() == "mine"
    assert not (folder.path / "nowhere").exists()


async def test_different_images_of_one_name_stand_side_by_side(results: Results, folder: OutputFolder) -> None:
    texts = [text_of(picture(seed=seed)) for seed in range(4)]
    saved = await asyncio.gather(
        *(results.save_inline(folder, text, attempt_id=f"a{n}", stem="mug", index=0) for n, text in enumerate(texts))
    )
    assert sorted(image.file for image in saved) == [f"spring/mug-0{suffix}.png" for suffix in (".2", ".3", ".4", "")]
    for image, text in zip(saved, texts, strict=True):
        assert (results.out / image.file).read_bytes() == base64.b64decode(text)


async def test_what_came_inline_and_is_no_image_leaves_nothing_but_the_spool(results: Results, folder: OutputFolder) -> None:
    with pytest.raises(NotAnImage, match="HTML page"):
        await results.save_inline(folder, text_of(b"<html>sorry</html>"), attempt_id="att_1", stem="mug", index=0)
    with pytest.raises(NotAnImage, match="not base64"):
        await results.save_inline(folder, "spool:1:2", attempt_id="att_1", stem="mug", index=0)
    assert names(folder) == []


@pytest.mark.parametrize("pixels", [48, 700])
async def test_a_download_that_is_no_image_can_be_set_aside(
    results: Results, folder: OutputFolder, tmp_path: Path, pixels: int
) -> None:
    arrival = Arrival(folder, "att_1", 0)
    content = picture(size=(pixels, pixels))[:-1]
    arrival.write(content)
    with pytest.raises(NotAnImage, match="cut short"):
        await results.save_arrival(arrival, stem="mug")
    kept = await results.set_aside(arrival)
    assert kept == tmp_path / "spool" / "att_1-0.unusable"
    assert kept.read_bytes() == content
    assert names(folder) == []


async def test_a_folder_swapped_for_a_link_gets_nothing(results: Results, folder: OutputFolder, tmp_path: Path) -> None:
    folder.path.rename(tmp_path / "moved")
    folder.path.symlink_to(tmp_path / "moved")
    with pytest.raises(OSError, match="directory"):
        await results.save_inline(folder, text_of(picture()), attempt_id="att_1", stem="mug", index=0)
    assert list((tmp_path / "moved").iterdir()) == []


@pytest.mark.parametrize("stem", ["../mug", "a/b", "", ".mug", "a b"])
async def test_a_stem_that_is_no_safe_name_is_refused(results: Results, folder: OutputFolder, stem: str) -> None:
    with pytest.raises(ValueError, match="no safe file name"):
        await results.save_inline(folder, text_of(picture()), attempt_id="att_1", stem=stem, index=0)


async def test_a_reference_of_the_users_is_inspected(tmp_path: Path) -> None:
    (tmp_path / "mug.png").write_bytes(picture())
    (tmp_path / "link.png").symlink_to(tmp_path / "mug.png")
    async with DecodePool(workers=1) as pool:
        assert (await inspect(pool, tmp_path / "link.png")).width == 48
        with pytest.raises(FileNotFoundError):
            await inspect(pool, tmp_path / "gone.png")
        with pytest.raises((NotAnImage, OSError)):
            await inspect(pool, tmp_path)


async def test_an_image_beyond_the_limits_is_unsafe(results: Results, folder: OutputFolder) -> None:
    with pytest.raises(UnsafeImage, match="16385 x 1"):
        await results.save_inline(folder, text_of(picture(size=(16_385, 1))), attempt_id="att_1", stem="mug", index=0)
