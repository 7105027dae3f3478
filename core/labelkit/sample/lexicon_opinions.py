"""Opinions of reviews, by sentiment and kind of thing; ``any`` goes with all kinds."""

from __future__ import annotations

from labelkit.sample.lexicon_words import lines

GOOD = {
    "any": lines("""
        {very} {fine} {thing}!
        This {thing} is {very} {fine}.
        A {fine} and {fine} {thing}.
        I {enjoyed|adored|loved} this {thing} {from start to finish|very much|a lot}.
        {very} {happy|pleased|satisfied} with this {thing}.
        The {thing} was {very} {fine}, I {enjoyed|adored|loved} it.
        This is a {fine} {thing} and I am {happy|pleased|satisfied}.
        Such a {fine} {thing}, {very} {fine} in every way.
        We {enjoyed|adored|loved} it, a {fine} {thing}.
        It is {very} {fine} and {very} {fine}.
        Not only {fine} but {fine} too.
        I thought it was {very} {fine}.
        I could not ask for more.
        It put a smile on my face.
        Money well spent.
        Full marks from me.
        I keep coming back to it.
        It was love at first sight.
        Hats off to the people behind it.
        It ticks every box.
        As good as it gets.
        I am impressed, and I am hard to please.
        There is nothing I would change.
        You will not be sorry.
        I did not expect to like it this much.
        My friends were right about this one.
        It deserves all the praise it gets.
        It is hard to find fault with it.
        A safe choice that never disappoints.
        I have been smiling all {day|week}.
        This is how it should be done.
        It beats the more famous ones.
        A pleasant surprise.
        Far from boring.
        It is not without flaws, but I adore it.
        I would choose it again without thinking.
        Simple, honest and good.
        Why did I wait so long?
        It gets better every time.
        We were all delighted.
        No regrets at all.
        It could have been a bit cheaper, still a {fine} buy.
        I am {very} glad I gave it a try.
        It exceeded every hope I had.
        I have already told all my friends.
        There is so much to love here.
        Way better than its reputation.
        It could hardly be better.
        My favourite of them all.
        I love {it|this {thing}}!
        {Absolutely|Simply|Just} {fine}.
        Highly recommended.
        I would recommend this {thing} to {anyone|everybody|{who}}.
        Could not be happier.
        I can't praise this {thing} enough.
        The best {thing} I have {seen|found|tried} in years.
        What a {fine} {thing}!
        Better than I expected.
        Not bad at all, I was {very} pleased.
        I was not disappointed for a second.
        You can't go wrong with this {thing}.
        I had my doubts, but I was wrong.
        I wanted to hate it and could not.
        Far better than the others.
        Worth every {penny|cent|minute}.
        Do not listen to the bad reviews.
        {It|This {thing}} made my {day|week}.
        {who} loves it too.
        I have no complaints.
        Five stars.
        A {very} {fine} {thing}, my favourite by far.
        Nothing to complain about.
        An instant favourite.
        {It|This {thing}} never lets me down.
        We will be back for more.
        Thumbs up!
        Give it a chance, you will thank me.
        I don't regret it at all.
        Ignore the haters, this is {fine}.
        It won me over completely.
        A rare treat.
    """),
    "story": lines("""
        I could not {put it down|stop watching|look away}.
        The {acting|writing|dialogue|ending|music} is {very} {fine}.
        I laughed and I cried.
        A {moving|touching|gripping|charming|clever|beautiful} {thing} with {heart|wit|great characters}.
        Every {scene|chapter|minute} is a joy.
        It kept me {hooked|guessing|on the edge of my seat} until the end.
        A triumph for everyone involved.
        Not a boring moment in it.
        I never wanted it to end.
        The characters stay with you for weeks.
        It takes its time, and the reward is huge.
        A gem, funny and wise.
        One of the finest {thing}s of the year.
        Not perfect, but what a ride.
        It breaks the rules and gets away with it.
        A classic already.
        Powerful, honest and superbly made.
        It is not the usual {thing}, and that is why it works.
        Captivating from the first page to the last.
        Pure magic.
    """),
    "goods": lines("""
        It {works|runs} {like a charm|perfectly|without a hitch|as promised}.
        The {battery|screen|sound|quality|design} is {very} {fine}.
        Easy to use, easy to clean and sturdy.
        It has not let me down once.
        No problems after {span}.
        Setting it up took {five minutes|no time}.
        {who} wants one as well.
        Great value for the price.
        It does exactly what it should.
        Well made and good looking.
        It still looks like new.
        Fast delivery, and the {thing} fits.
        I dropped it twice and nothing broke.
        I bought a second one straight away.
        It is not cheap, but it is worth it.
        Support answered in minutes and fixed it.
        It saves me hours.
        Light, quiet and quick.
        Finally a {thing} that lasts.
        A joy to use.
    """),
    "venue": lines("""
        The {staff|waiters|owners} were {very} {kind|friendly|helpful}.
        The {food|breakfast|view|service|room} was {very} {fine}.
        We felt at home from the first minute.
        Clean rooms, soft beds, quiet nights.
        We will come back for sure.
        Best {pasta|coffee|soup|steak|breakfast} in town.
        Nothing was too much trouble for the staff.
        Fresh, tasty and not expensive.
        We never had to wait.
        A hidden gem near the harbour.
        The kids did not want to leave.
        Fair prices and big portions.
        They even gave us a free dessert.
        The view alone is worth the trip.
        Everything was spotless.
        A warm welcome and a great meal.
        We slept like babies.
        I dream of their cake.
    """),
}
BAD = {
    "any": lines("""
        {very} {poor} {thing}!
        This {thing} is {very} {poor}.
        A {poor} and {poor} {thing}.
        I {hated|disliked|loathed} this {thing} {from start to finish|very much|a lot}.
        {very} {unhappy|annoyed|disappointed} with this {thing}.
        The {thing} was {very} {poor}, I {hated|disliked|loathed} it.
        This is a {poor} {thing} and I am {unhappy|annoyed|disappointed}.
        Such a {poor} {thing}, {very} {poor} in every way.
        We {hated|disliked|loathed} it, a {poor} {thing}.
        It is {very} {poor} and {very} {poor}.
        Not only {poor} but {poor} too.
        I thought it was {very} {poor}.
        I could not have asked for less.
        It put me in a bad mood.
        Money down the drain.
        No marks from me.
        I never went back to it.
        I disliked it at first sight.
        Shame on the people behind it.
        It misses every mark.
        As bad as it gets.
        I am not impressed, and I am easy to please.
        There is nothing I would keep.
        You will be sorry.
        I did not expect to dislike it this much.
        My friends were wrong about this one.
        It deserves none of the praise it gets.
        It is hard to find anything good in it.
        A poor choice that always disappoints.
        I have been angry all {day|week}.
        This is how not to do it.
        The less famous ones beat it.
        An unpleasant surprise.
        Far from exciting.
        It has its moments, but I can't stand it.
        I would never choose it again.
        Sloppy, greedy and bad.
        Why did I even bother?
        It gets worse every time.
        We were all let down.
        Nothing but regret.
        It could be free and I would still say no.
        I am {very} sorry I gave it a try.
        It fell short of every hope I had.
        I have already warned all my friends.
        There is so little to love here.
        Way worse than its reputation.
        It could hardly be worse.
        My least favourite of them all.
        Nothing special.
        A mess from start to finish.
        I hate {it|this {thing}}!
        {Absolutely|Simply|Just} {poor}.
        Avoid.
        I would not recommend this {thing} to {anyone|my worst enemy|{who}}.
        Could not be more disappointed.
        I can't find one good thing to say.
        The worst {thing} I have {seen|found|tried} in years.
        What a {poor} {thing}!
        Worse than I expected.
        Not good at all, I was {very} annoyed.
        I expected so much more.
        You can do better than this {thing}.
        I had high hopes, but no.
        I wanted to like it and could not.
        Not nearly as good as the others.
        Not worth the {money|time|trouble}.
        Do not believe the good reviews.
        {It|This {thing}} ruined my {day|week}.
        {who} hated it too.
        I have only complaints.
        One star is too many.
        A {very} {poor} {thing}, never again.
        A waste of {money|time|space}.
        I want a refund.
        {It|This {thing}} let me down again.
        We will not be back.
        Thumbs down!
        Save your money for something else.
        I regret it already.
        Don't believe the hype, this is {poor}.
        It failed to impress me.
        Stay away.
    """),
    "story": lines("""
        I {fell asleep|gave up|walked out} after {an hour|fifty pages|the first half}.
        The {acting|writing|dialogue|ending|music} is {very} {poor}.
        I neither laughed nor cried.
        A {boring|tedious|shallow|predictable|silly|lifeless|confusing} {thing} with no {heart|wit|point}.
        Every {scene|chapter|minute} drags.
        I kept looking at my watch.
        An embarrassment for everyone involved.
        There is not one good scene in it.
        I could not wait for it to end.
        The characters are made of cardboard.
        It takes forever to get nowhere.
        A bore, neither funny nor clever.
        One of the worst {thing}s of the year.
        Far from perfect, and far too long.
        It steals from better {thing}s and adds nothing.
        Hours of my life that I won't get back.
        Bloated, dull and badly made.
        It is just the usual {thing}, only slower.
        It lost me on the first page.
        Pure nonsense.
    """),
    "goods": lines("""
        It {broke|died|stopped working|fell apart} after {span}.
        The {battery|screen|sound|quality|design} is {very} {poor}.
        Hard to use, hard to clean and flimsy.
        It has let me down twice already.
        Nothing but problems after {span}.
        Setting it up took {five hours|a whole day}.
        {who} sent it back.
        Far too expensive for what it is.
        It does not do what it should.
        Badly made and ugly.
        It looked worn out after {span}.
        Late delivery, and the {thing} does not fit.
        I dropped it once and the glass cracked.
        I sent it back straight away.
        It is cheap, and it shows.
        Support never answered my {mails|calls}.
        It cost me hours.
        Heavy, loud and slow.
        Another {thing} for the bin.
        A pain to use.
    """),
    "venue": lines("""
        The {staff|waiters|owners} were {very} {rude|unfriendly|slow}.
        The {food|breakfast|view|service|room} was {very} {poor}.
        We felt unwelcome from the first minute.
        Dirty rooms, hard beds, noisy nights.
        We will go somewhere else next time.
        Worst {pasta|coffee|soup|steak|breakfast} in town.
        Everything was too much trouble for the staff.
        Stale, bland and overpriced.
        We waited an hour for {a table|the menu|the bill}.
        A tourist trap near the harbour.
        The kids wanted to go home.
        High prices and tiny portions.
        They even charged us for water.
        The smell alone drove us out.
        Nothing was clean.
        A cold welcome and a cold meal.
        We did not sleep at all.
        {who} was sick all night.
    """),
}
