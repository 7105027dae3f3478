"""Phrases that patterns share: time, people, things and deeds without a name; the same in every split."""

from __future__ import annotations


def lines(block: str) -> tuple[str, ...]:
    """Return the lines of ``block`` without blank ones, in order."""
    return tuple(line.strip() for line in block.splitlines() if line.strip())


_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_NATIONS = (
    "American|British|French|German|Italian|Spanish|Chinese|Japanese|Russian|Indian|Brazilian|Canadian|"
    "Australian|Dutch|"
    "Swedish|Norwegian|Danish|Polish|Turkish|Greek|Irish|Scottish|Mexican|Korean|Israeli|Egyptian|"
    "Nigerian|European|African"
)
_NOUNS = (
    "acorn|arm|bag|ball|basket|bed|bell|bench|blanket|boat|book|bottle|bowl|box|bread|brush|bucket|"
    "button|cake|candle|cap|"
    "card|carpet|cat|chair|cheese|circle|clock|cloud|coat|coin|corner|cow|cup|curtain|desk|dog|door|"
    "dress|drum|egg|"
    "envelope|farm|fence|field|flag|floor|flower|garden|gate|glass|glove|goat|grass|guitar|hammer|hat|"
    "horse|house|jar|"
    "key|kitchen|kite|ladder|lamp|leaf|letter|lid|map|mat|mirror|moon|mouse|mug|nail|needle|nest|"
    "newspaper|onion|"
    "orange|oven|page|paper|park|path|pen|pencil|picture|pig|pillow|plate|pocket|pond|pot|puppy|queen|"
    "rabbit|ribbon|ring|"
    "road|rock|roof|room|rope|rose|sail|salad|sand|scarf|seed|shelf|shirt|shoe|silver|sky|snow|soap|"
    "sock|sofa|song|soup|"
    "spoon|stairs|star|stick|stone|street|string|sugar|sun|table|tail|tent|ticket|towel|toy|train|tree|"
    "umbrella|vase|"
    "wall|wheel|whistle|wind|window|wing|wood|wool|yard"
)
_ADJECTIVES = (
    "red|green|blue|white|black|brown|old|new|tiny|huge|round|heavy|wet|dry|warm|cold|dirty|clean|empty|"
    "broken|wooden|"
    "soft|sharp|quiet|loud|bright|dark|golden|rusty|sweet|bitter|thin|thick|happy|lazy|clever|angry|"
    "hungry|tired|lost/J"
)
_VERBS = (
    "found|lost|washed|painted|dropped|broke|carried|fixed|sold|liked|bought|hid|stole|moved|cleaned|"
    "wanted|saw|kept|"
    "touched|opened|closed|needed|forgot|wrapped|burned|borrowed|drew|pushed/V"
)
_PLACES = "in|on|under|behind|near|beside/I|across|inside|over|against|around"
_NUMBERS = "two|three|four|five|six|seven|eight|nine|ten|12|14|15|18|20|24|30|36|45|60|80|90|120|150|200|300|500"

PHRASES = {
    "month": (_MONTHS,),
    "weekday": (_DAYS,),
    "nation": (f"{_NATIONS}/J",),
    "year": ("|".join(map(str, (*range(1871, 1990, 7), *range(1990, 2025)))),),
    "n": (_NUMBERS,),
    "noun": (_NOUNS,),
    "colour": (_ADJECTIVES,),
    "did": (_VERBS,),
    "near": (_PLACES,),
    "thing": ("[the|a|my|her|his|our|their {noun}]", "[the|a|my|your {colour} {noun}]",
        "[the {noun}] of [the {noun}]"),
    "small": ("two|three|four|five|six|seven|eight|nine|ten",),
    "score": ("|".join(f"{a}-{b}" for a in range(7) for b in range(5) if a >= b), "21-14|98-91|34-7|77-70"),
    "money": ("$ {n} million", "$ {n} billion", "{n} million euros|dollars|pounds", "$ {n}",
        "{n} dollars|euros|pounds"),
    "clock": ("{small} o'clock|pm|am", "10:30|9:15|14:00|18:45|7:30", "noon|midnight", "half past {small}"),
    "when": lines("""
        on {weekday}
        on [{weekday} morning|night|evening|afternoon]
        on [{month} 1|2|3|5|7|9|11|14|17|20|23|28|30]
        in [{month}]
        in [early|late/J {year}]
        in [{year}]
        [last week|month|year|night|summer|weekend]
        [next week|month|year|spring|weekend]
        [this week|month|year|morning|afternoon]
        yesterday
        today
        at [the end] of [the year|month|season]
        [two|three|several days|weeks|months|years] ago/R
    """),
    "tail": ("", "", "", "{when}", "{when}", "[ADVP again]", "for [the first time]",
        "after [a long/J delay|debate|wait]"),
    "end": (*["."] * 14, *lines("""
        , <{said}> {person} .
        , {person} <{said}> on {weekday} .
        , <according/V> to {organization} .
        , <according/V> to [the {adj} {role}] .
        , [which] <surprised> [many {people}] .
        and [the {people}] <were> [ADJP happy|angry|tired] .
        ; [{adj} {people}] <were not> [ADJP happy] .
        , but [nobody] <was hurt> .
        and {thing} <was> [ADJP {colour}] .
        {near} {thing} .
        with {thing} and {thing} .
        because [the {issue}] <was> [ADJP late|ready|expensive] .
        , although [the {adj} {facility}] <was> [ADVP still] [ADJP closed] .
        , [{nation} media] <reported> {when} .
        , [the {media}] <reported> .
        while/S [its rivals] <waited> for [better/J news] .
        , [which] <had been planned> by {person} of {organization} .
        after [{small} hours] of [talks|rain|work] in {city} .
        , [a spokesman] for {organization} <told> {media} .
        and <moved> [ADVP back] to {city} {when} .
        , [the largest/J] of [its kind] in {location} .
        before/I <leaving> for {city} with [{small} {people}] .
    """)),
    "opener": (
        *[""] * 7, "yesterday ,", "on {weekday} ,", "[last|next week|month] ,", "in [{year}] ,",
        "[ADVP meanwhile] ,",
        "{when} ,", "in [the end] ,", "for [example] ,", "in [addition] ,",
        "[ADVP earlier/R] [this week] ,",
        "<according/V> to [local/J media|officials|sources] ,",
        "[ADVP recently|apparently|surprisingly/R] ,", "and", "but", "in {city} ,",
        "according/V to [the {media}] ,", "[SBAR while] [{people}] <waited> ,",
        "as [a result] ,", "despite [the rain|protests|criticism] ,",
    ),
    "role": lines("""
        president|chairman|director|manager|minister|mayor
        governor|ambassador|senator|secretary|spokesman|spokeswoman
        engineer|professor|lawyer|editor|analyst|economist
        researcher|architect|designer|journalist|consultant|founder
        chief/J executive/J
        prime/J minister
        foreign/J minister
        vice/N president
        general/J manager
        head coach
        managing/V director
        finance minister
        police officer|chief
        chief/J financial/J officer
        project manager|leader
        opposition leader
    """),
    "artist": (
        ("singer|actor|actress|writer|novelist|composer|painter|poet|director|musician|comedian|"
        "photographer|dancer"),
    ),
    "athlete": lines("""
        striker|goalkeeper|midfielder|defender|captain|winger
        forward|quarterback|pitcher|swimmer|sprinter|boxer|golfer
        point guard
        tennis player
        former/J champion
    """),
    "relative": (
        ("brother|sister|mother|father|uncle|aunt|cousin|wife|husband|son|daughter|friend|boss|"
        "neighbour|colleague"),
    ),
    "people": (
        ("residents|workers|students|officials|experts|protesters|fans|visitors|investors|customers|"
        "voters|doctors"),
    ),
    "someone": lines("""
        [the {role}]
        [a spokesman|spokeswoman|witness|lawyer|source]
        [police|officials|experts|doctors]
        {person}
        {person}
        [{role} {person}]
        [our {relative}]
        [he|she|they]
    """),
    "firm": lines("""
        company|firm|group|bank|agency|airline
        retailer|startup|supplier|manufacturer|publisher|charity|union
        car maker
        oil producer
        software company|house
        drug maker
        phone operator
    """),
    "trade": (
        ("software|steel|oil|insurance|retail|fashion|shipping|media|biotech|mining|logistics|banking|"
        "energy|food"),
    ),
    "facility": (
        ("office|factory|plant|warehouse|store|branch|laboratory|headquarters|campus|clinic|hotel|"
        "museum|station"),
    ),
    "gadget": (
        ("phone|laptop|camera|watch|tablet|car|printer|console|headset|speaker|drone|bike|vacuum|"
        "charger|keyboard"),
    ),
    "gadgets": (
        "phones|laptops|cameras|watches|tablets|cars|printers|headsets|speakers|drones|bikes|chargers",
    ),
    "facilities": ("offices|factories|plants|warehouses|stores|branches|clinics|hotels|museums",),
    "animals": ("birds|frogs|lizards|beetles|spiders|whales|bats|turtles|snakes|butterflies",),
    "buildings": ("churches|bridges|castles|towers|theatres|temples|palaces|mosques",),
    "parts": ("batteries|screens|engines|keyboards|cables|seats|straps",),
    "weekdays": ("Mondays|Tuesdays|Fridays|Sundays",),
    "part": (
        ("battery|screen|engine|keyboard|camera|handle|sound|software|design|price|app|cable|manual|"
        "seat|strap"),
    ),
    "good": (
        ("great|excellent|good|brilliant|solid|superb|lovely|impressive|reliable|sharp|fast|"
        "comfortable/J"),
    ),
    "bad": ("poor|terrible|bad|weak|awful|slow|noisy|useless|cheap|heavy|unreliable|disappointing/J",),
    "adj": (
        ("new|big|small|old|professional|local|major|former|young|strong|large|important|famous|early|"
        "recent|national|public/J"),
    ),
    "issue": (
        ("budget|deal|plan|contract|project|report|strike|merger|lawsuit|election|law|tax|crisis|"
        "investigation|reform"),
    ),
    "meal": ("lunch|dinner|breakfast|coffee|pizza|drinks|sushi|tea",),
    "animal": ("bird|frog|fish|lizard|beetle|spider|whale|bat|turtle|orchid|snake|butterfly",),
    "sport": (
        ("football|basketball|baseball|hockey|rugby|cricket|volleyball|tennis|handball|golf|swimming|"
        "cycling"),
    ),
    "building": (
        ("church|bridge|castle|tower|library|theatre|temple|palace|stadium|school|hospital|mosque|"
        "cathedral"),
    ),
    "water": ("river|lake|beach|coast|harbour|canal|bay|valley|mountain|hill|forest|island",),
    "beat": ("beat|defeated|thrashed|edged|stunned|outplayed|crushed|overcame|eliminated|routed/V",),
    "said": (
        ("said|added|told|explained|insisted|argued|admitted|claimed|warned|confirmed|announced|noted|"
        "stressed/V"),
    ),
    "buy": (
        ("bought|acquired|sold|sued|backed|joined|left|hired|fined|praised|criticised|contacted|"
        "rejected|advised/V"),
    ),
    "place-in": ("in {location}", "in {city}", "in {city} , {country}", "near {location}", "in {country}",
        "at {place}"),
    "nested": lines("""
        [the {adj} {facility}] of [the {firm}]
        [the {firm} 's {adj} {facility}]
        [a group] of [{people}] from [the {adj} {facility}]
        [the head] of [the {adj} {firm}]
        [the {part}] of [the {adj} {gadget}]
    """),
}  # fmt: skip
"""Slot → its lines in the pattern language."""
