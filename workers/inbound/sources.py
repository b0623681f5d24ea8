"""Mail in files: single messages, mbox, Maildir, folders of .eml, and pipes."""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from workers.errors import UnknownNameError
from workers.inbound.mime import MAX_BYTES

Message = tuple[str, bytes]

_BATCH_MESSAGES: Final = 100
_BATCH_BYTES: Final = 20 * 1024 * 1024
# What a program wrote between two messages: an envelope's sender and date, or the sender alone.
_DATED: Final = re.compile(
    rb"From \S+ +(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +(?:[A-Z][a-z]{2} +\d\d?|\d\d? +[A-Z][a-z]{2})|\d{4}-\d\d-\d\d)"
)
_SENDER_ALONE: Final = re.compile(rb"From (?:\S+@\S+|MAILER-DAEMON|-)?\s*$", re.IGNORECASE)
_FIELD: Final = re.compile(rb"[!-9;-~]{1,80}:|>From ")
_MAIL_FIELD: Final = re.compile(
    rb"(?:from|to|subject|date|message-id|received|return-path|delivered-to|mime-version|content-type|x-[\w-]{1,60}):",
    re.IGNORECASE,
)
_ESCAPED: Final = re.compile(rb">+From ")
# How far a message's headers are looked at to see that they are some.
_MOST_AHEAD: Final = 20


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
    if not first.startswith(b"From "):
        yield name, first + stream.read(MAX_BYTES + 1 - min(len(first), MAX_BYTES))
        return
    for number, raw in enumerate(_split_mbox(_Lines(stream)), 1):
        yield f"{name}:{number}", raw


class _Lines:
    """The lines of a stream, and what comes after them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._ahead: deque[bytes] = deque()

    def __iter__(self) -> Iterator[bytes]:
        while line := self._ahead.popleft() if self._ahead else self._stream.readline(MAX_BYTES):
            yield line

    def ahead(self) -> Iterator[bytes]:
        """The next lines, without taking them."""
        for position in range(_MOST_AHEAD):
            if position == len(self._ahead):
                self._ahead.append(self._stream.readline(MAX_BYTES))
            if not self._ahead[position]:
                return
            yield self._ahead[position]


def _split_mbox(lines: _Lines) -> Iterator[bytes]:
    """Split at From lines that a program wrote: dated, or a sender alone, or with the headers of a mail below."""
    message: list[bytes] = []
    size, blank = 0, True
    for line in lines:
        if line.startswith(b"From ") and _parts_messages(line, lines, after_blank=blank):
            if message:
                yield b"".join(message)
            message, size, blank = [], 0, False
            continue
        blank = not line.strip()
        if size <= MAX_BYTES:
            message.append(line[1:] if _ESCAPED.match(line) else line)
            size += len(line)
    yield b"".join(message)


def _parts_messages(line: bytes, lines: _Lines, *, after_blank: bool) -> bool:
    dated = _DATED.match(line) is not None
    if not (after_blank or dated):
        return False
    if after_blank and (dated or _SENDER_ALONE.match(line)):
        return True
    head: list[bytes] = []
    for below in lines.ahead():
        if not _FIELD.match(below) and not (head and below.startswith((b" ", b"\t"))):
            break
        head.append(below)
    return any(map(_MAIL_FIELD.match, head))


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
