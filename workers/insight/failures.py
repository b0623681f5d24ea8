"""Whose fault it was that a message could not be delivered: one pure function, for SMTP answers and bounces alike.

The rules are data: `data/failures.json` lists the kinds of failure in the order in which they are asked, each with
its source, its codes and the words that servers use. What is decided here is only how words and codes that
contradict each other are weighed. An address is given up only if nothing contradicts it.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from workers.insight.phrases import load
from workers.insight.wording import LINK, Phrases, fold_words

__all__ = ["Command", "Fault", "Whose", "read_codes", "whose_fault"]

Whose = Literal["address", "sender", "message", "moment"]
Command = Literal["CONNECT", "MAIL", "RCPT", "DATA"]

_LONGEST: Final = 4_000
_PERMANENT: Final = 5  # the first digit of a reply that will never change (RFC 5321, 4.2.1)
_NEARBY: Final = 30  # characters: three or four words
# "Remote server returned unknown recipient or mailbox unavailable": Exchange Online does not say which.
_VAGUE: Final = frozenset({"5.1.351", "5.1.0"})
# "550-5.7.1 one half of it\n550 5.7.1 the other": the codes would stand between the words.
_REPEATED_CODE: Final = re.compile(r"\b[245]\d\d[ -](?:[245]\.\d{1,3}\.\d{1,3}\b)?")
_CODE: Final = re.compile(r"(?<![\w.#/-])(?<!\w:)(?P<code>[45][0-5]\d)(?=[\s,;:-]|$)")
_ENHANCED: Final = re.compile(r"(?<![\w.])(?P<enhanced>[45]\.\d{1,3}\.\d{1,4})(?![\w.]*\d)")


@dataclass(frozen=True, slots=True)
class Fault:
    """Whose fault a failure was, and why.

    Attributes:
        whose: "address" (it is dead: write there no more), "sender" (our server, domain or quota: nothing that is
            sent will fare better), "message" (this one was refused) or "moment" (it may work another time).
        cause: In words, for the history: "no such address".
        known: False if neither words nor code said why.
    """

    whose: Whose
    cause: str
    known: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    fault: Fault
    codes: frozenset[str]
    words: Phrases
    plain: bool


_KINDS: Final = tuple(
    _Kind(
        Fault(kind["whose"], kind["cause"]), frozenset(kind["codes"]), Phrases(kind["words"]), kind.get("plain", False)
    )
    for kind in load("failures")["kinds"]
)
_REFUSED: Final = Fault("message", "refused without a reason that is known", known=False)
_PASSING: Final = Fault("moment", "not delivered, without a reason that is known", known=False)
_SENDER: Final = Fault("sender", "sender not accepted")
_DOUBTFUL: Final = Fault("message", "said to be unknown, but not where a server would know")
_NO_SUCH_ADDRESS: Final = "no such address"


def whose_fault(code: int | None, enhanced: str | None, text: str, *, command: Command | None = None) -> Fault:
    """Say whose fault it was that a server, or the sender's own, could not deliver a message.

    Words come before codes: "552 sorry, over quota (#5.1.1)" is a full mailbox. A dead address needs more, see
    `_is_certain`: it is given up only if the failure is permanent and nothing contradicts it.

    Args:
        code: The SMTP reply (RFC 5321, 4.2), or None.
        enhanced: The enhanced status code (RFC 3463), "5.1.1", or None.
        text: What was said, in any language of `data/failures.json`; the first 4,000 characters are read.
        command: What was answered, or None if nobody knows.

    Returns:
        A `Fault`; without any known reason the message's for a permanent failure, else the moment's.
    """
    words = fold_words(_REPEATED_CODE.sub(" ", text[:_LONGEST]))
    codes = {str(code), enhanced}
    permanent = code // 100 == _PERMANENT if code is not None else enhanced is None or enhanced[0] == "5"
    said = [kind for kind in _KINDS if kind.words.found_in(words)]
    coded = [kind for kind in _KINDS if kind.codes & codes]
    # That an address is dead is so if words and codes say it alike, whatever else was said.
    agreed = [kind for kind in said if kind in coded and kind.fault.whose == "address" and permanent]
    kind = next(iter([*agreed, *said, *coded]), None)
    if kind is None:
        return _unexplained(code, enhanced, command, permanent=permanent)
    if kind.fault.whose != "address":
        return kind.fault
    if not permanent:
        return _PASSING
    if command in ("CONNECT", "MAIL"):
        return _SENDER  # nobody had named a recipient yet
    certain = kind in coded or _is_certain(kind, code, enhanced, command, named=_names_the_address(kind, text))
    return kind.fault if certain else _DOUBTFUL


def _unexplained(code: int | None, enhanced: str | None, command: Command | None, *, permanent: bool) -> Fault:
    if not permanent or (code is None and enhanced is None):
        return _PASSING
    return _SENDER if command in ("CONNECT", "MAIL") else _REFUSED


def _is_certain(kind: _Kind, code: int | None, enhanced: str | None, command: Command | None, *, named: bool) -> bool:
    """Whether an address is dead that is said to be unknown.

    In answer to RCPT it is: the server looked the address up, and had seen nothing else. After the message itself was
    sent, "user unknown" is also what filters say. Where nobody knows which command was answered, the code decides:
    x.1.x speaks of the address; x.2.x says that the mailbox exists, x.7.x that a policy decided (RFC 3463). Without a
    telling code the server has to name the address, or say in so many words that there is none, or there is no code at
    all because it speaks for itself.
    Domains are looked up by the sender's own server: what it says of them is so.
    """
    subject = enhanced.split(".")[1] if enhanced else ""
    if command == "RCPT":
        return True
    if subject in ("2", "7"):
        return False
    if kind.fault.cause != _NO_SUCH_ADDRESS or (subject == "1" and enhanced not in _VAGUE):
        return True
    return command is None and (named or kind.plain or (code is None and enhanced is None))


def _names_the_address(kind: _Kind, text: str) -> bool:
    """Whether the server names whom it does not know: in its reply, beside those words."""
    reply = _CODE.search(text)
    words = fold_words(text[reply.end() if reply else 0 :][:_LONGEST])
    return any("@" in words[max(0, start - _NEARBY) : end + _NEARBY] for start, end in kind.words.places_in(words))


def read_codes(text: str) -> tuple[int | None, str | None]:
    """Find the SMTP reply and the enhanced status code in what a server said.

    Args:
        text: For example "host mx.example[192.0.2.1] said: 550 5.1.1 no such user"; 4,000 characters are read.

    Returns:
        (550, "5.1.1"); None for what is missing. Of several enhanced codes the first one of the reply's class.
    """
    text = LINK.sub(" ", text[:_LONGEST])
    code = _CODE.search(text)
    found = [match["enhanced"] for match in _ENHANCED.finditer(text)]
    fitting = [enhanced for enhanced in found if code is None or enhanced[0] == code["code"][0]]
    return (int(code["code"]) if code else None), next(iter(fitting), None)
