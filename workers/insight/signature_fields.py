"""Read a signature: the name, position, company and contact details its lines hold."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from workers.insight.contact_words import (
    COMPANY_WORDS,
    EMAIL,
    URL,
    closing_rest,
    has_legal_form,
    is_department_like,
    is_name_like,
    is_street_like,
    is_title_like,
    sender_tokens,
    word_set,
    words_of,
)
from workers.insight.footers import footer_start
from workers.insight.phone_numbers import Phone, find_phones
from workers.insight.phrases import ANSWERS
from workers.insight.reply import split_reply
from workers.insight.signature_features import is_prose
from workers.insight.signature_lines import find_signature
from workers.insight.signature_pieces import (
    HOUSE,
    MARKS,
    NAME_AND_FORM,
    NUMBERED,
    SOCIAL,
    SPLIT,
    at_dash,
    has_code,
    is_address,
    is_place,
    is_registry,
    is_site,
    mostly_digits,
    parts_of,
    plain,
    segments_of,
    without_lead,
    without_nominals,
    without_numbers,
)

__all__ = ["Field", "Signature", "parse_signature"]

_MOST_LINES: Final = 25
_LONGEST_LINE: Final = 300
_SPLIT_BLOCK: Final = 6  # lines above a signature that may be its first half
_COUNTRY_CODE: Final = 2  # letters of an ISO 3166 code
_MOST_INITIALS: Final = 2  # "MM", "TB"

_LINKEDIN: Final = re.compile(
    r"(?:https?://)?(?:[a-z]{2,3}\.)?linkedin\.com/(?P<kind>in|pub|company)/[\w%./-]{2,100}", re.IGNORECASE
)
_DOMAIN: Final = re.compile(
    r"(?<![@\w.-])(?:[a-z0-9][a-z0-9-]{0,62}\.){1,3}[a-z]{2,12}(?:/[\w/-]{0,60})?(?![\w@])", re.IGNORECASE
)
_GUESS: Final = 0.45  # how sure a line below the name is the company, if nothing else says so
_LABEL: Final = re.compile(
    r"^(?:e|w|a|e-?mail|mail|email|web|website|webseite|url|site|internet|homepage|address|adresse|anschrift|adres|adress|direcci[oó]n|indirizzo|name|title|company|linkedin|in|courriel|correo|s[ií]tio|✉|🌐|📧|🏢|📍|🔗|@)\s*[:.)\]]?\s+(?=\S)|^(?:e-?mail|mail|web|website|address|adresse|linkedin|name|title|company|position)\s*:\s*|^[✉🌐📧🏢📍🔗]\ufe0f?\s*",
    re.IGNORECASE,
)
# Degrees and the like belong to a name; qualifications ("CPA", "RN") stand behind it and are no field.
_DEGREE: Final = re.compile(r",? (?:Ph\.?D\.?|MBA|M\.?Sc\.?|B\.?Sc\.?|Esq\.?|Jr\.?|Sr\.?|MD|M\.D\.|LL\.?M\.?)$")
_KISSES: Final = re.compile(r"[ ,.]+[xX]{1,3}\.?$")
_AND_TEAM: Final = re.compile(
    r"^(?P<name>[^\W\d_][\w'’-]{1,20}) (?:and|&|und|et|y|e|en|och|og|i) (?:the|das|l'|el|il|het) .{2,40}$"
)
_NAME_AT: Final = re.compile(
    r"^(?P<name>[^\W\d_][\w'’-]{1,20}(?: [^\W\d_][\w'’-]{1,20})?)"
    r" (?:@|at|from|bei|von|chez|de chez|bij|van) (?P<company>\w.{2,40})$"
)
_BEFORE_NAMES: Final = word_set("before_names")
_BUILDINGS: Final = word_set("building_words")
_JOINS_COMPANY: Final = re.compile(r"\s+(?:at(?! law\b)|@|bei|chez|bij|hos)\s+", re.IGNORECASE)
_HEADS: Final = word_set("company_heads")
_PERSONAL_MAIL: Final = word_set("mail_providers")
_PRONOUNS: Final = re.compile(r"\s*\((?:she|he|they|sie|er|elle|il)[/ ,]{1,3}[^)]{1,20}\)", re.IGNORECASE)
_ON_BEHALF: Final = re.compile(r"^(?:i\. ?[AV]\.|ppa\.?|p\.p\.|per pro)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Field:
    """One value found, and how sure it is: 0 a guess, 1 certain."""

    value: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature says about its sender; None for what it does not say.

    `phone` and `mobile` are in E.164 ("+441134960321"); the other values are as written, without labels.
    """

    name: Field | None = None
    title: Field | None = None
    company: Field | None = None
    phone: Field | None = None
    mobile: Field | None = None
    email: Field | None = None
    linkedin: Field | None = None
    website: Field | None = None
    address: Field | None = None


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
    lines = _own_signature(text, sender)
    if not lines:
        return Signature()
    reader = _Reader(lines, sender_tokens(sender), sender or "")
    phone, mobile = _choose_phones(find_phones(reader.lines, region, reader.country()))
    return Signature(
        name=reader.name,
        title=reader.title,
        company=reader.company,
        phone=phone,
        mobile=mobile,
        email=reader.email,
        linkedin=reader.linkedin,
        website=reader.website,
        address=reader.address,
    )


def _own_signature(text: str, sender: str | None) -> list[str]:
    """The lines to read: the mail's signature, or all of a text that is nothing but one."""
    reply = split_reply(text, sender=sender)
    block = reply.signature.split("\n") if reply.signature else []
    block = block[: footer_start(block)]
    written = [line for line in reply.text.split("\n") if line.strip()]
    if not any(line.strip() for line in block):
        # The text may be a signature alone: then nothing of it is prose, and nearly everything tells a
        # detail.
        block = written if _is_signature_alone(written) else []
    elif written and _is_signature_alone(written) and len(written) <= _SPLIT_BLOCK:
        block = [*written, *block]
    return [line[:_LONGEST_LINE] for line in block if line.strip()][:_MOST_LINES]


def _is_signature_alone(lines: Sequence[str]) -> bool:
    most, longest = 16, 160
    if not 0 < len(lines) <= most or any(len(line) > longest or is_prose(line) for line in lines):
        return False
    if len(find_signature(["", *lines])) == len(lines):
        return True
    first = SPLIT.split(lines[0].strip(MARKS))[0].partition(",")[0]
    telling = sum(
        bool(
            EMAIL.search(line)
            or URL.search(line)
            or is_title_like(line)
            or has_legal_form(line)
            or is_street_like(line)
        )
        or any(char.isdigit() for char in line)
        for line in lines
    )
    asks = any(line.rstrip().endswith(("?", "!", ":")) for line in lines)
    return (
        is_name_like(first)
        and not set(words_of(first)) <= ANSWERS
        and telling > 0
        and not asks
        and (len(lines) > 1 or bool(SPLIT.search(lines[0])))
    )


def _choose_phones(phones: Sequence[Phone]) -> tuple[Field | None, Field | None]:
    best: dict[str, Field] = {}
    for phone in sorted(phones, key=lambda one: one.rank):
        best.setdefault("mobile" if phone.is_mobile else "phone", Field(phone.e164, phone.confidence))
    return best.get("phone"), best.get("mobile")


class _Reader:
    """Reads the lines once, piece by piece; each piece goes to the first field it fits."""

    def __init__(self, lines: Sequence[str], people: frozenset[str], sender: str) -> None:
        self.lines = [plain(line) for line in lines]
        self._people = people
        address = EMAIL.search(sender[:1_000])
        self._sender = address[0] if address else ""
        self.name: Field | None = None
        self.title: Field | None = None
        self.company: Field | None = None
        self.email: Field | None = None
        self.linkedin: Field | None = None
        self.website: Field | None = None
        self.address: Field | None = None
        self._find_links()
        pieces = [piece for line in self.lines for piece in self._pieces(line)]
        used = self._find_name(pieces)
        self._find_rest([piece for index, piece in enumerate(pieces) if index not in used])

    def country(self) -> str | None:
        """A country the addresses of the signature name by their top-level domain, as an ISO code."""
        hosts = [field.value for field in (self.email, self.website) if field is not None]
        for host in hosts:
            top = host.rstrip("/").rpartition(".")[2].upper()
            if len(top) == _COUNTRY_CODE and top not in {"IO", "CO", "AI", "EU", "ME", "TV"}:
                return "GB" if top == "UK" else top
        return None

    def _find_links(self) -> None:
        text = "\n".join(self.lines)
        addresses = [match[0].rstrip(".-") for match in EMAIL.finditer(text)]
        if addresses:
            own = [address for address in addresses if self._people & set(re.split(r"[._@+-]", address.casefold()))]
            self.email = Field(own[0], 0.98) if own else Field(addresses[0], 0.9)
        profiles = sorted(_LINKEDIN.finditer(text), key=lambda match: match["kind"].casefold() == "company")
        if profiles and profiles[0]["kind"].casefold() != "company":
            self.linkedin = Field(profiles[0][0].rstrip(".,"), 0.97)
        sites = [
            match[0].rstrip(".,;:/)") if "?" in match[0] else match[0].rstrip(".,;:)") for match in URL.finditer(text)
        ]
        sites = [site for site in sites if not SOCIAL.search(site.split("?")[0])]
        if sites:
            self.website = Field(sites[0], 0.95)
            return
        bare = [match[0].rstrip(".") for line in self.lines for match in _DOMAIN.finditer(EMAIL.sub(" ", line))]
        bare = [site for site in bare if is_site(site)]
        if bare:
            self.website = Field(bare[0], 0.75)

    def _pieces(self, line: str) -> Iterator[str]:
        """The parts of a line that could be a field of their own, without contact details and labels."""
        rest = closing_rest(line)
        if rest is not None:
            line = rest
        line = URL.sub("\t", EMAIL.sub("\t", _LINKEDIN.sub("\t", line)))
        for raw in parts_of(line):
            piece = _LABEL.sub("", raw.strip(" \t*_~`>|")).strip(MARKS)
            if piece and piece.casefold() not in {
                "linkedin",
                "website",
                "web",
                "e",
                "w",
                "email",
                "e-mail",
                "mail",
            }:
                yield piece

    def _find_name(self, pieces: Sequence[str]) -> set[int]:
        first = 4  # a name stands at the top of a signature or after a closing
        best: tuple[float, int, str, str] | None = None
        for index, piece in enumerate(pieces[: first + 2]):
            name, rest = self._name_in(piece)
            if not name:
                continue
            tokens = {part for word in words_of(name) for part in re.split(r"[.'’-]", word)}
            known = bool(tokens & self._people)
            if index >= first and not known:
                continue
            several = len(words_of(name)) > 1
            if not known and (has_legal_form(name) or (is_title_like(name) and not rest) or tokens & COMPANY_WORDS):
                continue
            initials = len(re.sub(r"[\W\d_]", "", name)) <= _MOST_INITIALS and name.isascii()
            if initials or (self._people and not known and not several and index > 0):
                continue
            score = 0.5 + 0.3 * known + 0.15 * several - 0.02 * index
            if best is None or score > best[0]:
                best = (score, index, name, rest)
        if best is None:
            return set()
        score, index, name, rest = best
        self.name = Field(name, round(score, 2))
        used = set(range(index + 1))
        if rest:
            self._take_combined(rest)
        # "Thanks, Dan" above "Dan Rivera, Director of Sales": what stands above the full name is the
        # sign-off.
        return used

    def _name_in(self, piece: str) -> tuple[str, str]:
        piece = _ON_BEHALF.sub("", _PRONOUNS.sub("", piece)).strip(MARKS)
        first, _, behind = piece.partition(" ")
        if behind and first.casefold() in _BEFORE_NAMES:
            piece = behind
        piece = without_nominals(_KISSES.sub("", piece) if piece[-1:] in {"x", "X", "."} else piece)
        if behind and first.casefold() in self._people:
            for signed in filter(None, (_AND_TEAM.match(piece), _NAME_AT.match(piece))):
                if {*words_of(signed["name"])} <= self._people:
                    return signed["name"], signed.groupdict().get("company", "")
        whole = _DEGREE.sub("", piece)
        if is_name_like(whole) and ("," not in whole or self._is_reversed(whole)):
            known = set(words_of(whole)) & self._people
            if known or not is_title_like(whole):
                return piece, ""
        head, mark, rest = piece.partition(",")
        if not mark:
            dash = re.match(r"(?P<head>[^\d]{3,40}?) +- +(?P<rest>.+)$", piece)
            if dash is None:
                number = re.match(r"(?P<head>[^\d+(]{3,40}?)[ ,]+(?P<rest>[+(]?\d.{5,})$", piece)
                return (number["head"].strip(MARKS), "") if number and self._is_plain_name(number["head"]) else ("", "")
            head, rest = dash["head"], dash["rest"]
        return (head.strip(MARKS), rest.strip(MARKS)) if self._is_plain_name(head) else ("", "")

    def _is_plain_name(self, text: str) -> bool:
        return is_name_like(text) and (not is_title_like(text) or bool(set(words_of(text)) & self._people))

    def _is_reversed(self, whole: str) -> bool:
        last, _, first = whole.partition(",")
        return {*words_of(last)} <= self._people and {*words_of(first)} <= self._people

    def _take_combined(self, text: str) -> None:
        """What follows a name on its line: "CTO, Stackhouse Ltd, Leeds"."""
        for part in segments_of(text):
            if EMAIL.search(part) or mostly_digits(part):
                continue
            if self.title is None and is_title_like(part):
                self._take_title(part, 0.85)
            elif self.company is None and is_name_like(part.replace(".", "")) and not is_department_like(part):
                self.company = Field(part, 0.9 if has_legal_form(part) else 0.65)

    def _find_rest(self, pieces: Sequence[str]) -> None:
        address: list[str] = []
        texts = [_PRONOUNS.sub("", piece).strip(MARKS) for piece in pieces]
        after_title = False
        # Right below the name stands the position, else mostly the company.
        below_name = 0 if self.name is not None and " " in self.name.value else -1
        for index, text in enumerate(texts):
            if part := self._address_part(texts, index, address):
                address += part
            elif not text or mostly_digits(text) or self._is_name_again(text):
                continue
            elif is_registry(text) and not self._is_title(without_numbers(text)):
                self._take_registered(text)
            elif self.title is None and self._is_title(text):
                self._take_title(text, 0.9 if len(words_of(text)) > 1 else 0.85)
                after_title = True
            elif has_legal_form(text):
                address += self._address_after_company(text)
                self._take_company(without_lead(text))
            elif is_department_like(text) and not self._spells_domain(text):
                after_title = True
            else:
                self._guess_company(text, after_title=after_title, below_name=below_name == index)
        self._settle_title()
        if address:
            self.address = Field(", ".join(address), 0.9 if len(address) > 1 or "," in address[0] else 0.7)

    def _guess_company(self, text: str, *, after_title: bool, below_name: bool) -> None:
        """Take a company without legal form for what it says or where it stands."""
        if not self._has_no_company() or not self._is_company(text, after_title=after_title or below_name):
            return
        sure = 0.85 if self._matches_domain(text) else 0.6 if after_title else _GUESS
        if self.company is None or sure > _GUESS:
            self.company = Field(without_lead(text), sure)

    def _has_no_company(self) -> bool:
        return self.company is None or self.company.confidence <= _GUESS

    def _settle_title(self) -> None:
        """Decide what stands behind the dash of "Buyer – Chilled": the company, if there is no other."""
        if self.title is None:
            return
        head, dash, rest = at_dash(self.title.value)
        if dash and rest and (self._has_no_company() or self._names_company(rest)):
            self.title = Field(head, self.title.confidence)
            self.company = Field(rest, 0.6)

    def _names_company(self, text: str) -> bool:
        return has_legal_form(text) or bool(COMPANY_WORDS & set(words_of(text))) or self._matches_domain(text)

    def _address_part(self, texts: Sequence[str], index: int, address: Sequence[str]) -> list[str]:
        """What a piece adds to the postal address, with pieces above it that only it explains."""
        text = texts[index]
        if is_address(text) and (not has_legal_form(text) or self.company):
            return [*([] if address else self._address_head(texts, index)), text]
        if not address or address[-1] != texts[index - 1]:
            return []
        following = texts[index + 1] if index + 1 < len(texts) else ""
        return [text] if is_place(text) or self._is_town(text, following) else []

    def _address_head(self, texts: Sequence[str], index: int) -> list[str]:
        """A street without a word for street ("Am Kai 7") and a building's name, above the rest of an address."""
        start = index
        if start > 0 and has_code(texts[index]) and HOUSE.fullmatch(texts[start - 1]):
            start -= 1
        above = words_of(texts[start - 1]) if start > 0 else ()
        if above and self.company is not None and texts[start - 1] != self.company.value:
            named = is_name_like(texts[start - 1]) and not self._names_company(texts[start - 1])
            start -= len(above) > 1 and named and not _BUILDINGS.isdisjoint((above[0], above[-1]))
        return list(texts[start:index])

    def _is_town(self, text: str, following: str) -> bool:
        """Whether a piece below a street is the town: several places, or a place above its code or a number."""
        most_words = 5
        words = words_of(text)
        if not 0 < len(words) <= most_words or not is_name_like(text) or closing_rest(text) is not None:
            return False
        if self._names_company(text) or is_title_like(text) or is_department_like(text):
            return False
        return "," in text or is_place(following) or mostly_digits(following)

    def _take_registered(self, text: str) -> None:
        """Take the company before its register entry: "Acme Ltd. Registered in England No. …"."""
        head = text.partition(". ")[0]
        if not is_registry(head) and has_legal_form(head):
            self._take_company(head)

    def _is_name_again(self, text: str) -> bool:
        return self.name is not None and words_of(text) == words_of(self.name.value)

    def _is_title(self, text: str) -> bool:
        longest = 70
        if len(text) >= longest or text[-1] in "?!" or ":" in text:
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
            belongs = has_legal_form(rest) or self._matches_domain(rest) or head.strip().casefold() in _HEADS
            if belongs and not is_department_like(rest):
                self.title = Field(head.strip(MARKS), confidence)
                if self.company is None:
                    self.company = Field(rest, 0.8)
                return
        self.title = Field(text, confidence)

    def _address_after_company(self, text: str) -> list[str]:
        if not is_street_like(text):
            return []
        parts = segments_of(text)
        legal = next((index for index, part in enumerate(parts) if has_legal_form(part)), -1)
        rest = ", ".join(parts[legal + 1 :])
        return [rest] if legal >= 0 and is_street_like(rest) else []

    def _take_company(self, text: str) -> None:
        parts = [part for part in segments_of(text) if part]
        if not self._has_no_company():
            return
        if len(parts) > 1 and is_title_like(parts[0]) and not has_legal_form(parts[0]):
            self._take_combined(text)
            return
        legal = next((part for part in parts if has_legal_form(part)), text)
        self.company = Field(legal if is_street_like(text) or len(parts) > NAME_AND_FORM else text, 0.93)

    def _is_company(self, text: str, *, after_title: bool) -> bool:
        few = 6
        words = words_of(text)
        if not 0 < len(words) <= few or text[-1] in "?!:" or closing_rest(text) is not None:
            return False
        if is_department_like(text) and not self._spells_domain(text):
            return False
        numbered = NUMBERED.match(text)  # "Ridgeview School District 41"
        if (any(char.isdigit() for char in text) and not (numbered and set(words) & COMPANY_WORDS)) or ":" in text:
            return False
        if not text[0].isupper():
            return False
        if set(words) & COMPANY_WORDS or self._matches_domain(text):
            return True
        return after_title and is_name_like(text)

    def _matches_domain(self, text: str) -> bool:
        squeezed = re.sub(r"[\W_]", "", text.casefold())
        least = 3
        return any(
            len(label) > least and (label.replace("-", "") in squeezed or squeezed in label)
            for label in self._domain_labels()
        )

    def _spells_domain(self, text: str) -> bool:
        """Whether a text holds all of a domain: "Klein Accounting & Tax" at kleinaccounting.com."""
        squeezed = re.sub(r"[\W_]", "", text.casefold())
        least = 5
        return any(len(label) > least and label.replace("-", "") in squeezed for label in self._domain_labels())

    def _domain_labels(self) -> list[str]:
        """The names in the domains of the addresses and the website, but those of mail providers."""
        found: list[str] = []
        for value in (self._sender, *(field.value for field in (self.email, self.website) if field is not None)):
            host = re.sub(r"^(?:https?://)?(?:www\.)?", "", value.rpartition("@")[2].casefold()).partition("/")[0]
            found += [label for label in host.split(".")[:-1] if label not in _PERSONAL_MAIL]
        return found
