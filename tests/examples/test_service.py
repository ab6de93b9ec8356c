"""The files that run the live service under systemd and in a container."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from click.testing import CliRunner

from streamrestore.cli.main import commands
from streamrestore.live import service

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "service"


def unit() -> configparser.SectionProxy:
    """The unit's part about the process."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(FOLDER / "streamrestore-live.service")
    return parser["Service"]


def test_the_unit_leaves_the_time_to_drain() -> None:
    """What the service allows itself fits into what systemd allows it, and nobody else is told to stop."""
    needed = service.DRAIN_SECONDS + service.LAST_SECONDS + service.PUBLISH_SECONDS

    assert needed < float(unit()["TimeoutStopSec"]) - 1
    assert unit()["KillMode"] == "mixed"
    assert "-HUP" in unit()["ExecReload"]


def test_the_commands_are_ours() -> None:
    """Unit and image start a command with options that there are."""
    dockerfile = (FOLDER / "Dockerfile").read_text()
    help_text = CliRunner().invoke(commands, ["live", "--help"]).output

    assert re.search(r'ENTRYPOINT \["streamrestore", "live"\]\nCMD \["--config"', dockerfile)
    assert "/streamrestore live --config" in unit()["ExecStart"]
    assert "--config" in help_text


def test_what_the_image_copies_is_there() -> None:
    """Relative to the root of the repository."""
    copied = re.findall(r"^COPY (.+) \S+$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)

    for name in " ".join(copied).split():
        assert (ROOT / name).exists(), name
