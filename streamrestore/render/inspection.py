"""What `inspect` found, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamrestore.render.report_json import to_json

if TYPE_CHECKING:
    from streamrestore.pipeline.plan import Plan


def inspection_json(plan: Plan) -> str:
    """Streams, picture, colour, timing, and every clip."""
    return to_json(inspection(plan)).decode()


def inspection(plan: Plan) -> dict[str, Any]:
    """The document: stable names for programs; numbers of colour tags are H.273's."""
    info = plan.info
    width, height = info.displayed_size
    coding = info.color.coding(info.format, width, height)
    return {
        "input": info.name,
        "container": info.container,
        "duration_seconds": _seconds(info.duration),
        "frames": plan.frames,
        "frames_claimed": info.frame_count,
        "streams": [
            {
                "index": stream.index,
                "kind": stream.kind,
                "codec": stream.codec,
                "time_base": stream.time_base,
                "start_seconds": _seconds(stream.start),
                "duration_seconds": _seconds(stream.duration),
                "metadata": dict(stream.metadata),
                "restored": stream.index == info.video.index,
            }
            for stream in info.streams
        ],
        "picture": {
            "width": width,
            "height": height,
            "stored_width": info.width,
            "stored_height": info.height,
            "rotation": info.rotation,
            "sample_aspect_ratio": info.sample_aspect_ratio,
            "interlaced": info.interlaced,
            "interlaced_frames": plan.scan.interlaced,
            "top_field_first_frames": plan.scan.top_first,
            "deinterlace": plan.deinterlace,
            "pixel_format": info.pixel_format,
            "depth": info.format.depth,
        },
        "color": {
            "matrix": info.color.matrix,
            "range": info.color.range,
            "primaries": info.color.primaries,
            "transfer": info.color.transfer,
            "used_matrix": int(coding.matrix),
            "used_range": "full" if coding.full else "limited",
            "assumed": list(coding.assumed),
        },
        "timing": plan.timing,
        "clips": plan.clips,
        "losses": dict(plan.losses),
        "notes": list(plan.notes),
    }


def _seconds(value: Any) -> float | None:
    return None if value is None else float(value)
