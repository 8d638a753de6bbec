"""Facts in running text: a sentence with slots, and questions that ask for one slot.

`FACTS` rows are: sentence | slot: question / question | … ; slots name a method of `Values`, with a digit where one kind
is needed twice. The answer to a question is the slot's own words in the sentence.
"""

from __future__ import annotations

import re

from policies.data.values import Values

FACTS = """
{person} was born in {city} in {year}. | city: Where was {person} born? / In which town was {person} born? | year: In what year was {person} born? / When was {person} born?
The {title} opened on {date} after {integer} months of work. | date: When did the {title} open? / On what day was the {title} opened? | integer: How many months did the work on the {title} take?
{company} was founded in {year} by {person}. | year: When was {company} founded? / In which year was {company} started? | person: Who founded {company}? / Who started {company}?
Tickets cost {price} for adults and {price2} for children. | price: How much is a ticket for adults? / What do adults pay? | price2: How much do children pay? / What does a child's ticket cost?
The bridge over the {surname} is {quantity} long and was finished in {year}. | quantity: How long is the bridge? | year: When was the bridge finished? / In which year was the bridge completed?
Please return the form to {person} by {date}. | person: To whom should the form be returned? / Who gets the form? | date: By when should the form be returned? / What is the deadline for the form?
The meeting will take place in {place} at {time}. | place: Where will the meeting be? / In which place does the meeting happen? | time: When does the meeting start? / At what time is the meeting?
For questions call {phone} or write to {email}. | phone: Which number can I call with questions? / What is the number for questions? | email: Where can I write with questions? / What e-mail address is given for questions?
{person} won the {title} prize for work on {word}. | person: Who won the {title} prize? / Who got the prize? | word: For work on what was the {title} prize given? / What did {person} work on?
The library holds {number} volumes, among them {integer} from before 1800. | number: How many volumes does the library hold? / How many books has the library? | integer: How many volumes are from before 1800?
The head of the department is {person}, who came from {city} in {year}. | person: Who heads the department? / Who is the head of the department? | city: Where did the head of the department come from? | year: When did the head of the department come?
In {year}, {country} exported {number} tonnes of {word}. | number: How many tonnes of {word} did {country} export? | word: What did {country} export? / Which good was exported by {country}? | year: In which year did {country} export {number} tonnes?
The temperature must not go above {integer} °C while the {word} is running. | integer: What is the highest temperature allowed? / Above which temperature must it not go? | word: What is running while the temperature is limited?
The option {code} limits the number of retries to {integer}. | integer: To how many is the number of retries limited? / What is the limit of retries? | code: Which option limits the number of retries? / How do I limit the retries?
This programme was written by {person} and is maintained by {person2}. | person: Who wrote this programme? / Who is the author of the programme? | person2: Who maintains this programme? / Who is the maintainer now?
Version {version} fixes a fault in the {word} module. | version: Which version fixes the fault? / In what version was the fault mended? | word: In which module was the fault? / What was fixed in version {version}?
By default the file is saved in {web}. | web: Where is the file saved by default? / What is the default place of the file?
The train to {city} leaves at {time} from platform {integer}. | time: When does the train to {city} leave? / At what time does the {city} train go? | integer: From which platform does the train to {city} leave? | city: Where does the train go? / What is the destination of the train?
{person} lives at {street} in {city}. | street: At which address does {person} live? / What is {person}'s address? | city: In which city does {person} live?
The concert of the {team} choir begins at {time}, doors open at {time2}. | time: When does the concert begin? / What time is the concert? | time2: When do the doors open? / At what time can people come in?
A parcel of {quantity} to {country} costs {price}. | price: How much is a parcel to {country}? / What does the parcel cost? | quantity: How much may the parcel to {country} be? | country: To which country does the parcel go?
Mix {quantity} of {word} with {quantity2} of {word2} and stir for {duration}. | quantity: How much {word} is needed? / What amount of {word} is mixed in? | quantity2: How much {word2} is needed? | duration: How long should it be stirred? / For how long do I stir?
Bake at {integer} degrees for {duration}. | integer: At how many degrees is it baked? / How hot must the oven be? | duration: How long does it bake? / For how long should it be baked?
{team} beat {team2} in the final on {weekday}. | team: Who won the final? / Which team won? | team2: Who lost the final? / Which team was beaten? | weekday: On which day was the final? / What day was the final played?
The prize of {price} goes to {person} of {company}. | price: How high is the prize? / How much is the prize worth? | person: Who gets the prize of {price}? / To whom does the prize go? | company: For whom does {person} work? / What company is {person} from?
The museum is closed on {weekday} and in {month}. | weekday: On which day of the week is the museum closed? / When is the museum shut each week? | month: In which month is the museum closed?
Registration closes on {date}; late fees are {price}. | date: When does registration close? / Until when can I register? | price: How much are the late fees? / What does it cost to register late?
The {surname} valley lies {quantity} north of {city}. | quantity: How far north of {city} is the valley? | city: Which city lies south of the valley? | surname: What is the valley called? / What is the name of the valley?
Use {word} oil and change it every {integer} hours. | word: Which oil should be used? / What kind of oil does it need? | integer: How often should the oil be changed, in hours? / After how many hours is the oil changed?
See chapter {integer} for {title}. | integer: Which chapter is about {title}? / Where can I read about {title}? | title: What is chapter {integer} about?
The password must have at least {integer} characters. | integer: How many characters must the password have? / How long must the password be?
The fee is {price} a month and can be cancelled within {duration}. | price: What is the monthly fee? / How much is it a month? | duration: Within what time can it be cancelled? / How long do I have to cancel?
Between {year} and {year2} the population of {city} grew to {number}. | number: To how many did the population of {city} grow? / What was the population of {city} afterwards? | city: Which city's population grew? | year: From which year is the growth of {city} counted?
{person} and {person2} discovered the {word} effect in {year}. | year: When was the {word} effect discovered? | person2: Who discovered the effect together with {person}? / With whom did {person} discover the effect? | word: What effect was discovered in {year}?
Copyright {year} {company}. All rights reserved. | company: Who holds the copyright? / Whose copyright is it? | year: From which year is the copyright? / What is the copyright year?
Published by {company}, {city}, {year}. | company: Who published this? / Which publisher brought it out? | city: Where was it published? / In which city was it published? | year: When was it published? / What is the year of publication?
Dear {person}, | person: To whom is the letter written? / Who is addressed in the letter?
Yours sincerely, {person} | person: Who signed the letter? / Who wrote the letter?
Warning: keep {word} away from {word2}! | word: What should be kept away from {word2}? | word2: From what should {word} be kept away? / What must {word} not touch?
The garden covers {quantity} and was laid out by {person}. | quantity: How large is the garden? / What area does the garden cover? | person: Who laid out the garden? / Who designed the garden?
The {surname} river flows through {city} and {city2}. | surname: What is the river called? / Which river flows through {city}? | city2: Besides {city}, through which town does the river flow?
Speed limit {integer} on weekdays from {time} to {time2}. | integer: What is the speed limit? / How fast may one drive? | time: From what time does the speed limit hold? | time2: Until what time does the speed limit hold?
The key {code} opens {place}. | code: Which key opens {place}? / What is the key for {place}? | place: What does key {code} open?
About {percent} of the members voted for {person}. | percent: What share of the members voted for {person}? / How many percent voted for {person}? | person: For whom did the members vote?
"""


def parse() -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """`(sentence, [(slot, questions)])` for each fact."""
    facts = []
    for line in FACTS.strip().splitlines():
        sentence, *asked = [part.strip() for part in line.split(" | ")]
        facts.append(
            (
                sentence,
                [
                    (slot.strip(), [q.strip() for q in re.split(r" / ", qs)])
                    for slot, qs in (part.split(":", 1) for part in asked)
                ],
            )
        )
    return facts


PARSED = parse()


def fact(values: Values) -> tuple[str, list[tuple[str, str]]]:
    """A sentence and its `(question, answer)` pairs; each answer stands verbatim in the sentence, once."""
    sentence, asked = values.pick(PARSED)
    slots = {
        name: getattr(values, name.rstrip("0123456789"))().strip()
        for name in dict.fromkeys(re.findall(r"{(\w+)}", sentence))
    }
    text = sentence.format(**slots)
    pairs = [
        (values.pick(questions).format(**slots), slots[slot])
        for slot, questions in asked
        if text.count(slots[slot]) == 1
    ]
    return text, pairs
