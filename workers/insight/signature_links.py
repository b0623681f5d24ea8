"""The addresses a signature gives: e-mail, LinkedIn, website."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from workers.insight.contact_words import EMAIL, URL, has_legal_form, word_set
from workers.insight.signature_values import Field

__all__ = ["Links", "find_links", "without_links"]

_LINKEDIN: Final = re.compile(
    r"(?:https?://)?(?:[a-z]{2,3}\.)?linkedin\.com/(?P<kind>in|pub|company)/[\w%./-]{2,100}", re.IGNORECASE
)
_PARTS: Final = re.compile(r"[._@+-]")
_SOCIAL: Final = re.compile(
    r"(?:^|[/.])(?:linkedin|twitter|x|facebook|fb|instagram|youtube|youtu|xing|tiktok|aka|outlook|apple|google|microsoft|avast|calendly|github|gitlab|medium|behance|zoom|whatsapp|wa|t|goo|skype)\.(?:com|me|ms|gl|us|be)(?:/|$)",
    re.IGNORECASE,
)
_DOMAIN: Final = re.compile(
    r"(?<![@\w.-])(?:[a-z0-9][a-z0-9-]{0,62}\.){1,3}[a-z]{2,12}(?:/[\w/-]{0,60})?(?![\w@])", re.IGNORECASE
)
_TOP_DOMAINS: Final = word_set("top_domains")
_NO_COUNTRIES: Final = frozenset({"IO", "CO", "AI", "EU", "ME", "TV"})  # domains that are used everywhere
_COUNTRY_CODE: Final = 2  # letters of an ISO 3166 code


class Links(NamedTuple):
    """The addresses found, None for those that a signature does not give."""

    email: Field | None
    linkedin: Field | None
    website: Field | None

    def country(self) -> str | None:
        """A country that the e-mail or the website names by its top-level domain, as an ISO 3166 code."""
        for host in (field.value for field in (self.email, self.website) if field is not None):
            top = host.rstrip("/").rpartition(".")[2].upper()
            if len(top) == _COUNTRY_CODE and top not in _NO_COUNTRIES:
                return "GB" if top == "UK" else top
        return None


def find_links(lines: Sequence[str], people: frozenset[str]) -> Links:
    """Find the addresses in a signature's lines.

    Args:
        lines: The signature's lines.
        people: The parts of the sender's name, in lower case: of several e-mail addresses the one with such a
            part is his.
    """
    lines = [line for line in lines if _may_link(line)]
    text = "\n".join(lines)
    return Links(_email(text, people), _linkedin(text), _website(text, lines))


def without_links(line: str) -> str:
    """A line with a tab in place of each address."""
    return URL.sub("\t", EMAIL.sub("\t", _LINKEDIN.sub("\t", line))) if _may_link(line) else line


def _may_link(line: str) -> bool:
    """Whether to look for addresses in a line: all of them hold one of these signs."""
    return "." in line or "://" in line


def _email(text: str, people: frozenset[str]) -> Field | None:
    addresses = [match[0].rstrip(".-") for match in EMAIL.finditer(text)]
    if not addresses:
        return None
    own = [address for address in addresses if people & set(_PARTS.split(address.casefold()))]
    return Field(own[0], 0.98) if own else Field(addresses[0], 0.9)


def _linkedin(text: str) -> Field | None:
    profile = next((match for match in _LINKEDIN.finditer(text) if match["kind"].casefold() != "company"), None)
    return Field(profile[0].rstrip(".,"), 0.97) if profile else None


def _website(text: str, lines: Sequence[str]) -> Field | None:
    for match in URL.finditer(text):
        site = match[0].rstrip(".,;:/)") if "?" in match[0] else match[0].rstrip(".,;:)")
        if not _SOCIAL.search(site.split("?")[0]):
            return Field(site, 0.95)
    for line in lines:
        for match in _DOMAIN.finditer(EMAIL.sub(" ", line)):
            site = match[0].rstrip(".")
            if _is_site(site):
                return Field(site, 0.75)
    return None


def _is_site(site: str) -> bool:
    """Whether a bare domain is the sender's website rather than a social network, a company or two words."""
    host = site.partition("/")[0]
    name, _, top = host.rpartition(".")
    if top.casefold() not in _TOP_DOMAINS or _SOCIAL.search(site) or has_legal_form(f"x {host}"):
        return False
    shortest = 3
    return len(name) >= shortest and not name[0].isupper()
