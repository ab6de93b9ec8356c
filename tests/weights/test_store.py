"""Weights on disk: only what was published is loaded, and only into the network it belongs to."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from streamrestore.errors import WeightsError
from streamrestore.networks.addunet import AddUNet
from streamrestore.weights import store
from tests.networks.nets import small_addunet


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Weights of a small denoiser."""
    path = tmp_path / "noise.safetensors"
    store.write(path, "addunet", small_addunet(), {"minutes": "3"})
    return path


def saved(path: Path, tensors: dict[str, Tensor], **metadata: str) -> Path:
    """A safetensors file of somebody else's."""
    save_file(tensors, str(path), metadata=metadata or None)
    return path


class TestRead:
    """One file."""

    def test_what_was_written_comes_back(self, file: Path) -> None:
        """The same network, in evaluation mode, without gradients."""
        weights = store.read(file)

        network = weights.build()

        assert isinstance(network, AddUNet)
        assert network.config == small_addunet().config
        x = torch.randn(1, 48, 8, 8)
        assert torch.equal(network(x), small_addunet()(x))
        assert not network.training
        assert not any(p.requires_grad for p in network.parameters())
        assert weights.notes == {"minutes": "3"}
        assert weights.digest == store.digest_of(file)
        assert stat.S_IMODE(file.stat().st_mode) == 0o644

    def test_half_precision_is_enlarged(self, tmp_path: Path) -> None:
        """Weights may ship in fp16; networks are built in fp32."""
        path = tmp_path / "half.safetensors"
        store.write(path, "addunet", small_addunet(), {}, torch.float16)

        network = store.read(path).build()

        assert {p.dtype for p in network.parameters()} == {torch.float32}
        assert torch.allclose(network.stem.weight, small_addunet().stem.weight, rtol=1e-3)

    def test_altered(self, file: Path) -> None:
        """One bit is enough."""
        digest = store.digest_of(file)
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)

        with pytest.raises(WeightsError, match="altered since it was published"):
            store.read(file, digest=digest)

    def test_missing(self, tmp_path: Path) -> None:
        """The error names the file."""
        with pytest.raises(WeightsError, match=r"nothing\.safetensors: no such file"):
            store.read(tmp_path / "nothing.safetensors")

    @pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"\xff" * 100, b"PK\x03\x04" + bytes(64)])
    def test_no_safetensors(self, tmp_path: Path, content: bytes) -> None:
        """Pickles, archives and rubbish are refused, and never run."""
        path = tmp_path / "model.pt"
        path.write_bytes(content)

        with pytest.raises(WeightsError, match="not a safetensors file"):
            store.read(path)

    @pytest.mark.parametrize(
        ("metadata", "words"),
        [
            ({}, "which network it belongs to"),
            ({"network": "addunet"}, "which network it belongs to"),
            ({"network": "addunet", "shape": "{"}, "do not give the network's shape"),
            ({"network": "addunet", "shape": "[1, 2]"}, "do not give the network's shape"),
        ],
    )
    def test_metadata(self, tmp_path: Path, metadata: dict[str, str], words: str) -> None:
        """Tensors without our metadata belong to nobody."""
        path = saved(tmp_path / "x.safetensors", {"a": torch.zeros(2)}, **metadata)

        with pytest.raises(WeightsError, match=words):
            store.read(path)

    @pytest.mark.parametrize("change", ["shape", "missing", "further", "network"])
    def test_wrong_network(self, file: Path, change: str) -> None:
        """Tensors must be those of the network that the metadata name, all of them and no others."""
        weights = store.read(file)
        tensors = dict(weights.tensors)
        name, shape = "addunet", {"widths": [8, 12, 16]}
        if change == "shape":
            tensors["stem.bias"] = torch.zeros(9)
        elif change == "missing":
            del tensors["gates"]
        elif change == "further":
            tensors["extra"] = torch.zeros(1)
        else:
            name, shape = "expertnet", {}
        saved(file, tensors, network=name, shape=json.dumps(shape))

        with pytest.raises(WeightsError, match=f"{file}: tensor .* does not fit a network '{name}'"):
            store.read(file).build()

    def test_unknown_network(self, file: Path) -> None:
        """Weights of a newer version's network say so."""
        saved(file, dict(store.read(file).tensors), network="uffm", shape="{}")

        with pytest.raises(WeightsError, match="no network 'uffm'"):
            store.read(file).build()


class TestIndex:
    """What ships."""

    def write(self, folder: Path, file: Path) -> None:
        """An index of one file."""
        files = {"noise": store.digest_of(file)}
        index = {"tiers": {"fast": {"noise": "noise"}}, "router": "router", "files": files}
        (folder / "index.json").write_text(json.dumps(index))

    def test_files_are_verified(self, file: Path) -> None:
        """By name; an altered file is not used."""
        self.write(file.parent, file)

        assert store.read_shipped("noise", file.parent).digest == store.digest_of(file)
        file.write_bytes(file.read_bytes()[:-1] + b"?")
        with pytest.raises(WeightsError, match="altered"):
            store.read_shipped("noise", file.parent)

    def test_not_in_it(self, file: Path) -> None:
        """A file whose hash nobody published is not read."""
        self.write(file.parent, file)

        with pytest.raises(WeightsError, match="no 'rain'; it has noise"):
            store.read_shipped("rain", file.parent)

    @pytest.mark.parametrize("content", [None, "{", '{"tiers": {}}'])
    def test_broken(self, tmp_path: Path, content: str | None) -> None:
        """An installation without its index says what to do."""
        if content is not None:
            (tmp_path / "index.json").write_text(content)

        with pytest.raises(
            WeightsError, match=r"index\.json: the index of weights cannot be read .* install"
        ):
            store.read_index(tmp_path)

    def test_what_ships_is_whole(self) -> None:
        """Every file of the index is there, unaltered, fits its network, and has the tier's branches."""
        index = store.read_index()

        for name in index.files:
            network = store.read_shipped(name).build()
            branches = {branch for tier in index.tiers.values() for branch, f in tier.items() if f == name}
            assert branches <= set(getattr(network, "branches", ()))
        assert index.router in index.files
        assert set(index.tiers["fast"]) == {"rain", "haze", "raindrop", "noise"}
