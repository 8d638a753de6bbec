"""Tables of generated documents: what the rows are, what the columns hold, and how people ask for a cell.

One entry a kind: titles, the heads and maker of the row names, and columns as (heads, maker, questions); `{r}` stands for
the row's name. Questions without `{c}` do not use the head's own words.
"""

# ruff: noqa: SIM905 (word lists read best as one string)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from policies.data.values import Values

V = Values
Maker = Callable[[Values], str]


@dataclass(frozen=True)
class Column:
    heads: tuple[str, ...]
    make: Maker
    questions: tuple[str, ...]
    inverse: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    titles: tuple[str, ...]
    heads: tuple[str, ...]
    rows: Maker
    columns: tuple[Column, ...]
    who: tuple[str, ...] = ("Which one has {v} under {c}?", "For which entry is the {c} {v}?", "What has {c} {v}?")


def _col(heads: str, make: Maker, questions: str, inverse: str = "") -> Column:
    return Column(
        tuple(heads.split("|")), make, tuple(questions.split("|")), tuple(inverse.split("|")) if inverse else ()
    )


def _table(titles: str, heads: str, rows: Maker, *columns: Column) -> Table:
    return Table(tuple(titles.split("|")), tuple(heads.split("|")), rows, columns)


# fmt: off
GENERIC = ("What is the {c} of {r}?", "What is the {c} for {r}?", "{r}: what is the {c}?", "Look up the {c} of {r}.", "Which {c} does {r} have?", "In the row {r}, what is the {c}?", "What does the table give as {c} for {r}?", "{c} of {r}?")

_price = _col("Price|Cost|Amount|EUR|Unit price", V.price, "How much is {r}?|What does {r} cost?|How much do I pay for {r}?|How expensive is {r}?", "What costs {v}?|Which item is {v}?")
_qty = _col("Qty|Quantity|Pcs|Number|Stock|In stock", lambda v: v.integer(1, 500), "How many {r} are there?|How many of {r}?", "Of which item are there {v}?")
_code = _col("Code|Article|SKU|No.|ID|Part no.", V.code, "What is the code of {r}?|Under which number is {r} listed?", "What does {v} stand for?|What has the number {v}?")
_room = _col("Room|Place|Where|Location|Hall", V.place, "Where is {r}?|In which room is {r}?|Where does {r} take place?", "What is in {v}?|What takes place in {v}?")
_time = _col("Time|Start|Begins|From", V.time, "When is {r}?|At what time is {r}?|When does {r} start?", "What happens at {v}?|What starts at {v}?|What is at {v}?")
_phone = _col("Phone|Ext.|Tel.|Number", lambda v: v.pick([v.integer(100, 9999), v.phone()]), "How can {r} be reached?|What is {r}'s number?|Which number has {r}?", "Whose number is {v}?")
_date = _col("Date|Day|When|Released|Due", V.date, "When is {r}?|On which date is {r}?|When was {r}?|What date goes with {r}?", "What is on {v}?|What happened on {v}?")
_person = _col("Person|Name|Teacher|Speaker|Responsible|Author|By|Owner", V.person, "Who does {r}?|Who is responsible for {r}?|Who holds {r}?|Who is listed for {r}?", "What does {v} do?|Which entry belongs to {v}?|What is {v} responsible for?")
_page = _col("Page|p.|Pages", lambda v: v.integer(1, 600), "On which page is {r}?|Where does {r} begin?|On what page can I find {r}?", "What is on page {v}?|Which chapter starts on page {v}?")
_desc = _col("Description|Meaning|What it does|Remarks|Notes|Purpose", lambda v: v.pick([f"{v.pick(['shows', 'opens', 'removes', 'copies', 'checks', 'sets', 'prints', 'starts', 'selects', 'limits'])} the {v.pick(['file', 'next page', 'current line', 'list of users', 'printer', 'window', 'selected rows', 'time zone', 'log', 'number of threads', 'colour', 'search box'])}", v.sentence().rstrip(".")[:48]]), "What does {r} do?|What does {r} mean?|What is {r} for?|How is {r} described?", "What {v}?|Which entry {v}?")
_default = _col("Default|Value|Setting|Current", lambda v: v.pick([v.integer(0, 4096), "on", "off", "true", "false", "none", "auto", "0.5", v.word()]), "What is the default of {r}?|What is {r} set to?|Which value does {r} have?", "Which option has the value {v}?")
_type = _col("Type|Kind|Class|Category", lambda v: v.pick("string integer boolean float path list enum text date number".split()), "What type is {r}?|What kind of thing is {r}?", "")
_year = _col("Year|Founded|Built|Since|First", V.year, "In which year was {r}?|How old is {r}: which year?|From what year is {r}?", "What dates from {v}?|Which is from {v}?")
_version = _col("Version|Release|Ver.|Build", V.version, "Which version of {r} is it?|What version does {r} have?", "What has version {v}?|When did version {v} come out?|Which entry is for version {v}?")
_size = _col("Size|Length|Height|Area", V.quantity, "How big is {r}?|What size is {r}?|How long is {r}?", "Which one measures {v}?")
_percent = _col("%|Share|Change|Rate|Growth", V.percent, "What percentage has {r}?|What share does {r} have?", "Which one has {v}?")
_count = _col("Population|Visitors|Total|Count|Users|Votes|Sold", V.number, "How many does {r} have?|How many are counted for {r}?", "Which one has {v}?")
_status = _col("Status|State|Remarks", lambda v: v.pick("on time|delayed|cancelled|open|closed|full|available|sold out|boarding|ready|failed|done".split("|")), "What is the status of {r}?|Is {r} on time: what does it say?|How does {r} stand?", "")
_city = _col("City|Town|Place|Location", V.city, "In which city is {r}?|Where is {r}?", "What is in {v}?")
_hours = _col("Hours|Open|Opening hours|Times", lambda v: v.pick([v.hours(), v.hours(), "closed"]), "When is it open on {r}?|What are the hours on {r}?|Until when is it open on {r}: which hours?|{r} opening times?", "On which day are the hours {v}?")
_grade = _col("Grade|Points|Score|Marks|Result", lambda v: v.integer(1, 100), "How many points did {r} get?|What was {r}'s result?|How did {r} do?", "Who got {v}?|Who scored {v}?")
_platform = _col("Platform|Gate|Track|Pl.", lambda v: v.pick([v.integer(1, 40), v.pick("ABC") + v.integer(1, 30)]), "From which platform does {r} leave?|Which gate is {r}?|What track is {r} on?", "")
_dest = _col("Destination|To|Towards|Direction", V.city, "Where does {r} go?|What is the destination of {r}?", "Which one goes to {v}?|What goes to {v}?")
_weight = _col("Weight|kg|g|Mass", V.quantity, "How heavy is {r}?|How much does {r} weigh?", "")
_per100 = _col("per 100 g|per serving|Amount|%DV", lambda v: v.pick([f"{v.decimal()} g", f"{v.integer(1, 900)} mg", v.percent()]), "How much {r} is in it?|How much {r} does it have?", "")
_country = _col("Country|Nation|Origin", V.country, "Which country is {r} from?|Where does {r} come from?", "Who or what is from {v}?")
_keys = _col("Keys|Shortcut|Key|Press", lambda v: v.pick(["Ctrl+", "Alt+", "Shift+", "F", "Ctrl+Shift+", "Ctrl-"]) + v.pick(list("ABCDEFGKLMNOPQRSTXZ0123456789")), "Which keys are for {r}?|How do I {r} with the keyboard?|What do I press to {r}?", "What does {v} do?")
# fmt: on


def _option(v: Values) -> str:
    return v.pick(
        [
            f"{v.word()}_{v.word()}",
            f"--{v.word()}",
            f"{v.word()}.{v.word()}",
            f"{v.word()}-{v.word()}",
            f"{v.word()}()",
            v.word(),
        ]
    )


def _action(v: Values) -> str:
    return f"{v.pick('open close save print copy delete rename find replace undo select move zoom'.split())} {v.pick('file,window,page,line,all,selection,tab,image,view,text'.split(','))}"


# fmt: off
TABLES: tuple[Table, ...] = (
    _table("Price list|Our prices|Catalogue|Order|Menu|Items", "Item|Product|Article|Description|Goods|", V.product, _price, _qty, _code, _weight, _country),
    _table("Timetable|Departures|Arrivals|Bus lines", "Line|Train|Service|Flight|No.", lambda v: v.pick("ICE IC RE S RB Bus AB LH".split()) + " " + v.integer(1, 999), _time, _dest, _platform, _status, _hours),
    _table("Stops|Route|Calling at", "Stop|Station|Place", lambda v: v.fake.city(), _time, _platform, _size),
    _table("Opening hours|Office hours|We are open", "Day||Weekday", V.weekday, _hours, _person, _room),
    _table("Programme|Schedule|Agenda|Sessions|Events|Calendar", "Session|Talk|Event|Topic|Title", V.title, _time, _room, _person, _date),
    _table("Exam timetable|Class schedule|Courses", "Course|Subject|Class", lambda v: v.pick("History Physics Algebra Biology Latin Drawing Chemistry Geography Music Economics Statistics Logic".split()) + v.pick(["", " I", " II", " " + v.integer(1, 12)]), _date, _time, _room, _person, _grade),
    _table("Nutrition facts|Nutrition|Average values", "|Nutrient|", lambda v: v.pick("fat,saturates,carbohydrate,sugars,fibre,protein,salt,sodium,calcium,iron,vitamin C,vitamin D,potassium,starch".split(",")), _per100, _percent),
    _table("Results|Ranking|League table|Standings", "Team|Player|Name|Club", lambda v: v.pick([v.team(), v.person()]), _grade, _count, _country, _percent),
    _table("Staff|Directory|Contacts|Telephone list|Members", "Name|Person|Contact", V.person, _phone, _room, _code, _city, _date),
    _table("Contents|Table of contents|Index|Chapters", "|Chapter|Section|Title", V.title, _page, _person),
    _table("Options|Parameters|Settings|Configuration|Reference", "Option|Name|Parameter|Key|Variable", _option, _desc, _default, _type),
    _table("Commands|Functions|Error codes|Glossary|Abbreviations", "Command|Term|Code|Function|Symbol", lambda v: v.pick([_option(v), v.code(), v.word()]), _desc, _type),
    _table("Keyboard shortcuts|Shortcuts|Keys", "Action|Function|To do this", _action, _keys),
    _table("Releases|Changelog|Packages|Versions|Downloads", "Package|Name|Module|Software", lambda v: v.pick([v.word(), f"lib{v.word()}", f"{v.word()}-{v.word()}"]), _version, _date, _size, _desc, _person),
    _table("History of releases|News|Chronology|Milestones", "Date|Day|Released", V.date, _version, _col("Event|What|Release", V.title, "What happened on {r}?|What came out on {r}?|What was on {r}?", "When was {v}?|On what day was {v}?|When did {v} come out?"), _person),
    _table("Time and date|Log|Diary|Bookings", "Time|From|Hour", V.time, _col("Event|Booking|What|Entry", V.title, "What is at {r}?|What happens at {r}?", "When is {v}?|At what time is {v}?"), _person, _room),
    _table("Cities|Population|Regions|Statistics|Survey", "City|Region|Place|Country", lambda v: v.pick([v.city(), v.country()]), _count, _size, _percent, _year),
    _table("Works|Books|Library|Bibliography|Collection", "Title|Work|Book", V.title, _person, _year, _page, _price),
    _table("Inventory|Stock|Parts list|Packing list|Bill of materials", "Part|Item|Name|Component", V.product, _qty, _code, _room, _weight, _size),
    _table("Buildings|Monuments|Museums|Sights", "Name|Building|Sight", lambda v: f"{v.surname()} {v.pick(['Tower', 'Bridge', 'Castle', 'Museum', 'Church', 'Hall'])}", _year, _size, _city, _person),
    _table("Exchange rates|Rates|Quotes|Markets", "Currency|Stock|Name", lambda v: v.pick([*"USD GBP JPY CHF SEK PLN INR BRL CAD AUD NOK CZK".split(), v.surname() + " AG"]), _col("Buy|Last|Price|Rate", V.decimal, "What is the rate of {r}?|How does {r} stand?|What is {r} worth?", ""), _col("Sell|Close|High", V.decimal, "What is the selling rate of {r}?", ""), _percent),
    _table("Specifications|Technical data|Features|Comparison", "|Property|Feature", lambda v: v.pick("Display,Memory,Storage,Battery,Camera,Weight,Processor,Ports,Range,Torque,Tank,Warranty,Noise level,Frequency".split(",")), _col("Model A|Basic|Standard|S", V.quantity, "What is the {r} of the {c}?|How much {r} has {c}?", ""), _col("Model B|Plus|Pro|XL", V.quantity, "What is the {r} of the {c}?|How much {r} has {c}?", ""), _col("Model C|Max|Ultra", V.quantity, "What is the {r} of the {c}?", "")),
    _table("Floor plan|Directory|Stores|Departments|Where to find", "Shop|Department|Office|Name", lambda v: v.pick([v.surname() + "'s", v.pick("Radiology,Books,Shoes,Toys,Cafeteria,Reception,Archive,Registry,Cashier,Pharmacy,Sports,Garden".split(",")), v.company()]), _col("Floor|Level|Unit", lambda v: v.pick(["ground floor", "1st floor", "2nd floor", "basement", v.integer(0, 9), "Level " + v.integer(0, 9)]), "On which floor is {r}?|Where can I find {r}?|Which level is {r} on?", ""), _phone, _room),
    _table("Distances|Directions|To|Walks|Trails", "|Destination|To", lambda v: v.pick([v.city(), v.place()]), _col("km|Distance|miles|m", lambda v: f"{v.decimal()} {v.pick(['km', 'mi', 'm', ''])}".strip(), "How far is it to {r}?|How far away is {r}?|What is the distance to {r}?", "What is {v} away?"), _col("Time|On foot|By car", V.duration, "How long does it take to {r}?|How long is the way to {r}?", "")),
)
# fmt: on
