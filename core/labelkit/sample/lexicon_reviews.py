"""What reviews are made of, by kind of thing. ``{a|b}`` is a choice, ``{name}`` one of a list."""

from __future__ import annotations

from labelkit.sample.lexicon_words import lines

WORDS = {
    "very": ("very", "really", "so", "truly", "incredibly", "quite", "absolutely", "just", "extremely"),
    "fine": (
        "great",
        "wonderful",
        "excellent",
        "fantastic",
        "brilliant",
        "superb",
        "lovely",
        "amazing",
        "gorgeous",
        "perfect",
    ),
    "poor": (
        "terrible",
        "awful",
        "horrible",
        "dreadful",
        "poor",
        "bad",
        "disappointing",
        "pathetic",
        "useless",
        "lousy",
    ),
    "who": (
        "my wife",
        "my husband",
        "my son",
        "my daughter",
        "my brother",
        "a friend",
        "my mother",
        "my boss",
    ),
    "span": ("two days", "a week", "a month", "three weeks", "a year", "ten minutes", "one evening"),
}
THINGS = {
    "story": (
        "film",
        "movie",
        "book",
        "novel",
        "show",
        "series",
        "sequel",
        "documentary",
        "thriller",
        "comedy",
        "drama",
    ),
    "goods": (
        "phone",
        "laptop",
        "camera",
        "watch",
        "blender",
        "vacuum",
        "jacket",
        "backpack",
        "headset",
        "lamp",
        "app",
    ),
    "venue": (
        "hotel",
        "restaurant",
        "cafe",
        "bar",
        "hostel",
        "museum",
        "campsite",
        "bakery",
        "spa",
        "pizzeria",
    ),
}
FACTS = {
    "story": lines("""
        {I watched|I read|We saw|We finished} this {thing} {last night|on the train|with {who}|on holiday}.
        The {thing} is set in {the north|a small town|the future|wartime}.
        It is the {second|third|last} one of the series.
        It runs for {about two hours|three hundred pages|eight episodes}.
        {who} picked this one.
        I knew nothing about it before.
        It is based on a true story.
    """),
    "goods": lines("""
        I bought this {thing} {last month|in spring|for {who}|as a gift}.
        It arrived {on Monday|in a plain box|after {span}}.
        I have used it for {span}.
        It replaces my old {thing}.
        Mine is the {black|blue|small|large} one.
        I use it {at work|at home|on the road} every day.
    """),
    "venue": lines("""
        We stayed here {in May|for {span}|with {who}|on business}.
        We came here {on Friday|for lunch|for a birthday|with {who}}.
        The {thing} is {close to|ten minutes from} the station.
        It was our {first|second} visit.
        We had booked a table for four.
        There were six of us.
    """),
}
GOOD_CLAUSES = {
    "story": lines("""
        it is so charming that I didn't mind
        it got under my skin
        the dialogue sparkles
        I was in tears by the end
        the chemistry saves it
        it stays with you
        there is real wit in it
        it all comes together
        I would watch it again tomorrow
        the lead carries it
        the cast is {very} {fine}
        the pictures are stunning
        the ending moved me to tears
        the jokes land
        the second half is gripping
        I enjoyed every minute
        the story grabbed me
        it has a lot of heart
        the hero is easy to love
        the music is lovely
    """),
    "goods": lines("""
        I use it all the time
        nothing beats the comfort
        the buttons respond at once
        it charges in no time
        it survived a fall
        the support team fixed it fast
        it does more than I hoped
        it runs {very} smoothly
        my kids adore it
        I would buy it again
        it does the job {very} well
        the sound is {fine}
        it looks {fine}
        the battery lasts for days
        it has never failed me
        it is a pleasure to use
        it is well worth the price
        the screen is sharp
        I am happy with it
        it feels solid
    """),
    "venue": lines("""
        dinner was worth the wait
        we slept {very} well
        the waiter was a star
        the garden is a dream
        every dish was fresh
        it felt like home
        the coffee is the best in town
        the service was quick
        I would book again tomorrow
        the pool was clean
        the food was {fine}
        the staff made up for it
        the room was spotless
        the view was {fine}
        we had a {fine} time
        the location is perfect
        the desserts were to die for
        everybody was kind to us
        we would come back any time
        the beds were comfortable
    """),
}
BAD_CLAUSES = {
    "story": lines("""
        it is so slow that I stopped caring
        it left me cold
        the dialogue is wooden
        I checked my phone all the time
        there is no chemistry at all
        I forgot it at once
        it is not funny
        nothing adds up
        I would never watch it again
        the lead cannot act
        the cast is {very} {poor}
        the plot makes no sense
        the ending ruins it
        the jokes fall flat
        the second half drags
        I was bored to tears
        the story goes nowhere
        it has no heart
        the hero is hard to like
        the script is a mess
    """),
    "goods": lines("""
        I never use it
        it hurts after an hour
        the buttons stick
        it takes ages to charge
        it broke on day two
        the support team ignored me
        it does less than the old one
        it freezes {very} often
        my kids refuse to use it
        I would not buy it again
        it barely works
        the sound is {poor}
        it looks {poor}
        the battery dies within hours
        it fails when I need it
        it is a pain to use
        it is not worth the price
        the screen flickers
        I am sending it back
        it feels flimsy
    """),
    "venue": lines("""
        dinner came cold
        we hardly slept
        the waiter was a joke
        the garden is a parking lot
        every dish was stale
        it felt like a prison
        the coffee tastes like mud
        the service was slow
        I would never book again
        the pool was closed
        the food was {poor}
        the staff ruined it
        the room was filthy
        the view was {poor}
        we had a {poor} time
        the location is hopeless
        the desserts came frozen
        everybody was rude to us
        we would not come back
        the beds were broken
    """),
}
MIXED = lines("""
    {other}, but {own}.
    {other}, yet {own}.
    Although {other}, {own}.
    Even if {other}, {own}.
    Yes, {other}. But {own}, and that decides it.
    {other}, which is a pity, and still {own}.
    {other}. Never mind, {own}.
    At first {other}; in the end {own}.
    People say that {other}. For me, {own}.
    While {other}, {own}, and that is what counts.
""")
"""Two clauses at odds; the review goes with ``{own}``."""
FRAMES = lines("""
    {opinion}
    {opinion} {opinion}
    {opinion} {opinion} {opinion}
    {fact} {opinion}
    {fact} {opinion} {opinion}
    {opinion} {fact}
    {opinion} {fact} {opinion}
    {twist}
    {twist} {opinion}
    {opinion} {twist}
    {fact} {twist}
    {mixed}
    {mixed} {opinion}
    {fact} {mixed}
""")
"""How a review is built; a twist is an opinion with a negation."""
