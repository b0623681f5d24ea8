"""A wrong role sends an offer to somebody who cannot sign it."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cost import costs_little
from workers.insight.roles import Role, infer_role


@pytest.mark.parametrize(
    "title",
    [
        "CEO",
        "C.E.O.",
        "Founder & Developer",
        "Vice President, Sales",
        "Head of Procurement",
        "Dir. of Logistics",
        "Ekonomichef",
        "Managing Partner",
        "Geschäftsführerin",
        "Leiter Einkauf",
        "Directeur général",
        "PDG",
        "Gerente general",
        "Amministratore delegato",
        "Sócio-gerente",
        "Eigenaar",
        "Prezes Zarządu",
        "Verkställande direktör",
        "Daglig leder",
    ],
)
def test_who_decides(title: str) -> None:
    assert infer_role(title) == "decision_maker"


@pytest.mark.parametrize(
    "title",
    [
        "Project Manager",
        "Team Lead",
        "Solutions Architect",
        "Senior Consultant",
        "Einkäufer",
        "Chef de projet",
        "Asst. Mgr.",
        "Productrice",
        "Business Development",
        "Supply Chain",
    ],
)
def test_who_influences(title: str) -> None:
    assert infer_role(title) == "influencer"


@pytest.mark.parametrize(
    "title",
    [
        "Assistant to the CEO",
        "Asst. to the Pres.",
        "Sales Development Representative",
        "Nurse, RN",
        "Industriemechaniker (m/w/d)",
        "Spediteur",
        "Sjuksköterska",
        "Lektorka",
        "Executive Assistant to the Managing Director",
        "Director's Assistant",
        "Marketing Coordinator",
        "Software Engineer",
        "Purchasing Clerk",
        "Praktikantin",
        "Assistentin der Geschäftsführung",
        "Księgowa",
        "Sachbearbeiterin Einkauf",
    ],
)
def test_who_uses(title: str) -> None:
    assert infer_role(title) == "user"


@pytest.mark.parametrize("title", ["", "  ", "n/a", "12345", "asdf", "+49 30 1234567", "\x00"])
def test_nothing_is_better_than_a_guess(title: str) -> None:
    assert infer_role(title) == "unknown"


def test_an_assistant_manager_manages_and_an_assistant_director_helps() -> None:
    assert infer_role("Assistant Manager") == "influencer"
    assert infer_role("Assistant Director") == "influencer"


@given(st.text(max_size=500))
def test_any_title_has_a_role(title: str) -> None:
    assert infer_role(title) in get_args(Role)


@given(st.sampled_from(["CEO", "Head of IT", "Team Lead", "Clerk", "Prezes", "Directrice"]))
def test_case_and_space_make_no_difference(title: str) -> None:
    assert infer_role(f"  {title.upper()} ") == infer_role(title.lower())


@pytest.mark.parametrize("piece", ["a.", "assistant ", "head of ", "/", "vice president ", "é"])
def test_a_huge_hostile_title_is_cheap(piece: str) -> None:
    huge = piece * (100_000 // len(piece))
    assert costs_little(lambda: infer_role(huge))
