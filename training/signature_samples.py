"""Mails put together from written parts, to show the signature model more layouts than a public set holds."""

import random
from dataclasses import dataclass
from typing import Final

__all__ = ["Sample", "make_samples"]


@dataclass(frozen=True, slots=True)
class Sample:
    """A mail's lines, its sender, and the numbers of the lines that sign it."""

    sender: str
    lines: tuple[str, ...]
    signature: frozenset[int]


_PEOPLE: Final = [
    "Alan Whitlock",
    "Beatrice Cole",
    "Craig Donnelly",
    "Dora Finch",
    "Edwin Marsh",
    "Frances Yates",
    "Gordon Pratt",
    "Hilda Nash",
    "Ivan Kolar",
    "Jorge Medina",
    "Katrin Vogel",
    "Lars Holm",
    "Monika Seidel",
    "Noel Tremblay",
    "Otto Lindner",
    "Pilar Navarro",
    "Quentin Roche",
    "Renata Costa",
    "Stefan Brandl",
    "Teresa Villa",
    "Ulla Nyberg",
    "Victor Osei",
    "Wanda Zielinska",
    "Xavier Blanc",
    "Yusuf Demir",
    "Zara Malik",
    "Linda Hu",
    "Bo Madsen",
]
_TITLES: Final = [
    "Sales Manager",
    "Chief Operating Officer",
    "Project Engineer",
    "Office Assistant",
    "Regional Director",
    "Trader",
    "Purchasing Officer",
    "Vertriebsleiter",
    "Geschäftsführerin",
    "Directeur technique",
    "Responsable commercial",
    "Gerente general",
    "Direttore vendite",
    "Accountmanager",
    "Kierownik sprzedaży",
    "Försäljningschef",
    "Legal Counsel",
    "Director of Finance",
    "Product Owner",
    "Head of Quality",
]
_COMPANIES: Final = [
    "Millbrook Tools Ltd",
    "Acorn Freight Inc.",
    "Lindner Bau GmbH",
    "Roche Textiles SARL",
    "Navarro e Hijos S.L.",
    "Villa Arredi S.r.l.",
    "Nyberg Skog AB",
    "Osei Trading",
    "Demir Tekstil A.Ş.",
    "Summit Energy Corp",
    "Bluewater Marine LLC",
    "Northgate Bank",
    "Holm Group",
]
_STREETS: Final = [
    "14 Station Road, York YO1 7PX",
    "Lindenstraße 8",
    "80331 München",
    "22 rue Pasteur, 33000 Bordeaux",
    "800 Main Street, Suite 12",
    "Houston, TX 77002",
    "Calle Mayor 9, 28013 Madrid",
    "Storgatan 4, 111 22 Stockholm",
    "PO Box 221",
]
_CLOSINGS: Final = [
    "Thanks,",
    "Thank you,",
    "Regards,",
    "Best regards,",
    "Kind regards",
    "Sincerely,",
    "Best,",
    "Cheers,",
    "Thanks!",
    "Many thanks,",
    "Yours truly,",
    "Best wishes,",
    "Mit freundlichen Grüßen",
    "Viele Grüße",
    "Cordialement,",
    "Bien à vous,",
    "Saludos,",
    "Un saludo",
    "Cordiali saluti",
    "Met vriendelijke groet,",
    "Pozdrawiam",
    "Vänliga hälsningar",
    "Med venlig hilsen",
    "Atenciosamente,",
    "Thanks",
    "Talk to you later,",
    "See you,",
    "Love,",
]
_PROSE: Final = [
    "Can you send me the updated figures before the call on Monday?",
    "The truck left the yard at six and should be with you by noon.",
    "I talked to Maria about the change and she agrees with the new price.",
    "We need two more days to check the numbers, the last file had errors in it.",
    "Please let me know if you have any questions.",
    "If anything is unclear, call me or drop by my desk.",
    "Attached is the draft of the agreement for your review.",
    "Wir haben die Rechnung geprüft und melden uns nächste Woche.",
    "Bitte schicken Sie uns das Angebot noch einmal.",
    "Nous avons bien reçu votre message et nous vous répondrons demain.",
    "El pedido llegó ayer pero faltan dos cajas.",
    "La riunione è spostata a giovedì alle 10.",
    "We volgen dit morgen verder op.",
    "Thanks for your help with this.",
    "It was good to see you in Denver last week, we should do that more often.",
    "I will be out on Thursday and Friday.",
    "The meeting room is booked from 2 to 4.",
    "Why was tag 20733 cut again?",
    "See the note from accounting below.",
    "Hope this makes sense.",
    "I would like to keep the old terms for one more month.",
    "Do you want me to change the deal in the system?",
]
_UNSIGNED_TAILS: Final = [
    ["Please call Dennis Hart at 713-555-0102."],
    ["His number is 212-555-0177."],
    ["The new address is", "", "22 Dock Road, Hull HU1 2AB"],
    ["Thanks"],
    ["THANK YOU!"],
    ["Thanks for your help."],
    ["Thanks a lot for the quick turnaround, it helps."],
    ["http://intranet.example/reports/daily.html"],
    ["O:\\desk\\schedules\\final_0302.xls"],
    ["Hart\tDennis\t1", "Ibsen\tNora\t2", "Jones\tPaul\t1", "King\tAmy\t1"],
    ["Attendees:", "Dennis Hart", "Nora Ibsen", "Paul Jones"],
    ["1) Call the depot", "2) Order two pallets", "3) Ask Nora for the list, 212-555-0177"],
    ["- Dennis Hart", "- Nora Ibsen"],
    ["If you have questions, contact the help desk at 3-4411."],
    ["Total 14,220.50", "VAT 2,702.00"],
    ["TYPE: FINAL", "HOUR: 14", "POINT: WEST_2"],
    ["P.S. Bring the blue folder."],
    ["Friday: 9:00 a.m. - 5:00 p.m."],
    ["Open House on Saturday, 10 to 4, at the Main Street office."],
    ["Counterparties who agreed - Acorn, Summit, Northgate"],
    ["Talk to Nora or Dennis."],
    ["Is Nora in today?"],
    ["Let me know."],
    ["Great news!!"],
    ["Yes"],
    ["ok for me"],
    ["Copy to: Nora Ibsen, Dennis Hart"],
    ["Saturday, December 29 at 2:00pm", "https://tickets.example/purchase?id=C003"],
    ["<<agreement v2.doc>>"],
    ["That should be it. NI"],
    ["Cell 713-555-0101 until Friday, then 972-555-0102"],
    ["This message is for discussion only and does not bind", "either company until an agreement is signed."],
]


def make_samples(count: int, seed: int) -> list[Sample]:
    """Make `count` mails, the same for the same seed; about four in ten carry no signature."""
    dice = random.Random(seed)
    return [_sample(dice) for _ in range(count)]


def _sample(dice: random.Random) -> Sample:
    person = dice.choice(_PEOPLE)
    first, last = person.split(" ")
    address = f"{first.lower()}.{last.lower()}@mail.example"
    sender = dice.choice(
        [
            f"{person} <{address}>",
            f'"{last}  {first}" <{address}>',
            f"{last}, {first}",
            person,
            last,
            "",
            address,
        ]
    )
    lines = dice.choice([["Hi,", ""], [f"{dice.choice(_PEOPLE).split(' ')[0]},", ""], []])
    for _ in range(dice.randint(1, 4)):
        lines.append(dice.choice(_PROSE))
        if dice.random() < 0.6:
            lines.append("")
    signed = dice.random()
    if signed < 0.4:
        if dice.random() < 0.7:
            lines += ["", *dice.choice(_UNSIGNED_TAILS)] if dice.random() < 0.8 else dice.choice(_UNSIGNED_TAILS)
        return Sample(sender, tuple(lines), frozenset())
    if lines[-1] or dice.random() < 0.5:
        lines.append("")
    start = len(lines)
    lines += _short_signature(dice, first, last) if signed < 0.65 else _long_signature(dice, first, last, address)
    return Sample(sender, tuple(lines), frozenset(i for i in range(start, len(lines)) if lines[i].strip()))


def _short_signature(dice: random.Random, first: str, last: str) -> list[str]:
    name = dice.choice(
        [
            first,
            first,
            f"{first} {last}",
            last,
            f"-{first}",
            first.upper(),
            first[0] + last[0],
            f"{first}.",
            f"{first} x",
        ]
    )
    if dice.random() < 0.12:
        name = dice.choice([first[0], f"{first[0]}.", f"{first[0]} x", f"-{first[0]}", f"{first[0]}{last[0]}."])
    block: list[str] = []
    if dice.random() < 0.6:
        closing = dice.choice(_CLOSINGS)
        if dice.random() < 0.1:
            return [f"{closing.rstrip(',!')}, {first}"]
        block.append(closing)
        if dice.random() < 0.5:
            block.append("")
    block.append(name)
    if dice.random() < 0.2:
        block.append(dice.choice([f"x{dice.randint(2000, 9999)}", _phone(dice), f"x-{dice.randint(20000, 79999)}"]))
    elif dice.random() < 0.08:
        block[-1] = f"{first} {last} - {_phone(dice)}"
    return block


def _long_signature(dice: random.Random, first: str, last: str, address: str) -> list[str]:
    name, title, company = f"{first} {last}", dice.choice(_TITLES), dice.choice(_COMPANIES)
    block = [dice.choice(_CLOSINGS)] if dice.random() < 0.75 else []
    if block and dice.random() < 0.2:
        block.append(first)
    if block and dice.random() < 0.5:
        block.append("")
    if dice.random() < 0.2:
        mark = dice.choice([" | ", ", ", " • ", " - ", " / "])
        parts = [
            name,
            title,
            company,
            dice.choice([_phone(dice), address, f"www.{company.split()[0].lower()}.example"]),
        ]
        return [*block, mark.join(parts[: dice.randint(2, 4)])]
    details = [
        dice.choice(["Tel: ", "T ", "Phone: ", "Office: ", "", "Tél. : "]) + _phone(dice),
        dice.choice(["Mobile: ", "M: ", "Cell: ", "Mobil "]) + _phone(dice),
        dice.choice(["Fax: ", "F "]) + _phone(dice),
        dice.choice(["", "E: ", "Email: ", "Mail: "]) + address,
        dice.choice(["www.", "https://www."]) + f"{company.split()[0].lower()}.example",
        dice.choice(_STREETS),
        f"linkedin.com/in/{first.lower()}{last.lower()}",
        "VAT GB 123456789",
    ]
    block.append(dice.choice([name, name, name.upper(), f"*{name}*", f"Dr. {name}"]))
    if dice.random() < 0.8:
        block.append(title)
    if dice.random() < 0.75:
        block.append(company)
    if dice.random() < 0.3:
        block.append("")
    block += dice.sample(details, dice.randint(0, 5))
    if dice.random() < 0.1:
        gap = dice.choice(["\t\t", "      ", "    |    "])
        block = [a + gap + b for a, b in zip(block[::2], block[1::2], strict=False) if a and b] or block
    return block if block[-1] else block[:-1]


def _phone(dice: random.Random) -> str:
    a, b, c = dice.randint(201, 989), dice.randint(200, 999), dice.randint(1000, 9999)
    return dice.choice(
        [
            f"{a}-{b}-{c}",
            f"({a}) {b}-{c}",
            f"+1 {a} {b} {c}",
            f"+44 20 {c} {c}",
            f"+49 {a} {c}-{b}",
            f"0{a} {c} {b}",
            f"{a}.{b}.{c}",
        ]
    )
