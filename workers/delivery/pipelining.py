"""A message's way over an open SMTP connection, with as few answers to wait for as the server allows."""

import re
import smtplib
from contextlib import suppress
from typing import Final

from workers.delivery.message import Letter

_TAKEN: Final = 250
_PASSED_ON: Final = 251
_BEGIN: Final = 354  # the text may follow
_GONE: Final = (421, -1)  # the server hangs up, or does not speak SMTP any more
_DOT: Final = re.compile(rb"(?m)^\.")


def send_letter(connection: smtplib.SMTP, letter: Letter) -> None:
    """Send one message to its one recipient.

    A server that offers PIPELINING (RFC 2920) gets the whole envelope in one go and answers each command as it would by
    itself: two answers are waited for and not four.

    Raises:
        smtplib.SMTPException, OSError, ValueError: as `smtplib.SMTP.sendmail` does.
    """
    connection.ehlo_or_helo_if_needed()
    if not connection.has_extn("pipelining"):
        connection.sendmail(letter.sender, [letter.recipient], letter.raw)
        return
    size = f" SIZE={len(letter.raw)}" if connection.has_extn("size") else ""
    connection.send(f"MAIL FROM:<{letter.sender}>{size}\r\nRCPT TO:<{letter.recipient}>\r\nDATA\r\n")
    try:
        _require_envelope(connection, letter)
        _send_text(connection, letter.raw)
    except smtplib.SMTPResponseException as error:
        if error.smtp_code not in _GONE:
            _reset(connection)
        raise
    except smtplib.SMTPRecipientsRefused as error:
        if error.recipients[letter.recipient][0] not in _GONE:
            _reset(connection)
        raise


def _require_envelope(connection: smtplib.SMTP, letter: Letter) -> None:
    """Read the answers to MAIL and RCPT; if one is a refusal, see that nothing is sent."""
    code, said = connection.getreply()
    if code != _TAKEN:
        if code not in _GONE:
            connection.getreply()
            _send_nothing(connection)
        raise smtplib.SMTPSenderRefused(code, said, letter.sender)
    code, said = connection.getreply()
    if code not in (_TAKEN, _PASSED_ON):
        if code not in _GONE:
            _send_nothing(connection)
        raise smtplib.SMTPRecipientsRefused({letter.recipient: (code, said)})


def _send_nothing(connection: smtplib.SMTP) -> None:
    """Read the answer to DATA. A server may let the text begin although nobody is to get it: then it is empty."""
    if connection.getreply()[0] == _BEGIN:
        connection.send(b".\r\n")
        connection.getreply()


def _send_text(connection: smtplib.SMTP, raw: bytes) -> None:
    code, said = connection.getreply()
    if code == _BEGIN:
        end = b".\r\n" if raw.endswith(b"\r\n") else b"\r\n.\r\n"
        connection.send(_DOT.sub(b"..", raw) + end)
        code, said = connection.getreply()
    if code != _TAKEN:
        raise smtplib.SMTPDataError(code, said)


def _reset(connection: smtplib.SMTP) -> None:
    with suppress(smtplib.SMTPServerDisconnected):
        connection.rset()
