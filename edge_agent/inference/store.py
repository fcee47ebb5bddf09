"""Which bundles run at a site: sets of bundles in folders of their own, and one small file that says which set is active.

``sets/<number>/<name>/<version>/`` is never changed once it is there; ``state.json`` is replaced as a whole by one rename. So after a
death at any moment either the sets of before or the sets of after are in force, and what lies around is cleared by the next change.
The ``bundle`` commands write, one at a time. The daemon reads, and writes ``proven.json``: the set that its last start proved.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from edge_agent.errors import BundleCorrupt, BundleIncompatible, BundleRejected, NothingToRollBack
from edge_agent.inference.bundle import Bundle, find_bundles, load_bundle
from edge_agent.inference.card import read_card
from edge_agent.inference.owner import keep_owner
from edge_agent.signing.detached import Trust
from edge_agent.wire.frames import is_name

_NEW = ".new"


class _State(BaseModel):
    """Numbers of sets; None for ``active`` and ``previous`` means the bundles that the configuration names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    active: int | None = None
    previous: int | None = None
    shadow: int | None = None
    has_previous: bool = False


class _Proven(BaseModel):
    """The set that a start of the daemon proved last; None means the bundles that the configuration names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int | None


@dataclass(frozen=True, slots=True)
class Admission:
    """What a bundle must pass: whose signatures count, whether research bundles may run."""

    trust: Trust
    allow_research: bool = False

    def load(self, folder: Path) -> Bundle:
        """Give the verified bundle in ``folder``.

        Raises:
            BundleRejected: whatever ``load_bundle`` finds.
        """
        return load_bundle(folder, self.trust, allow_research=self.allow_research)


class BundleStore:
    """The folder ``state_dir/bundles`` of a site. ``default``: the bundles that run when nothing was ever activated."""

    def __init__(self, root: Path, default: Path) -> None:
        self.root = root
        self._default = default

    def active(self) -> Path:
        """Give the folder of the set in force."""
        return self._folder(self._read().active)

    def previous(self) -> Path | None:
        """Give the folder of the set that was in force before, None when there was none."""
        state = self._read()
        return self._folder(state.previous) if state.has_previous else None

    def fallbacks(self) -> list[Path]:
        """Give the sets that may run when the active one does not work, best first.

        That is the one that the daemon's last start proved, the one that was in force before, and the bundles that run when nothing was
        ever activated.
        """
        try:
            state = self._read()
        except BundleCorrupt:  # nobody knows what was active; what was proven may still run
            return [self._folder(number) for number in dict.fromkeys([*self._proven(), None])]
        before = [state.previous] if state.has_previous else []
        return [self._folder(number) for number in dict.fromkeys([*self._proven(), *before, None]) if number != state.active]

    def proven(self) -> Path | None:
        """Give the folder of the set that the daemon's last start proved, None when there was no start yet."""
        return next((self._folder(number) for number in self._proven()), None)

    def note_proven(self, folder: Path) -> None:
        """Note that a start of the daemon proved the set in ``folder``: no later activation removes it before another one is proven.

        Raises:
            OSError: it cannot be written; the note of before stands.
        """
        number = None if folder == self._default else int(folder.name)
        if self._proven() != [number]:
            self._replace("proven.json", _Proven(number=number))

    def shadow(self) -> Path | None:
        """Give the folder with the one bundle that runs in shadow; None where there is none, or the state cannot be read."""
        try:
            number = self._read().shadow
        except BundleCorrupt:  # which ``active`` tells; a shadow must not keep what is fallen back to from working
            return None
        return None if number is None else self._folder(number)

    def activate(self, folder: Path, admission: Admission, prove: Callable[[Path], None], instead_of: str | None = None) -> bool:
        """Put a bundle into force in place of the one with its name, or of ``instead_of``; give False when it is in force already.

        ``prove`` is given the folder of the whole new set before anything changes and raises when it does not work.

        Raises:
            BundleRejected: the bundle, or the set with it, cannot run; or no active bundle is called ``instead_of``.
        """
        wanted = admission.load(folder)
        name = wanted.card.name
        with self._changing() as state:
            present = find_bundles(self._folder(state.active))
            names = sorted({_name(found) for found in present})
            if instead_of is not None and instead_of not in names:
                raise BundleRejected(f"no active bundle is called {instead_of}; active are {names}")
            is_in_force = any(_is(found, wanted, admission) for found in present if _name(found) == name)
            if is_in_force and instead_of in (None, name):
                return False
            number = self._add([*self._beside({name, instead_of}, admission), wanted], prove)
            self._write(_State(active=number, previous=state.active, shadow=state.shadow, has_previous=True))
        return True

    def rollback(self, prove: Callable[[Path], None]) -> None:
        """Put the set of before into force again; asking twice undoes the first.

        Raises:
            NothingToRollBack. BundleRejected: the set of before does not work any more.
        """
        with self._changing() as state:
            if not state.has_previous:
                raise NothingToRollBack("no earlier set of bundles is kept")
            prove(self._folder(state.previous))
            self._write(_State(active=state.previous, previous=state.active, shadow=state.shadow, has_previous=True))

    def set_shadow(self, folder: Path, admission: Admission, prove: Callable[[Path], None]) -> None:
        """Let a bundle run in shadow, in place of the one that did.

        Raises:
            BundleRejected: it cannot run.
        """
        wanted = admission.load(folder)
        with self._changing() as state:
            self._write(state.model_copy(update={"shadow": self._add([wanted], prove)}))

    def end_shadow(self) -> bool:
        """Let no bundle run in shadow; give False when none did."""
        with self._changing() as state:
            self._write(state.model_copy(update={"shadow": None}))
            return state.shadow is not None

    def _beside(self, out: Collection[str | None], admission: Admission) -> list[Bundle]:
        """Give the active bundles but those named ``out``, which may well be damaged: that is why they go.

        Where another one is damaged, or the whole set is gone, those of the set that the daemon falls back to.
        """
        problems: list[BundleRejected] = []
        for root in (self.active(), *self.fallbacks()):
            try:
                if folders := find_bundles(root):
                    return [admission.load(found) for found in folders if _name(found) not in out]
            except BundleRejected as problem:
                problems.append(problem)
        if problems:
            raise problems[0]
        return []

    def _folder(self, number: int | None) -> Path:
        return self._default if number is None else self.root / "sets" / f"{number:04}"

    def _read(self) -> _State:
        try:
            return _State.model_validate_json((self.root / "state.json").read_bytes())
        except FileNotFoundError:
            return _State()
        except (OSError, ValidationError) as problem:
            words = "cannot be read; without it the bundles run that the configuration names"
            raise BundleCorrupt(f"{self.root / 'state.json'} {words}") from problem

    def _proven(self) -> list[int | None]:
        """Give the number that was noted last, in a list; none when there is no note that can be read."""
        try:
            return [_Proven.model_validate_json((self.root / "proven.json").read_bytes()).number]
        except (OSError, ValidationError):
            return []

    def _write(self, state: _State) -> None:
        self._replace("state.json", state)
        self._clear(state)

    def _replace(self, name: str, content: BaseModel) -> None:
        """Write a small file so that a death leaves the old or the new one, and the daemon can read it whoever runs this."""
        part = self.root / f"{name}.part"
        part.write_text(content.model_dump_json() + "\n")
        _sync(part)
        keep_owner(self.root)
        part.rename(self.root / name)
        _sync(self.root)

    @contextmanager
    def _changing(self) -> Iterator[_State]:
        """Hold the lock; another command that changes the bundles waits."""
        (self.root / "sets").mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            state = self._read()
            self._clear(state)
            yield state
        finally:
            keep_owner(self.root)
            os.close(descriptor)

    def _add(self, bundles: Sequence[Bundle], prove: Callable[[Path], None]) -> int:
        """Copy bundles into a new set, prove it, and give its number; it is on the disk before anything names it."""
        number = max((int(path.name) for path in (self.root / "sets").iterdir() if path.name.isdigit()), default=0) + 1
        new = self.root / "sets" / _NEW
        for bundle in bundles:
            if not (is_name(bundle.card.name) and is_name(bundle.card.version)):
                raise BundleIncompatible(f"{bundle.ref!r}: name and version must be able to name folders")
            shutil.copytree(bundle.folder, new / bundle.card.name / bundle.card.version)
        prove(new)
        for path in sorted(new.rglob("*"), reverse=True):
            _sync(path)
        _sync(new)
        new.rename(self._folder(number))
        _sync(self.root / "sets")
        return number

    def _clear(self, state: _State) -> None:
        """Remove what no set in force needs, also what a death left half copied."""
        numbers = (state.active, state.previous, state.shadow, *self._proven())
        kept = {f"{number:04}" for number in numbers if number is not None}
        for path in (self.root / "sets").iterdir():
            if path.name not in kept:
                shutil.rmtree(path)


def _name(folder: Path) -> str:
    """Give the name of a bundle that may be damaged: its card's, where that can be read, else its folder's."""
    try:
        return read_card(folder)[0].name
    except BundleRejected:
        return folder.parent.name


def _is(folder: Path, wanted: Bundle, admission: Admission) -> bool:
    """Tell whether the bundle in ``folder`` is ``wanted``, and whole."""
    try:
        return admission.load(folder).use.sha256 == wanted.use.sha256
    except BundleRejected:
        return False


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
