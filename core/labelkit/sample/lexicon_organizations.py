"""Names of organizations: made-up companies, teams and bodies, and forms that make more of them."""

from __future__ import annotations

from labelkit.sample.lexicon_people import names

COMPANY = names(
    """Acutron, Adverra, Aerolith, Agrinova, Altiva, Ambrix, Anvil, Aquilon, Arbor, Arcadis, Argent, Aspire,
    Astrio, Atlas, Aurelia, Avanti, Axiom, Azura, Banyan, Basalt, Beacon, Bellweather, Bitforge,
    Blackthorn, Blue Harbor, Bluebird, Bolton & Vane, Borealis, Brightline, Broadleaf, Bromwell, Calyx,
    Canopy, Caravel, Cascade, Catalyst, Cedar, Celadon, Centrica Nova, Chalk, Chime, Cinder, Cirrus,
    Citadel, Clarion, Cloudmere, Cobalt, Codewell, Comet, Compass, Condor, Copperfield, Coralix,
    Cormorant, Cortexa, Crestview, Cygnet, Dataline, Deepwell, Deltro, Domino, Dragonfly, Driftwood,
    Dynacore, Eastgate, Echo, Eldra, Ember, Emerald, Enviro One, Equinox, Everbright, Falcon, Fathom,
    Fernhill, Ferrovia, Finwell, Firefly, Flint, Fluxion, Forge, Foundry, Foxglove, Frostbyte, Galleon,
    Garnet, General Dynamo, Gild, Glacier, Globex, Goldcrest, Granite, Graphene Labs, Greenfield,
    Gridpoint, Halcyon, Halden, Harbinger, Hearth, Helio, Helvetica Re, Hexagon, Highmark, Horizon,
    Hummingbird, Hydra, Icarus, Indigo, Infinia, Inkwell, Ionix, Ironbridge, Ivory, Jade, Jetstream,
    Juniper, Kestrel, Keystone, Kinetic, Kodama, Krypton, Lantern, Lattice, Laurel, Ledger, Lighthouse,
    Lumen, Lumora, Lynx, Magnolia, Mapleton, Marigold, Maxwell & Sons, Meadowlark, Meridian, Metrovia,
    Mindspring, Mirage, Monarch, Moonlight, Mosaic, Nanoforge, Nautilus, Nebula, Nectar, Nexora, Nimbus,
    Nordwind, Northstar, Novalis, Oakridge, Oasis, Obsidian, Octave, Omnicore, Onyx, Opal, Optima, Oracle
    Bay, Orbit, Orchard, Origin, Osprey, Outpost, Pacifica, Palisade, Paragon, Pathway, Pebble, Pelican,
    Pendulum, Petrolia, Photonix, Pinnacle, Pioneer, Pivot, Plexus, Polaris, Prism, Proxima, Pulse,
    Pyramid, Quanta, Quarry, Quill, Quorum, Radiant, Rainier, Raven, Redwood, Relay, Ridgeway, Ripple,
    Rocket, Rubicon, Saffron, Sagewood, Sapphire, Scribe, Seabright, Sentinel, Sequoia, Shale, Shoreline,
    Signal, Silverlake, Skyline, Slate, Solara, Solstice, Sonata, Spark, Spectrum, Sprout, Starling,
    Stellar, Sterling, Stonewall, Stratos, Summit, Sundial, Swiftly, Sylvan, Symphony, Synapse, Tandem,
    Target Nine, Tectonic, Tempest, Terra, Thistle, Tidewater, Timberland Oil, Titanic Steel, Topaz,
    Torchlight, Trellis, Trident, Tundra, Turbine, Twilight, Umbra, Unity, Uplift, Vanguard, Vantage,
    Vector, Velocity, Verdant, Vertex, Vesta, Vista, Volta, Vortex, Wavelength, Westfield, Whisper,
    Wildfire, Windmill, Wintergreen, Xenon, Yellowtail, Zenith, Zephyr, Microsoft, Google, Amazon,
    Facebook, Netflix, Intel, IBM, Samsung, Sony, Toyota, Nokia, Siemens, Boeing, Airbus, Shell, BP,
    Tesla, Uber, Twitter, Spotify, Nike, Adidas, Pfizer, Bayer, Nestle, Unilever, Visa, Oracle, Huawei,
    Volkswagen, BMW, Honda, Nissan, Ford, Renault, Disney, Starbucks, Walmart, Gap, Orange, Vodafone,
    Deutsche Bank, Barclays, Goldman Sachs, Ikea, Lego, Adobe, Cisco"""
)
BODY = names(
    """NATO, UNESCO, UNICEF, NASA, FIFA, UEFA, OPEC, WHO, WTO, IMF, FBI, CIA, EU, ECB, BBC, CNN, NBC, NBA,
    NFL, Interpol, Greenpeace, Oxfam, Amnesty International, Congress, Parliament, Senate, Kremlin,
    Pentagon, Vatican, White House, Supreme Court, European Union, European Commission, United Nations,
    World Bank, Red Cross, Reuters, House of Commons, African Union, Labour Party, Republican Party,
    Conservative Party, Green Party, Taliban, Associated Press, Federal Reserve, European Parliament,
    Security Council, Bundestag, Bank of England, World Health Organization, Scotland Yard, Harvard,
    Stanford, Yale, MIT, Princeton, Eton, Berkeley, Caltech, ETH, Sorbonne, Juilliard"""
)
NATIONALITY = names(
    """American, British, French, German, Italian, Spanish, Chinese, Japanese, Russian, Indian, Brazilian,
    Canadian, Australian, Dutch, Swedish, Norwegian, Danish, Polish, Turkish, Greek, Irish, Scottish,
    Mexican, Korean, Israeli, Egyptian, Nigerian, European, African, Portuguese, Austrian, Swiss, Belgian,
    Kenyan, Chilean, Welsh"""
)
MEDIA = names(
    """Daily Courier, Morning Post, Evening Star, Financial Ledger, Sunday Mirror, New York Times, Guardian,
    Economist, Washington Post, Wall Street Journal, Herald, Tribune, Observer, Chronicle, Gazette,
    Independent, Morning Dispatch, Daily Telegraph, Weekly Standard, Northern Echo, Le Monde, Der Spiegel,
    El Pais, Asahi Shimbun, Star Ledger, Globe"""
)
BAND = names(
    """Velvet Static, Paper Lanterns, The Hollow Kings, Night Ferry, Glass Animals Club, Coldplay, Radiohead,
    Metallica, Queen, Blondie, Arctic Foxes, The Last Mondays, Neon Harbour, Broken Compass, Sons of
    Winter, Tame Comet, The Quiet Riots, Crimson Parade, Electric Orchard, Nirvana, Oasis, Blur, Genesis,
    Pulp, The Marigolds, Ruby Tuesday"""
)
MASCOT = names(
    """Tigers, Lions, Eagles, Bears, Wolves, Sharks, Panthers, Falcons, Hawks, Bulls, Raiders, Rangers,
    Knights, Kings, Giants, Titans, Rockets, Comets, Pirates, Cardinals, Dolphins, Broncos, Cowboys,
    Dragons, Bulldogs, Hornets, Wizards, Thunder, Lakers, Celtics, Spurs, Pistons, Mariners, Royals,
    Senators, Penguins, Bruins, Canucks, Flyers, Devils, Steelers, Packers, Vikings, Saints, Jets, Ravens,
    Colts, Chargers, Cubs, Mets, Yankees, Dodgers, Astros, Orioles, Twins, Grizzlies, Bobcats, Stallions,
    Mustangs, Cyclones, Blazers, Jaguars, Rebels, Pioneers, Miners, Blue Jays, White Sox, Maple Leafs, Red
    Wings, Timberwolves, Nuggets, Suns, Kestrels, Otters, Herons, Crusaders"""
)
CLUB = names(
    """Arsenal, Everton, Fulham, Juventus, Ajax, Benfica, Celtic, Real Madrid, Bayern Munich, Borussia,
    Inter, Lazio, Atletico, Galatasaray, Feyenoord, Sporting, Aston Villa, Crystal Palace, Tottenham,
    Napoli, Porto, Schalke, Monaco, Partick Rovers, Ferrari, Mercedes, McLaren, Red Bull, Boca Juniors,
    River Plate, Flamengo, Santos"""
)
ORGANIZATIONS = {
    "company-name": COMPANY, "body-name": BODY, "media-name": MEDIA, "band-name": BAND, "mascot": MASCOT,
    "club-name": CLUB,
    "nationality": NATIONALITY,
}  # fmt: skip

_COMPANY = (
    *("{company-name}",) * 12, "{company-name} Inc.", "{company-name} Group", "{company-name} Ltd",
    "{company-name} Corp.",
    "{company-name} Airlines", "{company-name} Pharmaceuticals", "{company-name} Motors",
    "{company-name} Systems",
    "{company-name} Foods", "{last} & {last}", "{last} Brothers", "{last} Industries",
    "Bank of {country-name}",
    "{city-name} Energy", "{country-name} Airlines", "{last} Capital", "{company-name} Software",
    "{company-name} Bank",
)  # fmt: skip
_SCHOOL = (
    "University of {city-name}", "{city-name} University", "{last} College",
    "{city-name} Institute of Technology",
    "{city-name} High School", "{city-name} School of Economics", "{last} University",
    "University of {region-name}",
)  # fmt: skip
_AGENCY = (
    *("{body-name}",) * 6, "Ministry of {field-name}", "Department of {field-name}",
    "{city-name} City Council",
    "{city-name} Police Department", "{region-name} Supreme Court", "National {field-name} Council",
    "{last} Foundation",
    "{city-name} Chamber of Commerce", "{city-name} General Hospital", "{country-name} Red Cross",
    "{last} Museum",
    "International {field-name} Agency", "{city-name} Symphony Orchestra", "{city-name} Fire Department",
    "{nationality} Central Bank", "{nationality} {field-name} Council", "{nationality} {field-name} Agency",
    "Royal {nationality} Society", "{nationality} Parliament", "{nationality} {field-name} Association",
    "{nationality} Army",
)  # fmt: skip
_CLUB = (
    *("{city-name}",) * 4, *("{city-name} {mascot}",) * 5, "{mascot}", "{city-name} United",
    "{city-name} City",
    *("{club-name}",) * 3, "FC {city-name}", "{city-name} FC", "{city-name} Rovers",
    "{region-name} {mascot}",
)  # fmt: skip
_TEAM = (*("{city-name} {mascot}",) * 5, "{region-name} {mascot}", "{last} {mascot}", "{mascot}")
ORGANIZATION_FORMS = {
    "company": ("organization", _COMPANY),
    "school": ("organization", _SCHOOL),
    "agency": ("organization", _AGENCY),
    "club": ("organization", _CLUB),
    "team": ("organization", _TEAM),
    "media": ("organization", ("{media-name}",)),
    "band": ("organization", ("{band-name}",)),
    "organization": ("organization", (*_COMPANY, *_SCHOOL, *_AGENCY, "{media-name}", "{media-name}")),
}
