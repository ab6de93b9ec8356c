"""Who may look at the service."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.errors import UsageError
from streamrestore.live.access import Access, Place, access_of, place_of
from streamrestore.live.config import HttpSettings

TOKEN = "a-token-of-many-letters"  # noqa: S105
HERE = "127.0.0.1:8080"


def status(access: Access, **asked: str | None) -> int | None:
    """Of a refusal; None if there is none."""
    known = {"host": HERE, "origin": None, "authorization": "", "query": ""}
    refusal = access.refusal(**(known | asked))  # type: ignore[arg-type]
    return None if refusal is None else refusal.status


class TestPlaces:
    """Addresses to listen at."""

    @pytest.mark.parametrize(
        ("address", "place", "local"),
        [
            ("127.0.0.1:8080", Place("127.0.0.1", 8080), True),
            ("localhost:0", Place("127.0.0.1", 0), True),
            ("[::1]:80", Place("::1", 80), True),
            ("0.0.0.0:8080", Place("0.0.0.0", 8080), False),  # noqa: S104
            ("[::]:8080", Place("::", 8080), False),
            ("192.0.2.1:8080", Place("192.0.2.1", 8080), False),
            ("camera.example:8080", Place("camera.example", 8080), False),
            ("127.0.0.1.example:80", Place("127.0.0.1.example", 80), False),
        ],
    )
    def test_understood(self, address: str, place: Place, local: bool) -> None:
        """Names are taken for other machines, whatever they stand for."""
        assert place_of(address) == place
        assert place_of(address).local == local

    @pytest.mark.parametrize(
        "address",
        ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:65536", "http://127.0.0.1:80", "a b:1", "::1:80"],
    )
    def test_refused(self, address: str) -> None:
        """With an example of one that is good."""
        with pytest.raises(UsageError, match=r"such as 127\.0\.0\.1:8080"):
            place_of(address)


class TestTokens:
    """From files to who may look."""

    def test_other_machines_need_one(self) -> None:
        """A service that all could look at is not begun; the message says how to make one."""
        with pytest.raises(UsageError, match="token_urlsafe"):
            access_of(HttpSettings(), place_of("192.0.2.1:8080"))

    @pytest.mark.parametrize("address", ["0.0.0.0:8080", "127.0.0.1:8080"])
    def test_a_token_always_counts(self, tmp_path: Path, address: str) -> None:
        """On this machine, too; the end of its line does not belong to it."""
        (tmp_path / "token").write_text(f"{TOKEN}\n")
        access = access_of(HttpSettings(token_file=str(tmp_path / "token")), place_of(address))

        assert status(access) == 401
        assert status(access, query=TOKEN) is None
        assert TOKEN not in repr(access)

    @pytest.mark.parametrize("content", [b"", b"short", b"two words of letters", b"\xff" * 20])
    def test_a_file_that_holds_none(self, tmp_path: Path, content: bytes) -> None:
        """What can be guessed is none."""
        (tmp_path / "token").write_bytes(content)

        with pytest.raises(UsageError, match="token"):
            access_of(HttpSettings(token_file=str(tmp_path / "token")), place_of(HERE))

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        """Is told by name."""
        with pytest.raises(UsageError, match="No such file"):
            access_of(HttpSettings(token_file=str(tmp_path / "token")), place_of(HERE))


class TestRequests:
    """What is let through."""

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ({}, 401),
            ({"authorization": f"Bearer {TOKEN}"}, None),
            ({"authorization": f"bearer  {TOKEN}"}, None),
            ({"authorization": f"Basic {TOKEN}"}, 401),
            ({"authorization": TOKEN}, 401),
            ({"query": TOKEN}, None),
            ({"query": TOKEN, "host": "camera.example"}, None),
            ({"query": TOKEN, "host": "camera.example", "origin": "https://camera.example"}, None),
            ({"query": TOKEN, "origin": "https://other.example"}, 403),
            ({"authorization": "Bearer nonsense", "query": TOKEN}, 401),
        ],
    )
    def test_with_a_token(self, asked: dict[str, str], expected: int | None) -> None:
        """In the header or the query; pages of other sites may not even with it."""
        assert status(Access(TOKEN), **asked) == expected

    @given(st.text())
    def test_no_other_word(self, word: str) -> None:
        """Not even one that is no ASCII."""
        assert status(Access(TOKEN), query=word) == (None if word == TOKEN else 401)

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ({}, None),
            ({"host": "localhost:8080"}, None),
            ({"host": "[::1]:8080"}, None),
            ({"host": "127.0.0.1"}, None),
            ({"origin": f"http://{HERE}"}, None),
            ({"host": ""}, 421),
            ({"host": "other.example:8080"}, 421),
            ({"host": "127.0.0.1.other.example"}, 421),
            ({"origin": "http://other.example"}, 403),
            ({"origin": "null"}, 403),
            ({"origin": "http://127.0.0.1:9999"}, 403),
        ],
    )
    def test_without_a_token(self, asked: dict[str, str], expected: int | None) -> None:
        """By an address of this machine, and not by a page of another site."""
        assert status(Access(), **asked) == expected
