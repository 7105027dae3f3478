"""Patterns of chat, e-mail, minutes, travel and talk about products."""

from __future__ import annotations

from labelkit.sample.lexicon_words import lines

CHAT = lines("""
hey {given} , <are> [you] <coming> to {city} [this weekend] ?
lol {given} <just/R fell> [PRT off] [his bike]
[anyone] <going> to [the {contest}] ?
omg/U [I] <just/R saw> {full} at {place} !
[I] <'m> in {city} [ADVP now] , [it] <'s/A> [ADJP so cold] :(
<ca n't wait> for {holiday} !
happy/J {holiday} [everyone] !
<watching> [the {team}] with {given} and {given} [tonight/N]
[my {relative}] <loves> {band}
<has> [anybody] <tried> [the new/J {device}] [ADVP yet] ?
[my {device}] <died> [ADVP again] , so/R annoyed/J :(
<thinking> of <moving> to {location} , [any tips] ?
<got> [tickets] for {band} in {city} !!!
rt/X : {company} <is> [ADVP down/R] , [anyone] else/J ?
@ {given} [you] <should try> {software} , [it] <'s/A> [ADJP free]
no , {given} <does n't eat> [meat]
what <is> {given} <doing> in {country} ?
so/R tired/J [today] , [too much work]
good/J morning/N {city} !
[we] <had/V> [{meal}] at [a {adj} place] near {place}
[I] <miss> {city} [so much]
{given} <says> hi !
[ADVP just] <finished> [my exam] , [ADVP finally] [ADJP free] !
[the {club} game] <was> [ADJP boring] , [no goals]
<go> {team} !
<come/V> on/I {club} , <score> [a goal] !
[I] <bought> [a {device}] [yesterday] and [I] <love> [it]
[I] <hate> {weekdays}
why <is> [everyone] <talking> about {family} ?
{family} <should resign> , [he] <is> [a clown]
[my flight] to {city} <is> [ADJP late] , <thanks/U> {company}
[does n't] [anyone] <sleep> here ?
[it] <'s/A> <raining> in {city} again
{given} <sent> [me] [a picture] of [her cat]
ok , <see> [you] at [{clock}] !
<do> [you] <know> if [the {facility}] <is> [ADJP open] on {weekday} ?
<call> [me] [SBAR when] [you] <get> [ADVP home]
<is> {given} still [ADJP angry] with {given} ?
haha yes , {given} <told> [me] about [it]
[my phone] <is> [ADJP full] of [pictures] of {city}
{city} <is> [ADJP beautiful|crazy|expensive|lovely] !
[the kids] <want> <to see> {place} before [we] <leave> {city}
""")

MAIL = lines("""
dear {given} ,
hi {given} and {given} ,
dear/J [Mr.|Mrs.|Ms. {family}] ,
[best/J regards] , {full}
thanks , {given}
<please/U find> [the {issue}] for {company} <attached> .
{given} , <could> [you] <send> [the {issue}] to {full} by {weekday} ?
[I] <spoke> to {full} from {company} about [the {issue}] .
[we] <will be> in {city} from [{month} {small}] to [{small}] .
[our {city} office] <is closed> on {weekday} .
<let> [me] <know> if [{weekday}] at [{clock}] <works> for [you] .
[the meeting] with {company} <has moved> to [{clock}] .
{given} <is> on [holiday] until/I {weekday} , <please/U ask> {given} .
[I] <have attached> [the {adj} {issue}] and [a list] of [questions] .
[your order] of [the {device}] <was sent> to {city} {when} .
[your {adj} account] <will be closed> in [{n} days] .
<thank> [you] for <contacting> {company} .
[we] <are sorry> for [the delay] .
<please/U bring> [your passport] and [{small} photos] .
[the invoice] from {company} <is> [ADVP still] [ADJP open] .
[I] <am writing> about [the job] of [{role}] at {company} .
[I] <worked> at {company} in {city} as [a {role}] for [{small} years] .
[my {relative} {given}] <would like> <to visit> [the {school}] .
{full} <has left> {company} ; <please/U write> to {full} .
<can> [we] <use> {software} for [the call] on {weekday} ?
[the link] to [the {software} document] <is> below/R .
[I] <installed> {software} on [my {gadget}] but [it] <does not start> .
[it] <was> [ADJP nice] <to meet> [you] at [the {meeting}] in {city} .
[we] <would like> <to invite> [you] to [the {meeting}] in {city} .
{given} <will pick> [you] [PRT up] at {place} .
[regards] , {full} , {role} , {company}
{full} - [{role}] - {company} - {city}
[I] <forgot> <to tell> {given} about [the {issue}] .
[the parcel] <arrived> in [{country}] {when} .
[we] <need> [your answer] before [{weekday}] .
""")

MINUTES = lines("""
present/J : {full} , {full} , {full}
apologies : {given} , {family}
{given} <reported> on [the {issue}] with {company} {end}
{given} <will contact> {company} before [the next meeting] {end}
[action] : {given} <to send> [the {issue}] to {family} .
{family} <asked> whether [the {issue}] <could be finished> by {month} {end}
[the committee] <agreed> on [a budget] of [{money}] {end}
[the next meeting] <is> on [{month} {small}] at [{clock}] {end}
[the {issue}] <was postponed> until/I {month} {end}
[item {small}] : [offer] from {company} , [{money}]
[the {firm}] <wants> <to replace> {software} with {software} {end}
{family} and {family} <voted> against [the {issue}] {end}
[no one] <objected> {end}
{given} <presented> [the new/J {gadget}] from {company} {end}
[everybody] <thanked> {full} for [her work] {end}
{full} <joined> [the meeting] from {city} {end}
[the chair] <closed> [the meeting] at [{clock}] {end}
[the trip] to {city} <was approved> {end}
[visitors] from {school} <are expected> on {weekday} {end}
[the minutes] of [the {adj} meeting] <were read> and <approved> {end}
{full} <noted> [SBAR that] [the {facility}] in {city} <needs> [a new/J roof] {end}
[the {role}] <thanked> [the {agency}] for [its help] {end}
{organization} <has offered> <to pay> [half] of [the costs] {end}
[we] <lost> [{small} members] and <gained> [{small}] {end}
[{given} 's proposal] <was accepted> with [{small} votes] {end}
""")

TRAVEL = lines("""
[we] <took> [the train|bus|ferry] from {city} to {city} {end}
[we] <spent> [{small} days] in {city} and [a week] on {place} {end}
[the hotel] <is> [{small} minutes] from {place} {end}
[the museum] in {city} <is> [ADJP worth] [a visit] {end}
<do n't miss> {place} , [the {adj} {water}] near {city} {end}
[the road] from {city} to {place} <was> [ADJP closed] {end}
{city} <has/V> [{small} {buildings}] and [a lovely/J {water}] {end}
{city} or {city} , which <is> [ADJP better] in [{month}] ?
{location} <is> [ADJP famous] for [its food|wine|beaches|music] {end}
[we] <hiked> around {place} with [a guide] <called> {given} {end}
[our guide] , {given} , <grew> [PRT up] near {place} {end}
[a taxi] to [the airport] <costs> [{n} dollars|euros] {end}
<fly> to {city} with {company} and <stay> [{small} nights] {end}
[tourists] from {country} and {country} <love> {place} {end}
[the boat] <stops> at {city} , {city} and {city} {end}
[the best/J time] <to visit> {region} <is> between {month} and {month} {end}
<walking> along {place} , [we] <met> [a {nation} couple] {end}
[the old/J town] of {city} <is> [ADJP full] of [{people}] in [summer] {end}
[breakfast] <was> [ADJP simple] but [the coffee] <was> [ADJP good] {end}
[our room] <was> [ADJP small] , [ADJP noisy] and [ADJP cold] {end}
[there] <are> [no buses] on {weekday} {end}
[the beach] <was> [ADJP empty] [SBAR when] [we] <arrived> {end}
from {city} , <drive> [{n} miles] south/R to {city} {end}
[I] <learned> [{nation}] before [my trip] to {country} {end}
[my {relative}] <lives> in {city} , [a suburb] of {city} {end}
[the flight] from {location} to {location} <takes> [{small} hours] {end}
<visit> {city} during {holiday} !
[the {holiday} market] in {city} <opens> in [{month}] {end}
{place} <was> [the highlight] of [our trip] to {country} {end}
{place} and {place} <are> in [the same street] {end}
""")

PRODUCTS = lines("""
[the {part}] of [the {device}] <is> [ADJP {good}] but [the {part}] <is> [ADJP {bad}] {end}
[I] <replaced> [my old/J {device}] with [a {device}] {when} {end}
[the {device}] <costs> [{money}] and <comes> with [a {part}] {end}
[the {device}] <has/V> [a {good} {part}] and [a {adj} {part}] {end}
[I] <use> {software} and {software} [every day] at [work] {end}
{software} <crashed> [ADVP twice] [SBAR while] [I] <was writing> {end}
[I] <prefer> {software} to {software} {end}
{company} <stopped> <making> [the {device}] in [{year}] {end}
[the new/J {device}] <beats> [the {device}] in [every test] {end}
<is> [the {device}] [ADJP better] [SBAR than] [the {device}] ?
[my {relative}] <bought> [the {device}] from {company} for [{money}] {end}
[a {gadget}] like [the {device}] <should not cost> [{money}] {end}
{given} <wants> [a {device}] for {holiday} {end}
[the {gadget}] <broke> after [{small} weeks] {end}
[this {gadget}] <is> [ADJP {good}] , [ADJP {good}] and [ADJP cheap] {end}
[the {part}] <does not fit> [the {adj} {gadget}] {end}
[the {part}] <was missing> from [the box] {end}
<download> {software} for [your {gadget}] [today] {end}
{software} <now/R works> on [the {device}] {end}
[the app] for [the {device}] <is> [ADJP {bad}] {end}
[we] <tested> [the {device}] , [the {device}] and [the {device}] {end}
[the {device}] ( [{year}] ) <has/V> [a better/J {part}] [SBAR than] [its rivals] {end}
[{company} support] <told> [me] <to reset> [the {device}] {end}
[the {part}] on {device} <is> [ADJP {bad}] {end}
[you] <can play> {software} on [your {device}] {end}
{software} [{n}] <will be released> in {month} , {company} <says> {end}
[I] <asked> [my {device}] for [the weather] in {city} {end}
[the driver] of [a {vehicle}] <was hurt> in [a crash] near {city} {end}
[he] <drives> [a red|blue|black|white/J {vehicle}] {end}
[she] <took> {drug} for [her headache] {end}
[a can|bottle|box] of {grocery} , please
[there] <is> [no manual] for [the {device}] {end}
""")

PLAIN = lines("""
{opener} [nobody] <knew> [the answer] {end}
{opener} [the {role}] <read> [the {issue}] [ADVP twice] {end}
[ADVP perhaps] [the {adj} {firm}] <will change> [its mind] {end}
[the children] <played> in [the garden] until/S [it] <got> [ADJP dark] {end}
[what you] <need> <is> [a good/J night] of [sleep] {end}
[March] <was> [ADJP cold] and [April] <was> [ADJP wet] {end}
[{nation} food] <is> [ADJP popular] with [young/J {people}] {end}
[the {nation} and {nation} {people}] <agreed> {end}
[{weekday}] <was> [a holiday] , so [the shops] <were> [ADJP closed] {end}
{nested} <was sold> {when} {end}
{nested} <surprised> [the {people}] {end}
{nested} <is> [ADJP {good}] {end}
[the man] with [the {adj} hat] <sat> [PRT down] next/R to [me] {end}
[my {relative}] <bakes> [bread] [every {weekday}] {end}
<if> [you] <mix> [blue/J] and [yellow/J] , [you] <get> [green/J] {end}
<add> [the sugar] , <stir> , and <bake> for [{n} minutes] {end}
<cut> [the onions] and <fry> [them] in [oil] {end}
[the exam] <has/V> [{small} parts] : [reading|maths] , [writing|grammar] and [speaking] .
[the door] <opened> [ADVP slowly] and [a {role}] <came> [PRT in] {end}
[all {people}] <must wear> [a helmet] {end}
[the {gadget}] <is> on [the table] {end}
[the {people}] <waited> for [hours] , but [no one] <came> {end}
<are> [there] [any questions] about [the {issue}] ?
how [many {people}] <work> in [the {facility}] ?
[it] <takes> [{n} minutes] <to walk> to [the {building}] {end}
[the {building}] and [the {water}] <are> [ADJP popular] with [{people}] {end}
[I] <do n't think> [SBAR that] [it] <matters> {end}
[she] <opened> [the window] because [the room] <was> [ADJP hot] {end}
[the {adj} {firm}] <pays> [its {people}] [ADVP well] {end}
[the rose] , [the lily] and [the violet] <grow> in [the shade] {end}
[the king] <gave> [the knight] [a horse] and [a sword] {end}
[a bird] <built> [its nest] under [the roof] of [the {building}] {end}
[the target] of [the attack] <was> [a shell company] {end}
[the river bank] <was> [ADJP green] in [spring] {end}
[he] <ate> [an orange] and [a piece] of [cake] {end}
[we] <may go> or <may not go> , [it] <will depend> on [the weather] {end}
""")

OBJECTS = lines("""
{thing} <lay> {near} {thing} and [nobody] <{did}> [it] .
{thing} <stood> {near} {thing} .
{opener} [she] <{did}> {thing} and {thing} .
{opener} [he] <{did}> {thing} {near} {thing} {end}
although [it] <was snowing> , [the {people}] <{did}> {thing} {near} {thing} .
[the children] <{did}> {thing} , {thing} and {thing} .
{thing} <is> [ADJP {colour}] and {thing} <is> [ADJP {colour}] .
what <happened> to {thing} ?
<is> {thing} [ADVP still] {near} {thing} ?
[I] <{did}> {thing} [this morning] .
[I] <love|like|hate> [the {noun}] and [the {noun}] of [a {colour} {noun}] .
<put> {thing} {near} {thing} and <wait> [{n} minutes] .
<do n't touch> {thing} !
{given} <{did}> {thing} {near} {thing} .
{given} and {given} <{did}> {thing} in {city} {when} .
[my {relative} {given}] <{did}> {thing} [yesterday] .
[the {role}] <{did}> {thing} in {city} , not {city} .
[the cat|dog|bird|baby] <slept> {near} {thing} and <dreamed> of [a {noun}] .
[there] <is> [a {colour} {noun}] {near} {thing} .
[there] <was> [nothing] {near} {thing} but [a {noun}] .
<if> {thing} <is> [ADJP {colour}] , [you] <need> {thing} .
{thing} <costs> [{money}] , {thing} <is> [ADJP free] .
[she] <lives> in [a {colour} house] with [a {noun}] and [a {noun}] .
[the {noun}] in [the {noun}] <was> [ADJP {colour}] [SBAR when] [we] <arrived> .
<as/S> [the {noun}] <turned> [ADJP {colour}] , {thing} <fell> {near} {thing} .
[two {colour} men] <{did}> {thing} from [the {noun} shop] .
[every {noun}] <needs> [a {noun}] .
[no {noun}] <is> [ADJP {colour} enough/R] .
[we] <walked> {near} {thing} , {near} {thing} , and [ADVP then] [ADVP home] .
who <{did}> {thing} ? [I] <did/V> , <said> {thing} .
[the smell] of {thing} <reminds> [me] of {thing} .
[a {noun}] <is> [ADJP more {colour}] [SBAR than] [a {noun}] .
[the patient] <was given> {thing} and [{n} mg] of [a {colour} syrup] [every day] .
[it] <rained> [all {weekday}] , and {thing} <got> [ADJP {colour}] .
[{weekday}] in [{month}] <is> [a day] for {thing} .
<ask> [the {role}] about {thing} or {thing} .
""")
