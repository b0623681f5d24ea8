"""If these fail, a customer's text can move the cursor, forge a line, or turn round what an operator reads."""

import json
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from workers.terminal import foreign, json_text, table_of, visible


def acts_on_a_terminal(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in "\u200c\u200d"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x1b]8;;https://evil.example\x07Invoice\x1b]8;;\x07", r"\x1b]8;;https://evil.example\x07Invoice\x1b]8;;\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("one\r\ntwo\tthree", r"one\r\ntwo\tthree"),
        ("invoice\u202efdp.exe", r"invoice\u202efdp.exe"),
        ("pay\u200bpal \U000e0041", r"pay\u200bpal \U000e0041"),
        ("a\u2028b\x85c", r"a\u2028b\x85c"),
        ("file\udcff", r"file\udcff"),
        ("[link=https://evil.example]Invoice[/link] [/]", "[link=https://evil.example]Invoice[/link] [/]"),
    ],
)
def test_what_would_act_or_hide_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    "text", ["Müller & Søn", "日本電気", "شركة", "می‌خواهم", "👩‍👧 café", "a\u00a0b", "“Ten” … 10 €"]
)
def test_letters_of_every_script_stay_as_they_are(text: str) -> None:
    assert visible(text) == text


@pytest.mark.fuzz
@given(st.text())
def test_nothing_left_acts_on_a_terminal(text: str) -> None:
    assert not any(map(acts_on_a_terminal, visible(text)))
    shown = json_text({"text": text})
    assert not any(map(acts_on_a_terminal, shown))
    assert json.loads(shown) == {"text": text}


@pytest.mark.fuzz
@given(st.lists(st.text(), min_size=2, max_size=2))
def test_a_table_shows_any_text_and_needs_no_more_lines_for_a_forged_one(row: list[str]) -> None:
    console = Console(width=20_000, markup=True)
    with console.capture() as capture:
        console.print(table_of(["one", "two"], [row]))
    lines = [line.rstrip() for line in capture.get().split("\n")]
    assert not any(acts_on_a_terminal(character) for line in lines for character in line)
    assert len(lines) == 6  # frame, heading, rule, row, frame, end
    assert all(foreign(cell).plain.strip() in lines[3] for cell in row)


def test_a_text_without_end_is_cut_where_everybody_can_see_it() -> None:
    assert foreign("x" * 10_000).plain == "x" * 499 + "…"
    assert foreign(None).plain == ""


def test_json_says_instants_in_utc_and_ids_and_amounts_as_they_are() -> None:
    instant = datetime(2026, 3, 2, 10, tzinfo=timezone(timedelta(hours=1)))
    value = {"at": instant, "day": date(2026, 3, 2), "id": UUID(int=7), "amount": Decimal("9.50"), "none": None}
    assert json.loads(json_text(value)) == {
        "at": "2026-03-02T09:00:00+00:00", "day": "2026-03-02", "id": str(UUID(int=7)), "amount": "9.50", "none": None,
    }  # fmt: skip
    assert json_text([datetime(2026, 3, 2, tzinfo=UTC)]) == '["2026-03-02T00:00:00+00:00"]'
    with pytest.raises(TypeError, match="set has no JSON"):
        json_text({1, 2})
