"""What a reference or a mask may be: a path of this machine or an http(s) URL."""

import os
import re
from pathlib import Path

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://|(data):", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def located(text: str, folder: Path) -> str:
    """Return a URL as written, or the absolute path of a file named relative to `folder`; nothing is looked up.

    Raises ValueError with a clause for the user where the text can be neither.
    """
    if not text.strip():
        raise ValueError("must name a file or a URL; got an empty text")
    if _CONTROL.search(text):
        raise ValueError("must name a file or a URL; got a control character in it")
    scheme = _SCHEME.match(text)
    if scheme is None:
        return os.path.join(folder, text)  # noqa: PTH118 -- a Path costs 4 us, for each of a million rows
    name = (scheme[1] or scheme[2]).lower()
    if name not in {"http", "https"}:
        raise ValueError(f"must be a path or an http(s) URL; {name} is not read: save the image as a file and give its path")
    return text
