"""Apollo's people match, in bulk. The contract relied on is in docs/reference/providers.md."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from workers.providers.base import Answer, Found, NoMatch, Outcome, Refused, Request, Unavailable, Window, cleaned
from workers.providers.http import call

_PATH: Final = "/api/v1/people/bulk_match"
_PER_CALL: Final = 10
# A switchboard is not the person's telephone.
_NOT_THE_PERSONS: Final = frozenset({"work_hq", "other"})
# What no call was made for, or what came back unreadable, is told in these words.
_MISALIGNED: Final = "apollo answered without one match per person"


@dataclass(frozen=True, slots=True)
class Apollo:
    """Apollo with a key. A match costs a credit, no match costs none."""

    url: str
    key: str = field(repr=False)
    daily_credits: int | None = None
    sleep: Callable[[float], None] = time.sleep

    @property
    def batch_size(self) -> int:
        """Apollo takes ten people a call."""
        return _PER_CALL

    def lookup(self, requests: Sequence[Request]) -> Answer:
        """Match up to ten people. Phones and personal addresses are not asked for: they cost extra."""
        outcomes: list[Outcome] = [_unaskable(request) or NoMatch() for request in requests]
        askable = [place for place, request in enumerate(requests) if _unaskable(request) is None]
        answer = self._match([requests[place] for place in askable]) if askable else Answer((), 0)
        for place, outcome in zip(askable, answer.outcomes, strict=True):
            outcomes[place] = outcome
        return Answer(outcomes, answer.credits, answer.windows)

    def _match(self, requests: Sequence[Request]) -> Answer:
        reply = call(
            "apollo",
            self.url.rstrip("/") + _PATH,
            headers={"X-Api-Key": self.key},
            payload={
                "details": [_details(request) for request in requests],
                "reveal_personal_emails": False,
                "reveal_phone_number": False,
            },
            key_setting="APOLLO_API_KEY",
            sleep=self.sleep,
        )
        match reply.result:
            case Refused() if len(requests) > 1:
                return self._halves(requests, reply.windows)
            case Refused() | Unavailable() as outcome:
                return Answer([outcome] * len(requests), len(requests) if reply.spent else 0, reply.windows)
            case result:
                return _answer(result, len(requests), reply.windows)

    def _halves(self, requests: Sequence[Request], windows: Sequence[Window]) -> Answer:
        """Ask again by halves: one entry that Apollo refuses must not fail the other nine."""
        if any(window.calls_left == 0 for window in windows):
            return Answer([Unavailable("apollo has no calls left in this window")] * len(requests), 0, windows)
        middle = len(requests) // 2
        first = self._match(requests[:middle])
        closed = [outcome for outcome in first.outcomes if isinstance(outcome, Unavailable)]
        rest = requests[middle:]
        second = Answer([closed[0]] * len(rest), 0, first.windows) if closed else self._match(rest)
        return Answer(
            [*first.outcomes, *second.outcomes], first.credits + second.credits, second.windows or first.windows
        )


def _unaskable(request: Request) -> Refused | None:
    if request.email or (request.last_name and request.company):
        return None
    return Refused("neither an address, nor a last name and a company, to ask apollo with")


def _details(request: Request) -> dict[str, str]:
    details = {
        "email": cleaned(request.email),
        "first_name": cleaned(request.first_name),
        "last_name": cleaned(request.last_name),
        "organization_name": cleaned(request.company),
    }
    return {name: value for name, value in details.items() if value}


def _answer(result: Mapping[str, Any], expected: int, windows: Sequence[Window]) -> Answer:
    matches = result.get("matches")
    if not isinstance(matches, list) or len(matches) != expected:
        return Answer([Unavailable(_MISALIGNED)] * expected, expected, windows)
    outcomes = [_outcome(match) for match in matches]
    charged = result.get("credits_consumed")
    if not isinstance(charged, int) or isinstance(charged, bool) or charged < 0:
        charged = sum(not isinstance(outcome, NoMatch) for outcome in outcomes)
    return Answer(outcomes, charged, windows)


def _outcome(match: object) -> Outcome:
    if match is None:
        return NoMatch()
    if not isinstance(match, dict):
        return Refused("apollo's match is not readable")
    organization = match.get("organization")
    data = {
        "first_name": cleaned(match.get("first_name")),
        "last_name": cleaned(match.get("last_name")),
        "title": cleaned(match.get("title")),
        "linkedin_url": cleaned(match.get("linkedin_url")),
        "company": cleaned(organization.get("name")) if isinstance(organization, dict) else None,
        **_phones(match),
    }
    known = {name: value for name, value in data.items() if value}
    return Found(known) if known else NoMatch()


def _phones(match: Mapping[str, Any]) -> dict[str, str]:
    contact = match.get("contact")
    phones: dict[str, str] = {}
    for holder in (match, contact):
        numbers = holder.get("phone_numbers") if isinstance(holder, dict) else None
        for number in numbers if isinstance(numbers, list) else []:
            if isinstance(number, dict) and cleaned(number.get("type")) not in _NOT_THE_PERSONS:
                value = cleaned(number.get("sanitized_number")) or cleaned(number.get("raw_number"))
                if value:
                    phones.setdefault("mobile" if number.get("type") == "mobile" else "phone", value)
    return phones
