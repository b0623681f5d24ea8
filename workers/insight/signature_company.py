"""Whether a piece of a signature names the company its sender works for."""

import re
from typing import Final, NamedTuple

from workers.insight.contact_words import (
    COMPANY_WORDS,
    closing_rest,
    has_legal_form,
    is_department_like,
    is_name_like,
    word_set,
    words_of,
)
from workers.insight.signature_links import Links

__all__ = ["Employer", "employer"]

_PERSONAL_MAIL: Final = word_set("mail_providers")
_SHORTEST_LABEL: Final = 4
_BEFORE_HOST: Final = re.compile(r"^(?:https?://)?(?:www\.)?")
_NO_LETTER: Final = re.compile(r"[\W_]")
_NUMBERED: Final = re.compile(r"[^\d]{4,50} (?:No\.? ?|Nr\.? ?|# ?)?\d{1,4}$")


class Employer(NamedTuple):
    """What the sender's addresses say about his company: the names in their domains, in lower case."""

    labels: tuple[str, ...]

    def matches(self, text: str) -> bool:
        """Whether a text and a domain name the same: "Polar Motors" at polar.example, too."""
        squeezed = _squeezed(text)
        return any(
            len(label) >= _SHORTEST_LABEL and (label.replace("-", "") in squeezed or squeezed in label)
            for label in self.labels
        )

    def is_spelled_by(self, text: str) -> bool:
        """Whether a text holds all of a domain: "Klein Accounting & Tax" at kleinaccounting.com."""
        squeezed = _squeezed(text)
        least = 6
        return any(len(label) >= least and label.replace("-", "") in squeezed for label in self.labels)

    def is_named_by(self, text: str) -> bool:
        """Whether a text names a company, by its words or by the sender's domain."""
        return has_legal_form(text) or bool(COMPANY_WORDS & set(words_of(text))) or self.matches(text)

    def may_be(self, text: str, *, expected: bool) -> bool:
        """Whether a text without a legal form names a company.

        Args:
            text: One piece of a signature.
            expected: It stands where mostly a company stands, below a name or a title.
        """
        most_words = 6
        words = words_of(text)
        if not 0 < len(words) <= most_words or text[-1] in "?!:" or closing_rest(text) is not None:
            return False
        if is_department_like(text) and not self.is_spelled_by(text):
            return False
        numbered = _NUMBERED.match(text)  # "Ridgeview School District 41"
        if (any(char.isdigit() for char in text) and not (numbered and set(words) & COMPANY_WORDS)) or ":" in text:
            return False
        if not text[0].isupper():
            return False
        if set(words) & COMPANY_WORDS or self.matches(text):
            return True
        return expected and is_name_like(text)


def employer(sender: str, links: Links) -> Employer:
    """Collect the domains of the sender's address ("" if unknown) and of a signature's links, but mail providers'."""
    found: list[str] = []
    for value in (sender, *(field.value for field in (links.email, links.website) if field is not None)):
        host = _BEFORE_HOST.sub("", value.rpartition("@")[2].casefold()).partition("/")[0]
        found += [label for label in host.split(".")[:-1] if label not in _PERSONAL_MAIL]
    return Employer(tuple(found))


def _squeezed(text: str) -> str:
    return _NO_LETTER.sub("", text.casefold())
