"""The policy under which speed is measured: detection only, every label shown from one level and alerting from none."""

from pathlib import Path

from benchmarks.network import LABELS
from edge_agent.analysis.policy import Policy, parse_policy

PROFILES = Path(__file__).resolve().parent.parent / "config/scanners"


def policy_text(show_at: float) -> str:
    """Give a ``policy.toml`` that shows every detection from ``show_at`` up."""
    levels = "\n".join(f"{label} = {{ show_at = {show_at:.6f}, alert_at = 1.0 }}" for label in LABELS)
    return "\n".join(
        f"""[{subject}]
required = ["detection"]
blocking = []
max_dark_share = 1.0
unknown_goods = "noted"
decision_clock_s = 300.0
[{subject}.labels]
{levels}
"""
        for subject in ("cargo", "parcel", "vehicle")
    )


def policy(show_at: float) -> Policy:
    """Give that policy as a value."""
    return parse_policy(policy_text(show_at).encode())
