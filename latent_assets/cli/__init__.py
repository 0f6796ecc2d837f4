"""The command line `latent-assets`.

Importing it loads neither Dagster nor TensorFlow: `--help` answers at once.
"""

import atexit
import codecs
import contextlib
import gc
import io
import logging
import os
import sys

from latent_assets import interrupts
from latent_assets.errors import LatentAssetsError, StoppedError, UsageError

LIKENESSES = {"→": "->", "…": "..."}


def main() -> None:
    """Run the command line.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 128 and the signal's number if one stopped it.
    """
    # TensorFlow's build notes are no news to a person; its errors still come through.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # SQLAlchemy shows a traceback of an interrupt while it closes a connection, and passes it on.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    # What is left at the end goes with the process: to look through Dagster's and TensorFlow's
    # objects for cycles once more takes a second.
    atexit.register(gc.freeze)
    _speak_any_encoding()
    with interrupts.hearing(at_once=_end_at_once):
        try:
            interrupts.raise_keyboard_interrupt()
            code = _run()
            interrupts.nothing_is_left()
        except KeyboardInterrupt:
            interrupts.nothing_is_left()
            code = _tell(StoppedError("interrupted"))
        with contextlib.suppress(OSError, ValueError):  # Python tries again, and says so
            sys.stdout.flush()
    interrupts.by_default()
    sys.exit(code)


def _speak_any_encoding() -> None:
    """A terminal or a file that has no → gets ->, and an escape for what has no likeness."""
    codecs.register_error("likeness", _likeness)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != "surrogateescape":
            stream.reconfigure(errors="likeness")


def _likeness(error: UnicodeError) -> tuple[str | bytes, int]:
    """Of one character."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    start = error.start
    if likeness := LIKENESSES.get(error.object[start]):
        return likeness, start + 1
    return codecs.backslashreplace_errors(
        UnicodeEncodeError(error.encoding, error.object, start, start + 1, error.reason)
    )


def _run() -> int:
    """Returns the exit code."""
    gc.disable()
    from typer import BadParameter

    from latent_assets.cli import common
    from latent_assets.cli.app import app

    # Modules hold no garbage: to look through them again and again is a tenth of a long `list`.
    gc.freeze()
    gc.enable()
    common.begin()
    wrong_usage = next(each for each in BadParameter.__mro__ if each.__name__ == "ClickException")
    try:
        code = app(standalone_mode=False) or 0
    except LatentAssetsError as error:
        return _tell(error)
    except wrong_usage as error:
        from typer import rich_utils

        rich_utils.rich_format_error(error)
        return _tell_json(UsageError(error.format_message()))
    except Exception as defect:
        if interrupts.asked() is not None and interrupts.is_behind(defect):
            return _tell(StoppedError("interrupted"))
        _tell_json(LatentAssetsError(f"a defect of latent-assets: {defect!r}"))
        raise
    # Typer's own way with a command that was interrupted.
    return _tell(StoppedError("interrupted")) if code == StoppedError.exit_code else code


def _tell(error: LatentAssetsError) -> int:
    """Returns the exit code."""
    print(f"latent-assets: {error}", file=sys.stderr)
    return _tell_json(error)


def _tell_json(error: LatentAssetsError) -> int:
    """Whoever asked for JSON gets an object, also of an error. Returns the exit code."""
    code = error.exit_code
    if isinstance(error, StoppedError) and (number := interrupts.asked()):
        code = interrupts.OF_SIGNALS + number
    options = sys.argv[1:]
    if "--json" in options[: options.index("--") if "--" in options else None]:
        from latent_assets.cli import common

        if not common.has_emitted():
            common.emit({**common.error_document(error), "exit_code": code})
    return code


def _end_at_once(number: int) -> None:
    """Whatever the main thread does: what is stored is whole, and the next render goes on."""
    show_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""
    os.write(2, f"{show_cursor}\nlatent-assets: stopped at once\n".encode())
    os._exit(interrupts.OF_SIGNALS + number)
