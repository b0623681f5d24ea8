"""Log lines: one look for workers, beat, delivery, Flower and the command line, as text or as JSON (FLEET_LOG).

What is known of a line's subject travels beside its words: `logger.info("…", extra={"engine": …, "run": …})`.
"""

import logging
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from typing import Final

from workers.errors import FleetError
from workers.settings import settings
from workers.terminal import json_text, say, visible

logger = logging.getLogger("workers.up")  # who speaks through `tell`

# What a line may be about: fields of their own in JSON.
FIELDS: Final = ("engine", "run", "tenant", "action")
_HEARD: Final = ("workers", "celery", "flower")
# Celery says these of every task; the fleet's own line of a run says what came of it.
_CHATTER: Final = {
    "celery.app.trace": "Task %(name)s[%(id)s] succeeded",
    "celery.beat": "Scheduler: Sending due task",
    "celery.worker.strategy": "Task %(name)s[%(id)s] received",
}


def as_json() -> bool:
    """Say whether lines are JSON; raises ConfigurationError as `settings` does."""
    return settings().fleet_log == "json"


def configure(level: int = logging.INFO, file: str | None = None) -> None:
    """Send every log line of this process from a level on to stderr or a file, in the form FLEET_LOG asks for.

    Raises:
        ConfigurationError: a setting is unknown or invalid.
    """
    handler = WatchedFileHandler(file, encoding="utf-8") if file else logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if as_json() else TextFormatter())
    if level > logging.DEBUG:
        handler.addFilter(_is_news)
    # Other libraries speak up from WARNING on, or whenever an operator asks for everything.
    logging.basicConfig(handlers=[handler], level=level if level <= logging.DEBUG else logging.WARNING, force=True)
    for name in _HEARD:
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(capture=True)


def tell(text: str, *, style: str = "") -> None:
    """Say a line to whoever started the fleet: on stdout for people, as a log line where those are JSON."""
    if as_json():
        logger.info(" ".join(text.split()))
    else:
        say(text, style=style)


def json_line(moment: datetime, level: str, logger: str, message: str, **fields: object) -> str:
    """Return one log line as JSON.

    Args:
        moment: when it happened, with a time zone.
        level: INFO, WARNING, ERROR …
        logger: what part of the fleet says it.
        message: the words.
        fields: what else is known.
    """
    return json_text({"time": moment, "level": level, "logger": logger, "message": message} | fields)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the known FIELDS, and the traceback as `error`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        fields = {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if trace := _traceback(self, record):
            fields["error"] = trace
        moment = datetime.fromtimestamp(record.created, UTC)
        return json_line(moment, record.levelname, record.name, record.getMessage(), **fields)


class TextFormatter(logging.Formatter):
    """`2026-03-02 09:00:00 deals: 214 due …`, in local time, with the level from WARNING on.

    A message is one line, whatever it quotes.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, and the lines of its traceback."""
        level = f"{record.levelname} " if record.levelno >= logging.WARNING else ""
        line = f"{self.formatTime(record, '%Y-%m-%d %H:%M:%S')} {level}{visible(record.getMessage())}"
        return "\n".join([line, *map(visible, _traceback(self, record).splitlines())])


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """Return a record's traceback; none for what an operator can mend, whose message says it all."""
    if not record.exc_info or isinstance(record.exc_info[1], FleetError):
        return ""
    return formatter.formatException(record.exc_info)


def _is_news(record: logging.LogRecord) -> bool:
    beginning = _CHATTER.get(record.name)
    return beginning is None or not str(record.msg).startswith(beginning)
