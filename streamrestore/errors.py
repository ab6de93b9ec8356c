"""Every error that the package raises on purpose.

StreamRestoreError
  + UsageError             2    a bad option, settings or plan
  + InputError             1    the input cannot be used
  |   - InputNotFound           nothing there
  |   - InputUnreadable         no container or codec of FFmpeg reads it
  |   - InputRefused            the server wants another user or password
  |   - NoVideo                 it has no video stream
  |   - UnsupportedVideo        it has one that we do not handle
  |   - DamagedInput            damaged, and --strict was asked for
  + OutputError            1    the output cannot be written
  |   - OutputExists            it is there already
  |   - UnsupportedOutput       the container or codec cannot hold it
  |   - OutputBlocked           nobody takes what is published
  + WeightsError           1    missing, altered, or of another network
  + DeviceError            1    the device that was asked for is not there
  + StageError             3    a stage of the pipeline broke
  + WireError              1    a message from the network is not one of ours
  |   - WireTimeout             nothing came in the time that was given
  + SessionError           1    a live session ended for good
  + Interrupted            130  the user asked to stop

The number is the exit status of the command line. Each message says what, where, and what to do.
"""

from __future__ import annotations

from typing import ClassVar

DONE_WITH_LOSSES = 4
"""Exit status of a run that finished, but not everything could be decoded."""


class StreamRestoreError(Exception):
    """Base of every error that the package raises on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(StreamRestoreError, ValueError):
    """A bad option, setting or plan."""

    exit_code = 2


class InputError(StreamRestoreError):
    """The input cannot be used."""


class InputNotFound(InputError, FileNotFoundError):
    """There is no such file."""


class InputUnreadable(InputError, OSError):
    """No container or codec of FFmpeg reads it, or the system refuses."""


class InputRefused(InputError, PermissionError):
    """The server refuses user and password."""


class NoVideo(InputError, ValueError):
    """The input has no video stream."""


class UnsupportedVideo(InputError, ValueError):
    """The video stream is of a kind that is not handled."""


class DamagedInput(InputError, ValueError):
    """The input is damaged, and ``--strict`` was asked for."""


class OutputError(StreamRestoreError, OSError):
    """The output cannot be written."""


class OutputExists(OutputError, FileExistsError):
    """The output is there already."""


class UnsupportedOutput(OutputError, ValueError):
    """The container or the codec cannot hold what is to be written."""


class OutputBlocked(OutputError, TimeoutError):
    """Nobody takes what is published."""


class WeightsError(StreamRestoreError, ValueError):
    """Weights are missing, altered, or belong to another network."""


class DeviceError(StreamRestoreError, RuntimeError):
    """The device or precision that was asked for is not there."""


class StageError(StreamRestoreError, RuntimeError):
    """A stage of the pipeline broke unexpectedly.

    Args:
        stage: name of the stage.
        cause: what it raised.
        frame: index of the frame at hand, where known.
    """

    exit_code = 3

    def __init__(self, stage: str, cause: BaseException, frame: int | None = None) -> None:
        where = f" at frame {frame}" if frame is not None else ""
        super().__init__(
            f"the {stage} stage broke{where}: {type(cause).__name__}: {cause}; "
            "this is a defect: run again with --debug for the traceback and report it"
        )
        self.stage, self.cause, self.frame = stage, cause, frame

    def __reduce__(self) -> tuple[type[StageError], tuple[str, BaseException, int | None]]:
        return StageError, (self.stage, self.cause, self.frame)  # workers send it to their parent


class WireError(StreamRestoreError, ValueError):
    """A message from the network is not one of ours."""


class WireTimeout(WireError, TimeoutError):
    """Nothing came from the network in the time that was given."""


class SessionError(StreamRestoreError, RuntimeError):
    """A live session ended for good."""


class Interrupted(StreamRestoreError):
    """The user asked to stop."""

    exit_code = 130
