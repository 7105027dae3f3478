"""Names of places, as plain lists; the forms that make streets, lakes and squares of them."""

from __future__ import annotations

from labelkit.sample.lexicon_people import names

CITY = names(
    """Aberdeen, Abuja, Accra, Adelaide, Aleppo, Algiers, Alexandria, Amman, Amsterdam, Anchorage, Ankara,
    Antwerp, Athens, Atlanta, Auckland, Austin, Baghdad, Baltimore, Bamako, Bangalore, Bangkok, Barcelona,
    Basel, Bath, Beijing, Beirut, Belfast, Belgrade, Bergen, Bern, Bilbao, Birmingham, Bologna, Bonn,
    Bordeaux, Boston, Bradford, Brasilia, Bratislava, Bremen, Brisbane, Bristol, Brooklyn, Brussels,
    Bucharest, Budapest, Buffalo, Buenos Aires, Cairo, Calgary, Cambridge, Canberra, Cape Town, Caracas,
    Cardiff, Casablanca, Charleston, Charlotte, Chennai, Chester, Chelsea, Chicago, Cincinnati, Cleveland,
    Cologne, Colombo, Columbus, Copenhagen, Cordoba, Cork, Coventry, Dakar, Dallas, Damascus, Delhi,
    Denver, Detroit, Dhaka, Doha, Dortmund, Dover, Dresden, Dubai, Dublin, Durban, Durham, Dusseldorf,
    Edinburgh, Edmonton, El Paso, Essen, Exeter, Faro, Florence, Fort Worth, Frankfurt, Fresno, Gdansk,
    Geneva, Genoa, Ghent, Glasgow, Gothenburg, Graz, Guadalajara, Hamburg, Hanoi, Hanover, Harare,
    Hartford, Havana, Heidelberg, Helsinki, Hobart, Hong Kong, Honolulu, Houston, Hull, Hyderabad,
    Innsbruck, Istanbul, Jackson, Jaipur, Jakarta, Jerusalem, Johannesburg, Kabul, Kampala, Kansas City,
    Karachi, Kathmandu, Kharkiv, Kiel, Kiev, Kigali, Kingston, Krakow, Kuala Lumpur, Kyoto, La Paz, Lagos,
    Lahore, Lancaster, Las Vegas, Lausanne, Leeds, Leicester, Leipzig, Lille, Lima, Limerick, Lincoln,
    Linz, Lisbon, Liverpool, Ljubljana, London, Los Angeles, Louisville, Luanda, Lusaka, Luton, Lyon,
    Madison, Madrid, Malaga, Malmo, Manchester, Manila, Maputo, Marseille, Medellin, Melbourne, Memphis,
    Mexico City, Miami, Milan, Milwaukee, Minneapolis, Minsk, Mogadishu, Mombasa, Monterrey, Montevideo,
    Montreal, Moscow, Mumbai, Munich, Nagoya, Nairobi, Nantes, Naples, Nashville, New Delhi, New Orleans,
    New York, Newcastle, Nice, Norwich, Nottingham, Nuremberg, Oakland, Odessa, Oklahoma City, Orlando,
    Osaka, Oslo, Ottawa, Oxford, Padua, Palermo, Paris, Perth, Philadelphia, Phoenix, Pisa, Pittsburgh,
    Plymouth, Porto, Portland, Portsmouth, Prague, Preston, Pretoria, Quebec City, Quito, Raleigh,
    Reading, Recife, Reykjavik, Richmond, Riga, Rio de Janeiro, Riyadh, Rome, Rotterdam, Sacramento, Saint
    Petersburg, Salt Lake City, Salzburg, San Antonio, San Diego, San Jose, San Juan, Santiago, Santa Fe,
    Sao Paulo, Sapporo, Sarajevo, Seattle, Seoul, Seville, Shanghai, Sheffield, Shenzhen, Singapore,
    Skopje, Sofia, Southampton, Split, St. Louis, Stavanger, Stockholm, Strasbourg, Stuttgart, Sunderland,
    Surat, Swansea, Sydney, Taipei, Tallinn, Tampa, Tashkent, Tbilisi, Tehran, Tel Aviv, Tirana, Tokyo,
    Toledo, Toronto, Toulouse, Tripoli, Trondheim, Tucson, Tulsa, Tunis, Turin, Utrecht, Valencia,
    Vancouver, Venice, Verona, Victoria, Vienna, Vilnius, Warsaw, Washington, Wellington, Windsor,
    Winnipeg, Wolverhampton, Worcester, Yokohama, York, Zagreb, Zurich, Springfield, Greenville, Fairview,
    Ashford, Elmwood, Riverton, Milford, Brookfield, Hillsboro, Clayton, Marlow, Kelso, Harwick,
    Westbrook, Easton, Norwood, Stanhope, Thornbury"""
)
COUNTRY = names(
    """Afghanistan, Albania, Algeria, Angola, Argentina, Armenia, Australia, Austria, Bangladesh, Belgium,
    Bolivia, Bosnia, Botswana, Brazil, Bulgaria, Cambodia, Cameroon, Canada, Chad, Chile, China, Colombia,
    Costa Rica, Croatia, Cuba, Cyprus, Denmark, Ecuador, Egypt, England, Estonia, Ethiopia, Fiji, Finland,
    France, Georgia, Germany, Ghana, Greece, Guatemala, Haiti, Honduras, Hungary, Iceland, India,
    Indonesia, Iran, Iraq, Ireland, Israel, Italy, Jamaica, Japan, Jordan, Kazakhstan, Kenya, Kuwait,
    Laos, Latvia, Lebanon, Libya, Lithuania, Luxembourg, Malaysia, Mali, Malta, Mexico, Moldova, Mongolia,
    Morocco, Mozambique, Myanmar, Namibia, Nepal, New Zealand, Nicaragua, Nigeria, North Korea, Norway,
    Oman, Pakistan, Panama, Paraguay, Peru, Poland, Portugal, Qatar, Romania, Russia, Rwanda, Saudi
    Arabia, Scotland, Senegal, Serbia, Slovakia, Slovenia, Somalia, South Africa, South Korea, Spain, Sri
    Lanka, Sudan, Sweden, Switzerland, Syria, Taiwan, Tanzania, Thailand, Tunisia, Turkey, Uganda,
    Ukraine, Uruguay, Uzbekistan, Venezuela, Vietnam, Wales, Yemen, Zambia, Zimbabwe, the Netherlands, the
    Philippines, the United Kingdom, the United States, the U.S., the UK, the Czech Republic, Britain,
    America, Holland"""
)
REGION = names(
    """Alaska, Alberta, Andalusia, Arizona, Arkansas, Bavaria, Brittany, California, Catalonia, Colorado,
    Connecticut, Cornwall, Crimea, Crete, Dakota, Delaware, Devon, Essex, Flanders, Florida, Georgia,
    Gujarat, Hawaii, Idaho, Illinois, Indiana, Iowa, Kansas, Kashmir, Kent, Kentucky, Kerala, Lombardy,
    Louisiana, Maine, Maryland, Massachusetts, Michigan, Minnesota, Mississippi, Missouri, Montana,
    Nebraska, Nevada, New Hampshire, New Jersey, New Mexico, Normandy, North Carolina, Ohio, Oklahoma,
    Ontario, Oregon, Pennsylvania, Provence, Punjab, Quebec, Queensland, Rhode Island, Saxony, Sicily,
    Siberia, Somerset, South Dakota, Surrey, Sussex, Tasmania, Tennessee, Texas, Tibet, Tuscany, Tyrol,
    Umbria, Utah, Vermont, Virginia, Wyoming, Yorkshire, Africa, Asia, Europe, North America, South
    America, Latin America, Scandinavia, the Balkans, the Caribbean, the Middle East, Antarctica"""
)
LANDMARK = names(
    """Mount Everest, Mount Fuji, Mount Etna, Kilimanjaro, the Matterhorn, the Alps, the Andes, the Rockies,
    the Himalayas, the Pyrenees, the Sahara, the Amazon, the Nile, the Danube, the Rhine, the Thames, the
    Seine, the Mississippi River, the Ganges, the Volga, the Black Sea, the North Sea, the Red Sea, the
    Mediterranean, the Atlantic, the Pacific Ocean, the Gulf of Mexico, the English Channel, Lake Geneva,
    Lake Victoria, Lake Como, Loch Ness, Niagara Falls, the Grand Canyon, Yosemite, Yellowstone, Death
    Valley, Silicon Valley, Wall Street, Broadway, Hollywood, Manhattan, Queens, Harlem, Soho, Camden,
    Montmartre, Kreuzberg, Central Park, Hyde Park, Times Square, Trafalgar Square, Red Square, the Eiffel
    Tower, the Colosseum, the Louvre, the Tower of London, the Golden Gate Bridge, Stonehenge, Machu
    Picchu, Angkor Wat, the Taj Mahal, the Great Wall, Heathrow, Gatwick, Mars, Jupiter, Bali, Ibiza,
    Majorca, Corsica, Sardinia, Rhodes, Zanzibar, Madagascar, Gibraltar, Gaza"""
)
PLACES = {"city-name": CITY, "country-name": COUNTRY, "region-name": REGION, "landmark-name": LANDMARK}

_CITY = ("{city-name}",)
_PLACE = (
    "{landmark-name}", "{landmark-name}", "{landmark-name}", "{last} Street", "{last} Park", "Lake {last}",
    "Mount {last}", "{city-name} Airport", "{city-name} Central Station", "{last} Square",
    "{city-name} Road",
    "{last} Bridge", "Port {last}", "North {city-name}", "{last} Valley", "Fort {last}", "{last} County",
    "{last} Hill", "Downtown {city-name}", "St. {first} 's/T Cathedral", "the {last} River",
    "{last} Island",
)  # fmt: skip
PLACE_FORMS = {
    "city": ("location", _CITY),
    "country": ("location", ("{country-name}",)),
    "region": ("location", ("{region-name}",)),
    "place": ("location", _PLACE),
    "location": (
        "location",
        (*_CITY * 5, "{country-name}", "{country-name}", "{region-name}", "{landmark-name}"),
    ),
}
