"""Put a text on the clipboard, with whichever of the usual programs is there."""

import os
import shutil
import subprocess
from typing import Final

from linkage.errors import MachineError

_PROGRAMS: Final = (
    ("", ("pbcopy",)),
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard")),
    ("DISPLAY", ("xsel", "--clipboard", "--input")),
)


def copy(text: str, hint: str) -> str:
    """Put `text` on the clipboard; returns the program that took it. It goes in by stdin, so that no `ps` shows it.

    Args:
        text: what to copy.
        hint: what else a person can do where there is no such program.

    Raises:
        MachineError: there is no such program, or none works.
    """
    failed = []
    for needed, command in _PROGRAMS:
        if (needed and not os.environ.get(needed)) or not shutil.which(command[0]):
            continue
        try:
            # Some stay in the background to serve the text: they must not hold our pipes.
            done = subprocess.run(
                command,
                input=text.encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=10,
                check=False,
            )
        except (OSError, subprocess.SubprocessError):
            failed.append(command[0])
            continue
        if done.returncode == 0:
            return command[0]
        failed.append(command[0])
    what = f"{', '.join(failed)} failed" if failed else "none of pbcopy, wl-copy, xclip and xsel works here"
    raise MachineError(f"Nothing could be copied: {what}.", hint)
