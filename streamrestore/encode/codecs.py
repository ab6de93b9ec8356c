"""What the encoders take: pixel formats, quality, presets. Data, and the checks against it.

FFmpeg ignores options that an encoder does not know, so everything is checked here first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from streamrestore.errors import UsageError
from streamrestore.frames import MasteringDisplay
from streamrestore.settings import EncodeSettings

_X26X_PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip


def _yuv(depths: tuple[int, ...], samplings: tuple[int, ...] = (420, 422, 444)) -> tuple[str, ...]:
    return tuple(f"yuv{s}p" + (f"{d}le" if d > 8 else "") for d in depths for s in samplings)


@dataclass(frozen=True, slots=True)
class HdrOption:
    """How an encoder is told what display a video was graded on, and how bright it gets.

    Attributes:
        option: FFmpeg's name of the option that takes the encoder's own parameters.
        display, light: names of the parameters.
        whole: chromaticities in 1/50000 and luminances in 1/10000, instead of decimals.
    """

    option: str
    display: str
    light: str
    whole: bool = True

    def parameters(
        self, mastering: MasteringDisplay | None, light_level: tuple[int, int] | None
    ) -> list[str]:
        """What the encoder is to be told, each as ``name=value``."""
        found = []
        if mastering is not None:
            xy = [self._number(value, 50_000) for value in mastering.primaries]
            red, green, blue, white = (f"({x},{y})" for x, y in zip(xy[::2], xy[1::2], strict=True))
            least, most = (self._number(value, 10_000) for value in mastering.luminance)
            found.append(f"{self.display}=G{green}B{blue}R{red}WP{white}L({most},{least})")
        if light_level is not None and any(light_level):
            found.append(f"{self.light}={light_level[0]},{light_level[1]}")
        return found

    def _number(self, value: Fraction, unit: int) -> str:
        return str(round(value * unit)) if self.whole else f"{float(value):.6f}"


@dataclass(frozen=True, slots=True)
class CodecSpec:
    """One encoder.

    Attributes:
        name: as in `EncodeSettings.codec`, or ``vp9``; it is also FFmpeg's name of the codec.
        encoder: FFmpeg's name of the encoder.
        formats: pixel formats that it takes and keeps exactly as wide and as deep.
        crf: default constant quality; None for lossless.
        crf_max: the worst quality that it takes.
        preset: default preset; None if it has none.
        presets: all of them, fastest first.
        preset_option: FFmpeg's option for the preset.
        even: chroma that is subsampled wants an even size.
        options: set always.
        hdr: how it is told what HDR10 says of a whole video; None if it cannot be.
    """

    name: str
    encoder: str
    formats: tuple[str, ...]
    crf: float | None = None
    crf_max: float = 0.0
    preset: str | None = None
    presets: tuple[str, ...] = ()
    preset_option: str = "preset"
    even: bool = True
    options: Mapping[str, str] = field(default_factory=dict)
    hdr: HdrOption | None = None


CODECS: Mapping[str, CodecSpec] = {
    spec.name: spec
    for spec in (
        CodecSpec(
            "h264", "libx264", (*_yuv((8, 10)), "gray", "gray10le"),
            crf=18, crf_max=51, preset="medium", presets=_X26X_PRESETS,
            hdr=HdrOption("x264-params", "mastering-display", "cll"),
        ),
        CodecSpec(
            "hevc", "libx265",
            (*_yuv((8, 10, 12)), "gray", "gray10le", "gray12le", "gbrp", "gbrp10le", "gbrp12le"),
            crf=20, crf_max=51, preset="fast", presets=_X26X_PRESETS,
            hdr=HdrOption("x265-params", "master-display", "max-cll"),
        ),
        CodecSpec(
            "av1", "libsvtav1", _yuv((8, 10), (420,)),
            crf=26, crf_max=63, preset="8", presets=tuple(str(n) for n in range(13, -1, -1)), even=False,
            hdr=HdrOption("svtav1-params", "mastering-display", "content-light", whole=False),
        ),
        CodecSpec(
            "vp9", "libvpx-vp9", (*_yuv((8,), (420, 422, 440, 444)), "gbrp"),
            crf=24, crf_max=63, preset="4", presets=("5", "4", "3", "2", "1", "0"), preset_option="cpu-used",
            even=False, options={"deadline": "good", "row-mt": "1", "b": "0"},
        ),
        CodecSpec(
            "ffv1", "ffv1",
            (
                *_yuv((8,), (420, 422, 444, 440, 411, 410)), *_yuv((9, 10, 12, 14, 16)),
                "yuv440p10le", "yuv440p12le",
                "gray", *(f"gray{d}le" for d in (9, 10, 12, 14, 16)),
                "bgr0", *(f"gbrp{d}le" for d in (9, 10, 12, 14, 16)),
            ),
            even=False, options={"level": "3", "g": "1", "slicecrc": "1"},
        ),
    )
}  # fmt: skip
"""Every encoder, by name. ``vp9`` cannot be asked for: it is what `auto` means for webm."""


def check_quality(spec: CodecSpec, settings: EncodeSettings) -> None:
    """Refuse a constant quality or a preset that the encoder does not take.

    Raises:
        UsageError: naming what is allowed.
    """
    if settings.size_like_input and settings.crf is not None:
        raise UsageError(
            f"--size-like-input and --crf {settings.crf:g} both say how large the output gets; give one"
        )
    if settings.size_like_input and spec.crf is None:
        raise UsageError(f"--size-like-input: {spec.name} is lossless, and as large as it gets; leave it out")
    if settings.crf is not None:
        if spec.crf is None:
            raise UsageError(f"--crf {settings.crf:g}: {spec.name} is lossless and takes none; leave it out")
        if settings.crf > spec.crf_max:
            raise UsageError(f"--crf {settings.crf:g}: {spec.name} takes 0 (best) to {spec.crf_max:g}")
    if settings.preset is not None and settings.preset not in spec.presets:
        allowed = ", ".join(spec.presets) or "none: leave it out"
        raise UsageError(f"--preset {settings.preset}: {spec.name} takes {allowed}")


def encoder_options(
    spec: CodecSpec,
    settings: EncodeSettings,
    mastering: MasteringDisplay | None = None,
    light_level: tuple[int, int] | None = None,
) -> dict[str, str]:
    """Options of the encoder for checked settings; `threads` alone decides about parallelism."""
    options = dict(spec.options)
    crf = spec.crf if settings.crf is None else settings.crf
    preset = settings.preset or spec.preset
    if crf is not None:
        options["crf"] = f"{crf:g}"
    if preset is not None:
        options[spec.preset_option] = preset
    if spec.name == "hevc":  # x265 would size its thread pool by the machine, and write to stderr
        options["x265-params"] = f"log-level=error:pools={settings.threads}"
    if spec.hdr is not None:
        before = options.get(spec.hdr.option)
        told = [*filter(None, [before]), *spec.hdr.parameters(mastering, light_level)]
        options |= {spec.hdr.option: ":".join(told)} if told else {}
    return options
