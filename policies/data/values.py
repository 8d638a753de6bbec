"""Random values for generated documents: names, places, dates, prices, codes, in the many ways people write them.

Every function takes the `Values` generator, which is seeded; names and words come from faker in several locales, so
that no short list of ours can be learned by heart.
"""

# ruff: noqa: SIM905 (word lists read best as one string)

from __future__ import annotations

import datetime
import random

from faker import Faker

LOCALES = ["en_US", "en_GB", "en_IN", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "sv_SE", "pt_BR"]
CURRENCY = ["$", "€", "£", "USD ", "EUR ", "CHF ", "", " €", " EUR", " kr"]
# fmt: off
DATE_STYLES = ["%d.%m.%Y", "%Y-%m-%d", "%d/%m/%Y", "%m/%d/%y", "%B %d, %Y", "%d %B %Y", "%b %d, %Y", "%d %b %Y", "%a %d %b", "%A, %d %B %Y"]
UNITS = ["kg", "g", "ml", "l", "cm", "mm", "m", "km", "W", "V", "kWh", "MB", "GB", "Hz", "°C", "%", "pcs", "min"]
GOODS = """milk bread butter eggs coffee tea sugar rice pasta flour apples bananas oranges tomatoes potatoes onions carrots
cheese yogurt ham salmon chicken soup honey jam chocolate biscuits water juice beer wine soap shampoo toothpaste towel
lamp chair desk monitor keyboard mouse cable charger battery printer paper notebook pencil stapler scissors tape hammer
drill screws paint brush rope tent backpack helmet gloves jacket shirt socks shoes umbrella watch camera tripod lens
bicycle tyre pump filter valve gasket bearing spring sensor relay switch fuse bracket hinge panel gear shaft motor""".split()
ADJECTIVES = """red blue green white black small large organic fresh light dark classic premium basic extra mini double
soft dry frozen roasted natural smart portable steel wooden heavy compact new standard pro royal golden silver""".split()
THINGS = """river garden market bridge station harbour museum library tower castle forest valley island mountain school
theatre gallery festival project engine network system report survey programme journal society institute council
committee workshop conference exhibition concert lecture seminar course tour race match auction fair""".split()
TOPICS = """energy water history music science health education transport housing language climate design software security
trade robotics nutrition astronomy geology chemistry finance law forestry fisheries tourism weaving ceramics printing
photography statistics logistics navigation archaeology linguistics optics medicine""".split()
TEAMS = """Rovers United Wanderers Tigers Eagles Sharks Falcons Wolves Bears Lions Comets Rangers Pirates Saints Hawks Royals
Giants Storm Titans Rockets""".split()
# fmt: on


class Values:
    """Seeded source of values; one per document."""

    def __init__(self, seed: int, locale: str | None = None) -> None:
        self.rng = random.Random(seed)
        self.fake = _faker(locale or self.rng.choice(LOCALES))
        self.fake.seed_instance(self.rng.getrandbits(32))
        self.currency = self.rng.choice(CURRENCY)
        self.date_style = self.rng.choice(DATE_STYLES)
        self.twelve_hours = self.rng.random() < 0.3
        self.comma = self.rng.random() < 0.2

    def pick(self, items):
        return self.rng.choice(items)

    def integer(self, low=1, high=999):
        return str(self.rng.randint(low, high))

    def number(self):
        rng = self.rng
        value = rng.choice([rng.randint(0, 20), rng.randint(10, 999), rng.randint(1000, 99999)])
        return f"{value:,}" if rng.random() < 0.4 else str(value)

    def decimal(self):
        text = f"{self.rng.uniform(0.01, 200):.{self.rng.choice([1, 1, 2, 3])}f}"
        return text.replace(".", ",") if self.comma else text

    def percent(self):
        return f"{self.rng.choice([self.rng.randint(0, 100), round(self.rng.uniform(0, 100), 1)])}%"

    def price(self, low=0.5, high=None):
        high = high or self.rng.choice([20, 200, 3000, 50000])
        amount = f"{self.rng.uniform(low, high):,.2f}"
        if self.comma:
            amount = amount.replace(",", " ").replace(".", ",")
        return self.currency + amount if not self.currency.startswith(" ") else amount + self.currency

    def quantity(self):
        return f"{self.rng.choice([self.rng.randint(1, 900), round(self.rng.uniform(0.1, 50), 1)])}{self.pick(['', ' '])}{self.pick(UNITS)}"

    def a_date(self):
        return datetime.date(1985, 1, 1) + datetime.timedelta(days=self.rng.randint(0, 16000))

    def date(self):
        return self.a_date().strftime(self.date_style if self.rng.random() < 0.9 else self.pick(DATE_STYLES))

    def year(self):
        return str(self.rng.randint(1790, 2027))

    def month(self):
        return self.a_date().strftime("%B")

    def weekday(self):
        return self.a_date().strftime("%A")

    def time(self):
        hour, minute = self.rng.randint(0, 23), self.rng.choice([0, 5, 10, 12, 15, 20, 25, 30, 37, 40, 45, 48, 50, 55])
        if self.twelve_hours:
            return f"{(hour - 1) % 12 + 1}:{minute:02d}{self.pick([' ', ''])}{'AM' if hour < 12 else 'PM'}"
        return f"{hour:02d}{'.' if self.comma else ':'}{minute:02d}"

    def hours(self):
        return self.pick(["{} - {}", "{}-{}", "{} to {}", "{} – {}"]).format(self.time(), self.time())

    def duration(self):
        rng = self.rng
        return self.pick(
            [
                f"{rng.randint(5, 90)} min",
                f"{rng.randint(1, 9)} h {rng.randint(1, 59):02d}",
                f"{rng.randint(2, 48)} hours",
                f"{rng.randint(2, 90)} days",
            ]
        )

    def code(self):
        rng, letters = self.rng, "ABCDEFGHJKLMNPRSTUVWXYZ"
        word = "".join(rng.choices(letters, k=rng.randint(1, 4)))
        digits = "".join(rng.choices("0123456789", k=rng.randint(2, 8)))
        return self.pick(
            [
                f"{word}-{digits}",
                f"{word}{digits}",
                digits,
                f"{digits[:3]}-{word}-{digits[2:]}",
                f"{word}/{digits}",
                f"#{digits}",
            ]
        )

    def long_number(self):
        groups = [
            "".join(self.rng.choices("0123456789", k=self.rng.randint(3, 4))) for _ in range(self.rng.randint(2, 4))
        ]
        return self.pick([" ", "-", ""]).join(groups)

    def version(self):
        return ".".join(str(self.rng.randint(0, 20)) for _ in range(self.rng.choice([2, 3, 3])))

    def person(self):
        fake = self.fake
        name = f"{fake.first_name()} {fake.last_name()}"
        return self.pick(["", "", "", "", "Dr. ", "Prof. ", "Ms. ", "Mr. "]) + name

    def surname(self):
        return self.fake.last_name()

    def company(self):
        return self.fake.company()

    def city(self):
        return self.fake.city()

    def country(self):
        return (
            self.fake.country()
            if self.rng.random() < 0.4
            else self.pick(
                ["Norway", "Kenya", "Chile", "Japan", "Canada", "Portugal", "Vietnam", "Ghana", "Peru", "Finland"]
            )
        )

    def street(self):
        return self.fake.street_address().replace("\n", " ")

    def phone(self):
        return self.fake.phone_number()

    def email(self):
        return self.fake.email()

    def web(self):
        return (
            self.pick(["www.", "https://www.", "", "https://"])
            + self.fake.domain_name()
            + self.pick(["", "", f"/{self.word()}"])
        )

    def word(self):
        return self.pick(GOODS + THINGS + TOPICS)

    def product(self):
        name = self.pick(GOODS)
        name = f"{self.pick(ADJECTIVES)} {name}" if self.rng.random() < 0.6 else name
        if self.rng.random() < 0.3:
            name += " " + self.quantity()
        return self.pick([str.title, str.capitalize, str.upper, str])(name)

    def title(self):
        a, b, t, t2 = self.pick(ADJECTIVES), self.pick(THINGS), self.pick(TOPICS), self.pick(TOPICS)
        text = self.pick(
            [
                f"The {a} {b}",
                f"{t} and {t2}",
                f"A history of {t}",
                f"Introduction to {t}",
                f"The {b} of {self.city()}",
                f"{t} for everyone",
                f"Notes on {t} and the {b}",
                f"{self.surname()} {b}",
                f"{a} {b} {self.integer(1, 30)}",
                f"Modern {t}",
                f"How the {b} changed {t}",
                f"{t} in {self.country()}",
            ]
        )
        return self.pick([str.title, str.capitalize])(text)

    def place(self):
        return self.pick(
            [
                f"{self.pick(THINGS).title()} {self.pick(['Hall', 'Room', 'Square', 'Park', 'Centre'])}",
                f"Room {self.code()}",
                f"Hall {self.integer(1, 20)}",
                f"{self.surname()} {self.pick(['Hall', 'Street', 'House', 'Park', 'Building'])}",
                self.city(),
                f"Building {self.pick('ABCDEFG')}",
                f"Platform {self.integer(1, 24)}",
            ]
        )

    def team(self):
        return f"{self.city()} {self.pick(TEAMS)}"

    def sentence(self):
        """Plain filler prose from our own word lists."""
        a, b, c, t = self.pick(ADJECTIVES), self.pick(THINGS), self.pick(THINGS), self.pick(TOPICS)
        return self.pick(
            [
                f"The {a} {b} is part of a larger {c} on {t}.",
                f"Visitors of the {b} often ask about {t} and the {c}.",
                f"Please keep the {b} clean and leave the {c} as you found it.",
                f"Most of the {c} depends on {t}, and only a little on the {b}.",
                f"Further details on {t} can be had from the {c} office.",
                f"In a {a} {b}, {t} matters more than people expect.",
                f"This {c} was written for readers who know something of {t}.",
                f"Each {b} has its own {a} {c}, described on the next page.",
                f"We thank everybody who helped the {c} with {t}.",
                f"There are many ways to look at the {b}; {t} is one of them.",
                f"If the {b} does not start, check the {self.pick(GOODS)} and the {self.pick(GOODS)}.",
                f"Do not use the {self.pick(GOODS)} together with the {self.pick(GOODS)}.",
            ]
        )


_CACHE: dict[str, Faker] = {}


def _faker(locale: str) -> Faker:
    if locale not in _CACHE:
        _CACHE[locale] = Faker(locale)
        if locale == "it_IT":  # faker makes this list from a set: another order, and other pages, in every process
            for provider in _CACHE[locale].get_providers():
                if hasattr(provider, "cities"):
                    provider.cities = sorted(provider.cities)
    return _CACHE[locale]
