"""Patterns of sport, encyclopedia entries and culture."""

from __future__ import annotations

from labelkit.sample.lexicon_words import lines

SPORT = lines("""
{club} <{beat}> {club} [{score}] on {weekday} {end}
{club} [{score}] {club}
{club} [{n}] {club} [{n}]
{club} <lost> [{score}] at {club} {tail} {end}
{opener} {club} <drew> [{score}] with {club} {end}
{club} <won> at [home] against {club} {tail} {end}
{team} <traded> [{athlete} {full}] to [the {team}] {tail} {end}
[the {team}] <{beat}> [the {team}] [{score}] in {city} {when} {end}
[the {team}] <have won> [{small} games] in [a row] {end}
[the {team}] <signed> [{athlete} {full}] {tail} {end}
[the {team}] <play> [their home games] at {place} {end}
[{team} coach {full}] <{said}> [his team] <was> [ADJP tired|ready] {end}
[the {team}] <are> [a {nation} {sport} team] from {city} {end}
[the {team}] <are> [a professional/J {sport} club] <based> in {city} , {region} {end}
[{team} fans] <booed> {family} in [the second half] {end}
{full} <scored> [{small} goals] as/S {club} <{beat}> {club} {tail} {end}
{family} <scored> [{n} points] and <had/V> [{small} rebounds] for [the {team}] {end}
{family} <scored> [ADVP twice] in [the second half] {end}
{full} <scored> in [the {n} minute] after [a pass] from {family} {end}
{full} ( {country} ) <beat> {full} ( {country} ) [{score}] [{score}] {end}
[1] . {full} ( {country} ) [{n} points]
[1.|2.|3.|4. {full}] ( {nation} ) {club} [{n} minutes]
{full} of {country} <won> [the {contest}] in {city} {when} {end}
[the {year} {contest}] <was> [the first] <held> outside [{region}] {end}
[the {year} {contest}] in {city} , {country} , <had/V> [{n} athletes] {end}
{full} <won> [gold|silver|bronze] at [the {contest}] {end}
{country} <won> [the {contest}] in [{year}] {end}
{country} <play> {country} in [the final] of [the {contest}] {end}
{country} <will host> [the {contest}] in [{year}] {end}
[the {contest}] <starts> in {city} on {weekday} {end}
[the {contest}] <was held> in {country} for [the first time] in [{year}] {end}
[{athlete} {full}] <missed> [the {contest}] with [a knee|shoulder injury] {end}
[{nation} {athlete} {full}] <will retire> after [the {contest}] {end}
{full} , [the {nation} {athlete}] , <joined> {club} from {club} for [{money}] {end}
[manager {full}] <was sacked> by {club} after [{small} defeats] {end}
{club} <sacked> [coach {full}] {when} {end}
{club} <need> [a new/J {athlete}] {end}
[{club} 's {athlete} {family}] <is> [ADVP out] for [{small} weeks] {end}
[{club} captain {full}] <was sent> [PRT off] {end}
{club} <face> {club} in [the quarter-finals] of [the {contest}] {end}
{full} <finished> [ADJP second|third] in [the {contest}] , [{n} seconds] behind {family} {end}
{family} <led> {family} by [{small} shots] after [the first round] {end}
{family} , [who] <played> for {club} and {club} , <is> [ADVP now] [the coach] of {country} {end}
[the match] <was stopped> because of [rain] {end}
[the game] <went> into [extra/J time] {end}
[the coach] <was not> [ADJP happy] with [the defence] {end}
[the {athlete}] <broke> [his leg] in [training] {end}
[both teams] <missed> [a penalty] in [the first half] {end}
[what a game] ! {club} <are> [ADVP through/R] to [the final] !
[tickets] for [the {contest}] <went> on [sale] {when} {end}
[the winner] <will meet> {full} or {full} in [the semi-finals] {end}
[he] <spent> [{small} seasons] with [the {team}] before/I <moving> to {club} {end}
[results] of [{nation} league matches] on {weekday} : {club} [{score}] {club}
[standings] after [{weekday} 's games] : {club} [{n}] , {club} [{n}] , {club} [{n}]
{city} <hosted> [the {contest}] in [{year}] and [{year}] {end}
[{full} 's record] of [{n} goals] for {club} <still/R stands> {end}
""")

ENCYCLOPEDIA = lines("""
{full} ( <born> [{month} {small} , {year}] ) <is> [a {nation} {artist}] {end}
{full} ( [{year}] - [{year}] ) <was> [a {nation} {artist}] and [{artist}] {end}
{full} <was born> in {city} in [{year}] {end}
{full} <was born> on [{month} {small} , {year}] in {city} , {region} {end}
{full} <died> in {city} [ADJP aged {n}] {end}
<born> in {city} , {family} <moved> to {city} as [a child] {end}
[he|she] <grew> [PRT up] in {city} and <worked> for {company} until/I [{year}] {end}
[he|she] <married> {full} in [{year}] {end}
{full} <is> [the {relative}] of [{artist} {full}] {end}
{full} <served> as [{role}] of {location} from [{year}] to [{year}] {end}
{city} <is> [the capital] of {country} {end}
{city} <is> [the largest/J city] in {region} {end}
{city} <is> [a small/J town] in [the north|south|east|west] of {country} {end}
{city} <lies> on [the {water}] {place} , [{n} kilometres] from {city} {end}
[the population] of {city} <was> [{n}] in [{year}] {end}
{country} <borders> {country} to [the north|south] and {country} to [the east|west] {end}
{place} <is> [the highest/J {water}] in {country} {end}
{place} <is> [a {water}] in {region} , {country} {end}
{place} <was> [ADVP once] [the longest/J bridge] in {region} {end}
{company} <is> [a {nation} {firm}] <based> in {city} {end}
{company} <is> [a {nation} {trade} {firm}] <headquartered> in {city} , {country} {end}
{company} <was> [a {nation} {trade} {firm}] [that] <closed> in [{year}] {end}
{organization} <was established> in [{year}] in {city} {end}
{agency} <is> [an international/J organization] with [{n} members] {end}
{agency} <has/V> [offices] in {city} , {city} and {city} {end}
{school} <was founded> by {full} in [{year}] {end}
{band} <are> [a {nation} rock|pop|jazz|folk band] from {city} {end}
{band} <were formed> in {city} by {full} and {full} {end}
[the {team}] <are> [a {nation} {adj} {sport} team] , <playing> in {city} since/I [{year}] {end}
[the {team}] , [one] of [the oldest/J clubs] in {region} , <compete> in [the {adj} league] {end}
{club} <is> [a {sport} club] <based> in {location} {end}
[the {device}] <is> [a {gadget}] <developed> by {company} {end}
[the {device}] <is> [a {gadget}] <designed> and <sold> by {company} since/I [{year}] {end}
{software} <is> [a program] for <editing> [photos|text|video] {end}
{software} <was written> by {full} at {company} {end}
[the {contest}] <is> [an annual/J {sport} tournament] <held> in {city} {end}
[the {meeting}] <takes> [place] in {city} [every {month}] {end}
[the {history}] <was> [a turning/V point] in [the history] of {country} {end}
[the {building}] on {place} <was built> by {full} in [{year}] {end}
[the {building}] <was destroyed> during [the {history}] and <rebuilt> in [{year}] {end}
[the language] <is spoken> in [parts] of {country} and {country} {end}
[the bridge] <connects> {city} with {city} {end}
[the railway] from {city} to {city} <opened> in [{year}] {end}
[the village] <has/V> [a {building}] , [a {building}] and [{small} shops] {end}
[the {animal}] <is> [a {adj} animal] <found> in {location} and {location} {end}
[the word] <comes> from [Latin] and <means> " [water|light|stone] " {end}
[the {nation} army] <lost> [the {history}] in [{year}] {end}
[the museum] <shows> [paintings] by {full} , {full} and [other artists] {end}
{given} <is> [a {nation} name] {end}
{family} <was> [the first person] <to cross> {place} on [foot] {end}
""")

CULTURE = lines("""
{full} <will play> [the {role}] in [a new/J film] by [director {full}] {end}
[actor|actress {full}] <won> [an award] at [the {holiday}] in [{year}] {end}
[singer {full}] <cancelled> [her concert] in {city} {tail} {end}
{band} <played> [{small} songs] at {place} {when} {end}
{band} <released> [their first album] in [{year}] {end}
{band} <will tour> {country} with {band} {when} {end}
[tonight/N] : {band} <live/R> in {city} , [doors] at [{clock}] !
[the film] , <directed> by {full} , <opens> in {city} {when} {end}
[the {artist} {full}] <lives> in {city} with [her {relative} {given}] {end}
{family} ['s novel] <is set> in {city} during [the {history}] {end}
[a show] of [works] by {full} <opens> at [the {agency}] {when} {end}
[the {agency}] <bought> [a painting] by {full} for [{money}] {end}
[I] <saw> {full} at [the {meeting}] {when} {end}
[fans] of {band} <waited> outside [the hotel] in {city} [all night] {end}
[the {meeting}] <opened> in {city} with [a speech] by {full} {end}
[the {meeting}] <has been cancelled> because of [the storm] {end}
{full} <wrote> [the book] with [her {relative} , {full}] {end}
[{media} critic {full}] <hated> [the film] {end}
[the {media}] <named> {full} [{artist}] of [the year] {end}
in [the film] , {given} <falls> in [love] with [a {role}] from {city} {end}
[the story] <follows> [a {artist}] [who] <returns> to [a small/J town] {end}
[the album] <was recorded> in [{small} days] {end}
[{nation} {artist} {full}] and [{artist} {full}] <are getting> <married> {end}
{given} and {given} <met> on [a film set] in {country} {end}
{full} , [whose {relative}] <was> [a {artist}] , <began> <singing> at [the age] of [{small}] {end}
{holiday} <is> [ADVP here again] !
[the {year} {meeting}] <starts> on [{month} {small}] in {city} {end}
[the best/J thing] about [the {meeting}] <is> [the music] {end}
[{n} people] <came> to [the {meeting}] in {city} {tail} {end}
[the play] <runs> until/I [{month} {small}] at [the {building}] on {place} {end}
""")
