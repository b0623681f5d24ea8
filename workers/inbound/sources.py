"""Mail in files: single messages, mbox, Maildir, folders of .eml, and pipes."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from workers.errors import UnknownNameError
from workers.inbound.parse import MAX_BYTES

Message = tuple[str, bytes]

_BATCH_MESSAGES: Final = 100
_BATCH_BYTES: Final = 20 * 1024 * 1024
_SEPARATOR: Final = re.compile(rb"From \S+ .*\d\d:\d\d.*\d{4}")
_ESCAPED: Final = re.compile(rb">+From ")


def find_messages(path: Path) -> list[Path]:
    """Return the files to read at a place: itself, or the messages of a Maildir, or all .eml files below it.

    Raises:
        UnknownNameError: there is nothing, or a folder with neither.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UnknownNameError(f"{path} does not exist")
    if (path / "cur").is_dir() or (path / "new").is_dir():
        return sorted(file for name in ("cur", "new") for file in (path / name).glob("[!.]*") if file.is_file())
    found = sorted(path.rglob("*.eml"))
    if not found:
        raise UnknownNameError(f"{path} is no Maildir (it has neither cur nor new) and has no .eml files")
    return found


def read_file(path: Path) -> Iterator[Message]:
    """Yield the messages of one file, an mbox or a single message."""
    with path.open("rb") as file:
        yield from read_stream(file, str(path))


def read_stream(stream: BinaryIO, name: str) -> Iterator[Message]:
    """Yield the messages of a stream: an mbox if it begins with a From line, else one message.

    Of a message over the limit no more than the limit shows is kept: it will be set aside.
    """
    first = stream.readline(MAX_BYTES)
    if not _SEPARATOR.match(first):
        yield name, first + stream.read(MAX_BYTES + 1 - min(len(first), MAX_BYTES))
        return
    for number, raw in enumerate(_split_mbox(stream), 1):
        yield f"{name}:{number}", raw


def _split_mbox(stream: BinaryIO) -> Iterator[bytes]:
    """Split after blank lines at From lines with a date; a sentence that begins with From is none."""
    lines: list[bytes] = []
    size, blank = 0, False
    for line in iter(lambda: stream.readline(MAX_BYTES), b""):
        if blank and line.startswith(b"From ") and _SEPARATOR.match(line):
            yield b"".join(lines)
            lines, size, blank = [], 0, False
            continue
        blank = not line.strip()
        if size <= MAX_BYTES:
            lines.append(line[1:] if _ESCAPED.match(line) else line)
            size += len(line)
    yield b"".join(lines)


def batches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Yield the messages in batches that fit one transaction and the memory."""
    batch: list[Message] = []
    size = 0
    for message in messages:
        batch.append(message)
        size += len(message[1])
        if len(batch) >= _BATCH_MESSAGES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
