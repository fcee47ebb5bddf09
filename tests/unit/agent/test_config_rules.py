"""agent.toml: strict, relative to its own file, every problem named with its key."""

import hashlib
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_agent.agent.config import load_config
from edge_agent.agent.sections import AgentSections
from edge_agent.errors import ConfigInvalid, ConfigUnreadable, PolicyInvalid

CONFIG = Path(__file__).resolve().parents[3] / "config"
KEY = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
SITE = '[site]\nid = "north"\ntimezone = "Asia/Kolkata"\n'
SCANNER = '[[scanner]]\nid = "s1"\nprofile = "plain-image"\nwatch = "incoming"\ntimezone = "UTC"\nsubject = "cargo"\n'
BUNDLES = '[bundles]\ndir = "bundles"\n'
WIRE = '[wire]\nkey = "keys/site.key_secret"\n'
TOP = f'state_dir = "state"\npolicy = "{CONFIG}/policy.example.toml"\nprofiles = "{CONFIG}/scanners"\n'


def written(folder: Path, *parts: str) -> Path:
    path = folder / "agent.toml"
    path.write_text("".join(parts or (TOP, BUNDLES, SITE, SCANNER, WIRE)))
    return path


def problems(folder: Path, *parts: str) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        load_config(written(folder, *parts))
    return caught.value.detail


def test_paths_are_relative_to_the_file_itself(tmp_path: Path) -> None:
    sections = load_config(written(tmp_path)).sections
    assert tmp_path / "state" == sections.state_dir
    assert tmp_path / "incoming" == sections.scanner[0].watch
    assert tmp_path / "keys/site.key_secret" == sections.wire.key
    assert tmp_path / "bundles" == sections.bundles.dir


def test_policy_and_profiles_lie_beside_the_file_unless_it_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_bytes((CONFIG / "policy.example.toml").read_bytes())
    (tmp_path / "scanners").mkdir()
    (tmp_path / "scanners/plain-image.toml").write_bytes((CONFIG / "scanners/plain-image.toml").read_bytes())
    sections = load_config(written(tmp_path, 'state_dir = "state"\n', SITE, SCANNER, WIRE)).sections
    assert (tmp_path / "policy.toml", tmp_path / "scanners") == (sections.policy, sections.profiles)


def test_the_digest_is_that_of_the_files_bytes(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == load_config(path).digest


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    bad_site = '[site]\nid = "North!"\ntimezone = "Mars/Base"\n'
    detail = problems(tmp_path, TOP, "graces = 1\n", bad_site, SCANNER, '[device]\npolicy = "tpu"\n', WIRE)
    for key in ("graces", "site.id", "site.timezone", "device.policy"):
        assert f"agent.toml: {key}: " in detail


@pytest.mark.parametrize(
    ("parts", "key"),
    [
        ((TOP, SITE, WIRE), "scanner"),
        ((TOP, SITE, SCANNER), "wire"),
        ((TOP, SITE, SCANNER, "[wire]\n"), "wire: Value error, key is missing"),
        ((TOP, SITE, SCANNER, '[wire]\nbind = "0.0.0.0"\ninsecure_loopback_only = true\n'), "loopback address only"),
        ((TOP, SITE, SCANNER, SCANNER, WIRE), "scanner ids must differ"),
        ((TOP, SITE, SCANNER + "pitch_mm = [0.0, 5.0]\n", WIRE), "scanner.0.pitch_mm"),
        ((TOP, "max_scans_in_flight = 0\n", SITE, SCANNER, WIRE), "max_scans_in_flight"),
        ((TOP, "grace_s = 0\n", SITE, SCANNER, WIRE), "grace_s"),
        ((TOP, SITE, SCANNER, WIRE, '[[consumer]]\nname = "c"\nkey = "short"\nrole = "console"\n'), "consumer.0.key"),
        ((TOP, SITE, SCANNER, WIRE, f'[[consumer]]\nname = "c"\nkey = "{KEY}"\nrole = "emperor"\n'), "consumer.0.role"),
        (
            (TOP, SITE, SCANNER, WIRE, f'[[consumer]]\nname = "c"\nkey = "{KEY}"\nrole = "console"\ndurable = true\n'),
            "only a collector can be durable",
        ),
        (
            (TOP, SITE, SCANNER, WIRE, f'[[consumer]]\nname = "c"\nkey = "{KEY}"\nrole = "console"\nnot_after = 2027-01-01T00:00:00\n'),
            "needs a time zone",
        ),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_key(tmp_path: Path, parts: tuple[str, ...], key: str) -> None:
    assert key in problems(tmp_path, *parts)


def test_a_file_that_is_not_there_or_not_toml_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnreadable, match="No such file"):
        load_config(tmp_path / "agent.toml")
    for content in (b"state_dir = \n", b"\xff\xfe", b"[site"):
        (tmp_path / "agent.toml").write_bytes(content)
        with pytest.raises(ConfigUnreadable, match="not TOML"):
            load_config(tmp_path / "agent.toml")


def test_a_policy_that_is_wrong_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("[cargo]\n")
    with pytest.raises(PolicyInvalid):
        load_config(written(tmp_path, TOP.replace(f"{CONFIG}/policy.example.toml", "policy.toml"), SITE, SCANNER, WIRE))


def test_a_profile_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnreadable, match=r"no-such-scanner\.toml"):
        load_config(written(tmp_path, TOP, SITE, SCANNER.replace("plain-image", "no-such-scanner"), WIRE))


def test_a_consumer_expires_at_its_moment_and_not_before(tmp_path: Path) -> None:
    consumer = f'[[consumer]]\nname = "old"\nkey = "{KEY}"\nrole = "console"\nnot_after = 2027-01-01T05:30:00+05:30\n'
    config = load_config(written(tmp_path, TOP, SITE, SCANNER, WIRE, consumer))
    end = datetime(2027, 1, 1, tzinfo=UTC)
    assert config.expired_consumers(end) == []  # as at the door: the last moment still counts
    assert config.expired_consumers(end + timedelta(microseconds=1)) == ["old"]


def test_where_nothing_is_said_the_cautious_values_hold(tmp_path: Path) -> None:
    sections = load_config(written(tmp_path)).sections
    assert ("127.0.0.1", False) == (sections.wire.bind, sections.wire.insecure_loopback_only)
    assert not sections.allow_research_models
    assert sections.keep_packages


def test_the_example_names_every_section_there_is() -> None:
    text = (CONFIG / "agent.example.toml").read_text("utf-8")
    for line in (
        "[journal]",
        'key = "keys/site.sign',
        "[declarations]",
        "[selections]",
        "file =",
        "[results]",
        'dir = "/srv/results"',
        "formats =",
    ):
        text = text.replace(f"# {line}", line)
    assert set(AgentSections.model_fields) == set(tomllib.loads(text))
