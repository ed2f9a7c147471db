"""Keys and durations: small words with sharp edges."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.jobs.durations import human, seconds, size_in_bytes
from orchestrator.jobs.keys import default_key, fingerprint, slug
from orchestrator.jobs.spec import JobSpec, LocalImage, RemoteImage

PICTURE = LocalImage(path=Path("/a/mug.png"), sha256="ab" * 32, size=9, format="png", width=4, height=4, alpha=False)
SPEC = JobSpec(key="mug", account="studio", provider="openai-images", model="gpt-image-2", prompt="A mug", references=(PICTURE,))


@pytest.mark.parametrize(
    ("text", "value"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("7d", 604800), (15, 15), ("15", 15), ("1.5h", 5400), (0.5, 0.5)],
)
def test_a_duration_is_read_as_people_write_it(text: str | float, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "soon", "5 weeks", "-3s", -1, "1h30m"])
def test_what_is_no_duration_is_refused_with_an_example(text: str | float) -> None:
    with pytest.raises(ValueError, match=r"90s, 30m, 2h|negative"):
        seconds(text)


def test_sizes_are_read_as_people_write_them() -> None:
    assert size_in_bytes("200MiB") == 200 * 2**20
    assert size_in_bytes("1 GB") == 10**9
    with pytest.raises(ValueError, match="200MiB"):
        size_in_bytes("much")


def test_a_duration_is_said_as_a_clock_says_it() -> None:
    assert [human(42), human(725), human(11231)] == ["0:42", "12:05", "3:07:11"]


@pytest.mark.parametrize(
    "other",
    [
        replace(SPEC, prompt="A mug."),
        replace(SPEC, model="gpt-image-1"),
        replace(SPEC, account="other"),
        replace(SPEC, size="1024x1024"),
        replace(SPEC, n=2),
        replace(SPEC, params={"quality": "low"}),
        replace(SPEC, extra={"seed": 1}),
        replace(SPEC, references=(replace(PICTURE, sha256="cd" * 32),)),
        replace(SPEC, references=(RemoteImage(url="https://example.com/a.png"),)),
        replace(SPEC, mask=PICTURE),
        replace(SPEC, endpoint="openai-images"),
    ],
)
def test_another_request_has_another_fingerprint(other: JobSpec) -> None:
    assert fingerprint(other) != fingerprint(SPEC)


@pytest.mark.parametrize(
    "same",
    [
        replace(SPEC, priority=9),
        replace(SPEC, meta={"sku": 1}),
        replace(SPEC, key="cup"),
        replace(SPEC, references=(replace(PICTURE, path=Path("/b/moved.png")),)),
    ],
)
def test_the_same_request_keeps_its_fingerprint(same: JobSpec) -> None:
    assert fingerprint(same) == fingerprint(SPEC)


def test_a_key_made_from_a_prompt_is_readable_in_any_script() -> None:
    assert slug("A white mug, on oak!") == "a-white-mug-on-oak"
    assert slug("一只猫 в лесу") == "一只猫-в-лесу"
    assert slug("!!!") == "job"
    assert default_key(SPEC) == f"a-mug-{fingerprint(SPEC)[:8]}"
