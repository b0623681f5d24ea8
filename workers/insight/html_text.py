"""HTML mail as plain text that keeps what matters for reading it: lines, quotes and signature marks."""

import re
from html.parser import HTMLParser
from itertools import islice
from typing import Final

__all__ = ["html_to_text"]

_BLOCKS: Final = frozenset(
    [
        "address",
        "article",
        "aside",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
        "blockquote",
    ]
)
_HIDDEN: Final = re.compile(r"\bdisplay *: *none\b|\bvisibility *: *hidden\b", re.IGNORECASE)
_SILENT: Final = frozenset({"script", "style", "head", "title", "template", "object", "noscript"})
_VOID: Final = frozenset({"br", "hr", "img", "input", "meta", "link", "area", "base", "col", "wbr", "source"})
_PARAGRAPHS: Final = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6"})
_QUOTES: Final = re.compile(
    r"yahoo_quoted|protonmail_quote|tutanota_quote|zmail_extra|moz-forward|freebirdFormviewer|freyja_quote|gmx_quote",
    re.IGNORECASE,
)
_ORIGINALS: Final = re.compile(
    r"divRplyFwdMsg|appendonsend|mail-editor-reference-message|isForwardContent|OLK_SRC_BODY_SECTION|x_divRplyFwdMsg",
    re.IGNORECASE,
)
_SIGNATURES: Final = re.compile(
    r"gmail_signature(?!_prefix)|moz-signature|ms-outlook-mobile-signature|^Signature$", re.IGNORECASE
)
_LONE: Final = re.compile(r"<(?![^<>]*>)")
_SPACES: Final = re.compile(r"[ \t\r\n\f]+")
_DEEPEST: Final = 200
_MOST_LINES: Final = 5_000
_MOST_TAGS: Final = 8_000


def html_to_text(html: str) -> str:
    """Turn a mail's HTML into lines.

    Quoted parts (`blockquote`, and the containers Gmail, Yahoo, Outlook and others put originals into) come out with
    "> " before each line or behind an "Original Message" divider, a marked signature behind "-- ".

    Args:
        html: Any string; broken or deeply nested markup is read as far as it makes sense.

    Returns:
        The text, its lines without trailing spaces. Never raises; work is linear in the input, of which the
        first 8,000 tags are read.
    """
    reader = _Reader()
    try:
        # A "<" whose ">" never comes makes the standard parser read the rest again and again.
        reader.feed(_LONE.sub("&lt;", _first_tags(_without_comments(html))))
        reader.close()
    except (AssertionError, ValueError):
        # The standard parser gives up on some malformed declarations: what was read so far is still text.
        pass
    return reader.text()


def _first_tags(html: str) -> str:
    tag = next(islice(re.finditer("<", html), _MOST_TAGS, None), None)
    return html if tag is None else html[: tag.start()]


def _without_comments(html: str) -> str:
    kept: list[str] = []
    at = 0
    while (start := html.find("<!--", at)) >= 0:
        kept.append(html[at:start])
        end = html.find("-->", start)
        if end < 0:
            return "".join(kept)
        at = end + len("-->")
    return "".join([*kept, html[at:]])


def _is_hidden(attrs: list[tuple[str, str | None]]) -> bool:
    """Whether mail programs show nothing of an element: a newsletter's preview text, mostly."""
    return any(name == "hidden" or (name == "style" and _HIDDEN.search((value or "")[:500])) for name, value in attrs)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = []
        self._line: list[str] = []
        self._open: list[tuple[str, str]] = []  # (tag, what it opened: "quote", "silent" or "")
        self._quotes = 0
        self._silent = 0
        self._pre = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self._newline()
            return
        if tag == "hr":
            self._newline()
            return
        if tag in {"td", "th"} and self._line:
            self._line.append("  ")
        if tag in _VOID or len(self._open) >= _DEEPEST:
            return
        if tag in _BLOCKS:
            self._newline(only_if_begun=True)
        self._open.append((tag, self._opened_by(tag, attrs)))
        self._pre += tag == "pre"

    def _opened_by(self, tag: str, attrs: list[tuple[str, str | None]]) -> str:
        named = " ".join(value for name, value in attrs if value and name in {"class", "id"})[:500]
        if tag in _SILENT or _is_hidden(attrs):
            self._silent += 1
            return "silent"
        if tag == "blockquote" or _QUOTES.search(named):
            self._newline(only_if_begun=True)
            self._quotes += 1
            return "quote"
        if _ORIGINALS.search(named) and not self._quotes:
            self._emit("-----Original Message-----")
        elif _SIGNATURES.search(named) and not self._quotes and (self._last_text() != "--"):
            self._newline(only_if_begun=True)
            self._emit("-- ")
        return ""

    def handle_endtag(self, tag: str) -> None:
        if tag not in {opened for opened, _ in self._open[-20:]}:
            return
        if tag in _BLOCKS:
            self._newline(only_if_begun=True)
        while self._open:
            opened, what = self._open.pop()
            self._quotes -= what == "quote"
            self._silent -= what == "silent"
            self._pre -= opened == "pre"
            if opened == tag:
                break
        if tag in _PARAGRAPHS:
            self._emit("")

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        if self._pre:
            first, *rest = data.split("\n")
            self._line.append(first)
            for line in rest:
                self._newline()
                self._line.append(line)
            return
        text = _SPACES.sub(" ", data.replace("\u00a0", " "))
        if text and (text != " " or self._line):
            self._line.append(text)

    def _newline(self, *, only_if_begun: bool = False) -> None:
        line = "".join(self._line)
        self._line.clear()
        if not self._pre:
            line = line.strip(" ")
        if line or not only_if_begun:
            self._emit(line)

    def _emit(self, line: str) -> None:
        if len(self._lines) < _MOST_LINES:
            self._lines.append("> " * min(self._quotes, 5) + line)

    def _last_text(self) -> str:
        pending = "".join(self._line).strip()
        if pending:
            return pending
        return next((line.strip() for line in reversed(self._lines[-3:]) if line.strip()), "")

    def text(self) -> str:
        self._newline(only_if_begun=True)
        return "\n".join(line if line == "-- " else line.rstrip() for line in self._lines).strip("\n")
