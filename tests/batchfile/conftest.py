"""Reading a small batch file from a folder of its own, as a user would: by a relative path."""

from pathlib import Path

import pytest

from .reading import Read, Reading, read_file


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Writes a file of the given name and reads it as a batch."""
    monkeypatch.chdir(tmp_path)

    def write_and_read(name: str, content: str | bytes, encoding: str | None = None) -> Reading:
        path = Path(name)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_file(path, encoding)

    return write_and_read
