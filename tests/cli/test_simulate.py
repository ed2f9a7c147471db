import json
import signal
import urllib.request
from pathlib import Path

from orchestrator.providers.registry import BUILT_IN
from orchestrator.simulator.server import PREFIXES
from tests.cli.program import LONGEST, program, started


def test_the_simulator_serves_until_a_signal_and_ends_well(tmp_path: Path) -> None:
    process = started("simulate", "--port", "0", cwd=tmp_path)
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said.startswith("simulating toapis at http://127.0.0.1:")
    address = said.split()[3].rstrip(";")
    with urllib.request.urlopen(f"{address}/_simulator/ledger", timeout=LONGEST) as answer:  # noqa: S310 - our own process
        assert isinstance(json.load(answer), dict)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LONGEST)
    assert (process.returncode, err) == (0, "")


def test_a_taken_port_is_named(tmp_path: Path, faulty_provider: str) -> None:
    port = faulty_provider.rpartition(":")[2]
    ended = program("simulate", "--port", port, cwd=tmp_path)
    assert (ended.code, ended.err) == (3, f"error: cannot listen on 127.0.0.1:{port}: the port is taken\n")


def test_a_wrong_share_is_refused(tmp_path: Path) -> None:
    ended = program("simulate", "--fail-rate", "7", cwd=tmp_path)
    assert (ended.code, ended.err) == (2, "error: fail_rate must lie between 0 and 1, not 7.0\n")


def test_every_provider_can_be_simulated_and_another_is_refused_with_those_there_are(tmp_path: Path) -> None:
    assert set(BUILT_IN) == set(PREFIXES)
    ended = program("simulate", "--provider", "opnai", cwd=tmp_path)
    assert (ended.code, ended.err) == (2, f"error: provider must be one of {', '.join(PREFIXES)}, not opnai\n")
