"""The people of the demo: who works with it, and names for members.

Members are the same in every demo: names are drawn from a fixed seed, addresses
end in a domain that is nobody's.
"""

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from approvals import roles

PASSWORD = "demo"  # noqa: S105  It is no secret: the demo says it to everybody.

#: User name -> the roles that the person has.
STAFF = {
    "manager": (roles.MANAGERS,),
    "reviewer": (roles.REVIEWERS,),
    "auditor": (roles.AUDITORS,),
    "admin": (),
}
SUPERUSERS = ("admin",)

_FIRST = """
Ada Aisha Alice Amara Ana André Anna Arjun Ayşe Ben Camille Carlos Chen Chidi Clara
Daniel David Diego Elena Elif Emil Emma Eva Farah Felix Fatima Freya Gabriel Grace Greta
Hana Hassan Hugo Ida Ines Isabel Ivan James Jana Javier Joana Jonas Julia Kai Karim Kenji
Lara Laura Leila Leo Lin Linnea Lucas Lucía Maja Marco Maria Mateo Maya Mia Milan Mina
Nadia Naomi Nikolai Nina Noah Nora Olga Oliver Olivia Omar Oskar Paula Pedro Petra Priya
Rafael Ravi Rosa Ruth Samuel Sara Selma Simon Sofia Tariq Theo Thomas Tomás Uma Vera
Victor Yara Yusuf Zoe
"""
_LAST = """
Abbas Adeyemi Almeida Andersen Bauer Becker Bernard Bianchi Blanc Brandt Brown Castro
Chen Clark Costa Cruz Dahl Davies Demir Diaz Dubois Eriksson Evans Ferrari Fischer Flores
Fontaine Garcia Girard González Gruber Gupta Haddad Hansen Hayashi Herrera Hoffmann Holm
Horváth Hughes Ibrahim Ito Ivanova Jansen Jensen Johansson Kapoor Kaya Keller Khan Kim
Koch Kovács Kowalski Larsen Lefèvre Lehmann Li Lindberg Lopes Lopez Marino Martin Mbeki
Mendes Meyer Mitchell Moreau Moretti Mori Müller Nakamura Navarro Nguyen Nielsen Novak
Okafor Olsen Ortiz Park Patel Peeters Pereira Petrov Popescu Ramos Reyes Ricci Rivera
Rossi Roy Russo Sato Schmidt Schneider Sharma Silva Singh Smith Sørensen Suzuki Takahashi
Taylor Torres Tran Vargas Visser Vogel Walker Wang Weber Williams Wilson Wolf Wright
Yamamoto Yılmaz Young Zhang Zimmermann
"""
_ASCII = str.maketrans({"ø": "o", "Ø": "O", "ı": "i", "ß": "ss"})


@dataclass(frozen=True)
class Cast:
    """Who drafts and who approves."""

    manager: Any
    reviewer: Any


def make_staff() -> Cast:
    """Make the users who are missing; the others stay as they are."""
    users = {}
    for name, role_names in STAFF.items():
        user, made = get_user_model().objects.get_or_create(
            username=name,
            defaults={
                "email": f"{name}@example.org",
                "is_staff": True,
                "is_superuser": name in SUPERUSERS,
            },
        )
        if made:
            user.set_password(PASSWORD)
            user.save(update_fields=["password"])
            user.groups.set(Group.objects.filter(name__in=role_names))
        users[name] = user
    return Cast(manager=users["manager"], reviewer=users["reviewer"])


def names(seed: int) -> Iterator[tuple[str, str]]:
    """Yield names and the local parts of addresses, none of which comes twice."""
    chance = random.Random(seed)  # noqa: S311  Nothing here is a secret.
    first_names, last_names = _FIRST.split(), _LAST.split()
    taken: dict[str, int] = {}
    while True:
        first, last = chance.choice(first_names), chance.choice(last_names)
        address = _plain(f"{first}.{last}")
        taken[address] = number = taken.get(address, 0) + 1
        yield f"{first} {last}", address if number == 1 else f"{address}{number}"


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.translate(_ASCII))
    return decomposed.encode("ascii", "ignore").decode().lower()
