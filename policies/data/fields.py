"""Labelled fields of generated documents: how they are printed, and how people ask for them.

One row a field: printed labels | generator of values | questions. Questions beside the label's own words ("what is the
due date?") matter most: "when must this be paid?" has no word in common with the line that answers it.
"""

# ruff: noqa: SIM905 (word lists read best as one string)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from policies.data.values import Values


@dataclass(frozen=True)
class Field:
    labels: tuple[str, ...]
    make: Callable[[Values], str]
    questions: tuple[str, ...]


def _field(labels: str, make: Callable[[Values], str], questions: str) -> Field:
    return Field(tuple(labels.split("|")), make, tuple(questions.split("|")))


V = Values
# fmt: off
FIELDS: dict[str, Field] = {
    "invoice_no": _field("Invoice No|Invoice number|Invoice #|Inv. No.|Invoice|Bill no|Document no.", V.code, "Which number does the invoice carry?|What is the invoice number?|How is this bill numbered?"),
    "invoice_date": _field("Date|Invoice date|Issued|Date of issue|Bill date", V.date, "When was this issued?|What date is on the document?|On which day was it issued?|What is the date?"),
    "due": _field("Due date|Payment due|Pay by|Due|Payable until", V.date, "When must this be paid?|By when is payment due?|What is the deadline for payment?|Until when can it be paid?"),
    "total": _field("Total|TOTAL|Amount due|Grand total|Total due|Balance due|To pay|Sum", V.price, "How much has to be paid?|What is the total?|What is the final amount?|How much is it in all?|What does it come to?"),
    "subtotal": _field("Subtotal|Sub-total|Net amount|Net total|Before tax", V.price, "What is the amount before tax?|What is the subtotal?|How much is it without tax?"),
    "tax": _field("VAT|Tax|VAT 20%|Sales tax|GST|MwSt 19%|TVA", V.price, "How much tax is charged?|What is the tax?|How much VAT is on it?"),
    "discount": _field("Discount|Rebate|You saved|Coupon|Reduction", V.price, "How much was taken off?|What is the discount?|How much was saved?"),
    "cash": _field("Cash|Paid|Amount tendered|CASH|Card payment|Visa", V.price, "How much did the customer hand over?|How much was paid?"),
    "change": _field("Change|CHANGE|Change due", V.price, "How much change was given?|What came back as change?"),
    "customer": _field("Customer|Bill to|Client|Sold to|Invoice to|Name|Account holder", V.person, "Who is the customer?|Who is billed?|To whom is this addressed?|What is the customer's name?"),
    "seller": _field("Seller|From|Supplier|Vendor|Company|Issued by", V.company, "Which company issued it?|Who is the seller?|What is the name of the company?|Who sent this?"),
    "cashier": _field("Cashier|Served by|Your server|Operator|Clerk", V.person, "Who served the customer?|Who was at the till?|What is the name of the cashier?"),
    "address": _field("Address|Street|Delivery address|Located at|Location", V.street, "What is the address?|Which street is it in?|Where is it to be delivered?|Where is it?"),
    "city": _field("City|Town|Place", V.city, "Which city is named?|In which town is it?|What is the city?"),
    "country": _field("Country|Country of origin|Made in|Nationality", V.country, "Which country is given?|Where does it come from?|What is the country of origin?"),
    "phone": _field("Phone|Tel|Tel.|Telephone|Call us|Mobile|T", V.phone, "Which number can I call?|What is the phone number?|What is the telephone number?|How can they be reached by phone?"),
    "fax": _field("Fax|Fax no.|F", V.phone, "What is the fax number?|Where can a fax be sent?"),
    "email": _field("Email|E-mail|Mail|Contact|Write to", V.email, "What is the e-mail address?|Where can I write to?|Which email address is given?"),
    "web": _field("Web|Website|Internet|Online|Visit us at|www", V.web, "What is the website?|Which web address is printed?|Where can more be found online?|What is the URL?"),
    "iban": _field("IBAN|Account|Account no.|Bank account|Konto", V.long_number, "Into which account should it be paid?|What is the account number?|What is the IBAN?"),
    "customer_no": _field("Customer no.|Customer ID|Client number|Member no.|Membership number|Account number", V.code, "What is the customer number?|Which customer id is it?|What is the membership number?"),
    "order_no": _field("Order no.|Order number|Order ID|Purchase order|PO number|Booking reference|Your reference", V.code, "What is the order number?|Under which order was it bought?|What is the booking reference?|Which reference is given?"),
    "name": _field("Name|Full name|First and last name|Applicant|Employee|Patient|Student|Passenger|Holder", V.person, "Who filled in the form?|What is the person's name?|Who is it about?|Whose document is this?|Who is named?"),
    "born": _field("Date of birth|Born|DOB|Birth date|Birthday", V.date, "When was the person born?|What is the date of birth?|What is the birthday?"),
    "birthplace": _field("Place of birth|Birthplace|Born in", V.city, "Where was the person born?|What is the birthplace?"),
    "occupation": _field("Occupation|Profession|Job title|Position|Role", lambda v: v.pick("nurse engineer teacher baker clerk driver painter librarian surveyor cook pharmacist welder architect plumber editor".split()), "What is the person's job?|What work does the person do?|What is the occupation?|Which position is held?"),
    "department": _field("Department|Dept.|Unit|Team|Division|Section", lambda v: v.pick("Sales|Research|Accounting|Marketing|Human Resources|Radiology|Logistics|Quality|Customer Service|Maintenance|Surgery|Archive".split("|")), "Which department is named?|In which department is it?|What is the department?"),
    "height": _field("Height|Size|Length|Width|Depth", lambda v: f"{v.integer(20, 250)} {v.pick(['cm', 'mm', 'in'])}", "How tall is it?|What size is given?|How long is it?"),
    "weight": _field("Weight|Net weight|Net wt.|Gross weight|Mass", lambda v: f"{v.integer(1, 900)} {v.pick(['g', 'kg', 'lb', 'oz'])}", "How heavy is it?|What does it weigh?|What is the weight?|How much is in the package?"),
    "volume": _field("Volume|Contents|Content|Capacity", lambda v: f"{v.integer(1, 900)} {v.pick(['ml', 'l', 'cl', 'fl oz'])}", "How much does it hold?|What is the capacity?|What is the volume?"),
    "best_before": _field("Best before|Use by|Expires|Expiry date|Exp.|Valid until|Valid thru|EXP", V.date, "When does it expire?|Until when is it good?|How long is it valid?|What is the expiry date?"),
    "produced": _field("Produced|Made on|Manufactured|Packed|Packed on|MFG", V.date, "When was it made?|What is the production date?|When was it packed?"),
    "lot": _field("Lot|LOT|Batch|Batch no.|Charge", V.code, "What is the lot number?|Which batch is it from?|What is the batch code?"),
    "serial": _field("Serial no.|S/N|Serial number|SN|Serial", V.code, "What is the serial number?|Which serial is on the plate?"),
    "model": _field("Model|Type|Model no.|Part no.|Article no.|Item no.|SKU", V.code, "Which model is it?|What is the model number?|What is the article number?|What type is it?"),
    "ingredients": _field("Ingredients|Contains|Made from|Composition", lambda v: ", ".join(v.rng.sample("water sugar salt wheat flour palm oil cocoa milk powder yeast oats barley malt lemon juice pectin garlic pepper starch eggs".split(), 4)), "What is it made of?|What are the ingredients?|What does it contain?"),
    "allergens": _field("Allergens|May contain|Allergy advice|Contains traces of", lambda v: v.pick("nuts|milk and soy|gluten|peanuts|celery|mustard|eggs|sesame|fish".split("|")), "Which allergen is mentioned?|What traces may be in it?|What should allergic people know?"),
    "storage": _field("Storage|Store|Keep|Store at|Storage temperature", lambda v: v.pick(["in a cool, dry place", f"below {v.integer(2, 30)} °C", f"at {v.integer(2, 8)} °C", "away from light", "refrigerated", "upright"]), "How should it be stored?|How do I keep it?|At what temperature is it kept?"),
    "calories": _field("Energy|Calories|kcal|Energy per 100 g", lambda v: f"{v.integer(20, 900)} {v.pick(['kcal', 'kJ'])}", "How much energy does it have?|How many calories are in it?"),
    "voltage": _field("Voltage|Input|Rated voltage|Supply", lambda v: f"{v.integer(3, 400)} V", "Which voltage does it need?|What is the rated voltage?"),
    "power": _field("Power|Rated power|Output|Consumption|Max. power", lambda v: f"{v.integer(5, 4000)} W", "How much power does it use?|What is the power rating?"),
    "price": _field("Price|Cost|Fee|Ticket price|Only|Now|Sale price|Price per piece", V.price, "How much does it cost?|What is the price?|What do I have to pay for it?|How expensive is it?"),
    "old_price": _field("Was|Before|Old price|RRP|Regular price", V.price, "What did it cost before?|What was the old price?"),
    "from": _field("From|Departure|Origin|Departing from", V.city, "Where does the trip start?|From which place does it leave?|What is the place of departure?|Where does it come from?"),
    "to": _field("To|Destination|Arrival|Going to", V.city, "Where does it go?|What is the destination?|Where does the trip end?"),
    "departs": _field("Departs|Departure time|Dep.|Leaves|Departure", V.time, "At what time does it leave?|When is the departure?|When does it depart?"),
    "arrives": _field("Arrives|Arrival time|Arr.|Arrival", V.time, "When does it arrive?|At what time is the arrival?"),
    "boarding": _field("Boarding|Boarding time|Check-in|Be there at", V.time, "When does boarding begin?|When must I be there?"),
    "gate": _field("Gate|Platform|Track|Door|Terminal|Exit", lambda v: v.pick([v.integer(1, 40), v.pick("ABCDEF") + v.integer(1, 40)]), "Which gate is it?|From which platform does it go?|What is the gate?"),
    "seat": _field("Seat|Seat no.|Place|Chair", lambda v: v.pick([v.integer(1, 80) + v.pick("ABCDEF"), v.integer(1, 400)]), "Which seat was booked?|Where does the person sit?|What is the seat number?"),
    "row": _field("Row|Block|Section|Carriage|Coach|Car", lambda v: v.integer(1, 60), "In which row is the seat?|Which carriage is it?|What is the row?"),
    "flight": _field("Flight|Flight no.|Train|Service|Line|Route", lambda v: v.pick("AB LH BA KL SK IC ICE RE S U".split()) + v.pick(["", " "]) + v.integer(1, 9999), "Which flight is it?|What is the train number?|Which line is meant?"),
    "date": _field("Date|When|Day|On|Event date", V.date, "On which day is it?|When does it take place?|What is the date?|When is the event?"),
    "time": _field("Time|Starts|Start|Doors open|Begin|At", V.time, "At what time does it start?|When does it begin?|What time is given?"),
    "venue": _field("Venue|Where|Location|Place|Room|Hall", V.place, "Where does it take place?|What is the venue?|Which room is it in?|Where is it held?"),
    "organiser": _field("Organiser|Host|Organised by|Presented by|Hosted by", V.company, "Who organises it?|Who is the host?|Who presents it?"),
    "speaker": _field("Speaker|Lecturer|With|Guest|Moderator|Chair", V.person, "Who speaks?|Who gives the talk?|Who is the speaker?"),
    "author": _field("Author|By|Written by|Authors|Editor", V.person, "Who wrote it?|Who is the author?|By whom was it written?|Who is the editor?"),
    "publisher": _field("Publisher|Published by|Press|Printed by", V.company, "Who published it?|Who is the publisher?|Which publisher is named?"),
    "year": _field("Year|Published|Copyright|©|First published|Established|Since|Founded", V.year, "In which year was it published?|What year is given?|How old is it: which year?|When was it founded?"),
    "edition": _field("Edition|Issue|Volume|No.|Number", lambda v: v.pick([v.integer(1, 90), f"{v.integer(4, 20)}th", "second", "third"]), "Which edition is it?|Which issue is this?|What volume is it?"),
    "isbn": _field("ISBN|ISSN|DOI|Catalogue no.", V.long_number, "What is the ISBN?|Under which number is it catalogued?"),
    "version": _field("Version|Release|Software version|Firmware|Build|Revision|Rev.", V.version, "Which version is it?|What version is shown?|Which release is this?"),
    "licence": _field("License|Licence|Licensed under", lambda v: v.pick("MIT|Apache-2.0|GPL-3.0|BSD 3-Clause|CC BY 4.0|CC0|LGPL-2.1|Proprietary".split("|")), "Under which licence is it?|What is the license?|How is it licensed?"),
    "maintainer": _field("Maintainer|Responsible|Contact person|Manager|Supervisor|Owner|In charge", V.person, "Who is responsible?|Who maintains it?|Who is in charge?|Whom should I contact?"),
    "status": _field("Status|State|Result|Condition", lambda v: v.pick("open|closed|paid|pending|approved|rejected|delayed|on time|cancelled|shipped|running|offline|passed|failed".split("|")), "What is the status?|How does it stand?|What was the result?|Is it done or pending: what does it say?"),
    "file": _field("File|File name|Filename|Path|Document|Saved as", lambda v: f"{v.word()}{v.pick(['_', '-', ''])}{v.word()}.{v.pick('pdf txt csv png docx conf log py'.split())}", "What is the file called?|Which file is shown?|What is the name of the file?"),
    "file_size": _field("Size|File size|Disk usage|Used|Download", lambda v: f"{v.decimal()} {v.pick(['kB', 'MB', 'GB'])}", "How large is the file?|What is the size?|How big is the download?"),
    "user": _field("User|Username|Login|Signed in as|Account", lambda v: v.fake.user_name(), "Who is logged in?|What is the user name?|Which account is used?"),
    "language": _field("Language|Interface language|Spoken|Lang", lambda v: v.pick("English Deutsch French Spanish Polish Swedish Hindi Swahili Japanese Portuguese".split()), "Which language is set?|In which language is it?|What is the language?"),
    "temperature": _field("Temperature|Temp.|Outside|Max|High|Low", lambda v: f"{v.rng.randint(-25, 45)}{v.pick(['°C', ' °C', '°F', '°'])}", "How warm is it?|What is the temperature?|How cold is it?"),
    "speed": _field("Speed|Max. speed|Speed limit|Wind|Rate", lambda v: f"{v.integer(5, 300)} {v.pick(['km/h', 'mph', 'm/s', 'rpm'])}", "How fast is it?|What is the speed?|What is the speed limit?"),
    "distance": _field("Distance|Total distance|Remaining|Range|Mileage", lambda v: f"{v.decimal()} {v.pick(['km', 'mi', 'm'])}", "How far is it?|What is the distance?|How long is the way?"),
    "duration": _field("Duration|Length|Takes|Travel time|Running time|Cooking time|Time needed", V.duration, "How long does it take?|What is the duration?|How long does it last?"),
    "quantity": _field("Quantity|Qty|Number of pieces|Pieces|Count|Servings|Persons|Guests|Capacity", lambda v: v.integer(1, 400), "How many are there?|What quantity is given?|How many pieces are in it?|For how many people is it?"),
    "visitors": _field("Visitors|Users|Downloads|Views|Subscribers|Members|Students|Population|Inhabitants|Followers", V.number, "How many users are there?|How many people are counted?|How many visitors came?|How many inhabitants are there?"),
    "revenue": _field("Revenue|Sales|Turnover|Income|Profit|Balance|Budget|Available", V.price, "How much was earned?|What is the revenue?|How high is the balance?|What is the budget?"),
    "rate": _field("Rate|Growth|Share|Humidity|Battery|Progress|Load|Occupancy|Interest rate|Coverage", V.percent, "What percentage is shown?|How full is it?|What is the rate?|How far along is it?"),
    "dose": _field("Dose|Dosage|Directions|Take", lambda v: v.pick([f"{v.integer(1, 3)} tablets {v.pick(['daily', 'twice a day', 'every 8 hours'])}", f"{v.integer(5, 30)} ml {v.pick(['every morning', 'before meals', 'at night'])}"]), "How should it be taken?|What is the dose?|How much of it should be taken?"),
    "doctor": _field("Doctor|Physician|Prescribed by|Prescriber|GP", V.person, "Who prescribed it?|Who is the doctor?|Which physician is named?"),
    "tracking": _field("Tracking no.|Tracking number|Shipment|Parcel ID|Consignment", V.code, "What is the tracking number?|How can the parcel be traced?"),
    "subject": _field("Subject|Re|Topic|Title|Concerning|Regarding", V.title, "What is it about?|What is the subject?|Which topic is given?"),
    "sender": _field("From|Sender|Sent by|Return address", V.person, "Who sent it?|Who is the sender?|From whom is it?"),
    "recipient": _field("To|Recipient|Deliver to|Attention|Attn|Ship to", V.person, "Who is it for?|Who receives it?|Who is the recipient?|To whom is it sent?"),
    "signed": _field("Signed|Signature|Approved by|Sincerely|Yours faithfully|Authorised by", V.person, "Who signed it?|Who approved it?|Whose signature is it?"),
    "colour": _field("Colour|Color|Finish", lambda v: v.pick("red blue green anthracite ivory black white silver brown beige turquoise".split()), "Which colour is stated?|What is the colour of the article?"),
    "material": _field("Material|Fabric|Made of|Upper", lambda v: v.pick("100% cotton|steel|oak|aluminium|polyester|recycled plastic|wool|leather|glass|ceramic".split("|")), "What is it made of?|Which material is used?"),
    "care": _field("Care|Washing|Wash at|Cleaning", lambda v: v.pick(["hand wash only", "do not bleach", f"{v.pick(['30', '40', '60'])} °C", "dry clean", "wipe with a damp cloth"]), "How is it cleaned?|How should it be washed?"),
    "opening": _field("Open|Opening hours|Hours|Office hours|Open daily|Business hours", V.hours, "When is it open?|What are the opening hours?|During which hours can one come?"),
    "emergency": _field("Emergency|In an emergency call|Emergency number|Hotline|Help line|Support", V.phone, "Whom to call in an emergency?|What is the emergency number?|What is the number of the hotline?"),
    "deadline": _field("Deadline|Submit by|Closing date|Apply by|Register before|Return by", V.date, "Until when can one apply?|What is the closing date?|What is the deadline?|When must it be handed in?"),
    "grade": _field("Grade|Score|Marks|Points|Rating|Level", lambda v: v.pick([v.integer(1, 100), f"{v.integer(1, 10)}/10", v.pick("ABCDE"), v.decimal()]), "What score was given?|Which grade is it?|How many points are there?"),
}

GENERIC = ("What is the {l}?", "What's the {l}?", "{L}?", "Which {l} is given?", "Can you tell me the {l}?", "Find the {l}.", "What does it say for {l}?", "Please read the {l}.", "What is written next to {L}?", "Give the {l}.")
# fmt: on


def ask_for(field: Field, label: str, values: Values) -> str:
    """A question for `field` printed as `label`: half in people's own words, half with the label's."""
    if values.rng.random() < 0.55:
        return values.pick(field.questions)
    plain = label.rstrip(".:#").strip()
    lower = plain if plain.isupper() and len(plain) <= 4 else plain[0].lower() + plain[1:]
    return values.pick(GENERIC).format(l=lower, L=plain)


# fmt: off
DOCUMENTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # kind: (titles, fields that may stand on it)
    "receipt": (("RECEIPT", "Thank you for shopping!", "Sales receipt", "Customer copy"), ("invoice_date", "time", "cashier", "total", "tax", "subtotal", "cash", "change", "discount", "phone", "invoice_no", "web", "address")),
    "invoice": (("INVOICE", "Invoice", "Bill", "Statement", "Tax invoice", "Quotation", "Delivery note"), ("invoice_no", "invoice_date", "due", "total", "subtotal", "tax", "customer", "seller", "address", "phone", "email", "iban", "customer_no", "order_no", "discount", "fax", "web")),
    "form": (("Registration form", "Application", "Membership application", "Personal details", "Patient record", "Questionnaire", "Claim form", "Change of address"), ("name", "born", "birthplace", "occupation", "address", "city", "country", "phone", "email", "department", "height", "weight", "customer_no", "language", "doctor", "signed", "date", "deadline")),
    "food": (("Nutrition information", "Product information", "", "Farm fresh"), ("weight", "volume", "best_before", "produced", "lot", "ingredients", "allergens", "storage", "calories", "country", "seller", "price", "web")),
    "device": (("Type plate", "Technical data", "Specifications", "Warranty card", "Quick start"), ("model", "serial", "voltage", "power", "weight", "height", "country", "produced", "seller", "version", "temperature", "speed", "emergency", "colour", "material")),
    "price tag": (("SALE", "Special offer", "New", "Weekly deal"), ("price", "old_price", "model", "weight", "country", "best_before", "discount", "colour", "material", "care")),
    "ticket": (("Ticket", "Boarding pass", "Admission", "E-Ticket", "Reservation", "Travel document"), ("name", "from", "to", "departs", "arrives", "boarding", "gate", "seat", "row", "flight", "date", "price", "order_no", "duration")),
    "poster": (("Open day", "Concert", "Public lecture", "Summer fair", "Exhibition", "Job offer", "Lost cat", "Workshop", "Call for papers"), ("date", "time", "venue", "organiser", "speaker", "price", "web", "phone", "email", "deadline", "subject", "address")),
    "title page": (("", "Annual report", "Technical manual", "User guide", "White paper", "Thesis"), ("author", "publisher", "year", "edition", "isbn", "version", "licence", "date", "city", "email", "web", "department")),
    "software": (("About", "Settings", "Properties", "System information", "Preferences", "Package details", "Account"), ("version", "licence", "maintainer", "status", "file", "file_size", "user", "language", "web", "date", "email", "rate", "model", "order_no")),
    "dashboard": (("Overview", "Dashboard", "Monthly report", "Weather", "Key figures", "Statistics"), ("visitors", "revenue", "rate", "temperature", "speed", "distance", "duration", "quantity", "status", "date", "total", "grade")),
    "prescription": (("Prescription", "Medication", "Pharmacy label", "Laboratory report"), ("name", "dose", "doctor", "best_before", "quantity", "date", "phone", "lot", "born", "storage", "address")),
    "shipping": (("Shipping label", "PRIORITY", "Parcel", "Customs declaration", "Packing slip"), ("sender", "recipient", "address", "city", "country", "weight", "tracking", "date", "order_no", "phone", "quantity", "price")),
    "letter": (("", "MEMO", "Notice", "Minutes", "E-mail", "Fax cover sheet"), ("sender", "recipient", "subject", "date", "signed", "phone", "email", "department", "order_no", "deadline", "fax")),
    "sign": (("WELCOME", "PRIVATE PROPERTY", "Office", "Notice", "Parking", "Museum", "Library"), ("opening", "phone", "emergency", "address", "price", "web", "maintainer", "year", "speed", "duration", "department")),
    "recipe": (("Recipe", "Today's special", "Grandma's kitchen"), ("duration", "quantity", "temperature", "author", "calories", "price", "grade")),
    "certificate": (("Certificate", "Diploma", "Certificate of attendance", "Licence", "Test report"), ("name", "date", "grade", "signed", "order_no", "subject", "best_before", "city", "organiser", "born")),
}
# fmt: on
