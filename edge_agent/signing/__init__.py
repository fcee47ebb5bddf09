"""The only home of cryptography: signatures over bundles, journal heads and certificates (not built yet)."""
