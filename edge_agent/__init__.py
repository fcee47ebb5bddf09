"""edge-agent: turns every scan of a customs X-ray scanner into an assessment, beside the scanner."""

__version__ = "0.1.0"
