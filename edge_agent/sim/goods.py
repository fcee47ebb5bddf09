"""Families of goods: what they are declared as, what they are made of, and how they are stowed."""

from dataclasses import dataclass

from edge_agent.sim.canvas import Mix


@dataclass(frozen=True, slots=True)
class Family:
    """One family of goods that look alike on a scan.

    ``headings``: four-digit headings of the Harmonized System; several may share a family. ``areal``: g/cm2 over the whole depth of
    a full container. ``fill``: share of the inner height that a load reaches. ``item_mm``: width and height of one item.
    ``layers``: how many items stand behind one another.
    """

    name: str
    headings: tuple[str, ...]
    words: str
    packing: str
    mix: Mix
    areal: tuple[float, float]
    fill: tuple[float, float] = (0.6, 0.95)
    item_mm: tuple[float, float] = (400.0, 250.0)
    layers: tuple[int, int] = (2, 4)


_MEAT: Mix = (("water", 0.72), ("cellulose", 0.2), ("polyethylene", 0.08))
_GRAIN: Mix = (("cellulose", 0.9), ("water", 0.1))
_RUBBER: Mix = (("polyethylene", 0.78), ("silica", 0.07), ("iron", 0.15))

FAMILIES: tuple[Family, ...] = (
    Family("empty", ("0000",), "declared empty", "none", (), (0.0, 0.0)),
    Family("beef", ("0201", "0202"), "frozen or chilled beef", "cartons", _MEAT, (62, 105), (0.62, 0.92), (590, 165)),
    Family("poultry", ("0207",), "frozen poultry", "cartons", _MEAT, (48, 88), (0.7, 0.95), (390, 120), (3, 6)),
    Family("citrus", ("0805",), "citrus fruit", "fruit", (("water", 0.86), ("cellulose", 0.14)), (45, 78), (0.72, 0.93), (390, 255)),
    Family("coffee", ("0901",), "coffee", "sacks", _GRAIN, (45, 75), (0.6, 0.9), (880, 195)),
    Family("groundnuts", ("1202",), "groundnuts", "big-bags", _GRAIN, (50, 85), (0.6, 0.85), (1080, 1150)),
    Family("sugar", ("1701",), "sugar", "sacks", (("cellulose", 1.0),), (75, 115), (0.45, 0.75), (620, 130), (3, 5)),
    Family("oilcake", ("2304",), "oilcake of soya", "bulk", _GRAIN, (58, 100), (0.6, 0.95)),
    Family("tyres", ("4011",), "new rubber tyres", "tyres", _RUBBER, (24, 52), (0.7, 0.97), (620, 190), (3, 5)),
    Family("cotton", ("5201",), "cotton in bales", "bales", (("cellulose", 1.0),), (52, 85), (0.75, 0.97), (720, 560)),
    Family("beverages", ("2202", "2203", "2204", "2208"), "beverages in bottles", "bottles", (("water", 0.72), ("silica", 0.28)),
           (55, 95), (0.45, 0.8), (82, 310), (4, 6)),
    Family("paper", ("4801", "4802", "4804", "4810"), "paper in rolls", "rolls", (("cellulose", 0.92), ("silica", 0.08)),
           (80, 140), (0.55, 0.95), (1150, 1100)),
    Family("tiles", ("2515", "6802", "6907"), "stone and ceramic tiles", "slabs", (("silica", 1.0),), (95, 180), (0.25, 0.55), (385, 95)),
    Family("timber", ("4407", "4412"), "sawn timber and panels", "planks", (("cellulose", 0.9), ("water", 0.1)),
           (60, 110), (0.6, 0.95), (4000, 62)),
    Family("machinery", ("8413", "8429", "8431", "8479", "8483"), "machinery and parts", "machinery", (("iron", 0.94), ("copper", 0.06)),
           (18, 90), (0.35, 0.9)),
    Family("steel", ("7208", "7213", "7214", "7228"), "steel coils and bars", "coils", (("iron", 1.0),), (120, 260), (0.3, 0.55)),
    Family("electronics", ("8471", "8504", "8517", "8528"), "electronics", "devices",
           (("polyethylene", 0.55), ("aluminium", 0.15), ("copper", 0.1), ("iron", 0.2)), (10, 30), (0.6, 0.95), (430, 340)),
    Family("garments", ("6109", "6110", "6203", "6204"), "garments", "soft", (("cellulose", 0.65), ("polyethylene", 0.35)),
           (14, 36), (0.75, 0.97), (580, 390)),
    Family("chemicals", ("2905", "3402", "3814"), "chemicals in drums", "drums", (("water", 0.6), ("polyethylene", 0.32), ("iron", 0.08)),
           (50, 95), (0.35, 0.8), (585, 880)),
    Family("foreign", (), "objects that belong to no declared goods", "none", (), (0.0, 0.0)),
)  # fmt: skip
"""Every family, ``empty`` first and ``foreign`` last, in the order of the classes of a goods map."""

BACKGROUND = ("air", "structure")
"""Classes of a goods map behind the families: no container at all, and the container, chassis or vehicle itself."""

EMPTY = 0
FOREIGN = len(FAMILIES) - 1
AIR = len(FAMILIES)
STRUCTURE = len(FAMILIES) + 1
CLASSES = tuple(family.name for family in FAMILIES) + BACKGROUND
LOADS = tuple(range(1, FOREIGN))
"""Places of the families that can be loaded."""
