"""Names of products and events, made of brands, series, numbers and places."""

from __future__ import annotations

from labelkit.sample.lexicon_people import names

BRAND = names(
    """Galaxy, Pixel, Lumia, Nova, Aura, Zen, Swift, Echo Dot, Kindle, Surface, ThinkPad, Inspiron, Vivo,
    Airlite, Photon, Quantum, Pulse Fit, Xperia, iPhone, iPad, MacBook, PlayStation, Xbox, Nintendo
    Switch, Walkman, Model, Civic, Corolla, Golf, Focus, Mustang, Beetle, Panda, Clio, Passat, Octavia,
    Prius, Leaf, Tornado, Puma, Raptor, Stratus, Optimus, Kodiak, Sierra, Vento, Maverick, Lyra, Orion,
    Draco, Cygnus, Aero, Tempo, Sonic, Blaze, Titan, Storm, Razor, Bolt, Flux, Edge, Halo, Nano, Turbo,
    Eco, Cyber, Ultra, Magic, Neo, Zoomer, Cadenza, Fiesta, Impala, Vespa"""
)
SERIES = names(
    "Pro, Max, Mini, Plus, Air, Lite, S, X, GT, SE, Ultra, Go, Prime, One, Elite, Sport, Note, Classic, XL, Z"
)
MODEL = names(
    "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 20, 100, 300, 360, 500, 2000, 3000, X1, X5, S7, A4, "
    "Q3, T40, G5, M2, Z9, V8"
)
SOFTWARE = names(
    """Windows, Photoshop, Excel, PowerPoint, Chrome, Firefox, Gmail, Android, Linux, iOS, WhatsApp, Skype,
    Zoom, Slack, Minecraft, Fortnite, Tetris, Pac-Man, Pokemon, Siri, Alexa, Cortana, Python, Java,
    Kubernetes, Docker, Postgres, Word, Teams, Notion, Figma, Trello, Evernote, Dropbox, Wikipedia,
    Netscape, Safari, Opera, Tableau, AutoCAD, Matlab, TensorFlow, Jira, Nimbus Drive, PaperTrail,
    TaskPilot, MailBird, PhotoMill, CodeNest, BudgetBee, FlowDesk, SleepWell, Google Maps, Google Docs,
    Outlook, Internet Explorer, Dragon Quest, Space Miner, Farm Frenzy, Zelda, Doom, Myst, ChessMaster,
    StarForge, WeatherNow, RunMate, QuickNote, MapQuest Go, Super Mario, Grand Theft Auto, Paint, Visio,
    Acrobat Reader, Premiere, GarageBand, Final Cut, Lightroom, Messenger, Signal, Telegram, Duolingo,
    Shazam, Waze"""
)
DRUG = names(
    """Aspirin, Tylenol, Viagra, Prozac, Lipitor, Botox, Zantrix, Corvadine, Luminol Plus, Pentazol,
    Neurofen, Velotrex, Advil, Ritalin, Xanax, Valium, Zoloft, Humira, Ozempic, Zyrtec, Claritin, Nexium,
    Meloxan, Rivastar, Tamoril, Cardivex"""
)
GROCERY = names(
    """Coke, Pepsi, Sprite, Nutella, Big Mac, Whopper, Kit Kat, Oreo, Snickers, Mentofresh, Crunchmax, Fizzo,
    Red Bull, Doritos, Pringles, Heineken, Guinness, Budweiser, Corona, Nescafe, Marmite, Diet Coke, Dr
    Pepper, Gatorade, Toblerone"""
)
VEHICLE = names(
    """Boeing 747, Airbus A380, Falcon 9, Concorde, Spitfire, Hubble, Voyager, Sputnik, Curiosity, Apollo 11,
    Model T, Ariane 5, Soyuz, Dreamliner, Cessna 172, Black Hawk, Challenger, Titanic, Range Rover, Land
    Cruiser, Mini Cooper, F-16"""
)
GADGET = names(
    """SoundPod, HomeHub, SmartKettle, AirFryer Max, TurboBlend, SuperVac, CleanBot, PixelPad, Kinect, GoPro,
    Fitbit, Roomba, Game Boy, Wii, Chromecast, Fire Stick, Thermomix, Nespresso, Polaroid, Rubik 's Cube,
    Barbie"""
)
CONTEST = names(
    """World Cup, Super Bowl, Olympics, Winter Olympics, Olympic Games, Summer Games, Champions League,
    Europa League, World Series, Stanley Cup, Tour de France, Giro d'Italia, Wimbledon, US Open, French
    Open, Australian Open, Davis Cup, Ryder Cup, Masters, Grand National, Kentucky Derby, Six Nations,
    Ashes, Commonwealth Games, Paralympics, Asian Games, Copa America, FA Cup, March Madness, Boston
    Marathon, Gold Cup, Premier League, Bundesliga, Champions Trophy"""
)
FESTIVAL = names(
    """Oscars, Grammys, Golden Globes, Emmys, Brit Awards, Eurovision, Glastonbury, Woodstock, Coachella,
    Burning Man, Lollapalooza, Oktoberfest, Comic-Con, Cannes Film Festival, Berlinale, Sundance, Art
    Basel, Fashion Week, Venice Biennale, Tomorrowland, Academy Awards, Nobel Banquet, Expo 67, Edinburgh
    Fringe, Burns Supper, Pride Parade, Live Aid"""
)
HOLIDAY = names(
    """Christmas, Easter, Halloween, Thanksgiving, Ramadan, Diwali, Hanukkah, Black Friday, Valentine 's Day,
    Mardi Gras, Independence Day, Bastille Day, Boxing Day, Earth Day, New Year 's Eve, Memorial Day,
    Labor Day, Mother 's Day, Holi"""
)
HISTORY = names(
    """World War II, World War I, Cold War, Vietnam War, Gulf War, Civil War, French Revolution, Hurricane
    Katrina, Hurricane Irma, Watergate, Great Depression, Renaissance, Battle of Waterloo, Battle of
    Hastings, Boston Tea Party, Korean War, Crimean War, Industrial Revolution, Black Death, Boer War,
    Prague Spring, Reformation, Hurricane Maria"""
)
FIELD = names(
    "Health, Education, Finance, Justice, Labor, Energy, Defence, Agriculture, Transport, Trade, "
    "Culture, Science, Tourism"
)
SPORT = names(
    "Rugby, Chess, Cycling, Swimming, Rowing, Tennis, Golf, Boxing, Ski, Hockey, Darts, Sailing, "
    "Athletics, Judo, Handball"
)
TOPIC = names(
    """Climate, Energy, Film, Jazz, Book, Food, Wine, Science, Technology, Security, Robotics, Startup,
    Design, Music, Gaming, Blockchain, Data, Health, Water, Beer, Garden, Poetry, Theatre, Comedy, Dance,
    Literature, Cancer, Space"""
)
THINGS = {
    "brand": BRAND, "series": SERIES, "model": MODEL, "software-name": SOFTWARE, "drug-name": DRUG,
    "grocery-name": GROCERY, "vehicle-name": VEHICLE, "gadget-name": GADGET, "contest-name": CONTEST,
    "festival-name": FESTIVAL, "holiday-name": HOLIDAY, "history-name": HISTORY, "field-name": FIELD,
    "sport-name": SPORT, "topic": TOPIC,
}  # fmt: skip

_DEVICE = (
    "{brand} {model}", "{brand} {series}", "{brand} {series} {model}", "{company-name} {brand}",
    "{gadget-name}",
    "{gadget-name}", "{company-name} {brand} {model}", "{brand} {model} {series}", "{brand}",
)  # fmt: skip
_SOFTWARE = (
    *("{software-name}",) * 5, "{software-name} {model}", "{company-name} {software-name}",
    "{company-name} {series}",
)  # fmt: skip
_CONTEST = (
    *("{contest-name}",) * 6, "{city-name} Marathon", "{city-name} Open", "{country-name} Grand Prix",
    "{last} Cup",
    "World {sport-name} Championships", "{region-name} {sport-name} Championship", "{city-name} Masters",
    "{sport-name} World Cup", "{nationality} Open", "{nationality} {sport-name} League",
)  # fmt: skip
_MEETING = (
    *("{festival-name}",) * 4, "{city-name} {topic} Festival", "{topic} Summit", "World {topic} Forum",
    "{topic} Week",
    "International {topic} Conference", "{city-name} {topic} Fair", "{last} Lecture",
    "{city-name} Motor Show",
    "{topic} Expo", "{topic} Days {city-name}", "{nationality} {topic} Awards", "{city-name} Biennale",
)  # fmt: skip
_HISTORY = (
    "{history-name}", "{history-name}", "{history-name}", "Battle of {city-name}", "Siege of {city-name}",
    "{nationality} Civil War", "Treaty of {city-name}", "Hurricane {first}", "{nationality} Revolution",
)  # fmt: skip
THING_FORMS = {
    "device": ("product", _DEVICE),
    "software": ("product", _SOFTWARE),
    "drug": ("product", ("{drug-name}",)),
    "grocery": ("product", ("{grocery-name}",)),
    "vehicle": (
        "product",
        ("{vehicle-name}", "{company-name} {model}", "{company-name} {brand}", "{brand} {model}"),
    ),
    "product": ("product", (*_DEVICE, *_SOFTWARE, "{vehicle-name}", "{grocery-name}")),
    "contest": ("event", _CONTEST),
    "meeting": ("event", _MEETING),
    "holiday": ("event", ("{holiday-name}",)),
    "history": ("event", _HISTORY),
}
