"""From a scan to a machine assessment: pure, models only through ports."""
