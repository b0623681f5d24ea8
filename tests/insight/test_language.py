"""If these fail, a complaint in a language that nobody reads is judged all the same, or English goes unread."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cost import costs_little
from workers.insight.language import UNDERSTOOD, detect_language, language_name


@pytest.mark.parametrize(
    "text",
    [
        "OK", "Yes", "Perfect!", "Thank you so much!", "Can I return it to the store?", "How do I reset the password?",
        "Worth the wait.", "below par", "blurry", "Not great, tbh.", "La Piazza disappoints. Bland, overpriced.",
        "Met our expectations perfectly.", "El Paso order arrived broken.", "All good, cheers, Müller",
        "We've had no trouble, and don't expect any.", "Great flavor, great service, thanks!",
        "Confirmed. Giovanni De Luca", "PO 4711 from Société Générale is on its way.",
    ],
)  # fmt: skip
def test_short_english_is_read_whatever_names_are_in_it(text: str) -> None:
    assert detect_language(text) == "en"


@pytest.mark.parametrize(
    ("language", "texts"),
    {
        "de": ["Passt, danke.", "Leider war die Lieferung nicht gut.", "Wann kommt der Rest?",
               "Bin im Urlaub bis Montag."],
        "fr": ["Bonjour, tout est parfait, merci beaucoup !", "Le colis est arrivé cassé.", "Très bien",
               "Quand livrez-vous ?"],
        "es": ["Muy bien, gracias.", "El paquete llegó roto.", "¿Cuándo llega el resto?", "Nadie contesta."],
        "nl": ["Dank u wel, alles is goed.", "Het pakket kwam kapot aan.", "Ik ben op vakantie.",
               "Kunt u mij terugbellen?"],
        "it": ["Grazie mille, tutto bene.", "Il pacco è arrivato rotto.", "Quando arriva il resto?", "Sono in ferie."],
        "pt": ["O pacote chegou partido, não estou contente."],
        "sv": ["Paketet kom fram trasigt."],
        "pl": ["Paczka przyszła uszkodzona."],
        "cs": ["Balík přišel poškozený."],
        "fi": ["Paketti saapui rikkinäisenä."],
        "tr": ["Paket kırık geldi, memnun değilim."],
        "ru": ["Посылка пришла повреждённой."],
        "ja": ["荷物が壊れて届きました。"],
        "zh": ["包裹到的时候已经坏了。"],
        "ar": ["وصلت الشحنة مكسورة."],
    }.items(),
)  # fmt: skip
def test_other_languages_are_told_apart(language: str, texts: list[str]) -> None:
    assert {text: detect_language(text) for text in texts} == dict.fromkeys(texts, language)


@pytest.mark.parametrize(
    "text",
    [
        "Dårlig service, ingen svarer.", "Mizerná kvalita.", "Rossz minőség.", "Servicii proaste.", "Huonoa palvelua.",
        "Κακή εξυπηρέτηση.", "서비스가 나빠요.", "Akkoord", "Kaputt.", "Malísimo", "Deludente!",
    ],
)  # fmt: skip
def test_what_is_not_english_is_never_taken_for_it(text: str) -> None:
    assert detect_language(text) not in UNDERSTOOD


@pytest.mark.parametrize(
    "text", ["", " \n", "👍", "⭐⭐", "9/10", "https://acme.example/photo", "ann@acme.example", "+44 20 7946 0000"]
)
def test_a_text_without_words_is_in_no_language(text: str) -> None:
    assert detect_language(text) == "zxx"


def test_people_are_told_a_language_by_its_name() -> None:
    assert [language_name(code) for code in ("de", "und")] == ["German", "an unknown language"]


@settings(deadline=None)  # the first call loads the model
@given(st.text(max_size=1_000))
def test_any_text_has_a_language_that_can_be_named(text: str) -> None:
    code = detect_language(text)
    assert language_name(code)
    assert code == detect_language(text)


@pytest.mark.parametrize("piece", ["wort ", "é", "@", "'", "http://", " ", "\ud800", "漢"])
def test_a_huge_hostile_text_costs_no_more_than_its_beginning(piece: str) -> None:
    huge = piece * (100_000 // len(piece))
    assert costs_little(lambda: detect_language(huge))
