"""Writing results: the file sink, copies of untouched files, and what containers can hold."""

from streamrestore.encode.check import OutputPlan, check_output
from streamrestore.encode.copy import CannotCopy, copy_file
from streamrestore.encode.file import FileSink

__all__ = ["CannotCopy", "FileSink", "OutputPlan", "check_output", "copy_file"]
