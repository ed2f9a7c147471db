import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.manifest import Form, ManifestJob, export
from orchestrator.manifest.table import _cell

from .factory import attempt, failed, parent, rows, succeeded

COLUMNS = (
    "batch,key,state,account,provider,model,prompt,index,file,sha256,bytes,format,width,height,"
    "cost_estimated,cost_actual,currency,attempts,remote_id,error_code,error_message,created_at,finished_at,parents"
)


async def table(tmp_path: Path, *jobs: ManifestJob, meta: tuple[str, ...] = ()) -> list[dict[str, str]]:
    path = tmp_path / "m.csv"
    await export(rows(jobs), meta, Form.CSV, path)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


async def test_columns_are_the_documented_ones_and_then_meta(tmp_path: Path) -> None:
    (row,) = await table(tmp_path, succeeded(meta={"sku": "A-17"}), meta=("sku", "shelf"))
    assert ",".join(row) == f"{COLUMNS},meta.sku,meta.shelf"
    assert (row["meta.sku"], row["meta.shelf"]) == ("A-17", "")


async def test_there_is_a_row_for_each_image_and_one_for_a_job_without(tmp_path: Path) -> None:
    found = await table(tmp_path, succeeded("a", images=3), failed("b"))
    assert [(row["key"], row["index"]) for row in found] == [("a", "0"), ("a", "1"), ("a", "2"), ("b", "")]
    assert [row["file"] for row in found][1:] == ["spring/mug-1.png", "spring/mug-2.png", ""]


async def test_a_row_says_what_the_job_cost_and_why_it_failed(tmp_path: Path) -> None:
    good, bad = await table(tmp_path, succeeded(attempts=(attempt(1), attempt(2, remote_id=None))), failed())
    assert (good["cost_estimated"], good["cost_actual"], good["attempts"], good["remote_id"]) == ("0.04", "0.0420", "2", "task-1")
    assert (bad["cost_actual"], bad["error_code"], bad["error_message"]) == ("", "refused", "'=refused")
    assert (good["created_at"], good["finished_at"]) == ("1970-01-01T00:00:00.000Z", "1970-01-01T00:00:20.000Z")


async def test_a_column_of_costs_adds_up_to_what_was_paid(tmp_path: Path) -> None:
    found = await table(tmp_path, succeeded("a", images=3), succeeded("b"))
    assert [row["cost_actual"] for row in found] == ["0.0420", "", "", "0.0420"]
    assert [row["cost_estimated"] for row in found] == ["0.04", "", "", "0.04"]
    assert {row["currency"] for row in found} == {"USD"}


async def test_a_row_says_what_it_was_made_from_of_other_jobs(tmp_path: Path) -> None:
    parents = (parent("continues"), parent("mask", used=False))
    child, other = await table(tmp_path, succeeded("a", parents=parents), succeeded("b"))
    assert json.loads(child["parents"]) == [
        {"role": "continues", "job": "sketch", "image": 1, "attempt": 2, "sha256": "cd" * 32},
        {"role": "mask", "job": "sketch", "image": 1, "attempt": None, "sha256": None},
    ]
    assert other["parents"] == ""


async def test_every_field_is_quoted(tmp_path: Path) -> None:
    await table(tmp_path, succeeded())
    for line in (tmp_path / "m.csv").read_text().splitlines():
        assert line.startswith('"')
        assert line.endswith('"')
        assert line.count('","') == COLUMNS.count(",")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\0"])
async def test_a_text_that_a_spreadsheet_would_run_is_defused(tmp_path: Path, start: str) -> None:
    (row,) = await table(tmp_path, succeeded(prompt=f"{start}cmd()", meta={f"{start}x": f"{start}y"}), meta=(f"{start}x",))
    assert row["prompt"] == f"'{start}cmd()"
    assert row[f"meta.{start}x"] == f"'{start}y"


async def test_numbers_and_other_values_of_the_users_stay_what_they_are(tmp_path: Path) -> None:
    (row,) = await table(tmp_path, succeeded(meta={"n": -5, "f": -1.5, "b": True, "l": ["ü", 1]}), meta=("n", "f", "b", "l"))
    assert [row[f"meta.{name}"] for name in "nfbl"] == ["-5", "-1.5", "true", '["ü",1]']


@given(st.text(max_size=20))
def test_no_text_begins_a_formula_and_none_is_lost(text: str) -> None:
    cell = _cell(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\0"))
    assert cell.removeprefix("'") == text.removeprefix("'")
