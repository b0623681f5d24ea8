"""Read a signature: the name, position, company and contact details its lines hold."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from workers.insight.contact_words import (
    EMAIL,
    has_legal_form,
    is_department,
    is_department_like,
    is_name_like,
    is_street_like,
    is_title_like,
    sender_tokens,
    word_set,
    words_of,
)
from workers.insight.phone_numbers import Phone, find_phones
from workers.insight.signature_address import address_after_company, address_part
from workers.insight.signature_block import own_signature
from workers.insight.signature_company import Employer, employer
from workers.insight.signature_links import find_links
from workers.insight.signature_name import find_name
from workers.insight.signature_pieces import (
    MARKS,
    NAME_AND_FORM,
    at_dash,
    is_registry,
    mostly_digits,
    pieces_of,
    plain,
    segments_of,
    without_lead,
    without_numbers,
    without_pronouns,
)
from workers.insight.signature_values import Field, Signature

__all__ = ["parse_signature"]

_GUESS: Final = 0.45  # how sure a line below the name is the company, if nothing else says so
_JOINS_COMPANY: Final = re.compile(r"\s+(?:at(?! law\b)|@|bei|chez|bij|hos)\s+", re.IGNORECASE)
_HEADS: Final = word_set("company_heads")


def parse_signature(text: str, sender: str | None = None, region: str | None = None) -> Signature:
    """Read the sender's details from a mail's signature.

    Only the sender's own signature is read: quoted mails, with the signatures of others, are not, and the prose of
    the mail is not either. What is doubtful is left out: a date, an order number, a price, an IP, IBAN or VAT number
    is no phone number, and a fax is none.

    Args:
        text: A whole mail body, or a signature alone.
        sender: The From header, if known ("Jane Roe <jane@example.com>").
        region: ISO 3166 country in whose way numbers without a country code are read; None if unknown.

    Returns:
        A `Signature`; all fields are None if there is none. Never raises; confidences lie in 0..1.
        Reads what `split_reply` reads, and of the signature its first 25 lines of 300 characters.
    """
    lines = tuple(plain(line) for line in own_signature(text, sender))
    return _read(lines, sender, region) if lines else Signature()


# Who writes again signs with the same lines.
@lru_cache(maxsize=1_024)
def _read(lines: tuple[str, ...], sender: str | None, region: str | None) -> Signature:
    people = sender_tokens(sender)
    links = find_links(lines, people)
    phone, mobile = _phones(find_phones(lines, region, links.country()))
    pieces = [piece for line in lines for piece in pieces_of(line)]
    named = find_name(pieces, people)
    address = EMAIL.search((sender or "")[:1_000])
    reader = _Reader(named.name if named else None, employer(address[0] if address else "", links))
    if named:
        reader.read_line_of_name(named.rest)
    reader.read(pieces[named.used if named else 0 :])
    return Signature(
        name=reader.name,
        title=reader.title,
        company=reader.company,
        phone=phone,
        mobile=mobile,
        email=links.email,
        linkedin=links.linkedin,
        website=links.website,
        address=reader.address,
    )


def _phones(phones: Sequence[Phone]) -> tuple[Field | None, Field | None]:
    best: dict[str, Field] = {}
    for phone in sorted(phones, key=lambda one: one.rank):
        best.setdefault("mobile" if phone.is_mobile else "phone", Field(phone.e164, phone.confidence))
    return best.get("phone"), best.get("mobile")


class _Reader:
    """Reads the pieces below the name, each once; each goes to the first field it fits."""

    def __init__(self, name: Field | None, company: Employer) -> None:
        self.name = name
        self.title: Field | None = None
        self.company: Field | None = None
        self.address: Field | None = None
        self._employer = company

    def read_line_of_name(self, text: str) -> None:
        """Read what follows a name on its line: "CTO, Stackhouse Ltd, Leeds"."""
        for part in segments_of(text):
            if EMAIL.search(part) or mostly_digits(part):
                continue
            if self.title is None and is_title_like(part):
                self._take_title(part, 0.85)
            elif self.company is None and is_name_like(part.replace(".", "")) and not is_department_like(part):
                self.company = Field(part, 0.9 if has_legal_form(part) else 0.65)

    def read(self, pieces: Sequence[str]) -> None:
        """Read the pieces below the name, in their order."""
        address: list[str] = []
        texts = [without_pronouns(piece).strip(MARKS) for piece in pieces]
        after_title = False
        # Right below the name stands the position, else mostly the company.
        below_name = 0 if self.name is not None and " " in self.name.value else -1
        for index, text in enumerate(texts):
            company = self.company.value if self.company else None
            if part := address_part(texts, index, address, company, self._employer):
                address += part
            elif not text or mostly_digits(text) or self._is_name_again(text):
                continue
            elif is_registry(text) and not self._is_title(without_numbers(text)):
                self._take_registered(text)
            elif self.title is None and self._is_title(text):
                self._take_title(text, 0.9 if len(words_of(text)) > 1 else 0.85)
                after_title = True
            elif has_legal_form(text):
                address += address_after_company(text)
                self._take_company(without_lead(text))
            elif is_department_like(text) and not self._employer.is_spelled_by(text):
                after_title = True
            else:
                self._guess_company(text, after_title=after_title, below_name=below_name == index)
        self._settle_title()
        if address:
            self.address = Field(", ".join(address), 0.9 if len(address) > 1 or "," in address[0] else 0.7)

    def _guess_company(self, text: str, *, after_title: bool, below_name: bool) -> None:
        """Take a company without legal form for what it says or where it stands."""
        if not self._has_no_company() or not self._employer.may_be(text, expected=after_title or below_name):
            return
        sure = 0.85 if self._employer.matches(text) else 0.6 if after_title else _GUESS
        if self.company is None or sure > _GUESS:
            self.company = Field(without_lead(text), sure)

    def _has_no_company(self) -> bool:
        return self.company is None or self.company.confidence <= _GUESS

    def _settle_title(self) -> None:
        """Decide what stands behind the dash of "Buyer – Chilled": the company, if there is no other."""
        if self.title is None:
            return
        head, dash, rest = at_dash(self.title.value)
        if dash and rest and (self._has_no_company() or self._employer.is_named_by(rest)):
            self.title = Field(head, self.title.confidence)
            self.company = Field(rest, 0.6)

    def _take_registered(self, text: str) -> None:
        """Take the company before its register entry: "Acme Ltd. Registered in England No. …"."""
        head = text.partition(". ")[0]
        if not is_registry(head) and has_legal_form(head):
            self._take_company(head)

    def _is_name_again(self, text: str) -> bool:
        return self.name is not None and words_of(text) == words_of(self.name.value)

    def _is_title(self, text: str) -> bool:
        longest = 70
        if len(text) >= longest or text[-1] in "?!" or ":" in text or is_department(text):
            return False
        joined = _JOINS_COMPANY.split(text, maxsplit=1)
        if len(joined) > 1 and is_title_like(joined[0]):
            return True
        return is_title_like(text) and not has_legal_form(text)

    def _take_title(self, text: str, confidence: float) -> None:
        text = without_numbers(text)
        joined = _JOINS_COMPANY.split(text, maxsplit=1)
        if len(joined) > 1 and is_title_like(joined[0]):
            self.title = Field(joined[0].strip(MARKS), confidence)
            if self.company is None:
                self.company = Field(joined[1].strip(MARKS), 0.85)
            return
        head, mark, rest = text.partition(",")
        rest = rest.strip(MARKS)
        if mark and rest and is_title_like(head) and not is_title_like(rest):
            belongs = has_legal_form(rest) or self._employer.matches(rest) or head.strip().casefold() in _HEADS
            if belongs and not is_department_like(rest):
                self.title = Field(head.strip(MARKS), confidence)
                if self.company is None:
                    self.company = Field(rest, 0.8)
                return
        self.title = Field(text, confidence)

    def _take_company(self, text: str) -> None:
        parts = [part for part in segments_of(text) if part]
        if not self._has_no_company():
            return
        if len(parts) > 1 and is_title_like(parts[0]) and not has_legal_form(parts[0]):
            self.read_line_of_name(text)
            return
        legal = next((part for part in parts if has_legal_form(part)), text)
        self.company = Field(legal if is_street_like(text) or len(parts) > NAME_AND_FORM else text, 0.93)
