"""Who asks: the key of a request, and the owner of tasks that it stands for."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["key_of", "owner_of"]


def key_of(request: web.Request) -> str | None:
    """The key of a request, as a bearer or in TTAPI's own header (providers.md 2); None when there is none."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    key = key if scheme.lower() == "bearer" else request.headers.get("TT-API-KEY", "")
    return key.strip() or None


def owner_of(key: str | None) -> str:
    """Digest that tells the owners of tasks apart without showing their keys."""
    return hashlib.sha256((key or "").encode()).hexdigest()
