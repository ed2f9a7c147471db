"""The standard verdict of reliability.md e: nothing paid twice, nothing lost in silence, only whole files, all of it named."""

from decimal import Decimal

from tests.engine.bench import Bench, Row, assert_whole, query


def assert_fair(bench: Bench, jobs: list[Row], *, uncertain: int | range = 0) -> list[Row]:
    """Hold store, manifest and files against the simulator's ledger; return the rows in doubt, of which there must be so many."""
    assert query(bench.database, "PRAGMA integrity_check") == [("ok",)]
    charged = bench.simulator.ledger.charged_prompts()
    assert {prompt: count for prompt, count in charged.items() if count > 1} == {}, "paid twice"
    manifest = bench.manifest()
    assert [row["key"] for row in manifest] == [job["id"] for job in jobs]
    held = [row for row in manifest if row["state"] == "uncertain"]
    for row in manifest:
        if row in held:
            assert_named(row)
        elif charged[row["prompt"]]:
            assert_whole(bench.out, row)
    assert_no_stranger(bench, manifest)
    assert len(held) in (uncertain if isinstance(uncertain, range) else [uncertain]), f"{len(held)} in doubt"
    return held


def assert_named(row: Row) -> None:
    """Check that a job in doubt says so, and what it may have cost."""
    attempt = row["attempts"][-1]
    assert (attempt["outcome"], attempt["charged"], row["images"]) == ("uncertain", "possible", [])
    assert row["error"]["code"]
    assert row["error"]["message"]
    estimated = row["cost"]["estimated"]
    assert estimated is None or Decimal(estimated) > 0


def assert_no_stranger(bench: Bench, manifest: list[Row]) -> None:
    """Check that the output folder holds what the manifest names, and nothing half done."""
    ours = ("manifest.jsonl", "batch.json")
    files = {path.relative_to(bench.out).as_posix() for path in bench.out.glob("*/*") if path.name not in ours}
    assert files == {image["file"] for row in manifest for image in row["images"]}
    kept = {row["attempts"][-1]["client_ref"] for row in manifest if row["state"] == "uncertain"}
    spool = bench.database.with_name("orchestrator.spool")
    left = {path.stem for path in spool.iterdir() if path.suffix in (".answer", ".partial")} - kept
    assert left == set(), "answers nobody needs any more"


def assert_all_done(bench: Bench, jobs: list[Row]) -> None:
    """Check that every job succeeded, each paid for once."""
    assert_fair(bench, jobs)
    assert {row["state"] for row in bench.manifest()} == {"succeeded"}
    assert len(bench.accepted()) == len(jobs)
