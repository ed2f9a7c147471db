"""`show`: one job's whole history."""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.cli.event_words import json_line
from orchestrator.cli.options import Voice, Where
from orchestrator.cli.settings import app_of
from orchestrator.cli.words import brief, day_and_time, harmless, money
from orchestrator.engine.receipts import elapsed
from orchestrator.jobs.attempts import AttemptState, Charged
from orchestrator.jobs.secrets import without_query
from orchestrator.store.stories import Story

_LONGEST_PROMPT = 400


async def show(key: str, batch: str | None, where: Where, voice: Voice) -> int:
    """Print the story of a job, or its manifest row as JSON; raise `NotFound`."""
    story, row = await app_of(where).story(key, batch)
    print(json_line(row) if voice.json else "\n".join(_told(story)))
    return 0


def _told(story: Story) -> Iterator[str]:
    yield from _asked(story.job, story.job["spec"], iter(story.parents))
    yield from _titled("attempts", (_attempt(attempt) for attempt in story.attempts))
    yield from _titled("images", (_image(image) for image in story.images))
    yield from _titled("history", (_event(event) for event in story.events))


def _asked(job: Mapping[str, Any], spec: Mapping[str, Any], parents: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    partial = ", with fewer images than asked for" if job["partial"] else ""
    yield f"{harmless(job['key'])} of {harmless(job['batch'])}: {job['state']}{partial}"
    if job["error_code"]:
        yield f"  why       {job['error_code']}: {brief(job['error_message'] or 'no message', _LONGEST_PROMPT)}"
    yield f"  prompt    {brief(spec['prompt'], _LONGEST_PROMPT)}"
    yield f"  sent to   {harmless(job['account'])} ({harmless(job['provider'])}), model {harmless(job['model'])}"
    params = {"size": spec["size"], "n": job["n"], **spec["params"], **spec["extra"]}
    yield f"  with      {_pairs(params)}"
    if spec["continues"]:
        yield f"  continues {_made(next(parents))}"
    for label, reference in [("reference", each) for each in spec["references"]] + [("mask", spec["mask"])]:
        if reference:
            yield f"  {label:<9} {_made(next(parents)) if 'job' in reference else _named(reference)}"
    if spec["meta"]:
        yield f"  meta      {_pairs(spec['meta'])}"
    estimated = "unknown" if job["cost_likely"] is None else money(job["cost_likely"])
    yield f"  estimate  {estimated}"


def _made(parent: Mapping[str, Any]) -> str:
    """Return which image of another job was taken; they come in the order of the request."""
    name = f"image {parent['image']} of {harmless(parent['job'])}"
    return name if parent["sha256"] is None else f"{name}, {_pairs({name: parent[name] for name in ('attempt', 'sha256')})}"


def _named(reference: Mapping[str, Any]) -> str:
    return harmless(without_query(reference.get("path") or reference["url"]))


def _attempt(attempt: Mapping[str, Any]) -> str:
    known = {
        "charged": attempt["charged"],
        "cost": _cost(attempt),
        "phase": attempt["phase"] if attempt["state"] == AttemptState.UNCERTAIN else None,
        "after": None if attempt["doubted_at"] is None else f"{elapsed(attempt):.1f} s",
        "http": attempt["http_status"],
        "task": attempt["remote_id"],
        "request": attempt["request_id"],
        "id": attempt["id"],
        "ended": None if attempt["ended_at"] is None else day_and_time(attempt["ended_at"]),
    }
    why = f"; {attempt['reason']}: {brief(attempt['message'] or 'no message')}" if attempt["reason"] else ""
    return f"{attempt['number']}  {day_and_time(attempt['started_at'])}  {attempt['state']}; {_pairs(known)}{why}"


def _cost(attempt: Mapping[str, Any]) -> str | None:
    if attempt["cost_settled"] is not None:
        return money(attempt["cost_settled"])
    if attempt["charged"] == Charged.NO:
        return None
    return "of unknown price" if attempt["cost_reserved"] is None else f"at most {money(attempt['cost_reserved'])}"


def _image(image: Mapping[str, Any]) -> str:
    size = f"{image['width']}x{image['height']} {image['format']}, {image['bytes']} bytes" if image["bytes"] else ""
    facts = {"file": image["file"], "sha256": image["sha256"], "degraded": image["degraded"], "error": image["error"]}
    return f"{image['index']}  {image['state']}; {'; '.join(part for part in (_pairs(facts), size) if part)}"


def _event(event: Mapping[str, Any]) -> str:
    steps = f"{event['source'] or 'nothing'} -> {event['target']}"
    why = f"; {brief(event['why'])}" if event["why"] else ""
    return f"{day_and_time(event['at'])}  {event['event']} ({steps}) by {harmless(event['actor'])}{why}"


def _titled(title: str, lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number == 0:
            yield f"{title}:"
        yield f"  {line}"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{harmless(str(name))} {brief(str(value))}" for name, value in values.items() if value is not None)
