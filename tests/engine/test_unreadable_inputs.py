"""References that cannot be had at the moment: nothing is wrong with their job, so it waits, or the run stops; nothing fails."""

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.engine import own_images
from orchestrator.jobs.places import BadInput
from orchestrator.results import DecodePool, References, Results, WorkerUnavailable

from .bench import Bench, assert_all_whole, picture, rows
from .conftest import OpenBench

TIMES = 2


def failing(original: Callable[..., Any], error: Exception, times: int = TIMES) -> Callable[..., Any]:
    """Return a function that raises the first times."""
    left = iter(range(times))

    def call(*arguments: Any, **named: Any) -> Any:
        if next(left, None) is not None:
            raise error
        return original(*arguments, **named)

    return call


def trouble(code: int) -> OSError:
    return OSError(code, os.strerror(code))


async def with_reference(open_bench: OpenBench) -> tuple[Bench, str]:
    bench = await open_bench("openai-edits", account={"concurrency": 1})
    return bench, str(picture(bench.folder / "mug.png", 1))


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EIO, errno.ESTALE, errno.ENOMEM])
async def test_a_file_that_the_system_cannot_read_now_is_tried_again(
    open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    bench, reference = await with_reference(open_bench)
    monkeypatch.setattr(own_images, "_content", failing(own_images._content, trouble(code)))
    assert (await bench.run(rows(1, references=[reference]))).exit_code == 0
    assert len(bench.named("job_postponed")) == TIMES
    assert os.strerror(code) in bench.named("job_postponed")[0].facts["message"]
    assert_all_whole(bench)


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EACCES, errno.EISDIR, errno.ELOOP])
async def test_a_file_that_is_not_what_it_was_fails_its_job_before_any_money(
    open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    bench, reference = await with_reference(open_bench)
    monkeypatch.setattr(own_images, "_content", failing(own_images._content, trouble(code)))
    assert (await bench.run(rows(1, references=[reference]))).exit_code == 1
    assert bench.only()["error"]["code"] == "input_changed"
    assert bench.accepted() == []


async def test_a_file_that_stays_unreadable_fails_its_job_in_the_systems_words(
    open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, reference = await with_reference(open_bench)
    monkeypatch.setattr(own_images, "_content", failing(own_images._content, trouble(errno.EIO), times=99))
    assert (await bench.run(rows(1, references=[reference]))).exit_code == 1
    assert bench.only()["error"]["code"] == "upload_failed"
    assert os.strerror(errno.EIO) in bench.only()["error"]["message"]


PARENT = {"id": "sketch", "prompt": "a sketch of a kite"}
CHILD = {"id": "red", "prompt": "the kite in red", "references": [{"job": "sketch"}]}


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EIO])
async def test_what_a_parent_made_and_cannot_be_read_now_is_tried_again(
    open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    bench = await open_bench("openai")
    monkeypatch.setattr(Results, "look", failing(Results.look, trouble(code)))
    assert (await bench.run([PARENT, CHILD])).exit_code == 0
    assert bench.states() == {"sketch": "succeeded", "red": "succeeded"}


async def test_a_copy_for_which_there_is_no_room_stops_the_run_and_fails_no_job(
    open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await open_bench("openai", account={"fit_references": True})
    with monkeypatch.context() as patch:
        patch.setattr(References, "made", failing(References.made, trouble(errno.ENOSPC)))
        assert (await bench.run([PARENT, CHILD])).exit_code == 4
    assert bench.states() == {"sketch": "succeeded", "red": "pending"}
    assert (await bench.resume()).exit_code == 0
    assert len(bench.accepted()) == 2


async def test_a_decoder_that_does_not_start_is_waited_for(open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = await open_bench("openai")
    monkeypatch.setattr(
        Results, "look", failing(Results.look, WorkerUnavailable("the decode worker does not start (exit code 1)"))
    )
    assert (await bench.run([PARENT, CHILD])).exit_code == 0
    assert "decode worker" in bench.named("job_postponed")[0].facts["message"]


async def test_a_decoder_that_does_not_start_is_named_when_the_batch_is_read(
    open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, reference = await with_reference(open_bench)
    monkeypatch.setattr(
        DecodePool, "run", failing(DecodePool.run, WorkerUnavailable("the decode worker does not start"), times=9)
    )
    with pytest.raises(BadInput, match=r"mug\.png cannot be used: the decode worker does not start"):
        await bench.run(rows(1, references=[reference]))
