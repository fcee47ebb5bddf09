"""Errors of configuration: the daemon refuses to start."""

from edge_agent.errors.root import EdgeAgentError


class ConfigError(EdgeAgentError):
    """Refuse to start: exit 78."""

    code = "config-error"
    hint = "Run `edge-agent check --config FILE`; it lists every problem with file and key."


class ConfigUnreadable(ConfigError):
    """The configuration file is absent, unreadable or not TOML."""

    code = "config-unreadable"
    hint = "Check the path and its permissions; a configuration must be valid TOML."


class ConfigInvalid(ConfigError):
    """A key is unknown, missing, or has a value outside its range."""

    code = "config-invalid"
    hint = "Correct the named key; the example files in config/ show every key."


class PasswordRefused(ConfigError):
    """What was given is no password for an officer, or nobody was there to type one."""

    code = "password-refused"
    hint = "Give one of 10 to 256 characters without the officer's name: typed twice, or as one line with --password-stdin."


class ArchiveMissing(ConfigInvalid):
    """Headquarters' archive is not there yet."""

    code = "archive-missing"
    hint = "Run `edge-agent collect --config FILE` first: it makes the archive; or correct the key archive of collector.toml."


class StateUnusable(ConfigError):
    """The folder in which a console keeps what it has not sent yet cannot be used, or holds files that are not its own."""

    code = "state-unusable"
    hint = "Check the path and permissions of state_dir; keep a file that cannot be read for whoever looks into it, and move it away."


class PolicyInvalid(ConfigError):
    """The policy file names an unknown key, check or obstacle, or a threshold outside [0, 1]."""

    code = "policy-invalid"
    hint = "Correct the named key; docs/reference/policy.md explains each one."


class KeysMissing(ConfigError):
    """A CURVE key file that the configuration names is absent or readable by others."""

    code = "keys-missing"
    hint = "Make keys with `edge-agent keys new NAME`; secret keys must have mode 0600."


class SigningKeyUnusable(ConfigError):
    """A signing key file is absent, damaged, or its secret half is readable by others."""

    code = "signing-key-unusable"
    hint = (
        "Check the path. Make a key for bundles with `edge-agent bundle new-key NAME`, for a journal with "
        "`edge-agent journal new-key NAME`; the secret file must have mode 0600."
    )


class DeviceRequired(ConfigError):
    """The policy says require-gpu and the session does not run on CUDA."""

    code = "device-required"
    hint = "Install the CUDA extra and a driver, or set [device] policy to prefer-gpu or cpu."


class LibraryTooOld(ConfigError):
    """A library has a known fault that could cost data."""

    code = "library-too-old"
    hint = "Install apsw 3.51.3 or newer: SQLite before that can corrupt a ledger when its write-ahead log is reset."


class LedgerForeign(ConfigError):
    """The ledger belongs to another site, or a newer version of this program wrote it."""

    code = "ledger-foreign"
    hint = "Check [site] id and state_dir, and that no older version of edge-agent is installed than the one that wrote the ledger."


class LedgerOutdated(ConfigError):
    """An older version of this program wrote the ledger, and a command that only reads cannot bring it up to date."""

    code = "ledger-outdated"
    hint = "Start the agent once; it brings its ledger up to date. A backup is brought up to date by restoring it."
