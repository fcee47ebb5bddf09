"""Families of goods: what they are declared as, what they are made of, and how they are stowed."""

from dataclasses import dataclass

from edge_agent.sim.canvas import Mix


@dataclass(frozen=True, slots=True)
class Family:
    """One family of goods that look alike on a scan.

    ``headings``: four-digit headings of the Harmonized System; several may share a family. ``packings``: ways of stowing, the first the
    commonest. ``areal``: g/cm2 over the whole depth of a full container. ``fill``: share of the inner height that a full load reaches.
    ``item_mm``: width and height of one item. ``layers``: how many items stand behind one another.
    """

    name: str
    headings: tuple[str, ...]
    words: str
    packings: tuple[str, ...]
    mix: Mix
    areal: tuple[float, float]
    fill: tuple[float, float] = (0.6, 0.95)
    item_mm: tuple[float, float] = (400.0, 250.0)
    layers: tuple[int, int] = (2, 4)


_MEAT: Mix = (("water", 0.72), ("cellulose", 0.2), ("polyethylene", 0.08))
_GRAIN: Mix = (("cellulose", 0.9), ("water", 0.1))
_RUBBER: Mix = (("polyethylene", 0.78), ("silica", 0.07), ("iron", 0.15))
_PAPER: Mix = (("cellulose", 0.92), ("silica", 0.08))
_CLOTH: Mix = (("cellulose", 0.65), ("polyethylene", 0.35))

FAMILIES: tuple[Family, ...] = (
    Family("empty", ("0000",), "declared empty", ("none",), (), (0.0, 0.0)),
    Family("beef", ("0201", "0202"), "frozen or chilled beef", ("frozen", "cartons"), _MEAT, (62, 115), (0.62, 0.92), (480, 165)),
    Family("poultry", ("0207",), "frozen poultry", ("frozen", "cartons"), _MEAT, (52, 100), (0.7, 0.95), (370, 120), (3, 6)),
    Family("citrus", ("0805",), "citrus fruit", ("crates", "fruit"), (("water", 0.86), ("cellulose", 0.14)),
           (52, 100), (0.72, 0.95), (390, 255)),
    Family("coffee", ("0901",), "coffee", ("sacks", "heap", "tall-bags"), _GRAIN, (58, 115), (0.6, 0.92), (880, 195)),
    Family("groundnuts", ("1202",), "groundnuts", ("tall-bags", "big-bags", "sacks"), _GRAIN, (58, 115), (0.5, 0.85), (1080, 1150)),
    Family("sugar", ("1701",), "sugar", ("sacks", "slumped"), (("cellulose", 1.0),), (85, 150), (0.45, 0.85), (620, 130), (3, 5)),
    Family("oilcake", ("2304",), "oilcake of soya", ("heap", "bulk", "slumped", "tall-bags"), _GRAIN, (62, 120), (0.5, 0.95)),
    Family("tyres", ("4011",), "new rubber tyres", ("laced", "tyres"), _RUBBER, (20, 52), (0.7, 0.97), (640, 190), (3, 5)),
    Family("cotton", ("5201",), "cotton in bales", ("bales",), (("cellulose", 1.0),), (50, 95), (0.7, 0.97), (720, 560), (2, 3)),
    Family("beverages", ("2202", "2203", "2204", "2208"), "beverages in bottles", ("bottles",), (("water", 0.72), ("silica", 0.28)),
           (50, 95), (0.45, 0.8), (82, 310), (4, 6)),
    Family("paper", ("4801", "4802", "4804", "4810"), "paper in rolls", ("rolls",), _PAPER, (75, 140), (0.55, 0.95), (1150, 1100), (2, 2)),
    Family("tiles", ("2515", "6802", "6907"), "stone and ceramic tiles", ("slabs",), (("silica", 1.0),),
           (95, 180), (0.25, 0.55), (385, 95)),
    Family("timber", ("4407", "4412"), "sawn timber and panels", ("planks",), (("cellulose", 0.9), ("water", 0.1)),
           (55, 110), (0.6, 0.95), (3000, 62)),
    Family("machinery", ("8413", "8429", "8431", "8479", "8483"), "machinery and parts", ("machinery",), (("iron", 0.94), ("copper", 0.06)),
           (18, 90), (0.35, 0.9)),
    Family("steel", ("7208", "7213", "7214", "7228"), "steel coils and bars", ("coils",), (("iron", 1.0),), (120, 260), (0.3, 0.55)),
    Family("electronics", ("8471", "8504", "8517", "8528"), "electronics", ("devices",),
           (("polyethylene", 0.55), ("aluminium", 0.15), ("copper", 0.1), ("iron", 0.2)), (10, 32), (0.6, 0.95), (430, 340)),
    Family("garments", ("6109", "6110", "6203", "6204"), "garments", ("soft", "hanging"), _CLOTH, (12, 36), (0.75, 0.97), (580, 390)),
    Family("chemicals", ("2905", "3402", "3814"), "chemicals in drums", ("drums",),
           (("water", 0.6), ("polyethylene", 0.32), ("iron", 0.08)), (50, 95), (0.35, 0.8), (585, 880)),
    Family("vehicles", ("8702", "8703", "8704"), "motor vehicles", ("vehicles",),
           (("iron", 0.72), ("aluminium", 0.1), ("polyethylene", 0.18)), (5, 12), (0.6, 0.8)),
    Family("furniture", ("9401", "9403"), "furniture", ("frames",),
           (("cellulose", 0.8), ("polyethylene", 0.12), ("iron", 0.08)), (6, 20), (0.6, 0.95), (900, 700)),
    Family("scrap", ("7204", "7404", "7602"), "metal scrap", ("scrap",),
           (("iron", 0.75), ("copper", 0.1), ("aluminium", 0.15)), (35, 110), (0.35, 0.75)),
    Family("cosmetics", ("3303", "3304", "3305"), "cosmetics", ("vials",),
           (("water", 0.55), ("polyethylene", 0.3), ("silica", 0.15)), (36, 70), (0.55, 0.92), (400, 300), (4, 6)),
    Family("fresheners", ("3307",), "air fresheners", ("cans",), (("water", 0.55), ("polyethylene", 0.15), ("iron", 0.3)),
           (24, 52), (0.55, 0.92), (360, 240), (4, 6)),
    Family("cigarettes", ("2402",), "cigarettes", ("cases",), (("cellulose", 0.95), ("aluminium", 0.05)),
           (40, 60), (0.7, 0.96), (430, 560), (3, 5)),
    Family("fireworks", ("3604",), "fireworks and firecrackers", ("shells",), (("cellulose", 0.45), ("silica", 0.4), ("aluminium", 0.15)),
           (70, 125), (0.55, 0.9), (420, 300), (3, 5)),
    Family("miscellaneous", ("3924", "4202", "9503", "9505"), "miscellaneous goods", ("mixed",),
           (("cellulose", 0.35), ("polyethylene", 0.5), ("iron", 0.1), ("silica", 0.05)), (12, 34), (0.6, 0.95), (450, 350), (3, 5)),
    Family("foreign", (), "objects that belong to no declared goods", ("none",), (), (0.0, 0.0)),
)  # fmt: skip
"""Every family that the contents bundle knows, ``empty`` first and ``foreign`` last, in the order of the classes of a goods map."""

BACKGROUND = ("air", "structure")
"""Classes of a goods map behind the families: no container at all, and the container, chassis or vehicle itself."""

_UNKNOWN: tuple[Family, ...] = (
    Family("footwear", ("6403", "6404"), "footwear", ("pairs",), (("polyethylene", 0.75), ("cellulose", 0.25)),
           (20, 40), (0.7, 0.95), (620, 420), (3, 4)),
    Family("pipes", ("7304", "7306"), "steel pipes", ("pipes",), (("iron", 1.0),), (40, 110), (0.35, 0.7)),
    Family("batteries", ("8507",), "accumulators", ("slabs",), (("lead", 0.6), ("polyethylene", 0.2), ("water", 0.2)),
           (60, 140), (0.25, 0.5), (260, 210)),
)  # fmt: skip

EMPTY = 0
FOREIGN = len(FAMILIES) - 1
AIR = len(FAMILIES)
STRUCTURE = len(FAMILIES) + 1
CLASSES = tuple(family.name for family in FAMILIES) + BACKGROUND
LOADS = tuple(range(1, FOREIGN))
"""Places of the families that an ordinary container can be loaded with."""
HELD_OUT = tuple(range(len(CLASSES), len(CLASSES) + len(_UNKNOWN)))
"""Places of the families that no bundle is trained on. They have no class of their own: in a goods map they are ``FOREIGN``."""


def family(place: int) -> Family:
    """Give the family at a place of ``FAMILIES``, ``LOADS`` or ``HELD_OUT``."""
    return _UNKNOWN[place - len(CLASSES)] if place >= len(CLASSES) else FAMILIES[place]


def map_class(place: int) -> int:
    """Give the class that a family's goods have in a goods map."""
    return FOREIGN if place >= len(CLASSES) else place
