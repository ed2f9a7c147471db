"""References and masks on their way: in order whatever is quickest, uploaded once, given again where they were forgotten."""

import hashlib
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from PIL import Image

from orchestrator.simulator.ledger import Reference, Submission
from orchestrator.simulator.openai_fields import complaint
from orchestrator.simulator.openai_files import OpenAiFiles
from orchestrator.simulator.uploads import Uploads
from tests.clocks import FastClock, JumpingClock

from .bench import picture, query, rows
from .conftest import OpenBench
from .processes import Engine, until

BY_ID = {"options": {"references": "file_id"}}


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sent(submission: Submission) -> list[str | None]:
    return [reference.sha256 for reference in submission.references]


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The ids of uploads that the simulator no longer has."""
    gone: set[str] = set()
    recognise, find = Uploads.recognise, OpenAiFiles.find

    def recognise_others(self: Uploads, field: str, url: str, *, host: str) -> Reference | None:
        return None if any(name in url for name in gone) else recognise(self, field, url, host=host)

    def find_others(self: OpenAiFiles, field: str, file_id: str) -> Reference:
        if file_id in gone:
            raise complaint(f"No such File object: {file_id}", param=field, code="image_file_not_found")
        return find(self, field, file_id)

    monkeypatch.setattr(Uploads, "recognise", recognise_others)
    monkeypatch.setattr(OpenAiFiles, "find", find_others)
    return gone


@pytest.fixture
def _large_is_slow(monkeypatch: pytest.MonkeyPatch, clock: JumpingClock) -> None:
    """Every byte of an upload takes a millisecond."""
    take, take_file = Uploads.take, OpenAiFiles._take

    async def slowly(self: Uploads, request: web.Request) -> web.Response:
        await clock.sleep(float(request.content_length or 0) / 1000)
        return await take(self, request)

    async def slowly_too(self: OpenAiFiles, request: web.Request) -> web.Response:
        await clock.sleep(float(request.content_length or 0) / 1000)
        return await take_file(self, request)

    monkeypatch.setattr(Uploads, "take", slowly)
    monkeypatch.setattr(OpenAiFiles, "_take", slowly_too)


@pytest.mark.usefixtures("_large_is_slow")
@pytest.mark.parametrize(("provider", "account"), [("toapis", {}), ("openai-responses", BY_ID), ("openai-edits", BY_ID)])
async def test_references_arrive_in_the_order_of_the_file_although_the_first_comes_last(
    open_bench: OpenBench, provider: str, account: dict[str, Any]
) -> None:
    bench = await open_bench(provider, account=account)
    paths = [picture(bench.folder / f"{number}.png", number, side=640 - 128 * number) for number in range(5)]
    mask = picture(bench.folder / "mask.png", 9, side=640, mode="RGBA")
    some = {"id": "some", "prompt": "some", "references": [str(paths[3]), str(paths[1])]}
    assert (await bench.run([some])).exit_code == 0
    everything = {"id": "all", "prompt": "all", "references": [str(path) for path in paths], "mask": str(mask)}
    assert (await bench.run([some, everything])).exit_code == 0
    assert sent(bench.accepted()[0]) == [sha256_of(paths[3]), sha256_of(paths[1])]
    assert sent(bench.accepted()[1]) == [sha256_of(path) for path in paths]
    covering = bench.accepted()[1].mask
    assert covering is not None
    assert covering.sha256 == sha256_of(mask)
    quickest_first = sorted((paths[0], paths[2], paths[4], mask), key=lambda path: path.stat().st_size)
    came = [upload.sha256 for upload in bench.simulator.ledger.uploads]
    assert came == [sha256_of(path) for path in (paths[3], paths[1], *quickest_first)]
    assert quickest_first.index(paths[4]) < quickest_first.index(paths[2]) < quickest_first.index(paths[0])


@pytest.mark.slow
@pytest.mark.parametrize(("provider", "account"), [("toapis", {}), ("openai-responses", BY_ID), ("openai-edits", BY_ID)])
async def test_a_reference_of_122_jobs_is_uploaded_once_an_account(
    open_bench: OpenBench, provider: str, account: dict[str, Any]
) -> None:
    bench = await open_bench(provider, account={**account, "concurrency": 16, "outstanding": 200}, upload_delay=1.0)
    shared = picture(bench.folder / "shared.png", 7)
    jobs = rows(122, references=[str(shared)])
    bench.write([*jobs[:61], *({**job, "account": "other"} for job in jobs[61:])])
    batch = json.loads(bench.file.read_text())
    batch["accounts"]["other"] = batch["accounts"]["studio"]
    bench.file.write_text(json.dumps(batch))
    assert (await bench.run()).exit_code == 0
    assert [upload.sha256 for upload in bench.simulator.ledger.uploads] == [sha256_of(shared)] * 2
    assert [sent(submission) for submission in bench.accepted()] == [[sha256_of(shared)]] * 122


@pytest.mark.slow
async def test_a_killed_run_uploads_nothing_again(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", clock=FastClock(20.0), account={"concurrency": 16, "outstanding": 200}, latency=2.0)
    shared = picture(bench.folder / "shared.png", 7)
    bench.write(rows(122, references=[str(shared)]))
    engine = await Engine.start(bench, "run")
    await until(lambda: len(bench.accepted()) >= 40)
    await engine.kill()
    assert len(bench.accepted()) < 122
    words = await (await Engine.start(bench, "resume")).ended()
    doubts = [key for key, state in bench.states().items() if state == "uncertain"]  # killed before the first byte left
    assert words["exit_code"] == (5 if doubts else 0), bench.states()
    assert [upload.sha256 for upload in bench.simulator.ledger.uploads] == [sha256_of(shared)]
    assert [sent(submission) for submission in bench.accepted()] == [[sha256_of(shared)]] * (122 - len(doubts))
    assert set(bench.simulator.ledger.charged_prompts().values()) == {1}


@pytest.mark.slow
@pytest.mark.parametrize(("provider", "account"), [("toapis", {}), ("openai-responses", BY_ID), ("openai-edits", BY_ID)])
async def test_an_upload_that_the_provider_has_forgotten_is_made_again_once_for_all(
    open_bench: OpenBench, provider: str, account: dict[str, Any], forgotten: set[str]
) -> None:
    bench = await open_bench(provider, account={**account, "concurrency": 16}, upload_delay=1.0, latency=1.0)
    shared = picture(bench.folder / "shared.png", 7)
    jobs = rows(9, references=[str(shared)])
    assert (await bench.run(jobs[:1])).exit_code == 0
    forgotten.update(upload.id for upload in bench.simulator.ledger.uploads)
    assert (await bench.run(jobs)).exit_code == 0, bench.manifest()
    assert [upload.sha256 for upload in bench.simulator.ledger.uploads] == [sha256_of(shared)] * 2
    assert set(bench.simulator.ledger.charged_prompts().values()) == {1}
    assert bench.attempts().count(("refused", "no")) == len(bench.simulator.ledger.submissions) - 9 > 0
    told = query(bench.database, "SELECT DISTINCT reason FROM attempt WHERE state = 'refused'")
    assert told == [("upload_forgotten",)]


async def test_a_provider_that_forgets_at_once_is_not_asked_for_ever(open_bench: OpenBench, forgotten: set[str]) -> None:
    bench = await open_bench("toapis")
    jobs = rows(6, references=[str(picture(bench.folder / "shared.png", 7))])
    assert (await bench.run(jobs[:1])).exit_code == 0
    forgotten.add("/uploads/")
    assert (await bench.run(jobs)).exit_code == 1
    assert len(bench.simulator.ledger.submissions) == 1 + 5 * 2
    assert len(bench.simulator.ledger.uploads) == 2
    error = bench.manifest()[1]["error"]
    assert (error["code"], error["provider_code"]) == ("invalid_request", "invalid_reference_images")


async def test_what_was_never_uploaded_is_not_taken_for_forgotten(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis")
    nowhere = f"{bench.simulator.base_url}/uploads/nobody.png"
    assert (await bench.run(rows(1, references=[nowhere]))).exit_code == 1
    assert len(bench.simulator.ledger.submissions) == 1


@pytest.mark.parametrize("provider", ["toapis", "openai-edits"])
async def test_a_photo_goes_upright_and_without_what_the_camera_wrote(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned
    exif[0x010F] = "a camera"
    photo = bench.folder / "photo.jpg"
    Image.new("RGB", (60, 40), (200, 30, 40)).save(photo, exif=exif)
    assert (await bench.run(rows(2, references=[str(photo)]))).exit_code == 0, bench.manifest()
    (copy,) = {path for path in bench.database.parent.glob("orchestrator.references/*") if path.is_file()}
    with Image.open(BytesIO(copy.read_bytes())) as image:
        assert (image.size, dict(image.getexif())) == ((40, 60), {})
    for submission in bench.accepted():
        assert sent(submission) == [sha256_of(copy)]
    assert bench.manifest()[0]["references"] == [{"path": str(photo), "sha256": sha256_of(photo)}]
