"""Which encoding a text file is in: told from all of its bytes; what only looks like one is refused."""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from workers.load.row import FileError
from workers.load.text import quoted

_MARKS: Final = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_WESTERN: Final = "windows-1252"
# What a file may be that is neither, for the message: by the letters of Central Europe, Cyrillic, Greek, Turkish,
# Baltic, then of old Macs and of DOS ("CSV (Macintosh)", "CSV (MS-DOS)").
_OTHERS: Final = (
    "windows-1250", "windows-1251", "windows-1253", "windows-1254", "windows-1257", "mac-roman", "cp850",
)  # fmt: skip

_WORD: Final = re.compile(rb"[^\s,;|\"]+")
_LETTER: Final = r"[^\W\d_]"
# What hardly stands in a word of Western Europe, but all over a text of another encoding that is read as this one.
_UNWESTERN: Final = re.compile(
    "[\x80-\x9f]"  # no character at all
    rf"|{_LETTER}[¡-¶¸-¿×÷ƒ†‡‰‹›•„”“‚ˆ…™]{_LETTER}"  # a sign within a word,
    rf"|{_LETTER}{{2}}[¡-¦¬¯³¹¿ƒ†‡‰•„‚ˆ]|[£¥¦¯³¹¼¾]{_LETTER}{{2}}"  # or glued to one
    r"|[a-zà-ÿ][À-ÞŒŸ–—]"  # a capital or a dash behind a small letter
    r"|[À-ÖØ-öø-ÿ]{3}"  # three accents running
    r"|[šžðþýŠŽÐÞÝ]"  # Czech and Croatian, Icelandic, Turkish; ö of old Macs
    r"|õ(?!e)|ã[b-df-hj-np-rtv-z]|ñ(?![aeiouáéíóúü])|œ(?![cdeisué])|ø[áí]"  # ő, ă, ń, ś, ř
    rf"|[èÈ][aeijkouáéí]|[ìùÌÙ]{_LETTER}"  # č, ě, ů
)
# A name of another country is one word among many.
_TOLERATED_SHARE: Final = 1 / 20
_LOST: Final = "\ufffd"
_LONGEST_LINE: Final = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Encoding:
    """How to decode a file, and what the report says about it."""

    name: str
    note: str | None = None


def encoding_of(file: BinaryIO, hint: str | None) -> Encoding:
    """Tell the encoding of a text file.

    A mark at its beginning decides, then UTF-8 if any of its letters proves that; else it is Windows-1252, as long as
    that reads as Western Europe writes.

    Args:
        file: the file, at its beginning; it is read to the end.
        hint: what it is if it is neither marked nor UTF-8.

    Raises:
        FileError: it is neither, and no hint says what it is.
        OSError: it cannot be read.
    """
    start = file.read(len(codecs.BOM_UTF8))
    for mark, name in _MARKS.items():
        if start.startswith(mark):
            return Encoding(name, None if name == "utf-8-sig" else "read as UTF-16")
    if len(start) > 1 and 0 in start[:2]:  # a header begins with a letter of ASCII, half of it a zero
        return Encoding("utf-16-be" if start[0] == 0 else "utf-16-le", "read as UTF-16")
    file.seek(0)
    return _of_lines(_lines(file), hint)


def damage(text: str) -> str | None:
    """Return what happened to a text before it came into its file, None if nothing did."""
    if _LOST in text:
        return f"{quoted(text)} has lost characters: export it again as UTF-8"
    try:
        original = text.encode(_WESTERN).decode()  # UTF-8 that was taken for Windows-1252
    except UnicodeError:
        return None
    return None if original == text else f"{quoted(text)} is garbled {quoted(original)}: export it again as UTF-8"


def _of_lines(lines: Iterable[bytes], hint: str | None) -> Encoding:
    number, unicode_lines, broken_lines, words = 0, 0, 0, 0
    example = b""
    strange: list[tuple[int, bytes]] = []
    for number, line in enumerate(lines, start=1):
        if line.isascii():
            continue
        try:
            line.decode()
            unicode_lines += 1
        except UnicodeDecodeError:
            found = [word for word in _WORD.findall(line) if not word.isascii()]
            broken_lines += 1
            words += len(found)
            example = example or found[0]
            strange += [(number, word) for word in found if _UNWESTERN.search(_western(word))]
    doubtful = len(strange) >= max(1, words * _TOLERATED_SHARE)
    if hint is None and (unicode_lines or (doubtful and broken_lines <= number * _TOLERATED_SHARE)):
        return Encoding("utf-8-sig")  # some of its lines are broken, and refused one by one
    if unicode_lines > broken_lines or words == 0:
        return Encoding("utf-8-sig")
    if hint is None and doubtful:
        number, word = strange[0]
        others = [f"{name} ({quoted(text)})" for name in _OTHERS if (text := _all_letters(word, name))]
        raise FileError(
            f"the file is not UTF-8, and read as Windows-1252 it says {quoted(_western(word))} in line {number}: say "
            f"what it is with --encoding, {_WESTERN} if that is right, or {', '.join(others[:3] or _OTHERS[:1])}"
        )
    name = hint or _WESTERN
    return Encoding(name, f"read as {name.capitalize()}: {quoted(example.decode(name, errors='replace'))}")


def _western(word: bytes) -> str:
    return "".join(word[i : i + 1].decode(_WESTERN, errors="ignore") or "\x81" for i in range(len(word)))


def _all_letters(word: bytes, encoding: str) -> str | None:
    try:
        text = word.decode(encoding)
    except UnicodeDecodeError:
        return None
    return text if all(char.isalpha() or char.isascii() for char in text) else None


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines; of one that is too long to be a row, nothing."""
    rest, too_long = b"", False
    while block := file.read(_LONGEST_LINE):
        *lines, rest = (rest + block).splitlines(keepends=True)
        if too_long and lines:
            lines[0], too_long = b"", False
        yield from lines
        if len(rest) > _LONGEST_LINE:
            rest, too_long = b"", True
    if not too_long:
        yield rest
