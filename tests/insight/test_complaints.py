"""If these fail, who reported us as spam gets the next mail all the same, or a read receipt ends a conversation."""

from email.message import Message

import pytest

from tests.insight.mails import ANN, OURS, given_up, names, read
from workers.insight.bounces import returned_message_ids
from workers.insight.machine_mail import classify_message


def changed(name: str, old: str, new: str) -> Message:
    """A complaint with another text in one of its places."""
    message = read("complaints", name)
    for part in message.walk():
        for field, value in part.items():
            if old in value:
                part.replace_header(field, value.replace(old, new))
    return message


@pytest.mark.parametrize("name", names("complaints"))
def test_who_complained_and_about_which_message_is_known(name: str) -> None:
    message = read("complaints", name)
    judgement = classify_message(message)

    assert (judgement.kind, [failure.recipient for failure in judgement.failures]) == ("complaint", [ANN])
    assert judgement.failures[0].fault.whose == "address"
    assert returned_message_ids(message) == (OURS,)


def test_of_whom_the_provider_hides_the_enclosed_message_id_tells() -> None:
    message = changed("arf-recipient-in-the-original", f"Ann <{ANN}>", "undisclosed-recipients:;")

    judgement = classify_message(message)
    assert (judgement.kind, given_up(judgement)) == ("complaint", [None])
    assert returned_message_ids(message) == (OURS,)


@pytest.mark.parametrize("kind", ["auth-failure", "not-spam", "virus", "dmarc"])
def test_what_nobody_complained_of_suppresses_nobody(kind: str) -> None:
    judgement = classify_message(changed("arf", "abuse", kind))
    assert (judgement.kind, judgement.failures) == ("auto_reply", ())


@pytest.mark.parametrize("name", names("receipts"))
def test_a_read_receipt_is_no_answer(name: str) -> None:
    judgement = classify_message(read("receipts", name))
    assert (judgement.kind, judgement.reason) == ("auto_reply", "read receipt")
