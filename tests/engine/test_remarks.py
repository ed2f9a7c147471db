"""What `validate` says of a batch file besides its problems: hints that can be silenced, and an account's trouble once."""

from pathlib import Path

import pytest

from orchestrator.app import App, Options
from orchestrator.jobs.places import BadInput

IMAGES = "accounts: {studio: {provider: openai, base_url: simulator}}\ndefaults: {account: studio, model: gpt-image-2}\n"
JOBS = "jobs:\n  - {id: one, prompt: a mug}\n  - {id: two, prompt: a cup}\n  - {id: three, prompt: a jug}\n"
ROUGH = "jobs:\n" + "".join(
    f"  - {{id: job-{n}, prompt: mug {n}, params: {{background: transparent, quality: low}}}}\n" for n in range(2)
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str, settings: str) -> Path:
    Path("jobs.yaml").write_text(text)
    Path("orchestrator.toml").write_text(settings)
    return Path("jobs.yaml")


async def said(text: str, settings: str = "") -> list[str]:
    """Return what `validate` says of a batch file that may run, each line without the file's name."""
    file, app = write(text, settings), App(Options())
    await app.validate(file)
    return [str(warning).removeprefix("jobs.yaml:") for warning in app.warnings]


async def refused(text: str, settings: str = "") -> list[str]:
    """Return what `validate` says of a batch file that may not run."""
    with pytest.raises(BadInput) as caught:
        await said(text, settings)
    return [str(problem).removeprefix("jobs.yaml:") for problem in caught.value.problems]


async def test_a_hint_about_every_job_of_a_model_is_said_once() -> None:
    (hint,) = await said(IMAGES + JOBS)
    assert hint.startswith("4:5: warning: png is what comes; where speed counts, output_format jpeg is faster")


async def test_a_hint_about_one_job_is_said_at_that_job() -> None:
    found = await said(IMAGES + ROUGH)
    assert [hint[:5] for hint in found] == ["4:53:", "5:53:"]
    assert all("quality medium or high" in hint for hint in found)


async def test_a_hint_is_silenced_by_its_name_in_the_batch_file_or_in_the_settings() -> None:
    assert await said("silence: [jpeg-speed]\n" + IMAGES + JOBS) == []
    assert await said(IMAGES + ROUGH, 'silence = ["transparent-quality"]') == []
    assert await said("silence:\n" + IMAGES + "jobs: [{prompt: a mug, output_format: webp}]") == []


async def test_an_unknown_hint_is_an_error_with_the_one_that_was_meant() -> None:
    assert (await refused("silence: [jpeg-spede]\n" + IMAGES + JOBS))[0] == (
        "1:11: silence must name hints, weak-references, drawing-words, transparent-quality, jpeg-speed; got jpeg-spede"
        " - did you mean jpeg-speed?"
    )
    found = await refused(IMAGES + JOBS, 'silence = ["all"]')
    assert found[0].startswith("orchestrator.toml: silence must name hints")
    found = await refused("silence: jpeg-speed\n" + IMAGES + JOBS)
    assert found[0].startswith("1:10: silence must be a list of hints by their names; got ")


async def test_a_missing_base_url_is_said_once_for_its_account() -> None:
    relays = "accounts: {relay: {provider: gpt-image-2}, second: {provider: gpt-image-2}}\n"
    jobs = [f"  - {{id: job-{n}, account: {name}, prompt: mug {n}}}\n" for n, name in enumerate(["relay", "relay", "second"])]
    found = await refused(f"{relays}defaults: {{model: gpt-image-2, size: 1024x1024}}\njobs:\n{''.join(jobs)}")
    assert [line for line in found if "warning" not in line] == [
        "4:26: account relay needs a base_url: gpt-image-2 is spoken by relays and has no host of its own",
        "6:26: account second needs a base_url: gpt-image-2 is spoken by relays and has no host of its own",
    ]


async def test_an_extra_field_is_warned_of_once() -> None:
    found = await said("silence: [jpeg-speed]\n" + IMAGES + "jobs: [{prompt: a mug, extra: {seed: 7}}]")
    assert found == ["4:38: warning: seed is sent as it is, unchecked (openai-images gpt-image-2)"]


async def test_the_users_own_facts_of_models_are_those_that_jobs_are_checked_by() -> None:
    settings = '[catalog.openai-images.models."gpt-image-2"]\nprompt = 5\n'
    found = await refused(IMAGES + JOBS + "  - {id: long, prompt: a kettle}\n", settings)
    assert [line for line in found if "warning" not in line] == [
        "7:24: prompt must be at most 5 characters (openai-images gpt-image-2); got 8"
    ]


async def test_what_is_wrong_in_the_users_facts_is_said_with_its_path() -> None:
    settings = '[catalog.openai-images.models."gpt-image-2"]\nprmpt = 5\n'
    found = await refused(IMAGES + JOBS, settings)
    assert found[0] == "orchestrator.toml: catalog.openai-images.models.gpt-image-2.prmpt is not known - did you mean prompt?"


async def test_a_run_gives_no_advice() -> None:
    app, file = App(Options()), write(IMAGES + JOBS, "")
    assert (await app.run(file, [], lambda _runtime, _board: None)).exit_code == 0
    assert app.warnings == []
