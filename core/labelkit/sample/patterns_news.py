"""Patterns of news, business, politics, crime, weather and science."""

from __future__ import annotations

from labelkit.sample.lexicon_words import lines

NEWS = lines("""
{opener} [the {firm}] <will open> [a new/J {facility}] in {city} [next year] {end}
{opener} {person} , [{role}] of {organization} , <{said}> on {weekday} that [the {issue}] <was> [ADJP \
dead|ready] {end}
{person} <{said}> [SBAR that] [the {issue}] <would hurt> [{people}] in {location} {end}
{opener} [{people}] in {city} <marched> against [the {issue}] {end}
[police] in {city} <have arrested> [{small} men] in [connection] with [a robbery|murder|fire] near {place} \
{end}
[at least/J {n} people] <were killed> [SBAR when] [a bus|train|ferry] <crashed> near {city} {tail} {end}
{country} and {country} <signed> [a trade agreement|deal|treaty] {when} {end}
{country} , {country} and {country} <have agreed> <to cut> [emissions] by [{n} percent] {end}
[the {nation} government] <rejected> [the {issue}] <proposed> by {country} {end}
[{role} {person}] <met> {family} in {city} {when} <to discuss> [the {issue}] {end}
{person} <arrived> in {city} on {weekday} for [talks] with {nation} [officials] {end}
{person} <flew> from {city} to {city} {tail} {end}
<speaking> in {city} , {person} <{said}> [the {issue}] <was> [ADJP too late] {end}
" [we] <are> [ADJP very happy|proud] with [the {issue}] , " <said> {person} , [who] <runs> {organization} \
{end}
" [this] <is> [a disaster] for {location} , " {person} <told> {media} {tail} {end}
" [I] <have never seen> [anything] like [it] , " <said> {full} , [{n}] , from {city} {end}
{person} , [{n}] , <was found> [ADJP guilty] by [a court] in {city} {tail} {end}
[a court] in {city} <sentenced> {person} to [{small} years] in [prison] {end}
{organization} <said> {when} [it] <had> [no plans] <to leave> {country} {end}
[the {role}] of {organization} <resigned> {when} after [a row] over [the {issue}] {end}
{full} <was elected> [{role}] of {country} in [{year}] {end}
{full} <has been named> [the new/J {role}] of {organization} {end}
{organization} <named> {person} as [its new/J {role}] {tail} {end}
{organization} and {organization} <are working> on [a joint/J {issue}] in {country} {end}
[lawyers] for {person} <asked> [the court] in {city} <to drop> [the charges] {end}
{media} <reported> {when} [SBAR that] {person} <would step> [PRT down] as [{role}] {end}
<according/V> to {media} , {organization} <is> [ADJP ready] <to sell> [its {facility}] in {location} {end}
[{role} {person}] <told> {media} [SBAR that] [nobody] <had read> [the {adj} report] {end}
{location} <is preparing> for [its worst/J storm] in [{n} years] {end}
[heavy/J rain|snow] <is expected> across {region} [this weekend] {end}
[an earthquake] <hit> {location} {when} , [officials] <said> {end}
[fires] <have destroyed> [hundreds] of [homes] in {region} since/I {month} {end}
[thousands] of [{people}] <fled> {region} after [the flood|storm|attack] {end}
[a boat] <carrying> [{n} migrants] <sank> off/I [the coast] of {country} {tail} {end}
[{nation} troops] <crossed> [the border] into {country} [late/J {weekday}] {end}
[the {nation} {role}] <will visit> {city} and {city} [next month] {end}
{opener} [the {role}] <declined> <to comment> on [the {issue}] {end}
{opener} [the {adj} {issue}] <was approved> by [{n} votes] to [{small}] {end}
[the {issue}] , [which] <cost> [{money}] , <has divided> [the {adj} {firm}] {end}
[many {people}] <fear> [SBAR that] [the {issue}] <will raise> [prices] {end}
[few {people}] <expected> [the {role}] <to stay> [ADVP so long/R] {end}
[the fire] <started> in [the kitchen] of [a {facility}] on {place} {end}
[residents] of {place} <woke> [PRT up] to [a loud/J noise] [early/J {weekday}] {end}
[the body] of {full} , [{n}] , <was found> in [a {water}] near {city} {end}
{given} , [a nurse] from {city} , <lost> [her job] in {month} {end}
{family} <denied> [all charges] {end}
{family} 's/A <expected> <to testify> before {agency} on {weekday} {end}
{agency} <has opened> [an investigation] into {company} {end}
{agency} <fined> {company} [{money}] {tail} {end}
[officials] at {agency} <said> [they] <were watching> [{company} 's {issue}] {end}
[a report] by {agency} <warned> of [rising/V prices] in {country} {end}
[the {agency}] <voted> {when} <to reject> [the {issue}] {end}
[the {agency}] <opened> [its doors] to {people} {tail} {end}
{opener} [protesters] <gathered> outside [the {agency}] in {city} {end}
[the {role}] of [the {agency}] , {full} , <called> [the {issue}] [a mistake] {end}
[members] of [the {agency}] <travelled> to {location} {tail} {end}
[the {media}] <called> [it] [the worst/J {issue}] in [decades] {end}
[{media} reporter] {full} <was detained> in {country} {tail} {end}
[Mr. {family}] <did not answer> [questions] about [the {issue}] {end}
[Mrs.|Ms. {family}] , [who] <leads> {organization} , <said> [she] <would fight> [the {issue}] {end}
[Dr.|Professor {family}] of [the {school}] <called> [the results] " [ADJP remarkable] " {end}
[President {family}] <flew> to {city} <to meet> [the {nation} {role}] {end}
[Senator {full}] <wants> [a vote] on [the {issue}] {end}
[Judge {family}] <postponed> [the trial] until {month} {end}
[General {full}] <took> [command] of [the {nation} forces] in {region} {end}
[Queen|King|Prince {given}] <opened> [the {adj} {building}] in {city} {tail} {end}
{person} and {person} <were seen> [ADVP together] in {city} {when} {end}
{person} , {person} and {person} <were charged> with [fraud] {end}
{full} ( {organization} ) and {full} ( {organization} ) <signed> [the letter] {end}
[flights] from {city} to {city} <were cancelled> because/S of [fog|strikes|snow] {end}
{city} : [{small} dead] after [explosion|fire|crash] at [{facility}] .
{city} , {month} [{n}] ( {media} ) - {organization} <said> on {weekday} [it] <would cut> [{n} jobs] {end}
{location} <votes> on {weekday} {end}
[election] in {country} : {family} <ahead/R> in [early/J results] .
[the war] in {country} <has entered> [its {small} month] {end}
{country} ['s economy] <grew> by [{n} percent] in [the third quarter] {end}
[{country} 's {role}] , {full} , <is to leave> [office] in [{month}] {end}
[{city} 's {role}] <wants> <to ban> [cars] from [the centre] {end}
[schools] in {region} <will reopen> on {weekday} {end}
[unemployment] in {location} <fell> to [{n} percent] {tail} {end}
""")

BUSINESS = lines("""
[shares] of {company} <rose|fell|jumped|dropped> [{n} percent] on {weekday} {end}
[{company} shares] <closed> [ADVP up|down/R] [{n} percent] at [$ {n}] {end}
{company} <posted> [a profit|loss] of [{money}] for [the quarter] , <compared> with [{money}] [a year] \
[ADVP ago] {end}
{company} , [the {trade} group] , <is buying> {company} for [{money}] {end}
{company} <{buy}> [{trade} {firm} {company}] {tail} {end}
{company} <{buy}> {company} and {company} {tail} {end}
[{trade} {firm} {company}] <plans> <to cut> [{n} jobs] in {location} {end}
[{company} 's {role}] , {full} , <{said}> [sales] in {country} <were> [ADJP weak|strong] {end}
[the {city} {firm}] <employs> [{n} people] {end}
[{city} {firm} {company}] <said> [it] <would hire> [{n} engineers] {end}
{full} <founded> {company} in [a garage] in {city} in [{year}] {end}
{full} <left> {company} {when} <to join> {company} as [{role}] {end}
{company} <was founded> by {full} and {full} in [{year}] {end}
{company} <has sold> [{n} million {gadgets}] since/I [{year}] {end}
[analysts] at {company} <expect> [prices] <to rise> {tail} {end}
[investors] <are worried> about [{company} 's {issue}] {end}
{company} <moved> [its headquarters] from {city} to {city} {tail} {end}
{company} <makes> [{gadgets}] and [{parts}] for {company} {end}
[the {trade} giant] <will launch> [the {device}] in {country} {when} {end}
{company} <unveiled> [its {device}] at [the {meeting}] in {city} {end}
{company} <is recalling> [{n} {device} cars|phones|units] because of [a faulty/J {part}] {end}
[the {device}] , <made> by {company} , <costs> [{money}] {end}
[sales] of [the {device}] <have doubled> in {country} {end}
{company} <will stop> <selling> [the {device}] {when} {end}
[the deal] <gives> {company} [control] of [{n} {facilities}] in {region} {end}
[{n} workers] at [{company} 's {facility}] in {city} <went> on [strike] {when} {end}
[the workers] <want> [more money] and [shorter/J hours] {end}
[banks] in {country} <are closed> on {weekday} {end}
[the {trade} market] <is expected> <to grow> by [{n} percent] a/D year {end}
[we] <expect> [a strong/J second half] , <{said}> [{role} {full}] {end}
{company} <owes> {company} [{money}] , [court papers] <show> {end}
{opener} {company} and {company} <ended> [their {issue}] {end}
{opener} [the {firm}] <reported> [record/N sales] of [{money}] {end}
{opener} [oil prices] <fell> below [{money}] a/D barrel {end}
[the dollar|euro|pound|yen] <lost> [{n} percent] against [the yen|euro|dollar] {tail} {end}
[interest rates] <are> [ADVP now] at [their lowest/J level] since/I [{year}] {end}
[the board] of {company} <meets> in {city} {when} {end}
{full} , [a former/J {role}] at {company} , <now/R runs> [a {firm}] in {region} {end}
<like/I> {company} , {company} <depends> on [customers] in {country} {end}
[{company} customers] <complained> about [the {part}] of [the {device}] {end}
{company} ( {city} ) <won> [the contract] {end}
{company} 's/A <going> <to sue> {company} over [the {product}] {end}
[rivals] <such> as {company} , {company} and {company} <have raised> [prices] {end}
[a {adj} {trade} {firm}] <has lost> [{money}] on [the {issue}] {end}
[the {firm}] <did not say> how [many jobs] <would go> {end}
[nobody] at {company} <was> [ADJP available] for [comment] {end}
""")

SCIENCE = lines("""
[researchers|scientists] at [the {school}] <have found> [a new/J species] of [{animal}] in {region} {end}
[researchers] from {school} and {school} <studied> [{n} patients] with [diabetes|asthma|cancer] {end}
[a team] <led> by {full} of {school} <has built> [a {adj} robot|sensor|telescope] {end}
[the study] , <published> in [the {media}] , <looked> at [{n} {people}] over [{small} years] {end}
[the {animal}] <lives> [ADVP only] in [the rivers] of {region} {end}
[the {animal}] <was> [ADVP last/R] <seen> near {place} in [{year}] {end}
[most {animals}] <sleep> during [the day] and <hunt> at [night] {end}
[water] <boils> at [{n} degrees] at [sea level] {end}
[the cells] <were grown> for [{n} days] and [ADVP then] <counted> {end}
[light] <travels> [ADVP faster/R] [SBAR than] [sound] {end}
[our method] <is> [ADJP {n} times faster/J] [SBAR than] [the {adj} one] {end}
[we] <thank> {full} for [helpful/J comments] on [the {adj} draft] {end}
[{family} and {family}] ( [{year}] ) <showed> [SBAR that] [the effect] <is> [ADJP small] {end}
[{family} et/X al./X] <used> {software} <to analyse> [the data] {end}
[the data] <were analysed> with {software} {end}
[the satellite] <was launched> from {location} in [{month} {year}] {end}
{agency} <will send> [a probe] to {place} in [{year}] {end}
[the telescope] on {place} <was built> by {agency} {end}
[patients] <taking> {drug} <slept> [ADVP better/R] [SBAR than] [others] {end}
[doctors] in {city} <tested> [the drug {drug}] on [{n} patients] {end}
{drug} <was approved> by {agency} in [{year}] {end}
{drug} , [a drug] from {company} , <may help> [people] with [migraine|asthma|arthritis] {end}
[{full} , a biologist|chemist|physicist] at {school} , <was not involved> in [the study] {end}
{full} <won> [the prize] for [her work] on [black/J holes] {end}
{full} <discovered> [the {animal}] on [a trip] to {place} in [{year}] {end}
[the ice] on {place} <is melting> [ADVP faster/R] [SBAR than] <expected> {end}
[levels] of [mercury] in {place} <have risen> since/I [{year}] {end}
[fossils] <found> near {city} <are> [ADJP {n} million years old] {end}
[the samples] <came> from {location} , {location} and {location} {end}
[a virus] <first/R found> in {country} <has reached> {location} {end}
[{n} cases] <were reported> in {region} {tail} {end}
[vaccines] <save> [millions] of [lives] [every year] {end}
{opener} [scientists] <do not know> why [the {animals}] <disappeared> {end}
[the {meeting}] <brings> [physicists] to {city} [every {month}] {end}
{full} <presented> [the results] at [the {meeting}] in {city} {end}
{school} <is> [a public/J university] in {city} , {country} {end}
{full} <studied> [physics|law|history|medicine] at [the {school}] {end}
{full} <received> [a doctorate] from {school} in [{year}] {end}
[students] at {school} <built> [a car] [that] <runs> on [sunlight] {end}
[the laboratory] <belongs> to {agency} {end}
""")
