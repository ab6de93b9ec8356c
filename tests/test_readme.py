"""What the README says can be copied and pasted, and works."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()
CLIP = ROOT / "examples/clips/surveillance_raindrop.mp4"


def blocks(language: str) -> list[str]:
    """Code of all fences of a language."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the videos that the README's user has."""
    shutil.copy(CLIP, tmp_path / "dashcam.mp4")
    (tmp_path / "recordings").mkdir()
    shutil.copy(CLIP, tmp_path / "recordings" / "monday.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestReadme:
    def test_commands_run(self, folder: Path) -> None:
        """Each `streamrestore` line of a shell block exits with 0."""
        lines = [
            line
            for block in blocks("sh")
            for line in block.splitlines()
            if line.startswith("streamrestore") and line.split()[1] not in ("live", "watch")  # have no end
        ]
        assert len(lines) >= 3
        for line in lines:
            words = [sys.executable, "-m", *shlex.split(line)]
            result = subprocess.run(words, capture_output=True, text=True)
            assert result.returncode == 0, (line, result.stderr)
        made = {"restored", "comparison", "sample", "sample.compare", "part", "planned"}
        assert made <= {path.stem for path in folder.glob("*.mp4")}
        assert (folder / "report.html").exists()
        assert (folder / "restored" / "monday.mp4").exists()
        assert (folder / "keys" / "detector").is_dir()

    @pytest.mark.parametrize("code", [code for code in blocks("python") if "subscribe" not in code])
    def test_python_runs(self, code: str, folder: Path) -> None:
        """Each Python block runs as it stands."""
        assert folder.exists()
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102 - that is the test

    @pytest.mark.network
    def test_live(self, folder: Path) -> None:
        """What is published by the one example arrives in the other; a file that loops is the camera."""
        line = re.findall(r"^streamrestore live .*$", TEXT, re.MULTILINE)[0]
        (code,) = [code for code in blocks("python") if "subscribe" in code]
        address = f"ipc://{folder}/frames"  # the README's port may be taken here
        camera = line.replace("rtsp://192.168.1.20/stream", "dashcam.mp4 --loop")
        command, code = (text.replace("tcp://127.0.0.1:5555", address) for text in (camera, code))
        assert command.count(address) == code.count(address) == command.count("dashcam.mp4") == 1

        service = subprocess.Popen([sys.executable, "-m", *shlex.split(command)])
        reader = subprocess.Popen([sys.executable, "-uc", code], stdout=subprocess.PIPE, text=True)
        try:
            assert reader.stdout is not None
            assert re.match(r"cam1 \d+\.\d+ \(\d+, \d+, 3\) Decision", reader.stdout.readline())
        finally:
            reader.kill()
            service.terminate()
            reader.communicate()
            service.wait()

    def test_make_targets_exist(self) -> None:
        """Each `make` target that the documents name is one of the Makefile's."""
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        documents = TEXT + (ROOT / "CONTRIBUTING.md").read_text()
        named = set(re.findall(r"make ([a-z-]+)(?= +#|`)", documents))
        assert {"demo", "test"} <= named <= targets

    def test_links_lead_somewhere(self) -> None:
        """Each relative link and picture of the README is a file."""
        links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
        assert links
        assert [link for link in links if not (ROOT / link).exists()] == []

    def test_python_is_new_enough(self) -> None:
        """The version that the README asks for is the one that the package asks for."""
        asked = re.search(r'requires-python = ">=(\d+)\.(\d+)"', (ROOT / "pyproject.toml").read_text())
        assert asked is not None
        assert f"Python {asked[1]}.{asked[2]} or newer" in TEXT
        assert sys.version_info >= (int(asked[1]), int(asked[2]))
