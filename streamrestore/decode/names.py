"""Names of inputs that may be shown: a URL without what opens doors."""

from __future__ import annotations

import re

HIDDEN = "***"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://\S*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
_WORDS = "user|pass|pwd|token|secret|key|auth|sig|login|cred"
_PAIR = re.compile(rf"([\w.-]*(?:{_WORDS})[\w.-]*=)[^&;/?#_]*", re.IGNORECASE)


def is_url(spec: str) -> bool:
    """True for ``scheme://...``; a name with a single letter before the colon is a drive."""
    return _SCHEME.fullmatch(spec) is not None


def redact(spec: str) -> str:
    """The name of an input as it may stand in messages, reports and logs.

    Of URLs, user and password become ``***``, and so do all values of the query, the fragment, and
    values in the path that are called user, password, token or the like (some cameras want them
    there). In doubt too much is hidden: a password with an unquoted ``/`` or ``@`` takes what stands
    up to the last ``@`` with it. Other names keep their letters; what cannot be printed is escaped.
    """
    spec = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in spec)
    match = _SCHEME.fullmatch(spec)
    if match is None or match[1].lower() == "file":
        return spec
    scheme, rest = match.groups()
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    web = scheme.lower() in ("http", "https")  # there an @ may well stand in the path
    user = ""
    if "@" in rest and not (web and "@" not in authority and ":" not in authority):
        hidden, _, rest = rest.rpartition("@")
        if "?" in hidden or "#" in hidden:  # the @ may belong to a query, or the mark to a password
            return f"{scheme}://{HIDDEN}"
        user = f"{HIDDEN}@"
    address, mark, query = _split(rest)
    address = _PAIR.sub(rf"\g<1>{HIDDEN}", address)
    if mark == "?":
        query = "&".join(_hide_value(pair) for pair in re.split(r"[&#;]", query))
    elif mark:
        query = HIDDEN
    return f"{scheme}://{user}{address}{mark}{query}"


def redact_text(text: str) -> str:
    """A message of a library with every URL in it redacted."""
    return _URL.sub(lambda match: redact(match[0]), text)


def _split(rest: str) -> tuple[str, str, str]:
    found = re.search(r"[?#]", rest)
    if found is None:
        return rest, "", ""
    return rest[: found.start()], found[0], rest[found.end() :]


def _hide_value(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={HIDDEN}" if equals else HIDDEN
