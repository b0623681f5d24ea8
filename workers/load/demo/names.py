"""Names the demo draws from. None is meant to be anybody's; every address lies under .example."""

from typing import Final

FIRST_NAMES: Final = (
    "Ada", "Amir", "Anneke", "Beatriz", "Bruno", "Carla", "Chidi", "Clara", "Dana", "Dmitri", "Elif", "Emil",
    "Esther", "Farah", "Felix", "Freya", "Gael", "Grace", "Hana", "Hugo", "Ida", "Imran", "Ines", "Ivo", "Jana",
    "Jonas", "Kaito", "Karin", "Kofi", "Lara", "Leon", "Lucia", "Magnus", "Maya", "Milan", "Mona", "Nadia", "Nils",
    "Noor", "Olga", "Oscar", "Paula", "Pavel", "Priya", "Quentin", "Rania", "Ravi", "Rosa", "Samir", "Selma", "Sora",
    "Tariq", "Tess", "Tomas", "Uma", "Vera", "Viktor", "Wanda", "Yara", "Yusuf", "Zoe",
)  # fmt: skip
LAST_NAMES: Final = (
    "Abbott", "Achterberg", "Adeyemi", "Albrecht", "Aydin", "Barros", "Bergstrom", "Bianchi", "Brandt", "Castillo",
    "Chowdhury", "Conti", "Dahl", "Dubois", "Eriksen", "Falk", "Ferreira", "Fontaine", "Gallagher", "Haddad", "Hansen",
    "Hartmann", "Hoffmann", "Ibrahim", "Ishikawa", "Jansen", "Kaplan", "Keller", "Kowalski", "Lindqvist", "Lopez",
    "Marchetti", "Mbeki", "Moreau", "Nakamura", "Novak", "Okafor", "Olsen", "Osei", "Patel", "Petrov", "Quinn",
    "Rahman", "Rossi", "Sanders", "Schreiber", "Silva", "Sorensen", "Takeda", "Tanaka", "Vargas", "Vogel", "Weber",
    "Whitfield", "Winter", "Yilmaz", "Zimmermann",
)  # fmt: skip
TITLES: Final = (
    "Head of Procurement", "Operations Manager", "Chief Financial Officer", "Managing Director", "Purchasing Manager",
    "Project Lead", "Facilities Manager", "Head of Logistics", "Office Manager", "Chief Technology Officer",
)  # fmt: skip
COMPANY_STARTS: Final = (
    "Amberfield", "Ashgrove", "Blackthorn", "Bluewater", "Brightwell", "Cedarline", "Clearbrook", "Copperhill",
    "Dovetail", "Eastmoor", "Elmstead", "Fairlight", "Fernhollow", "Foxglove", "Granite Peak", "Greyfriars",
    "Hawksworth", "Heron Bay", "Ironbridge", "Juniper", "Kestrel", "Kingsley", "Larkspur", "Lindenhof", "Longmeadow",
    "Marlowe", "Mistral", "Nordlicht", "Oakhurst", "Orchard Lane", "Pemberton", "Quayside", "Redfern", "Riverbend",
    "Rosewood", "Saltmarsh", "Silverbirch", "Stonegate", "Sunnyside", "Thornbury", "Umbra", "Valmont", "Westbrook",
    "Wildflower", "Yarrow",
)  # fmt: skip
COMPANY_ENDS: Final = (
    "Hotels", "Logistics", "Clinics", "Foods", "Engineering", "Schools", "Retail", "Architects", "Energy", "Studios",
    "Pharma", "Textiles", "Property", "Catering", "Robotics",
)  # fmt: skip
VENDOR_ENDS: Final = ("Timber", "Freight", "Packaging", "Cleaning", "Metals", "Staffing", "Print", "Security")
INDUSTRIES: Final = (
    "hospitality",
    "logistics",
    "health",
    "food",
    "engineering",
    "education",
    "retail",
    "energy",
)
COUNTRIES: Final = ("DE", "GB", "CH", "US", "JP", "FR", "NL")
LOST_REASONS: Final = ("price", "timing", "missing feature", "went with the incumbent", "budget cut")
WON_REASONS: Final = ("best value", "delivery time", "long relationship", "service level")
COMPETITORS: Final = ("Brackwater Supplies", "Novalis Direct", "Tern & Sons")
