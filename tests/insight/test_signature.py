"""A contact gets the details its sender signs with, and never a stranger's or a number that is none."""

from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cost import costs_little
from workers.insight.signature import Field, Signature, find_signature, parse_signature

BLOCK = """Best regards,

Maud Keller
Head of Logistics
Keller & Vance Ltd
7 Harbour Road, Bristol BS1 5TY
T: +44 117 496 0112
M: 07911 123456
maud.keller@kellervance.example
www.kellervance.example
https://www.linkedin.com/in/maudkeller"""


def values(signature: Signature) -> dict[str, str]:
    found = {name: getattr(signature, name) for name in Signature.__slots__}
    return {name: field.value for name, field in found.items() if field is not None}


def test_a_whole_block_is_read() -> None:
    assert values(parse_signature(f"The lorry is late again.\n\n{BLOCK}", "Maud Keller", "GB")) == {
        "name": "Maud Keller",
        "title": "Head of Logistics",
        "company": "Keller & Vance Ltd",
        "phone": "+441174960112",
        "mobile": "+447911123456",
        "email": "maud.keller@kellervance.example",
        "linkedin": "https://www.linkedin.com/in/maudkeller",
        "website": "www.kellervance.example",
        "address": "7 Harbour Road, Bristol BS1 5TY",
    }


def test_a_signature_alone_reads_like_one_in_a_mail() -> None:
    alone = values(parse_signature(BLOCK.split("\n\n", 1)[1], None, "GB"))
    assert alone == values(parse_signature(f"Late again.\n\n{BLOCK}", None, "GB"))


def test_confidences_are_probabilities() -> None:
    signature = parse_signature(f"Hello.\n\n{BLOCK}", "Maud Keller", "GB")
    fields = [field for name in Signature.__slots__ if isinstance(field := getattr(signature, name), Field)]
    assert all(0 < field.confidence <= 1 for field in fields)


@pytest.mark.parametrize(
    ("block", "region", "expected"),
    [
        (
            "Ute Berg | Einkaufsleiterin | Berg Optik GmbH | 030 901820",
            "DE",
            {
                "name": "Ute Berg",
                "title": "Einkaufsleiterin",
                "company": "Berg Optik GmbH",
                "phone": "+4930901820",
            },
        ),
        (
            "Cordialement,\nAnne Morel\nDirectrice des achats\nMorel SAS\nPort. : 06 12 34 56 78",
            "FR",
            {
                "name": "Anne Morel",
                "title": "Directrice des achats",
                "company": "Morel SAS",
                "mobile": "+33612345678",
            },
        ),
        (
            "*Ed Lowe*\n_CTO_\n[Plainware](https://plainware.example)\n(212) 555-0143 (cell)",
            "US",
            {
                "name": "Ed Lowe",
                "title": "CTO",
                "company": "Plainware",
                "mobile": "+12125550143",
                "website": "https://plainware.example",
            },
        ),
        (
            "Bien cordialement,\nAnne Morel\nTél. 01.42.68.53.00\nPort. 06.12.34.56.78",
            "FR",
            {"name": "Anne Morel", "phone": "+33142685300", "mobile": "+33612345678"},
        ),
        (
            "Thanks,\nIda Holt\nFax: +44 117 496 0113\nDirect: +44 117 496 0114",
            "GB",
            {"name": "Ida Holt", "phone": "+441174960114"},
        ),
    ],
)
def test_layouts_of_many_countries_are_read(block: str, region: str, expected: dict[str, str]) -> None:
    assert values(parse_signature(f"We agree with the offer.\n\n{block}", expected["name"], region)) == expected


@pytest.mark.parametrize(
    "line",
    [
        "Order no. 4500 0123 4567",
        "Invoice 20250311-7",
        "04.03.2025",
        "2025-03-04 10:12",
        "$4,155,552.67",
        "192.168.10.254",
        "IBAN DE89 3704 0044 0532 0130 00",
        "VAT GB 123 4567 89",
        "Fax: 0117 496 0113",
        "Tracking: 1Z 999 AA1 01 2345 6784",
        "Office hours 08:30-17:00",
        "HRB 123456",
    ],
)
def test_other_numbers_are_no_telephone(line: str) -> None:
    signature = parse_signature(f"See below.\n\nRegards,\nIda Holt\n{line}", "Ida Holt", "GB")
    assert (signature.phone, signature.mobile) == (None, None)


@pytest.mark.parametrize(
    "body",
    [
        "Please call Keith Mills at +44 117 496 0112.",
        "Ok.\n\nOn 3 Feb 2025, Maud Keller wrote:\n" + "\n".join(f"> {line}" for line in BLOCK.split("\n")),
        "Ok.\n\nFrom: Maud Keller\nSent: Monday\nTo: Ida\nSubject: Truck\n\nLate.\n\n" + BLOCK,
        "Ship it to:\n\nKeller & Vance Ltd\n7 Harbour Road\nBristol BS1 5TY",
        "The supplier is Metalworks GmbH, Tel. 089 21801234. Ask for Tom Baker.",
        "",
    ],
)
def test_a_strangers_details_are_not_the_senders(body: str) -> None:
    assert values(parse_signature(body, "Ida Holt <ida@corp.example>", "GB")) == {}


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("Ida Holt, RN, BSN\nCharge Nurse", {"name": "Ida Holt", "title": "Charge Nurse"}),
        (
            "Ida Holt\nBuyer – Frozen\nPolar Ltd",
            {"name": "Ida Holt", "title": "Buyer – Frozen", "company": "Polar Ltd"},
        ),
        ("Ida Holt\nBuyer – Polar", {"name": "Ida Holt", "title": "Buyer", "company": "Polar"}),
        (
            "Ida Holt\nSpedytorka\nPolar Sp. z o.o.",
            {"name": "Ida Holt", "title": "Spedytorka", "company": "Polar Sp. z o.o."},
        ),
        (
            "Ida Holt\nPartner\nfor Holt & Vance LLP",
            {"name": "Ida Holt", "title": "Partner", "company": "Holt & Vance LLP"},
        ),
        ("Ida Holt\nHolt Foods & More", {"name": "Ida Holt", "company": "Holt Foods & More"}),
        ("Ida Holt\nSite Manager\nPolar Ltd", {"name": "Ida Holt", "title": "Site Manager", "company": "Polar Ltd"}),
        ("Ida Holt\nWeb Developer", {"name": "Ida Holt", "title": "Web Developer"}),
        ("Ida Holt\nIn House Counsel", {"name": "Ida Holt", "title": "In House Counsel"}),
        ("Ida Holt\nE-mail Marketing Manager", {"name": "Ida Holt", "title": "E-mail Marketing Manager"}),
        ("Name: Ida Holt\nTitle: Buyer\nCompany : Polar", {"name": "Ida Holt", "title": "Buyer", "company": "Polar"}),
        ("Ida Holt\nManager, Global Banking", {"name": "Ida Holt", "title": "Manager, Global Banking"}),
        ("Ida Holt\nPartner, Litigation", {"name": "Ida Holt", "title": "Partner, Litigation"}),
        ("Ida Holt\nAnalyst\nCorporate Communications", {"name": "Ida Holt", "title": "Analyst"}),
        ("Ida Holt\nLeiterin\nKundendienst Süd", {"name": "Ida Holt", "title": "Leiterin"}),
        ("Ida Holt\nCommercial Division\nPolar Ltd", {"name": "Ida Holt", "company": "Polar Ltd"}),
        ("Ida Holt\nHead of Department", {"name": "Ida Holt", "title": "Head of Department"}),
        ("Ida @ Polar Motors", {"name": "Ida", "company": "Polar Motors"}),
        ("Ida and the Polar crew", {"name": "Ida"}),
        ("Ida Holt\nBranch Manager, NMLS 123456", {"name": "Ida Holt", "title": "Branch Manager"}),
    ],
)
def test_each_line_goes_where_it_belongs(block: str, expected: dict[str, str]) -> None:
    body = f"The parts leave today, as agreed.\n\nRegards,\n{block}"
    assert values(parse_signature(body, "Ida Holt <ida@holtfoods.example>", "GB")) == expected


@pytest.mark.parametrize(
    "lines",
    [
        ["Unit 2, Mill Trade Park", "Leeds", "LS1 4AB"],
        ["Level 2, 10 Dock Street", "Geelong VIC 3220", "Australia"],
        ["Plot No. 3, Peenya Industrial Estate", "Bengaluru - 560 058", "Karnataka, India"],
        ["2-5-1 Sakae, Naka-ku", "Nagoya 460-0008, Japan"],
        ["Tour Azur", "5 Terrasse Valmy", "92800 Puteaux Cedex"],
        ["P.O. Box 1200", "Sharjah, UAE"],
        ["7 Park Avenue, 3rd Floor", "New York, New York 10016"],
        ["12 Station Road, York YO1 7PX"],
        ["Am Markt 4", "D - 70565 Stuttgart"],
        ["300, boul. Laurier", "Québec (Québec) G1V 2M2"],
    ],
)
def test_an_address_runs_over_lines(lines: list[str]) -> None:
    body = "\n".join(["Done.", "", "Regards,", "Ida Holt", "Buyer", "Polar Ltd", *lines, "ida@polar.example"])
    address = parse_signature(body, "Ida Holt <ida@polar.example>", "GB").address
    assert address is not None
    assert address.value == ", ".join(lines)


def test_two_spaces_before_a_postcode_lose_no_address() -> None:
    found = parse_signature(
        "Done.\n\nRegards,\nIda Holt\n400 Canyon Drive\nAustin, TX  78701", "Ida Holt", "US"
    ).address
    assert found is not None
    assert found.value == "400 Canyon Drive, Austin, TX 78701"


@pytest.mark.parametrize(
    ("line", "phone", "mobile"),
    [
        ("Tel:713-555-0182", "+17135550182", None),
        ("T:+44 1792 496 031", "+441792496031", None),
        ("p:908.555.0174 c:908.555.0175", "+19085550174", "+19085550175"),
        ("O.+1.312.555.0160 / M:+1.312.555.0161", "+13125550160", "+13125550161"),
        ("Office(212)555-0147\nMobile(646)555-0148", "+12125550147", "+16465550148"),
        ("Tel:+44 20 7946 0123Mob:+44 7700 900123", "+442079460123", "+447700900123"),
        ("P713.555.0182 F713.555.0183 M713.555.0184", "+17135550182", "+17135550184"),
        ("Phone713-555-0182/Cell713-555-0184", "+17135550182", "+17135550184"),
        ("W12 8QT London, P1234567", None, None),
        ("Tel. 0044 20 7946 0123", "+442079460123", None),
        ("Fax:713-555-0183", None, None),
        ("Order:4500123456", None, None),
        ("Ref.713-555-0182", None, None),
    ],
)
def test_a_number_glued_to_its_label_is_read(line: str, phone: str | None, mobile: str | None) -> None:
    found = parse_signature(f"Done.\n\nRegards,\nIda Holt\n{line}", "Ida Holt", "US")
    assert (found.phone and found.phone.value, found.mobile and found.mobile.value) == (phone, mobile)


@pytest.mark.parametrize(
    "line", ["Acme GmbH,, Berlin", " " * 400, "Acme GmbH, \u3000", " " * 399 + "Thanks,", ",,,", "–"]
)
def test_odd_lines_in_a_signature_break_nothing(line: str) -> None:
    body = f"All is well here.\n\nKind regards,\nIda Holt\n{line}\n0117 496 0112"
    found = parse_signature(body, "Ida Holt", "GB")
    assert found.name == Field("Ida Holt", 0.95)
    assert found.phone is not None


relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
pieces = st.sampled_from(
    [
        "Thanks,",
        "Joe Field",
        "-- ",
        "Tel. +44 117 496 0112",
        "a@b.example",
        "www.x.example",
        "|",
        "CEO",
        "GmbH",
        "1234567",
        "",
        "\n",
        ", ",
        " - ",
        "[x](y)",
        "<b>",
        "x@",
        "(",
        "+",
        "linkedin.com/in/",
        "é",
        ",,",
        "Acme GmbH,",
        "Berlin",
        "- ",
        "–",
        " " * 400,
        "\u3000",
        "x" * 400,
        "I.A.",
        "GmbH & Co.",
        "at ",
        "10115",
        "Unit 2,",
    ]
)


@relaxed
@given(
    st.one_of(
        st.text(max_size=300),
        st.lists(st.one_of(pieces, st.lists(pieces, max_size=5).map(" ".join)), max_size=15).map("\n".join),
        st.lists(pieces).map("".join),
        st.lists(st.lists(pieces, max_size=5).map("".join), max_size=8).map(
            lambda lines: "\n".join(["Thanks,", *lines])
        ),
    ),
    st.one_of(st.none(), st.text(max_size=40)),
    st.sampled_from([None, "US", "de", "XX", ""]),
)
def test_no_text_makes_it_raise(text: str, sender: str | None, region: str | None) -> None:
    signature = parse_signature(text, sender, region)
    for name in Signature.__slots__:
        field = getattr(signature, name)
        assert field is None or (field.value.strip() and 0 <= field.confidence <= 1)
    count = len(text.replace("\r\n", "\n").split("\n"))
    found = find_signature(text, sender)
    assert list(found) == sorted(set(found))
    assert all(0 <= number < count for number in found)


HOSTILE = [
    "1 ",
    "1-",
    "+1",
    "(",
    "a@",
    "a.",
    "www.",
    "|",
    "Thanks,\n",
    "Tom\n",
    "*",
    "[a](",
    "<b ",
    "\t",
    "-- \nTom\n",
    "Tel. 0\n",
    "Dr. ",
    "x@y.zz ",
    "linkedin.com/in/",
    "A, ",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_stays_cheap(piece: str) -> None:
    hostile = piece * (100_000 // len(piece))
    for text in (hostile, f"Hi\n\nThanks,\nTom Baker\n{hostile}", f"{hostile}\n\nThanks,\nTom Baker"):
        for judge in (parse_signature, find_signature):
            assert costs_little(partial(judge, text, "Tom Baker"))


def test_a_title_and_a_company_on_one_line_are_told_apart() -> None:
    found = parse_signature("Best,\nAnn Lee\nOffice Manager, Brightwell Ltd")
    assert (found.title and found.title.value, found.company and found.company.value) == (
        "Office Manager",
        "Brightwell Ltd",
    )


def test_a_number_that_the_region_has_not_assigned_is_only_a_guess() -> None:
    found = parse_signature("Gruß\nHans Meier\nFirma GmbH\nMobil: 0171/1234567", region="GB")
    assert found.mobile is None or found.mobile.confidence <= 0.5
