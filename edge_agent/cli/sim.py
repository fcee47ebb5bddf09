"""``edge-agent sim``: a simulated scanner writes scans into a folder."""
