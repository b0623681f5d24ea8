"""If these fail, a customer's words arrive as signs that nobody can read."""

import codecs

import pytest

from workers.insight.charsets import decode

RUSSIAN = "Спасибо, мы принимаем ваше предложение."
JAPANESE = "見積もりを承認します。よろしくお願いいたします。"


def in_jis(*pairs: int) -> bytes:
    """ISO-2022-JP with the characters of these code points, as a mail program writes them."""
    return b"\x1b$B" + b"".join(pair.to_bytes(2) for pair in pairs) + b"\x1b(B"


@pytest.mark.parametrize(
    ("label", "content", "text"),
    [
        ("iso-8859-1", b"It isn\x92t \x93good\x94 \x96 5 \x80", "It isn’t “good” – 5 €"),
        ("ISO_8859-1:1987", b"isn\x92t", "isn’t"),
        ("us-ascii", b"isn\x92t", "isn’t"),
        ('"latin1"', "Grüße".encode("latin-1"), "Grüße"),
        ("iso-8859-9", "kırık “ş”".encode("cp1254"), "kırık “ş”"),
        ("tis-620", "การจัดส่ง…".encode("cp874"), "การจัดส่ง…"),
        ("gb2312", "朱镕基 €".encode("gb18030"), "朱镕基 €"),
        ("GBK", "㐂".encode("gb18030"), "㐂"),
        ("shift_jis", "①髙㈱".encode("cp932"), "①髙㈱"),
        ("x-sjis", "～①".encode("cp932"), "～①"),
        ("windows-31j", "髙橋".encode("cp932"), "髙橋"),
        ("ks_c_5601-1987", "똠방각하".encode("cp949"), "똠방각하"),
        ("ks_c_5601-1989", "똠방각하".encode("cp949"), "똠방각하"),
        ("euc-kr", "똠".encode("cp949"), "똠"),
        ("big5", "您好 €".encode("cp950"), "您好 €"),
        ("koi8-r", RUSSIAN.encode("koi8-r"), RUSSIAN),
        ("koi8-u", "Насос працює добре, дякую їм".encode("koi8-u"), "Насос працює добре, дякую їм"),
        ("windows-1252http-equivcontent-type", b"isn\x92t", "isn’t"),
        ("iso-8859-8-i", "שלום".encode("iso8859-8"), "שלום"),
        ("utf-8", "\ufeffGrüße".encode(), "Grüße"),
        ("utf-16", "Grüße".encode("utf-16"), "Grüße"),
        ("utf-16le", "Grüße".encode("utf-16-le"), "Grüße"),
        ("utf-7", b"Gr+APwA3w-e", "Grüße"),
    ],
)
def test_a_label_is_read_as_what_programs_mean_by_it(label: str, content: bytes, text: str) -> None:
    assert decode(content, label).text == text


def test_a_smiley_of_an_old_program_spoils_nothing_around_it() -> None:
    content = "Schön, danke ".encode() + b"\xed\xa0\xbd\xed\xb8\x80"
    assert decode(content, "utf-8").text == "Schön, danke \N{GRINNING FACE}"


def test_a_text_that_was_encoded_twice_is_decoded_twice() -> None:
    twice = (
        "Zoë – isn’t it “good”? Así, à Düsseldorf".encode()
        .decode("latin-1")
        .encode("latin-1")
        .decode("cp1252", "replace")
    )
    assert decode("Zoë – Zürich".encode().decode("cp1252").encode(), "utf-8") == (
        "Zoë – Zürich",
        "encoded as utf-8 twice",
    )
    assert decode("à Düsseldorf, Así".encode().decode("latin-1").encode()).text == "à Düsseldorf, Así"
    for once in ("Ã© Привет", "5 Â£ and Ã", "â€", twice):
        assert decode(once.encode()).text == once


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("iso-8859-5", "Спасибо большое"),
        ("ibm866", "Спасибо большое"),
        ("x-mac-cyrillic", "Спасибо большое"),
        ("iso-8859-7", "Ευχαριστώ πολύ"),
        ("iso-8859-8-i", "תודה רבה"),
        ("iso-8859-6", "شكرا جزيلا"),
    ],
)
def test_a_few_words_in_a_rare_charset_are_read_as_their_label_says(label: str, text: str) -> None:
    codec = {"x-mac-cyrillic": "mac_cyrillic", "iso-8859-8-i": "iso-8859-8"}.get(label, label)
    assert decode(text.encode(codec), label) == (text, None)


@pytest.mark.parametrize("label", ["utf-16", "utf-16le", "utf-32", "unicode"])
def test_a_text_that_says_it_has_two_bytes_a_letter_and_has_one_is_read(label: str) -> None:
    for text in ("Thanks, all fine.", "Zoë – Zürich"):
        assert decode(text.encode(), label) == (text, None)
    assert decode("您好，货物已收到。".encode("utf-16-le"), "utf-16le") == ("您好，货物已收到。", None)


def test_japanese_of_a_vendor_is_read_in_extended_unix_code_too() -> None:
    assert decode(b"\xad\xa1" + JAPANESE.encode("euc_jp"), "euc-jp") == (f"①{JAPANESE}", None)


@pytest.mark.parametrize("label", ["iso-2022-jp", "ISO-2022-JP-MS", "us-ascii", None])
def test_japanese_with_a_vendors_characters_stays_readable(label: str | None) -> None:
    content = b"No. " + in_jis(0x2D21, 0x256F) + b"\x1b(I1\x1b(B" + in_jis(0x7C62, 0x3636) + b" ok"

    assert decode(content, label).text == "No. ①ワｱ髙橋 ok"


@pytest.mark.parametrize(
    ("content", "text", "note"),
    [
        ("Zoë – Zürich ".encode() + b"\xff", "Zoë – Zürich \ufffd", "utf-8, characters lost: 1"),
        (b"\xff " + "Zürich".encode(), "\ufffd Zürich", "utf-8, characters lost: 1"),
        ("Zürich ".encode() + b"\xe2\x82 ok", "Zürich \ufffd ok", "utf-8, characters lost: 1"),
        ("Zürich ".encode() + b"isn\x92t", "Zürich isn’t", "utf-8 with windows-1252 punctuation"),
    ],
)
def test_one_bad_byte_costs_one_character(content: bytes, text: str, note: str) -> None:
    assert decode(content, "utf-8") == (text, note)
    assert decode(content) == (text, note)


@pytest.mark.parametrize(
    ("label", "content"),
    [
        ("gb2312", "您好，我们已经收到货物，谢谢。".encode("gb18030") + b"\xff"),
        ("shift_jis", JAPANESE.encode("cp932") + b"\x81"),
        ("koi8-r", RUSSIAN.encode("koi8-r")),
        ("windows-1252", "Grüße ".encode("cp1252") + b"\x81"),
    ],
)
def test_a_bad_byte_makes_no_other_charset_of_a_right_label(label: str, content: bytes) -> None:
    text, note = decode(content, label)

    assert text.rstrip("\ufffd") in ("您好，我们已经收到货物，谢谢。", JAPANESE, RUSSIAN, "Grüße ")
    assert note is None or note.endswith("characters lost: 1")


@pytest.mark.parametrize(
    "label", [None, "x-unknown", "no-such-charset", "binary", "\0", "=?", "base64", "punycode", "utf-8"]
)
@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("Grüße", "cp1252"),
        ("Très déçu : la moitié est cassée.", "cp1252"),
        ("Dostawa spóźniła się, połowa części była zepsuta.", "cp1250"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        ("Η παράδοση άργησε δύο εβδομάδες.", "cp1253"),
        ("המשלוח איחר בשבועיים וחצי מהחלקים היו שבורים", "cp1255"),
        ("تأخر التسليم أسبوعين وكان نصف القطع مكسورا", "cp1256"),
        ("您好，我们已经收到货物，但是有一半的零件坏了。", "gb18030"),
        ("您好，交貨晚了兩個星期，一半的零件壞了。", "cp950"),
        (JAPANESE, "cp932"),
        (JAPANESE, "euc_jp"),
        ("안녕하세요, 배송이 2주 늦었고 부품의 절반이 깨졌습니다.", "cp949"),
    ],
)  # fmt: skip
def test_without_a_right_label_the_charset_is_found(label: str | None, text: str, charset: str) -> None:
    read, note = decode(text.encode(charset), label)

    assert read == text
    assert note is not None
    assert note.startswith("read as ")


@pytest.mark.parametrize("label", ["iso-8859-1", "us-ascii", "windows-1252", "iso-8859-15"])
def test_a_wrong_latin_label_hides_no_other_letters(label: str) -> None:
    assert decode("Grüße".encode(), label).text == "Grüße"
    assert decode("Zürich, schön: größer ".encode() + b"\xff", label).text == "Zürich, schön: größer \ufffd"
    assert decode(RUSSIAN.encode("cp1251"), label).text == RUSSIAN
    assert decode(JAPANESE.encode("euc_jp"), label).text == JAPANESE
    assert decode("ÀÉÎÕÜ «»".encode("latin-1"), label).text == "ÀÉÎÕÜ «»"


def test_utf_8_under_an_eastern_label_is_utf_8_and_two_letters_that_look_like_it_are_not() -> None:
    assert decode("您好，我们已经收到".encode(), "gb2312") == ("您好，我们已经收到", "gb18030 is really utf-8")
    assert decode("联通".encode("gb18030"), "gb2312").text == "联通"


@pytest.mark.parametrize("label", ["utf-8", "utf-16", "idna", "hz", '"', "zlib", None])
def test_plain_ascii_is_itself_under_any_label(label: str | None) -> None:
    assert decode(b"Hello", label).text == "Hello"


def test_nothing_that_the_database_refuses_comes_out() -> None:
    for label in (None, "utf-8", "utf-16", "utf-7"):
        text = decode(b"\xed\xa0\x80 +2AA- \x00\xd8", label).text
        assert text.encode().decode() == text
        assert "\0" not in text


def test_marks_of_unicode_without_end_are_read_like_one() -> None:
    assert decode(codecs.BOM_UTF8 * 10_000 + "Grüße".encode(), "utf-8").text.strip("\ufeff") == "Grüße"
