"""What can go wrong for a reason the operator can mend. The message says what and how."""

from collections.abc import Sequence


class FleetError(Exception):
    """The command cannot go on; it ends with exit code 2 and this message instead of a traceback."""

    def __init__(self, *lines: str) -> None:
        """Keep the lines of the message apart: nearly always it is one, which may hold a line end of a stranger's."""
        super().__init__("\n".join(lines))
        self.lines = lines


def first_line(error: BaseException) -> str:
    """Return an error's first line, or its class where it has no words."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class ConfigurationError(FleetError):
    """A setting is missing, unknown or invalid; the message names the variable."""


class DatabaseUnavailableError(FleetError):
    """The database cannot be reached."""


class SpoiltError(FleetError):
    """A transaction without savepoints cannot go on, because something in it was refused."""


class SchemaMismatchError(FleetError):
    """The database is not migrated, or migrated to a state this code does not know."""


class UnfitDatabaseError(FleetError):
    """The CRM's tables are not as the fleet needs them; the message is a list, a line for each thing to mend."""

    def __init__(self, summary: str, findings: Sequence[object]) -> None:
        """Keep the findings beside the words."""
        super().__init__(summary, *(f"  {finding}" for finding in findings))
        self.findings = findings


class UnknownNameError(FleetError):
    """An engine or tenant that does not exist was asked for."""


class EngineError(FleetError):
    """An engine is not whole; the message names the engine and the missing part."""
