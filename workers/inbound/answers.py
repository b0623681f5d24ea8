"""What a mail answers, and who may have written it, as far as the mail itself tells; the database knows the rest."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from workers.correspondence import Named, is_reply_address, read_message_ids, read_references, read_reply_address
from workers.inbound.parse import Parsed
from workers.insight.addresses import fold_address
from workers.insight.subjects import FORWARD_MARKS, REPLY_MARKS, unmarked
from workers.settings import settings

_MOST_QUOTED: Final = 200_000


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
    was_passed_on = unmarked(parsed.subject)[0] in FORWARD_MARKS
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
    mark, subject = unmarked(parsed.subject)
    if named or not parsed.answers or mark not in REPLY_MARKS or parsed.is_forged:
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
