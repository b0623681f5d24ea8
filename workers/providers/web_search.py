"""Any web search behind a small adapter of its own; the JSON contract is in docs/reference/providers.md."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from workers.providers.base import Answer, Found, NoMatch, Outcome, Refused, Request, Unavailable, cleaned
from workers.providers.http import call

# An address found on the web is not proof of whose it is, so it is not among them.
_FIELDS: Final = frozenset({"first_name", "last_name", "title", "phone", "mobile", "linkedin_url", "company"})
# Below this a search result is about somebody else too often to be put before a person.
_LEAST_CONFIDENCE: Final = 0.6


@dataclass(frozen=True, slots=True)
class WebSearch:
    """A search adapter that listens at `url`; one person a call."""

    url: str
    key: str | None = field(default=None, repr=False)
    sleep: Callable[[float], None] = time.sleep

    @property
    def batch_size(self) -> int:
        """The contract has one person a call."""
        return 1

    @property
    def daily_credits(self) -> int | None:
        """The adapter's owner limits what it costs."""
        return None

    def lookup(self, requests: Sequence[Request]) -> Answer:
        """Search for one person."""
        (request,) = requests
        query = {
            "email": cleaned(request.email),
            "first_name": cleaned(request.first_name),
            "last_name": cleaned(request.last_name),
            "company": cleaned(request.company),
        }
        known = {name: value for name, value in query.items() if value}
        if not known.keys() & {"email", "last_name"}:
            return Answer([Refused("neither an address nor a last name to search for")], 0)
        reply = call(
            "web_search",
            self.url,
            headers={"Authorization": f"Bearer {self.key}"} if self.key else {},
            payload={"query": known},
            key_setting="WEB_SEARCH_KEY",
            sleep=self.sleep,
        )
        match reply.result:
            case Refused() | Unavailable() as outcome:
                return Answer([outcome], 1 if reply.spent else 0, reply.windows)
            case result:
                return Answer([_outcome(result)], 1, reply.windows)


def _outcome(result: Mapping[str, Any]) -> Outcome:
    results = result.get("results")
    if not isinstance(results, list):
        return Unavailable("web_search answered without a list of results")
    best: dict[str, tuple[float, str, str | None]] = {}
    for item in results:
        if not isinstance(item, dict):
            continue
        name, value, confidence = cleaned(item.get("field")), cleaned(item.get("value")), item.get("confidence")
        if name not in _FIELDS or not value or not isinstance(confidence, int | float):
            continue
        if _LEAST_CONFIDENCE <= confidence <= 1 and (name not in best or confidence > best[name][0]):
            best[name] = (confidence, value, cleaned(item.get("source_url")))
    if not best:
        return NoMatch()
    sources = {name: source for name, (_, _, source) in best.items() if source}
    return Found({name: value for name, (_, value, _) in best.items()} | {"sources": sources})
