"""The fields of a delivery status (RFC 3464), also where they stand in a plain text or lack their blank lines."""

import re
from dataclasses import dataclass
from typing import Final

from workers.insight.addresses import addresses_in

__all__ = ["Report", "reports_in"]

_FIELD: Final = re.compile(r"^(?P<name>[A-Za-z][A-Za-z-]{2,40})[ \t]*:[ \t]*(?P<value>[^\n]{0,2000})$")
_RECIPIENTS: Final = ("final-recipient", "original-recipient", "action", "status")
_MOST: Final = 20
_LONGEST_FIELD: Final = 1_000
_SUCCESS: Final = frozenset({"delivered", "relayed", "expanded", "deliverable"})


@dataclass(frozen=True, slots=True)
class Report:
    """What a delivery status says of one recipient.

    Attributes:
        recipient: The address that was written to, folded: the original one where it is named; or None.
        action: "failed", "delayed", "delivered", …; empty if missing.
        status: "5.1.1", or None.
        diagnostic: The words of the server that refused.
        origin: Of what kind they are: "smtp", "x-unix" (a delivery program's), "x-notes", …; empty if missing.
        comment: What stands behind the status; the reporting server's own words.
        reporter: The name of the server that reports; empty if missing.
    """

    recipient: str | None
    action: str
    status: str | None
    diagnostic: str
    origin: str
    comment: str
    reporter: str

    @property
    def success(self) -> bool:
        """Whether it reports that the message arrived, or went on to where nobody reports."""
        return self.action in _SUCCESS


def reports_in(text: str) -> list[Report]:
    """Find the reports of recipients in a delivery status, or in any text that holds such fields.

    A field that comes again begins another recipient, with or without a blank line before it.
    """
    found: list[Report] = []
    group: dict[str, str] = {}
    reporter = ""
    for name, value in [*_fields(text), ("", "")]:
        if not name or (name in _RECIPIENTS and name in group):
            reporter = group.get("reporting-mta", reporter)  # said once, of all recipients
            if group.keys() & {"final-recipient", "original-recipient"} and len(found) < _MOST:
                found.append(_report(group, reporter))
            group = {}
        if name:
            group.setdefault(name, value)
    return found


def _fields(text: str) -> list[tuple[str, str]]:
    """The fields in their order, unfolded, names in lower case; ("", "") where a group ends."""
    found: list[tuple[str, str]] = []
    for line in text.split("\n"):
        field = _FIELD.match(line.rstrip())
        if field:
            found.append((field["name"].lower(), field["value"].strip()[:_LONGEST_FIELD]))
        elif not line.strip():
            found.append(("", ""))
        elif line[0] in " \t" and found and found[-1][0]:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}"[:_LONGEST_FIELD])
    return found


def _report(group: dict[str, str], reporter: str) -> Report:
    # "rfc822; <ann@acme.example>", with a route before it ("@relay.example:ann@acme.example"), or no address at all.
    original, final = (addresses_in(group.get(name, "")) for name in ("original-recipient", "final-recipient"))
    status = re.match(r"[245]\.\d{1,3}\.\d{1,4}\b", group.get("status", ""))
    diagnostic = re.match(r"(?:(?P<origin>[\w.-]{1,30})[ \t]*;)?(?P<words>.*)", group.get("diagnostic-code", ""))
    assert diagnostic is not None  # noqa: S101  # it matches everything
    return Report(
        recipient=next(iter([*original[-1:], *final[-1:]]), None),
        action=group.get("action", "").split(" ")[0].strip("();").casefold(),
        status=status[0] if status else None,
        diagnostic=diagnostic["words"].strip(),
        origin=(diagnostic["origin"] or "").casefold(),
        comment=group["status"][status.end() :].strip(" ()") if status else "",
        reporter=reporter.rpartition(";")[2].strip().casefold(),
    )
