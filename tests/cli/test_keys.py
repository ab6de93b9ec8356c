"""``streamrestore keys``, and a service that has them."""

from __future__ import annotations

import signal
import stat
from pathlib import Path

import pytest

from streamrestore.transport import subscribe
from streamrestore.transport.keys import new_keys
from tests.cli.process import run
from tests.cli.test_live import Live, write_config
from tests.media import write_video
from tests.transport.net import LIMIT


def secrets_in(folder: Path) -> list[str]:
    """The secret keys themselves."""
    texts = [path.read_text() for path in folder.rglob("*.key_secret")]
    return [text.split('secret-key = "')[1].split('"')[0] for text in texts]


def test_new_and_add(tmp_path: Path) -> None:
    """Who gets which file is told, secrets are not, and nobody else can read them."""
    folder = tmp_path / "keys"

    made, added = run("keys", "new", str(folder)), run("keys", "add", str(folder), "wall")

    assert (made.returncode, added.returncode) == (0, 0), made.stderr + added.stderr
    assert f"{folder} stays with the service" in made.stdout
    assert f"{folder / 'client'} goes to the client" in made.stdout
    assert f"{folder / 'wall'} goes to the client" in added.stdout
    assert {path.stem for path in (folder / "allowed").iterdir()} == {"client", "wall"}
    secret = sorted(folder.rglob("*.key_secret"))
    assert len(secret) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    assert not any(text in made.stdout + added.stdout for text in secrets_in(folder))


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("new", "{}"), 1, "never overwritten"),
        (("add", "{}", "client"), 1, "never overwritten"),
        (("add", "{}/client", "wall"), 2, "streamrestore keys new DIR"),
    ],
)
def test_refused(tmp_path: Path, arguments: tuple[str, ...], status: int, words: str) -> None:
    """In one line, and what is there stays as it is."""
    folder = tmp_path / "keys"
    new_keys(folder)
    before = secrets_in(folder)

    done = run("keys", *(argument.format(folder) for argument in arguments))

    assert (done.returncode, words in done.stderr) == (status, True), done.stderr
    assert set(before) <= set(secrets_in(folder))


@pytest.mark.network
def test_a_service_with_keys(tmp_path: Path) -> None:
    """Its client sees frames; another one is refused, and let in after SIGHUP, whatever the configuration."""
    folder, strange = tmp_path / "keys", tmp_path / "strange"
    new_keys(folder)
    new_keys(strange)
    (strange / "client" / "server.key").write_bytes((folder / "server.key").read_bytes())
    write_video(tmp_path / "a.mkv", frames=10, pattern="smooth")
    config = tmp_path / "live.yaml"
    source = {"url": str(tmp_path / "a.mkv"), "loop": True}
    write_config(config, source, publish={"address": "tcp://127.0.0.1:*", "keys": str(folder)})
    with Live("--config", str(config)) as live:
        address = live.wait_for("publishing at").split()[-1]
        with (
            subscribe(address, keys=folder / "client", timeout=LIMIT) as good,
            subscribe(address, keys=strange / "client", timeout=LIMIT) as stranger,
        ):
            assert next(item for item in good if item.kind == "frame").image.shape == (48, 64, 3)
            assert next(stranger).state == "refused"

            config.write_text("nonsense: 1")
            (strange / "client" / "client.key").rename(folder / "allowed" / "stranger.key")
            live.process.send_signal(signal.SIGHUP)

            live.wait_for("configuration: what was read before holds")
            live.wait_for("keys: read again; 2 clients may subscribe")
            assert next(item for item in stranger if item.kind == "frame").image.shape == (48, 64, 3)
        live.process.send_signal(signal.SIGTERM)
        assert live.end() == 0


def test_open_to_the_network_without_keys(tmp_path: Path) -> None:
    """Is refused before anything is read; how to do it right is told."""
    write_video(tmp_path / "a.mkv", frames=1, pattern="smooth")

    done = run("live", str(tmp_path / "a.mkv"), "--publish", "tcp://0.0.0.0:*")

    assert done.returncode == 2
    assert "streamrestore keys new DIR" in done.stderr
    assert "--insecure" in done.stderr
