"""Writing results: the file sink, copies of untouched files, and what containers can hold."""

from streamrestore.encode.check import OutputPlan, check_output
from streamrestore.encode.copy import CannotCopy, copy_file
from streamrestore.encode.file import FileSink
from streamrestore.encode.head import VideoHead, video_head
from streamrestore.encode.join import join_segments
from streamrestore.encode.segment import SegmentReport, SegmentSink, common_level
from streamrestore.encode.span import Span

__all__ = [
    "CannotCopy",
    "FileSink",
    "OutputPlan",
    "SegmentReport",
    "SegmentSink",
    "Span",
    "VideoHead",
    "check_output",
    "common_level",
    "copy_file",
    "join_segments",
    "video_head",
]
