"""The only home of cryptography: signing keys, and signatures over bundles and certificates; key files of every kind."""
