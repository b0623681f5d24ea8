"""What a bounce says in words: its own part without the original, whom it names, and which command was refused."""

import re
from itertools import islice, pairwise
from typing import Final

from workers.insight.addresses import ADDRESS, ADDRESS_ENDS, fold_address
from workers.insight.failures import Command
from workers.insight.phrases import load
from workers.insight.wording import Phrases, fold_words

__all__ = ["command_in", "entries", "named_in", "notice"]

_WORDS: Final = load("bounces")
_RETURNED: Final = Phrases(_WORDS["returned"])
_RETURNED_LINES: Final = frozenset(_WORDS["returned_lines"])
_COMMANDS: Final[tuple[tuple[Command, Phrases], ...]] = tuple(
    (command, Phrases(words)) for command, words in _WORDS["commands"].items()
)
_LONGEST_LINE: Final = 120
_BEGINNING: Final = 4_000
_MOST_LINES: Final = 1_000
_HEADERS: Final = 3  # lines that look like headers, one below the other, are headers
_MOST_ENTRIES: Final = 100
_MOST_NAMED: Final = 100

_LISTED: Final = rf"<?(?P<address>[^{ADDRESS_ENDS}]{{1,64}}@[\w.-]{{1,255}})>?"
# A line that begins with an address: "<ann@acme.example>: host …", "  * ann@acme.example", "ann@acme.example on …".
_ENTRY: Final = re.compile(
    rf"^[ \t]{{0,20}}(?:[*>-]{{1,3}}[ \t]+)?(?:[\w.+-]{{1,64}}:\d{{1,10}}:)?{_LISTED}[ \t]*(?:$|[:(;<]|\.\.\.|on |--)",
    re.MULTILINE,
)
# The transcript of sendmail: perhaps the dialogue, then what it makes of it: "550 <ann@acme.example>... User unknown".
_REFUSAL: Final = re.compile(
    r"^(?:>>>[^\n]{1,400}\n(?:<<<[^\n]{0,400}\n){1,20})?"
    rf"[45]\d\d (?:[45]\.\d{{1,3}}\.\d{{1,3}} )?{_LISTED}\.\.\. [^\n]{{1,400}}$",
    re.MULTILINE,
)
_DIALOGUE: Final = re.compile(
    r">>>[ \t]*(?P<command>EHLO|HELO|MAIL|RCPT|DATA)\b[^\n]{0,400}\n(?:<<<[ \t]*[23][^\n]{0,400}\n){0,20}<<<[ \t]*[45]",
    re.IGNORECASE,
)
_HEADER_LINE: Final = re.compile(
    r"(?:Return-Path|Received|From|To|Subject|Date|Message-ID|MIME-Version|X-[\w-]{1,60})[ \t]*:", re.IGNORECASE
)
_BEFORE_A_SENDER: Final = re.compile(
    r"(?:mail from|from|sender|sent by|postmaster)[ \t:]{0,3}\s{0,10}<?$", re.IGNORECASE
)


def notice(text: str) -> str:
    """What a report itself says: the text down to the original that is quoted below it."""
    lines = text.split("\n")[:_MOST_LINES]
    for number, line in enumerate(lines):
        words = fold_words(line[:_LONGEST_LINE])
        if words in _RETURNED_LINES or _RETURNED.found_in(words) or (number and _begins_headers(lines, number)):
            return "\n".join(lines[:number])
    return "\n".join(lines)


def _begins_headers(lines: list[str], number: int) -> bool:
    block = lines[number : number + _HEADERS]
    return len(block) == _HEADERS and all(_HEADER_LINE.match(line) for line in block)


def entries(text: str) -> dict[str, str]:
    """What a report says of each address that it lists on a line of its own, folded: from there to the next one."""
    found: dict[str, str] = {}
    places = [(match.start(), fold_address(match["address"])) for match in islice(_ENTRY.finditer(text), _MOST_ENTRIES)]
    # A reason may begin with the address again.
    places = [place for number, place in enumerate(places) if number == 0 or place[1] != places[number - 1][1]]
    for (start, address), (end, _) in pairwise([*places, (len(text), "")]):
        found.setdefault(address, text[start:end])
    for match in islice(_REFUSAL.finditer(text), _MOST_ENTRIES):
        found[fold_address(match["address"])] = match[0]
    return found


def named_in(text: str) -> list[str]:
    """The addresses that stand anywhere in a report but not as a sender's, folded; each once."""
    found = [
        fold_address(match[0].strip("'."))
        for match in islice(ADDRESS.finditer(text), _MOST_NAMED)
        if not _BEFORE_A_SENDER.search(text[max(0, match.start() - 30) : match.start()])
    ]
    return list(dict.fromkeys(found))


def command_in(text: str) -> Command | None:
    """The SMTP command that was refused, where a report says so: in words, or in a transcript (">>> RCPT TO:…")."""
    dialogue = _DIALOGUE.search(text[:_BEGINNING])
    if dialogue:
        said = dialogue["command"].upper()
        return next((command for command, _ in _COMMANDS if command == said), "CONNECT")
    words = fold_words(text[:_BEGINNING])
    return next((command for command, wording in _COMMANDS if wording.found_in(words)), None)
