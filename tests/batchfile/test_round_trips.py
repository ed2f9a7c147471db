"""The same jobs written in each format come back the same, and no bytes whatever bring the reader down."""

import csv
import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jobs.spec import JobDraft

from .reading import Reading, read_file, steady

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Co", "Cn"]), min_size=1, max_size=20)
shown_words = words.filter(lambda text: text == text.strip())
typed = st.booleans() | st.integers(-(10**9), 10**9) | st.sampled_from(["auto", "x y", "hd"])
urls = st.sampled_from(["https://example.com/a.png", "http://example.com/b.png?x=1", "/srv/c.png"])
jobs = st.fixed_dictionaries(
    {"prompt": words.filter(str.strip)},
    optional={
        "id": shown_words,
        "account": shown_words,
        "model": shown_words,
        "size": st.sampled_from(["1:1", "1024x1024", "auto"]),
        "n": st.integers(1, 10),
        "priority": st.integers(-5, 5),
        "quality": st.sampled_from(["low", "high"]),
        "references": st.lists(urls, min_size=1, max_size=3),
        "mask": urls,
        "params": st.dictionaries(st.sampled_from(["style", "background", "hd"]), typed, min_size=1),
        "meta": st.dictionaries(st.sampled_from(["sku", "season"]), shown_words, min_size=1),
    },
)
batches = st.lists(jobs, min_size=1, max_size=5, unique_by=lambda job: job.get("id", id(job)))


def expected(job: dict[str, Any]) -> JobDraft:
    params = {**job.get("params", {}), **({"quality": job["quality"]} if "quality" in job else {})}
    names = ("account", "model", "size", "n", "mask", "meta", "priority")
    return JobDraft(
        prompt=job["prompt"],
        key=job.get("id"),
        params=params,
        references=tuple(job.get("references", ())),
        **{name: job[name] for name in names if name in job},
    )


def reading_of(name: str, content: bytes) -> Reading:
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        return read_file(path)


def as_csv(batch: list[dict[str, Any]], delimiter: str) -> str:
    rows = [_cells(job) for job in batch]
    columns = ["prompt", *sorted({name for row in rows for name in row} - {"prompt"})]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _cells(job: dict[str, Any]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, value in job.items():
        if name in ("params", "meta"):
            prefix = "param" if name == "params" else "meta"
            cells |= {f"{prefix}.{inner}": json.dumps(x) if isinstance(x, (bool, int)) else x for inner, x in value.items()}
        else:
            cells[name] = "|".join(value) if isinstance(value, list) else str(value)
    return cells


@steady
@given(batches, st.booleans(), st.sampled_from(["utf-8", "utf-16"]))
def test_jobs_written_as_yaml_come_back(batch: list[dict[str, Any]], flow: bool, encoding: str) -> None:
    text = yaml.dump({"jobs": batch}, default_flow_style=flow, allow_unicode=True)
    reading = reading_of("jobs.yaml", text.encode(encoding))
    assert reading.lines == []
    assert [row.draft for row in reading.rows] == [expected(job) for job in batch]


@steady
@given(batches, st.booleans())
def test_jobs_written_as_jsonl_come_back(batch: list[dict[str, Any]], escaped: bool) -> None:
    text = "\n".join(json.dumps(job, ensure_ascii=escaped) for job in batch)
    reading = reading_of("jobs.jsonl", text.encode())
    assert reading.lines == []
    assert [row.draft for row in reading.rows] == [expected(job) for job in batch]


@steady
@given(batches, st.sampled_from([",", ";", "\t"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_jobs_written_as_csv_come_back(batch: list[dict[str, Any]], delimiter: str, encoding: str) -> None:
    reading = reading_of("jobs.csv", as_csv(batch, delimiter).encode(encoding))
    assert reading.lines == []
    assert [row.draft for row in reading.rows] == [expected(job) for job in batch]


STARTS = {"jobs.yaml": b"jobs:\n- prompt: a\n", "jobs.csv": b"prompt,n\na,1\n", "jobs.jsonl": b'{"prompt": "a"}\n'}


@pytest.mark.parametrize("name", STARTS)
@steady
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode), with_start=st.booleans())
def test_no_bytes_bring_the_reader_down(name: str, content: bytes, with_start: bool) -> None:
    reading = reading_of(name, (STARTS[name] if with_start else b"") + content)
    assert reading.rows or reading.lines
