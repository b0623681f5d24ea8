"""What a mail answers, and who may have written it, as far as the mail itself tells; the database knows the rest."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from workers.correspondence import Named, is_reply_address, read_message_ids, read_references, read_reply_address
from workers.inbound.parse import Parsed
from workers.insight.addresses import fold_address
from workers.settings import settings

_MOST_QUOTED: Final = 200_000
# What mail programs put before a subject, in their languages.
_REPLY_MARKS: Final = frozenset({
    "re", "aw", "antw", "sv", "vs", "rif", "res", "odp", "ynt", "vá", "bls", "atb", "σχετ", "ответ", "回复", "答复",
    "回覆", "答覆", "返信", "회신",
})  # fmt: skip
_FORWARD_MARKS: Final = frozenset({
    "fw", "fwd", "wg", "tr", "vb", "vl", "rv", "enc", "doorst", "pd", "πρθ", "转发", "轉寄", "転送", "전달",
})  # fmt: skip
_MARK: Final = re.compile(r"(?:\[[^\]]{1,30}+\]\s*+)?([^\W\d_]{1,10}+)\s?(?:[\[(]\d{1,3}[\])])?\s?[:\uff1a]\s*+")
_MOST_MARKS: Final = 9


class Candidate(NamedTuple):
    """A message of ours that a mail may answer.

    Attributes:
        action: Its number.
        tenant: For whom it was sent, if the mail names that too.
        name: The Message-ID before its @, if that is how it is named.
        genuine: Whether a signature proves that we sent it; else only the name under which it was sent does.
        direct: Whether the mail is an answer by its headers. What only the text or an enclosed mail names may have
            been passed on to somebody else.
    """

    action: int
    tenant: UUID | None
    name: str | None
    genuine: bool
    direct: bool


class Sender(NamedTuple):
    """Somebody who may have written a mail.

    Attributes:
        address: As written.
        name: The display name, or None.
        folded: The address for matching.
        is_fleet: Whether it is the sender of tenants that have none of their own.
    """

    address: str
    name: str | None
    folded: str
    is_fleet: bool


def candidates(parsed: Parsed) -> list[Candidate]:
    """What a mail may answer, the likeliest first.

    By its headers: what it replies to, its thread from the end, what relays keep under other names, and the signed
    address that it was sent to. Then by its text and what it encloses; for a mail server's report that is as good.
    """
    is_report = parsed.judgement.kind in ("bounce", "complaint")
    was_passed_on = _unmarked(parsed.subject)[0] in _FORWARD_MARKS
    found = list(_candidates(read_message_ids("\n".join(parsed.answers)), direct=not was_passed_on))
    if secret := settings().fleet_reply_secret:
        tokens = (read_reply_address(address, secret) for address in (*parsed.delivered_to, *parsed.to))
        found += [Candidate(*sent, name=None, genuine=True, direct=True) for sent in tokens if sent]
    found += _candidates(read_message_ids(f"{' '.join(parsed.returned_ids)} {parsed.enclosed}"), direct=is_report)
    text, page = parsed.text[:_MOST_QUOTED], (parsed.html or "")[:_MOST_QUOTED]
    for quoted in (parsed.enclosed, text, page):
        found += [Candidate(action, None, None, genuine=True, direct=is_report) for action in read_references(quoted)]
    return list(dict.fromkeys(found))


def answered_subject(parsed: Parsed, named: Sequence[Candidate]) -> str | None:
    """The subject that a mail answers, for comparing, where it is an answer and nothing of ours is named.

    A sender's address is easily forged, and a subject guessed: what names one of our messages without being an answer
    to it, and what did not come from whom it says, is none.
    """
    mark, subject = _unmarked(parsed.subject)
    if named or not parsed.answers or mark not in _REPLY_MARKS or parsed.is_forged:
        return None
    return " ".join(subject.lower().split())


def senders(parsed: Parsed) -> list[Sender]:
    """Who may have written a mail, the likeliest first; those behind the first count if a list or group sent it on."""
    fleet = fold_address(settings().fleet_mail_from)
    found = []
    for address, name in parsed.senders:
        folded = fold_address(address)
        if not is_reply_address(address):
            found.append(Sender(address, name, folded, folded == fleet))
    return found


def _candidates(named: Iterable[Named], *, direct: bool) -> Iterator[Candidate]:
    return (Candidate(action, None, name, genuine, direct) for action, name, genuine in named)


def _unmarked(subject: str) -> tuple[str, str]:
    """The first mark before a subject ("re", "fwd"), or an empty text; and the subject without its marks."""
    first = ""
    for _ in range(_MOST_MARKS):
        found = _MARK.match(subject)
        mark = found[1].casefold() if found else ""
        if found is None or mark not in _REPLY_MARKS | _FORWARD_MARKS:
            break
        first = first or mark
        subject = subject[found.end() :]
    return first, subject
