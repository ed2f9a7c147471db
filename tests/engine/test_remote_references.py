"""References that are URLs, where the API takes bytes: fetched under guard before anything is paid, then treated like files."""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from io import BytesIO
from random import Random
from typing import Any

import pytest
from aiohttp import web
from PIL import Image, ImageDraw

from orchestrator.jobs.places import BadInput

from .bench import SIDE, Bench, picture, rows
from .conftest import OpenBench

FORM: dict[str, Any] = {"options": {"edit_body": "multipart"}}
UNUSABLE = "/mug.png shows cannot be used as a reference"


@dataclass
class Site:
    """Somebody's web server."""

    contents: dict[str, bytes] = field(default_factory=dict)
    broken: Counter[str] = field(default_factory=Counter)
    """Path -> how many of the first requests are answered 503."""
    asked: list[str] = field(default_factory=list)
    base_url: str = ""

    def show(self, path: str, content: bytes) -> str:
        """Put something on the site; return its URL."""
        self.contents[path] = content
        return self.base_url + path

    async def serve(self, request: web.Request) -> web.Response:
        """Answer one request."""
        self.asked.append(request.path)
        if self.broken[request.path] > 0:
            self.broken[request.path] -= 1
            return web.Response(status=503)
        if request.path not in self.contents:
            return web.Response(status=404)
        return web.Response(body=self.contents[request.path], content_type="application/octet-stream")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    application = web.Application()
    application.router.add_get("/{path:.*}", site.serve)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield site
    await runner.cleanup()


def drawn(number: int, form: str = "PNG", *, mode: str = "RGB", side: int = 40) -> bytes:
    target = BytesIO()
    Image.new(mode, (side, side), (number, 80, 90, 120)[: len(mode)]).save(target, form)
    return target.getvalue()


def photograph() -> bytes:
    """Return a picture as a camera held sideways writes it, with who made it."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera 7"
    target = BytesIO()
    Image.new("RGB", (80, 60), (40, 90, 160)).save(target, "JPEG", exif=exif)
    return target.getvalue()


def stencil() -> bytes:
    """Return a mask without alpha, black on its left half."""
    mask, target = Image.new("L", (40, 40), 255), BytesIO()
    ImageDraw.Draw(mask).rectangle((0, 0, 19, 39), fill=0)
    mask.save(target, "PNG")
    return target.getvalue()


def noise(side: int) -> bytes:
    target = BytesIO()
    Image.frombytes("RGB", (side, side), Random(4).randbytes(3 * side * side)).save(target, "PNG", compress_level=1)
    return target.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def assert_refused_unpaid(bench: Bench, code: str, words: str) -> None:
    (row,) = bench.manifest()
    assert (row["state"], row["error"]["code"]) == ("failed", code), row["error"]
    assert words in row["error"]["message"]
    assert bench.simulator.ledger.submissions == []


async def test_what_urls_show_is_sent_byte_for_byte_in_its_place_among_local_files(open_bench: OpenBench, site: Site) -> None:
    bench = await open_bench("openai-edits", account=FORM)
    mug, style, mask = drawn(1), drawn(2, "JPEG"), drawn(3, mode="RGBA")
    local = picture(bench.folder / "local.png", 4)
    shown = [site.show("/mug", mug), str(local), site.show("/style.jpg?size=full", style).partition("?")[0]]
    site.contents["/style.jpg"] = style
    assert (await bench.run(rows(1, references=shown, mask=site.show("/mask.png", mask)))).exit_code == 0, bench.manifest()
    (submission,) = bench.accepted()
    assert [one.sha256 for one in submission.references] == [sha256(mug), sha256(local.read_bytes()), sha256(style)]
    assert [one.content_type for one in submission.references] == ["image/png", "image/png", "image/jpeg"]
    assert submission.mask is not None
    assert submission.mask.sha256 == sha256(mask)
    assert bench.manifest()[0]["references"][0] == {"url": shown[0]}


async def test_a_mask_is_fetched_where_only_references_may_be_urls(open_bench: OpenBench, site: Site) -> None:
    bench = await open_bench("openai-responses", account={"options": {"mode": "synchronous"}})
    reference, mask = site.show("/mug.png", drawn(1)), drawn(3, mode="RGBA")
    assert (await bench.run(rows(1, references=[reference], mask=site.show("/mask.png", mask)))).exit_code == 0
    (submission,) = bench.accepted()
    assert [(one.kind, one.url) for one in submission.references] == [("url", reference)]
    assert submission.mask is not None
    assert submission.mask.sha256 == sha256(mask)
    assert site.asked == ["/mask.png"]


async def test_what_many_jobs_show_is_fetched_once(open_bench: OpenBench, site: Site) -> None:
    bench = await open_bench("openai-edits", account=FORM | {"concurrency": 8})
    url = site.show("/mug.png", drawn(1))
    assert (await bench.run(rows(12, references=[url]))).exit_code == 0
    assert site.asked == ["/mug.png"]
    assert {one.sha256 for submission in bench.accepted() for one in submission.references} == {sha256(drawn(1))}


async def test_a_site_in_trouble_is_asked_again(open_bench: OpenBench, site: Site) -> None:
    bench = await open_bench("openai-edits", account=FORM)
    url = site.show("/mug.png", drawn(1))
    site.broken["/mug.png"] = 2
    assert (await bench.run(rows(1, references=[url]))).exit_code == 0
    assert len(site.asked) == 3
    assert len(bench.named("job_postponed")) == 2


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        pytest.param(None, "upload_failed", "a reference cannot be fetched: HTTP 404 for http://127.0.0.1", id="nothing"),
        pytest.param(b"<html>sold out</html>", "upload_failed", UNUSABLE, id="a page"),
        pytest.param(drawn(1)[:-30], "upload_failed", UNUSABLE, id="half an image"),
        pytest.param(bytes(50 * 2**20 + 1), "upload_failed", "it has more than 50 MiB", id="too much"),
    ],
)
async def test_what_cannot_be_used_fails_its_job_before_any_money(
    open_bench: OpenBench, site: Site, content: bytes | None, code: str, words: str
) -> None:
    bench = await open_bench("openai-edits", account=FORM)
    url = site.base_url + "/mug.png" if content is None else site.show("/mug.png", content)
    assert (await bench.run(rows(1, references=[url]))).exit_code == 1
    assert_refused_unpaid(bench, code, words)
    assert site.asked == ["/mug.png"]


async def test_what_a_url_shows_is_sent_as_the_same_file_would_be(open_bench: OpenBench, site: Site) -> None:
    bench = await open_bench("openai-edits", account=FORM | {"fit_references": True, "black_white_masks": True})
    contents = {"moving.gif": drawn(2, "GIF"), "photo.jpg": photograph(), "mask.png": stencil()}
    urls = [site.show(f"/{name}", content) for name, content in contents.items()]
    files = [str(bench.folder / name) for name in contents]
    for name, content in contents.items():
        (bench.folder / name).write_bytes(content)
    jobs = [{"id": kind, "prompt": kind, "references": at[:2], "mask": at[2]} for kind, at in (("file", files), ("url", urls))]
    assert (await bench.run(jobs)).exit_code == 0, bench.manifest()
    images = {one.prompt: [*one.references, one.mask] for one in bench.accepted()}
    sent = {kind: [(one.sha256, one.content_type, one.width) for one in shown if one] for kind, shown in images.items()}
    assert sent["url"] == sent["file"]
    assert [one[1:] for one in sent["url"]] == [("image/png", 40), ("image/jpeg", 60), ("image/png", 40)]
    assert sent["url"][2][0] != sha256(stencil())


async def test_a_picture_shown_as_reference_and_as_mask_is_made_to_fit_each(open_bench: OpenBench, site: Site) -> None:
    bench = await open_bench("openai-edits", account=FORM | {"black_white_masks": True})
    url = site.show("/stencil.png", stencil())
    assert (await bench.run(rows(1, references=[url], mask=url))).exit_code == 0, bench.manifest()
    (submission,) = bench.accepted()
    assert submission.references[0].sha256 == sha256(stencil())
    assert submission.mask is not None
    assert submission.mask.sha256 != sha256(stencil())


async def test_a_black_and_white_mask_is_seen_even_where_the_api_takes_its_url(open_bench: OpenBench, site: Site) -> None:
    bench = await open_bench("openai-edits", account={"black_white_masks": True})
    reference, mask = site.show("/mug.png", drawn(1)), site.show("/mask.png", stencil())
    assert (await bench.run(rows(1, references=[reference], mask=mask))).exit_code == 0, bench.manifest()
    (submission,) = bench.accepted()
    assert submission.references[0].url == reference
    assert submission.mask is not None
    assert submission.mask.sha256 not in (None, sha256(stencil()))
    assert site.asked == ["/mask.png"]


async def test_a_black_and_white_mask_that_nobody_could_change_is_refused_when_the_file_is_read(
    open_bench: OpenBench, site: Site
) -> None:
    bench = await open_bench("toapis", account={"options": {"references": "served"}, "black_white_masks": True})
    reference, mask = site.show("/mug.png", drawn(1)), site.show("/mask.png", stencil())
    with pytest.raises(BadInput, match="mask must be a file: black_white_masks of its account"):
        await bench.run(rows(1, references=[reference], mask=mask), public_url="https://hooks.example.com")
    assert site.asked == []


@pytest.mark.parametrize(
    ("reference", "mask", "words"),
    [
        pytest.param(
            "/mug.gif?key=secret",
            None,
            "/mug.gif: reference 1 must be one of png, jpeg, webp (openai-edits gpt-image-2); got gif; fit_references: true",
            id="format",
        ),
        pytest.param(
            "/mug.png",
            "/mask.png?key=secret",
            "/mask.png: mask must have an alpha channel whose transparent part is to be changed (openai-edits gpt-image-2); "
            "black_white_masks: true",
            id="alpha",
        ),
    ],
)
async def test_a_broken_limit_is_said_with_the_url_and_the_setting_that_helps_and_without_secrets(
    open_bench: OpenBench, site: Site, reference: str, mask: str | None, words: str
) -> None:
    bench = await open_bench("openai-edits", account=FORM)
    site.contents |= {"/mug.gif": drawn(1, "GIF"), "/mug.png": drawn(1), "/mask.png": stencil()}
    masks = {"mask": site.base_url + mask} if mask else {}
    assert (await bench.run(rows(1, references=[site.base_url + reference], **masks))).exit_code == 1
    assert_refused_unpaid(bench, "input_changed", site.base_url + words)
    assert "secret" not in bench.manifest()[0]["error"]["message"]


@pytest.mark.slow
@pytest.mark.parametrize("allowed", [False, True])
async def test_a_reference_at_a_url_is_shrunk_only_where_that_is_allowed(
    open_bench: OpenBench, site: Site, allowed: bool
) -> None:
    bench = await open_bench("openai-edits", account={"fit_references": allowed})
    url = site.show("/large.png", noise(1200))
    finished = await bench.run(rows(1, model="dall-e-2", size="256x256", references=[url]))
    if not allowed:
        assert_refused_unpaid(bench, "input_changed", "/large.png: reference 1 must be at most 4.00 MiB")
        return
    assert finished.exit_code == 0, bench.manifest()
    (submission,) = bench.accepted()
    assert 0 < (submission.references[0].bytes or 0) <= 4 * 2**20 < len(site.contents["/large.png"])


async def test_a_mask_of_another_size_is_found_once_both_are_seen(open_bench: OpenBench, site: Site) -> None:
    bench = await open_bench("openai-edits", account=FORM)
    reference, mask = site.show("/mug.png", drawn(1)), site.show("/mask.png", drawn(2, mode="RGBA", side=SIDE))
    assert (await bench.run(rows(1, references=[reference], mask=mask))).exit_code == 1
    assert_refused_unpaid(bench, "input_changed", "mask must have the size of the first reference, 40x40")


@pytest.mark.parametrize("url", ["http://10.11.12.13/mug.png", "http://127.0.0.2:{port}/mug.png", "http://[::1]:{port}/mug.png"])
async def test_a_url_that_leads_inside_is_not_followed(open_bench: OpenBench, site: Site, url: str) -> None:
    bench = await open_bench("openai-edits", account=FORM)
    site.show("/mug.png", drawn(1))
    assert (await bench.run(rows(1, references=[url.format(port=site.base_url.rpartition(":")[2])]))).exit_code == 1
    assert_refused_unpaid(bench, "upload_failed", "a reference cannot be fetched")
    assert site.asked == []
