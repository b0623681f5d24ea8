"""What can go wrong for a reason the operator can mend. The message says what and how, in one line."""


class FleetError(Exception):
    """The command cannot go on; it ends with exit code 2 and this message instead of a traceback."""


def first_line(error: BaseException) -> str:
    """Return an error's first line, or its class where it has no words."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class ConfigurationError(FleetError):
    """A setting is missing, unknown or invalid; the message names the variable."""


class DatabaseUnavailableError(FleetError):
    """The database cannot be reached."""


class SchemaMismatchError(FleetError):
    """The database is not migrated, or migrated to a state this code does not know."""


class UnknownNameError(FleetError):
    """An engine or tenant that does not exist was asked for."""


class EngineError(FleetError):
    """An engine is not whole; the message names the engine and the missing part."""
