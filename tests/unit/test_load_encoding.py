"""If these fail, Łódź becomes £ódŸ in somebody's letterhead, or Müller cannot be loaded from an ordinary Excel."""

import io
from pathlib import Path

import pytest

from workers.load import Problem
from workers.load.csv_file import CsvFile
from workers.load.encoding import encoding_of
from workers.load.row import FileError


def lines(*names: str) -> str:
    return "tenant;company_name\r\n" + "".join(f"Acme;{name}\r\n" for name in names)


@pytest.mark.parametrize(
    "names",
    [
        ["Müller & Söhne GmbH", "Groß AG", "Ärzte – Über uns"],
        ["Lefèvre & Hélène", "Société Générale", "L’Oréal", "Cœur d’Alène", "Où ça ?"],
        ["Jørgensen", "Ångström & Co", "Æbleø"],
        ["Peña Muñoz, S.A.", "¿Qué?", "Avião São João", "Perù è così"],
        ["Prix 5 €", "„Zitat“", "«Wort»", "Straße 5 – 7", "ACME™", "Foo®", "N°5", "30 °C", "½ Liter", "20 m³"],
        # A neighbour's name is one word among many.
        [*["Müller"] * 30, "Škoda"],
    ],
)
def test_what_western_europe_saves_is_read(names: list[str]) -> None:
    content = lines(*names).encode("windows-1252")
    encoding = encoding_of(io.BytesIO(content), None)
    assert content.decode(encoding.name) == lines(*names)
    assert encoding.note is not None
    assert encoding.note.startswith('read as Windows-1252: "')


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("windows-1250", ["Łódź", "Węgrzyn", "Żółć"]),
        ("windows-1250", ["Dvořák", "Jiří Černý", "Kučera"]),
        ("windows-1250", ["Szűcs", "Petőfi", "Erdős"]),
        ("windows-1250", ["Braşov", "Bogdăneşti"]),
        ("windows-1251", ["Иванов", "Москва"]),
        ("windows-1253", ["Παπαδόπουλος", "Αθήνα"]),
        ("windows-1254", ["Yılmaz", "Şahin", "Doğan"]),
        ("mac-roman", ["Müller & Söhne", "Weiß", "Hélène Lefèvre"]),
        ("cp850", ["Müller & Söhne", "Weiß", "Hélène Lefèvre"]),
        ("shift_jis", ["株式会社東京", "佐藤"]),
    ],
)
def test_what_is_neither_unicode_nor_western_is_refused_until_somebody_says_what_it_is(
    encoding: str, names: list[str]
) -> None:
    content = lines(*names).encode(encoding)
    with pytest.raises(FileError, match="say what it is with --encoding"):
        encoding_of(io.BytesIO(content), None)
    told = encoding_of(io.BytesIO(content), encoding)
    assert content.decode(told.name) == lines(*names)
    assert told.note is not None
    assert names[0].split()[0] in told.note


def test_the_refusal_shows_what_each_encoding_would_make_of_it() -> None:
    with pytest.raises(FileError) as refused:
        encoding_of(io.BytesIO(lines("Acme", "Łódź").encode("windows-1250")), None)
    assert str(refused.value) == (
        'the file is not UTF-8, and read as Windows-1252 it says "£ódŸ" in line 3: say what it is with --encoding, '
        'windows-1252 if that is right, or windows-1250 ("Łódź"), windows-1251 ("Јуdџ")'
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_is_known_without_a_word_and_in_spite_of_a_wrong_one(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "clients.csv"
    path.write_bytes(lines("Łódź", "東京").encode(encoding))
    for hint in (None, "windows-1252"):
        with CsvFile(path, {"tenant"}, hint) as file:
            assert file.header == ("tenant", "company_name")
            assert [record.fields for record in file if not isinstance(record, Problem)] == [
                ["Acme", "Łódź"], ["Acme", "東京"],
            ]  # fmt: skip


def test_a_broken_line_costs_itself_and_not_the_file() -> None:
    broken = b"Acme;\xff\xfe\x80\r\n"
    for others in (["Müller", "Łódź"], ["Miller"] * 20):
        for hint in (None, *(["windows-1250"] if "Łódź" in others else [])):
            assert encoding_of(io.BytesIO(lines(*others).encode() + broken), hint).name == "utf-8-sig"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_file_of_any_size_and_with_any_line_ends_is_told(end: str) -> None:
    names = [f"Müller {n}" for n in range(120_000)]
    content = lines(*names).replace("\r\n", end)
    assert len(content) > 1 << 21
    assert encoding_of(io.BytesIO(content.encode()), None).name == "utf-8-sig"
    assert encoding_of(io.BytesIO(content.encode("windows-1252")), None).name == "windows-1252"


def test_a_line_without_end_tells_nothing() -> None:
    endless = b"\xc3" * (5 << 20) + b"\n"
    assert encoding_of(io.BytesIO(endless + lines("Müller").encode("windows-1252")), None).name == "windows-1252"


def test_text_that_was_damaged_before_costs_its_row_and_not_the_file(tmp_path: Path) -> None:
    path = tmp_path / "clients.csv"
    path.write_text(lines("M\ufffdller", "MÃ¼ller", "SÃO PAULO", "Müller"), encoding="utf-8")
    with CsvFile(path, {"tenant"}) as file:
        first, second, *others = file
    assert isinstance(first, Problem)
    assert first.reason == '"M\ufffdller" has lost characters: export it again as UTF-8'
    assert isinstance(second, Problem)
    assert second.reason == '"MÃ¼ller" is garbled "Müller": export it again as UTF-8'
    assert [isinstance(record, Problem) for record in others] == [False, False]
