"""Whatever a scanner does to a drop: it is never taken while it changes, and always taken in the end."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge_agent.domain.drop import Completeness, ProbeResult
from edge_agent.intake.grouping import FileEntry, group
from edge_agent.intake.settle import Action, next_step, observe, probed
from edge_agent.testing.drops import SCANNER, cargo_profile, drop_of

PROFILE = cargo_profile(quiet_s=1.0, deadline_s=10.0)
LONGEST = 20.0  # the expected plane's deadline
ROLES = {"high": "7_high.tif", "low": "7_low.tif", "sidecar": "7.json"}
MOMENTS = st.floats(0.01, 8.0, allow_nan=False)


class Scanner(RuleBasedStateMachine):
    """A scanner that writes, grows and deletes members at will, and an intake that looks now and then."""

    @initialize(role=st.sampled_from(sorted(ROLES)))
    def first_member(self, role):
        self.now = self.changed_at = self.born_at = 1000.0
        self.sizes = {role: 1}
        self.watched = None
        self.taken_at = None
        self.completeness = Completeness.WAITING
        self.look()

    def look(self):
        members = tuple((ROLES[role], role, size, size) for role, size in sorted(self.sizes.items()))
        self.watched = observe(self.watched, drop_of("7", *members), self.now)
        step = next_step(self.watched, PROFILE, self.now)
        if step.action is Action.PROBE:
            self.watched = probed(self.watched, ProbeResult(self.completeness, (), None, None), self.now)
            step = next_step(self.watched, PROFILE, self.now)
        assert step.action is not Action.PROBE, "the same look must not ask twice"
        if step.action is Action.WAIT:
            assert step.again_at > self.now, "waiting must end"
        else:
            self.taken_at = self.now

    @precondition(lambda self: self.taken_at is None)
    @rule(role=st.sampled_from(sorted(ROLES)), after=MOMENTS)
    def write(self, role, after):
        self.now += after
        self.sizes[role] = self.sizes.get(role, 0) + 1
        self.changed_at = self.now
        self.look()

    @precondition(lambda self: self.taken_at is None)
    @rule(after=MOMENTS)
    def wait(self, after):
        self.now += after
        self.look()

    @rule(completeness=st.sampled_from(list(Completeness)))
    def the_content_turns_out_to_be(self, completeness):
        self.completeness = completeness

    @invariant()
    def never_taken_while_it_changes(self):
        if getattr(self, "taken_at", None) is not None:
            assert self.taken_at - self.changed_at >= PROFILE.quiet_s

    def teardown(self):
        """From any state: left alone, the drop is taken no later than its deadlines and quiet times allow, asking at the given times."""
        if not hasattr(self, "taken_at"):
            return
        left_alone_at = self.now
        latest = max(self.born_at + LONGEST, self.changed_at + 3 * PROFILE.quiet_s) + PROFILE.quiet_s
        for _ in range(10):
            if self.taken_at is not None:
                break
            self.now = next_step(self.watched, PROFILE, self.now).again_at
            self.look()
        assert self.taken_at is not None
        assert self.taken_at <= max(latest, left_alone_at)


Scanner.TestCase.settings = settings(max_examples=100, stateful_step_count=10, deadline=None)
TestScanner = Scanner.TestCase

NAMES = st.from_regex(r"[ab/]{0,3}[0-9.a]{1,3}(_high\.tif|_low\.tif|\.json|\.bin|)", fullmatch=True)


@given(st.lists(NAMES, unique=True, max_size=12))
def test_grouping_is_a_partition_of_the_files_that_are_not_ignored(names):
    files = [FileEntry(name, Path("/nowhere") / name, 1, 1) for name in names]
    profile = cargo_profile()
    drops = group(SCANNER, files, profile)
    assert sorted(name for name in names if not profile.ignores(name)) == sorted(m.name for drop in drops for m in drop.members)
    assert len(drops) == len({drop.key for drop in drops})
    assert all(drop.members for drop in drops)


@given(st.lists(NAMES, unique=True, max_size=12), st.randoms())
def test_grouping_does_not_depend_on_the_order_of_the_listing(names, random):
    files = [FileEntry(name, Path("/nowhere") / name, 1, 1) for name in names]
    shuffled = list(files)
    random.shuffle(shuffled)
    assert group(SCANNER, files, cargo_profile()) == group(SCANNER, shuffled, cargo_profile())
