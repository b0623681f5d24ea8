"""From the bytes of a mail to text, whatever the label says: labels are often missing, old, or wrong."""

import codecs
import re
from contextlib import suppress
from typing import Final, NamedTuple

from charset_normalizer import from_bytes

_SAMPLE: Final = 4_096
_LONGEST_REPAIRED: Final = 100_000
_ASCII: Final = bytes(range(128))
# Labels that stand for more than they name: the superset that programs really write.
_SUPERSETS: Final = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "cp950",
    "koi8-r": "koi8-u",
}
# Spellings that no codec goes by.
_SPELLINGS: Final = (
    (re.compile(r"^x-(?=sjis|euc|gbk|big5|mac)"), ""),
    (re.compile(r"^ks_?c_?5601.*"), "cp949"),
    (re.compile(r"^(?:windows|cp|ibm|dos)-?(\d{3,4}).*"), r"cp\1"),
    (re.compile(r"^windows-31j$"), "cp932"),
    (re.compile(r"^iso-2022-jp.*"), "iso-2022-jp"),
    (re.compile(r"^(iso-8859-\d+)-[ie]$"), r"\1"),
    (re.compile(r"^mac-cyrillic$"), "mac_cyrillic"),
    (re.compile(r"^(?:utf8mb4|unicode)$"), "utf-8"),
)
NO_CHARSETS: Final = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"})
"""Codecs that belong to no mail: quadratic, or meant for program text."""

# One byte, one letter: such a charset decodes anything, so that it does proves nothing.
_SINGLE_BYTE: Final = re.compile(r"cp(?:12|4|8)\d+|iso8859-\d+|koi8-\w|mac-\w+")
# The charsets in which unlabelled mail is found, each with letters that no text of its language goes without.
_CYRILLIC, _CHINESE, _JAPANESE = "оеаинт", "的一了是不我有在您好", "のにはをがでとすたまし"
_FREQUENT: Final = {
    "gb18030": _CHINESE + "们个这谢",
    "cp950": _CHINESE + "們個這謝",
    "cp932": _JAPANESE,
    "euc_jp": _JAPANESE,
    "cp949": "이다는을를가에요니고",
    "cp1251": _CYRILLIC,
    "koi8_u": _CYRILLIC,
    "cp1253": "αοιετσν",
    "cp1255": "יוהלאר",
    "cp1256": "اليمنو",
    "cp874": "าอนรก",
}
# Others with the letters of one of those: too rare to be guessed, but a label may name them.
_SAME_LETTERS: Final = {
    "koi8-u": "koi8_u",
    "iso8859-5": "cp1251",
    "mac-cyrillic": "cp1251",
    "cp855": "cp1251",
    "cp866": "cp1251",
    "iso8859-6": "cp1256",
    "cp720": "cp1256",
    "iso8859-7": "cp1253",
    "mac-greek": "cp1253",
    "cp737": "cp1253",
    "cp869": "cp1253",
    "iso8859-8": "cp1255",
    "cp862": "cp1255",
}
_LEAST_FREQUENT: Final = 0.05
# Four letters beyond ASCII in a row are not Latin; a Western text has them one by one.
_NOT_LATIN: Final = re.compile(rb"[\x80-\xff]{4}")
_SYMBOL_IN_WORD: Final = re.compile(r"(?<=[^\W\d_])[\xa1-\xbf\xd7\xf7](?=[^\W\d_])")
_JIS_MODE: Final = re.compile(rb"\x1b(\$[@B]|\(I|\([BJ])")
_HIGH_BIT: Final = bytes(byte | 0x80 if 0x21 <= byte <= 0x7E else byte for byte in range(256))  # noqa: PLR2004  # JIS
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
# A character beyond the first 65,536 as CESU-8 and old programs in Java have it: a surrogate pair, each half in UTF-8.
_PAIR: Final = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")
# Quotation marks and dashes that a Windows program left in a UTF-8 text.
_PUNCTUATION: Final = frozenset({0x85, *range(0x91, 0x98)})
_PROOF: Final = 4
# What two and three bytes of UTF-8 look like to a program that takes each for a letter: "Ã«", "â€™".
_TWICE: Final = re.compile("[ÂÃ][\x80-\xbf]|â€")


class Decoded(NamedTuple):
    """Text that PostgreSQL takes; and how it was read, where that is not as its label says."""

    text: str
    note: str | None = None


def decode(content: bytes, label: str | None = None) -> Decoded:
    """Decode bytes in the charset they are in. Never raises.

    A label counts as its superset (iso-8859-1 as windows-1252, gb2312 as gb18030, shift_jis, iso-2022-jp and
    ks_c_5601 as Microsoft's) unless the bytes contradict it: UTF-8 proves itself, and letters that are not Latin show
    in a Latin charset. Of a text with a few broken bytes only these are lost. An unknown charset is searched for in
    the first 4,096 bytes, and is windows-1252 if nothing speaks for another.

    Args:
        content: any bytes.
        label: the charset's name as the mail gives it, or None.
    """
    text, note = _decoded(content, _codec(label))
    if _TWICE.search(text) and (once := _encoded_once(text)):
        text, note = once, "encoded as utf-8 twice"
    return Decoded(clean(text), note)


def clean(text: str) -> str:
    """Text that PostgreSQL takes: without NUL, lone surrogates replaced."""
    text = text.replace("\0", "")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _codec(label: str | None) -> str | None:
    """The codec for a label; None for a label that means no charset."""
    name = (label or "").strip(" \t\"'<>;,").lower()[:40]
    for spelling, meant in _SPELLINGS:
        name = spelling.sub(meant, name)
    if not name or "\0" in name:
        return None
    with suppress(LookupError, ValueError):
        codec = codecs.lookup(name).name
        if codec not in NO_CHARSETS:
            bytes(4).decode(codec)  # base64 and its like are codecs, but not of text
            return _SUPERSETS.get(codec, codec)
    return None


def _decoded(content: bytes, codec: str | None) -> Decoded:
    if codec and codec.startswith(("utf-16", "utf-32")) and b"\0" not in content and _strict(content, "utf-8"):
        codec = None  # a page that says what it was before it was sent
    if unicode := _marked_unicode(content, codec):
        return unicode
    if (codec and codec.startswith("iso2022_jp")) or (content.isascii() and _JIS_MODE.search(content)):
        return Decoded(_iso_2022_jp(content))
    if content.isascii():
        return Decoded(_strict(content, codec or "ascii") or content.decode("ascii"))
    if codec in (None, "utf-8", "utf-7"):  # that one knows ASCII only
        return _unlabelled(content)
    return _labelled(content, str(codec))


def _marked_unicode(content: bytes, codec: str | None) -> Decoded | None:
    """The text behind a byte order mark, or of a label with two or four bytes a letter that has them."""
    if content.startswith(codecs.BOM_UTF8):
        return _unlabelled(content[len(codecs.BOM_UTF8) :])
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if marked or (codec and codec.startswith(("utf-16", "utf-32")) and b"\0" in content):
        text = _strict(content, codec if codec and not marked else "utf-16")
        return Decoded(text) if text is not None else None
    return None


def _strict(content: bytes, codec: str) -> str | None:
    vendors = codec == "euc_jp" and len(content) <= _LONGEST_REPAIRED
    try:
        text = content.decode(codec, "fleet-jis" if vendors else "strict")
    except (LookupError, ValueError):
        return None
    return None if vendors and _REPLACEMENT in text else text


def _encoded_once(text: str) -> str | None:
    """The text that somebody took for windows-1252 and encoded again; None if it is none."""
    with suppress(UnicodeEncodeError):
        return _strict(text.encode("cp1252", "fleet-cp1252"), "utf-8")
    return None


def _unlabelled(content: bytes) -> Decoded:
    """UTF-8; with single bytes that are none; or, if those prevail, another charset."""
    content = _PAIR.sub(_joined_pair, content)
    text = _strict(content, "utf-8")
    if text is not None:
        return Decoded(text)
    text, letters, lost = _mended_utf8(content)
    if lost <= letters:
        return Decoded(text, f"utf-8, characters lost: {lost}" if lost else "utf-8 with windows-1252 punctuation")
    codec = _detected(content)
    return Decoded(content.decode(codec, "replace"), f"read as {codec}")


def _joined_pair(pair: re.Match[bytes]) -> bytes:
    return pair[0].decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16").encode()


def _labelled(content: bytes, codec: str) -> Decoded:
    text = _strict(content, codec)
    latin = _SINGLE_BYTE.fullmatch(codec) is not None
    if text is None or latin or _strict(content, "utf-8") is not None:
        mended, letters, lost = _mended_utf8(content)
        # Two letters of another charset may look like UTF-8; a text does not.
        if (letters >= _PROOF and letters > 3 * lost) or (letters and not lost and (text is None or latin)):
            return Decoded(mended, f"{codec} is really utf-8" + (f", characters lost: {lost}" if lost else ""))
    if text is not None and not (latin and _NOT_LATIN.search(content)):
        return Decoded(text)
    if text is None:
        text = content.decode(codec, "replace")
    lost = text.count(_REPLACEMENT)
    few = lost <= _beyond_ascii(text) // 10 + 1
    found = codec
    if _frequent(text, codec) < _LEAST_FREQUENT:
        found = (few and _not_latin(content)) or (codec if few else _detected(content))
    if found != codec:
        return Decoded(content.decode(found, "replace"), f"{codec} is really {found}")
    return Decoded(text, f"{codec}, characters lost: {lost}" if lost else None)


def _mended_utf8(content: bytes) -> tuple[str, int, int]:
    """The text as UTF-8, how many of its letters beyond ASCII are sound, and how many are lost."""
    text = content.decode("utf-8", "fleet-utf-8" if len(content) <= _LONGEST_REPAIRED else "replace")
    lost = text.count(_REPLACEMENT) - content.count(_REPLACEMENT.encode())
    return text, _beyond_ascii(content.decode("utf-8", "ignore")), lost


def _beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _detected(content: bytes) -> str:
    """The charset of a text that has no right label."""
    found = _not_latin(content)
    if found:
        return found
    sample = content[:_SAMPLE]
    return min(("cp1252", "cp1250"), key=lambda codec: len(_SYMBOL_IN_WORD.findall(sample.decode(codec, "replace"))))


def _not_latin(content: bytes) -> str | None:
    """The charset of a text in other than Latin letters, if it is one."""
    first = _NOT_LATIN.search(content)
    if first is None or len(content.translate(None, _ASCII)) < 2 * _PROOF:
        return None
    sample = content[first.start() : first.start() + _SAMPLE]
    if len(sample) == _SAMPLE:  # not in the middle of a letter
        sample = sample.rpartition(b"\n")[0] or sample
    possible = from_bytes(sample, cp_isolation=list(_FREQUENT))
    score, codec = max(
        ((_frequent(str(match), match.encoding), match.encoding) for match in possible), default=(0.0, None)
    )
    return codec if score >= _LEAST_FREQUENT else None


def _frequent(text: str, codec: str) -> float:
    """The share of a charset's frequent letters among those beyond ASCII."""
    sample = text[:_SAMPLE].lower()
    frequent = _FREQUENT.get(_SAME_LETTERS.get(codec, codec), "")
    return sum(map(sample.count, frequent)) / max(_beyond_ascii(sample), 1)


def _iso_2022_jp(content: bytes) -> str:
    """ISO-2022-JP with what Japanese vendors added to it: circled digits, half-width kana, characters of names."""
    text = _strict(content, "iso2022_jp_ext")
    if text is not None:
        return text
    if len(content) > _LONGEST_REPAIRED:
        return content.decode("iso2022_jp_ext", "replace")
    pieces = _JIS_MODE.split(content)
    read = [pieces[0].decode("ascii", "replace")]
    for mode, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        high = piece.translate(_HIGH_BIT)
        if mode == b"(I":
            read.append(high.decode("cp932", "replace"))
        elif mode.startswith(b"$"):
            read.append(high.decode("euc_jp", "fleet-jis"))
        else:
            read.append(piece.decode("ascii", "replace"))
    return "".join(read)


def _vendors_jis(error: UnicodeError) -> tuple[str, int]:
    """A character that is in Microsoft's Japanese and not in the standard's."""
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101  # the only kind that decoding raises
    pair = error.object[error.start : error.start + 2]
    if len(pair) < 2:  # noqa: PLR2004  # a pair
        return _REPLACEMENT, error.start + 1
    row, cell = (byte & 0x7F for byte in pair)
    lead = ((row - 0x21) >> 1) + (0x81 if row < 0x5F else 0xC1)  # noqa: PLR2004  # Shift JIS skips A0 to DF
    trail = cell + 0x7E if row % 2 == 0 else cell + 0x1F + (cell >= 0x60)  # noqa: PLR2004  # and 7F
    return bytes([lead & 0xFF, trail & 0xFF]).decode("cp932", "replace"), error.start + 2


def _broken_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101  # the only kind that decoding raises
    byte = error.object[error.start]
    return bytes([byte]).decode("cp1252") if byte in _PUNCTUATION else _REPLACEMENT, error.end


def _unassigned(error: UnicodeError) -> tuple[bytes, int]:
    """The byte of a control character that windows-1252 does not have."""
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101  # the only kind that encoding raises
    letter = ord(error.object[error.start])
    if letter > 0xFF:  # noqa: PLR2004  # the text holds a letter that no single byte was
        raise error
    return bytes([letter]), error.start + 1


codecs.register_error("fleet-cp1252", _unassigned)
codecs.register_error("fleet-jis", _vendors_jis)
codecs.register_error("fleet-utf-8", _broken_byte)
