"""Key files: who may read them, and what is refused."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import zmq
from zmq.auth import load_certificates

from streamrestore.errors import OutputError, OutputExists, UsageError
from streamrestore.transport.keys import new_client, new_keys, read_allowed, read_client, read_server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A new folder of keys."""
    new_keys(tmp_path / "keys")
    return tmp_path / "keys"


class TestNew:
    def test_files(self, folder: Path) -> None:
        """What the publisher keeps, what the client gets, and who is allowed."""
        assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
            "allowed/client.key",
            "client/client.key",
            "client/client.key_secret",
            "client/server.key",
            "server.key",
            "server.key_secret",
        ]

    def test_modes(self, folder: Path) -> None:
        """Nobody else reads a secret file, or looks into the folders."""
        for path in folder.rglob("*"):
            mode = stat.S_IMODE(path.stat().st_mode)
            if path.name.endswith("_secret"):
                assert mode == 0o600
            elif path.is_dir():
                assert mode == 0o700
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_secrets_stand_in_secret_files_only(self, folder: Path) -> None:
        """And never in a repr."""
        server, (client, _) = read_server(folder), read_client(folder / "client")
        secrets = {server.secret, client.secret}
        assert len(secrets) == 2
        for path in folder.rglob("*.key"):
            assert not any(secret in path.read_bytes() for secret in secrets)
        assert server.secret.decode() not in repr(server)

    def test_pairs_fit(self, folder: Path) -> None:
        """Each secret belongs to its public key, and each side knows the other's."""
        server, (client, known_server) = read_server(folder), read_client(folder / "client")

        assert zmq.curve_public(server.secret) == server.public == known_server
        assert zmq.curve_public(client.secret) == client.public
        assert read_allowed(folder) == {client.public}

    def test_zeromq_reads_them(self, folder: Path) -> None:
        """They are certificates of ZeroMQ's own tools."""
        assert set(load_certificates(folder / "allowed")) == read_allowed(folder)

    def test_nothing_is_overwritten(self, folder: Path) -> None:
        """A second time is an error, and changes nothing."""
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

        with pytest.raises(OutputExists, match="never overwritten"):
            new_keys(folder)
        with pytest.raises(OutputExists, match="never overwritten"):
            new_client(folder, "client")

        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before

    @pytest.mark.parametrize("there", ["client", "allowed/client.key"])
    def test_what_is_left_of_others(self, tmp_path: Path, there: str) -> None:
        """Nothing is begun that could not be finished."""
        (tmp_path / there).mkdir(parents=True)

        with pytest.raises(OutputExists, match="never overwritten"):
            new_keys(tmp_path)

        assert not (tmp_path / "server.key_secret").exists()

    def test_another_client(self, folder: Path) -> None:
        """It has keys of its own, and is allowed."""
        new_client(folder, "analytics")

        pair, _ = read_client(folder / "analytics")
        assert pair.public in read_allowed(folder)
        assert len(read_allowed(folder)) == 2

    @pytest.mark.parametrize("name", ["", "a/b", "..", "allowed", ".x"])
    def test_names_of_clients(self, folder: Path, name: str) -> None:
        """They become folders, and nothing else."""
        with pytest.raises(UsageError, match="cannot be the name of a client"):
            new_client(folder, name)

    def test_client_of_no_publisher(self, tmp_path: Path) -> None:
        """Only a folder with a publisher's keys can have clients."""
        with pytest.raises(UsageError, match="keys new"):
            new_client(tmp_path, "analytics")

    def test_not_writable(self, tmp_path: Path) -> None:
        """The system's reason is told."""
        (tmp_path / "file").write_text("")

        with pytest.raises(OutputError, match="cannot be made"):
            new_keys(tmp_path / "file" / "keys")


class TestRead:
    def test_missing(self, tmp_path: Path) -> None:
        """The message has the command that makes keys."""
        for read in (read_server, read_client, read_allowed):
            with pytest.raises(UsageError, match="streamrestore keys new DIR"):
                read(tmp_path)

    def test_the_publishers_folder_is_not_for_subscribers(self, folder: Path) -> None:
        """The message names the one that is."""
        with pytest.raises(UsageError, match=f"takes {folder / 'client'}"):
            read_client(folder)

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
    def test_secrets_that_others_read(self, folder: Path, mode: int) -> None:
        """As ssh does."""
        (folder / "server.key_secret").chmod(mode)

        with pytest.raises(UsageError, match="chmod 600"):
            read_server(folder)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "nothing",
            'public-key = "short"',
            f'public-key = "{"#" * 40}"',
            'public-key = "' + "ü" * 20 + '"',
        ],
    )
    def test_damaged(self, folder: Path, text: str) -> None:
        """Also a key of the right length that no 32 bytes lead to."""
        (folder / "allowed" / "other.key").write_text(text)

        with pytest.raises(UsageError, match=r"other\.key"):
            read_allowed(folder)

    def test_halves_of_two_pairs(self, folder: Path) -> None:
        """A secret that belongs to another public key is noticed before anything listens."""
        path = folder / "server.key_secret"
        other = zmq.curve_keypair()[0].decode()
        lines = path.read_text().splitlines()
        path.write_text(
            "\n".join(f'public-key = "{other}"' if "public-key" in line else line for line in lines)
        )

        with pytest.raises(UsageError, match="fits its public one"):
            read_server(folder)

    def test_public_file_in_place_of_the_secret(self, folder: Path) -> None:
        """It has no secret."""
        (folder / "server.key_secret").write_text((folder / "server.key").read_text())

        with pytest.raises(UsageError, match="no secret key"):
            read_server(folder)
