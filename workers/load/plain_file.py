"""Opening files of a folder that somebody else filled."""

import stat
from io import BufferedReader
from pathlib import Path
from typing import Final

from workers.load.row import FileError

LARGEST: Final = 1_000_000_000  # bytes


def open_plain(path: Path) -> tuple[BufferedReader, int]:
    """Open a file and return it with its size; what never ends (a device, a pipe) is not even opened.

    Raises:
        FileError: it is no plain file, whatever links lead there, or too large.
        OSError: it cannot be opened.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise FileError("it is no plain file")
    if found.st_size > LARGEST:
        raise FileError(f"the file has more than {LARGEST:,} bytes: split it")
    return path.open("rb"), found.st_size
