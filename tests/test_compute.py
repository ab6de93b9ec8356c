"""Where networks run, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from streamrestore import compute
from streamrestore.compute import choose_compute, free_memory, is_out_of_memory
from streamrestore.errors import DeviceError, UsageError

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


@pytest.fixture(autouse=True)
def threads() -> object:
    """Torch's thread count is as before afterwards."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class TestChoice:
    """`choose_compute`."""

    def test_every_choice_has_a_reason(self) -> None:
        """Device, precision and threads: what, and why."""
        chosen = choose_compute()

        assert [c.name for c in chosen.choices] == ["device", "precision", "threads"]
        assert all(c.value and c.why for c in chosen.choices)
        assert chosen.precision == chosen.choices[1].value

    @NO_GPU
    @pytest.mark.parametrize(
        ("units", "precision"), [({"amx_bf16": True}, "bf16"), ({"avx512_bf16": True}, "bf16"), ({}, "fp32")]
    )
    def test_precision_follows_the_cpu(
        self, units: dict[str, bool], precision: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """bf16 where the CPU has units for it; without them it would be slower than fp32."""
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)

        chosen = choose_compute("auto", "auto")

        assert chosen.device.type == "cpu"
        assert chosen.precision == precision
        assert all(unit in chosen.choices[1].why for unit in units)

    @pytest.mark.parametrize(("name", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
    def test_precision_may_be_asked_for(self, name: str, dtype: torch.dtype) -> None:
        """What the user says goes."""
        chosen = choose_compute("cpu", name)

        assert (chosen.dtype, chosen.precision) == (dtype, name)
        assert chosen.choices[1].why == "asked for"

    def test_threads_are_set(self) -> None:
        """Of torch."""
        choose_compute("cpu", threads=1)
        assert torch.get_num_threads() == 1
        choose_compute("cpu", threads=2)
        assert torch.get_num_threads() == 2

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"precision": "fp16"}, "no precision 'fp16'; there are auto, fp32, bf16"),
            ({"threads": 0}, "threads is 0"),
        ],
    )
    def test_bad_arguments(self, arguments: dict[str, object], words: str) -> None:
        """They are refused, not taken for something else."""
        with pytest.raises(UsageError, match=words):
            choose_compute("cpu", **arguments)  # type: ignore[arg-type]

    @pytest.mark.parametrize("device", ["cuda:77", "abacus", "xpu:3"])
    def test_no_such_device(self, device: str) -> None:
        """One line with the name and what to do; torch's own words are in it."""
        with pytest.raises(
            DeviceError, match=f"device '{device}' cannot be used: .+; try --device cpu"
        ) as it:
            choose_compute(device)

        assert "\n" not in str(it.value)


class TestMemory:
    """How much is left, and when it is gone."""

    def test_free_memory(self) -> None:
        """Some, and not more than any machine has."""
        assert 1 << 20 < free_memory(torch.device("cpu")) < 1 << 50

    def test_systems_that_do_not_say(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without /proc and sysconf (macOS, Windows) a guess is taken."""
        monkeypatch.setattr(Path, "exists", lambda _: False)

        def unknown(_: str) -> int:
            raise ValueError("unrecognized configuration name")

        monkeypatch.setattr("os.sysconf", unknown)

        assert free_memory(torch.device("cpu")) == compute.UNKNOWN_MEMORY

    def test_out_of_memory_is_known(self) -> None:
        """What torch raises when the CPU's memory is gone is seen for what it is."""
        with pytest.raises(RuntimeError) as full:
            torch.empty(1 << 46, dtype=torch.uint8)

        assert is_out_of_memory(full.value)
        assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))

    def test_other_errors_are_not(self) -> None:
        """A wrong shape does not get better on smaller tiles."""
        with pytest.raises(RuntimeError) as wrong:
            torch.zeros(2, 3) @ torch.zeros(2, 3)

        assert not is_out_of_memory(wrong.value)
