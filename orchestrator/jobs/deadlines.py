"""When a result URL dies, as far as anybody said (design.md section 4). A deadline orders work; it never forbids a download."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit


def signed_expiry(url: str) -> float | None:
    """Return the Unix seconds at which a signed URL dies, read from its own query; None where it does not say.

    Azure writes `se` (`ske`, beside it, is the life of the signing key and says nothing about the link: providers.md 2.3),
    Amazon and Google a date and a number of seconds, older signatures `Expires` in Unix seconds.
    """
    query = {name.lower(): values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
    if "se" in query and "sig" in query:
        return _moment(query["se"])
    for prefix in ("x-amz", "x-goog"):
        signed_at, life = _moment(query.get(f"{prefix}-date")), _whole(query.get(f"{prefix}-expires"))
        if signed_at is not None and life is not None:
            return signed_at + life
    if "signature" in query or "key-pair-id" in query:
        return _whole(query.get("expires"))
    return None


def deadline(*, since: float, url: str, stated: float | None, url_lifetime: float, trust_stated: bool) -> float:
    """Return the Unix seconds by which `url` should be downloaded.

    `since` is the provider's completion time, else the last moment the task was known not to be finished; never the receipt.
    The earliest of the stated expiry, the signature and the account's `url_lifetime` counts, unless the stated one is trusted.
    """
    if trust_stated and stated is not None:
        return stated
    known = [moment for moment in (stated, signed_expiry(url)) if moment is not None]
    return min([since + url_lifetime, *known])


def _whole(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdigit() and len(text) < 12 else None  # noqa: PLR2004


def _moment(text: str | None) -> float | None:
    if text is None:
        return None
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y%m%dT%H%M%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def text_of(moment: float) -> str:
    """Return Unix seconds as RFC 3339 UTC with milliseconds, the form of every time we write."""
    return (datetime.fromtimestamp(0, UTC) + timedelta(seconds=moment)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
