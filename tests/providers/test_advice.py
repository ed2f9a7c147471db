"""Hints: each fires where its document advises, never stops a job, and is silenced by its name."""

from typing import Any

import pytest

from orchestrator.jobs.spec import JobSpec, LocalImage
from orchestrator.providers.advice import HINTS, NAMES, Case, hints_for
from orchestrator.providers.registry import Registry

from .making import REMOTE, local, today

SMALL = (local(width=300, height=900), local(width=2000, height=511))
LARGE = (local(width=512, height=512), local(width=2000, height=900))
IMAGES: dict[str, Any] = {"provider": "openai-images", "model": "gpt-image-2", "params": {"output_format": "jpeg"}}
EDITS: dict[str, Any] = {"provider": "openai-edits", "model": "gpt-image-2", "params": {"output_format": "jpeg"}}
RELAY: dict[str, Any] = {"provider": "gpt-image-2", "model": "gpt-image-2"}
JOBS: dict[str, Any] = {"provider": "ttapi-4o", "model": "gpt-4o-image"}

Row = tuple[str, dict[str, Any], str | None]

ROWS: list[Row] = [
    ("two weak references", {**EDITS, "prompt": "a hat", "references": SMALL}, "weak-references"),
    ("a word of keeping", {**EDITS, "prompt": "a hat; keep the face", "references": SMALL}, None),
    ("keeping in Chinese", {**EDITS, "prompt": "加一顶帽子 脸部保持不变", "references": SMALL}, None),
    ("keeping in Russian", {**EDITS, "prompt": "добавь шляпу, лицо сохрани", "references": SMALL}, None),
    ("style as constraint", {**EDITS, "prompt": "a hat in the style of the second", "references": SMALL}, None),
    ("one weak reference", {**EDITS, "prompt": "a hat", "references": (SMALL[0], LARGE[0])}, None),
    ("large references", {**EDITS, "prompt": "a hat", "references": LARGE}, None),
    ("references nobody sees", {**EDITS, "prompt": "a hat", "references": (REMOTE, REMOTE)}, None),
    ("a job that draws nothing", {**JOBS, "prompt": "a cat on a mat"}, "drawing-words"),
    ("one character", {**JOBS, "prompt": "猫"}, "drawing-words"),
    ("draw", {**JOBS, "prompt": "draw a cat"}, None),
    ("generate", {**JOBS, "prompt": "Please GENERATE a poster"}, None),
    ("draw in Chinese", {**JOBS, "prompt": "画一张美女模特"}, None),
    ("generate in Chinese", {**JOBS, "prompt": "结合图片 生成一张宣传海报"}, None),
    ("a picture in Chinese", {**JOBS, "prompt": "一张图详细解释马斯洛需求层次理论"}, None),
    ("draw in Russian", {**JOBS, "prompt": "нарисуй кота"}, None),
    ("an API that always draws", {**IMAGES, "prompt": "a cat on a mat"}, None),
    ("transparent and low", {**IMAGES, "params": {"background": "transparent", "quality": "low"}}, "transparent-quality"),
    ("transparent and medium", {**IMAGES, "params": {"background": "transparent", "quality": "medium"}}, None),
    ("opaque and low", {**IMAGES, "params": {"background": "opaque", "quality": "low", "output_format": "webp"}}, None),
    ("png by default", {**IMAGES, "params": {}}, "jpeg-speed"),
    ("png by word", {**IMAGES, "params": {"output_format": "png"}}, "jpeg-speed"),
    ("jpeg", IMAGES, None),
    ("png by word at a relay", {**RELAY, "params": {"output_format": "png"}}, "jpeg-speed"),
    ("whatever a relay's default is", RELAY, None),
    ("png for its transparency", {**IMAGES, "params": {"background": "transparent"}}, None),
    ("a model that has no formats", {"provider": "toapis", "model": "gpt-4o-image", "params": {}}, None),
]  # fmt: skip


def case(fields: dict[str, Any]) -> Case:
    job = JobSpec(**{"key": "mug", "account": "studio", "prompt": "a mug", **fields})
    return Case(spec=job, api=job.provider, model=Registry(today=today, plugins=()).catalog.api(job.provider).rules(job.model))


@pytest.mark.parametrize(("fields", "name"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_hint_fires_where_its_document_advises_and_nowhere_else(fields: dict[str, Any], name: str | None) -> None:
    assert [hint.name for hint in hints_for(case(fields))] == ([name] if name else [])


def test_every_hint_says_its_source_and_how_it_is_silenced_and_is_shown_by_a_row() -> None:
    for hint in HINTS:
        assert "documentation, " in hint.source
        assert hint.source in hint.message
        assert f"silence: [{hint.name}]" in hint.message
    assert {row[2] for row in ROWS} - {None} == set(NAMES)
    assert all(isinstance(image, LocalImage) for image in SMALL)
