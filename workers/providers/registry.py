"""The providers by the queue's names for them, each switched on by its settings or off with the reason."""

from collections.abc import Mapping

from workers.providers.apollo import Apollo
from workers.providers.base import Off, Provider
from workers.providers.web_search import WebSearch
from workers.settings import Settings


def providers(settings: Settings) -> Mapping[str, Provider | Off]:
    """Return every provider that the queue can name."""
    apollo: Provider | Off = Off("apollo is off: APOLLO_API_KEY is not set")
    if settings.apollo_api_key is not None:
        apollo = Apollo(
            settings.apollo_url, settings.apollo_api_key.get_secret_value(), settings.fleet_apollo_daily_credits
        )
    web_search: Provider | Off = Off("web_search is off: WEB_SEARCH_URL is not set")
    if settings.web_search_url is not None:
        key = settings.web_search_key
        web_search = WebSearch(settings.web_search_url, key.get_secret_value() if key else None)
    return {"apollo": apollo, "web_search": web_search}
