"""Looking at single names and single directories: what the watch asks for.

A look can lead on: a name may turn out to be a new directory, which has to be walked; a directory may turn out not to
be there, or to be new itself, which its parent has to settle. Each such step goes one level up or down, and none is
made more than a few times.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import islice

from censusd.filesystem.walk import Cover, Tree, has_vanished
from censusd.model import ROOT, Scope, split
from censusd.sync.plan import Plan
from censusd.sync.run import Run

_NAMES_AT_ONCE = 5_000
_DIRECTORIES_AT_ONCE = 500
_MOST_ASKED = 3


class Looks:
    """What is still to be looked at, and what has to be walked because of it.

    Args:
        tree: the repository's directories.
        cover: called with each directory just before it is listed.
        ignore_file: name of the per-directory ignore file: when it changes, everything below does.

    Attributes:
        subtrees: directories that have to be walked.
        waiting: how many names of files that have several have been asked for since the last ``run``.
    """

    def __init__(self, tree: Tree, cover: Cover | None, ignore_file: str) -> None:
        self._tree = tree
        self._cover = cover
        self._ignore_file = ignore_file
        self._names: defaultdict[str, dict[str, bool]] = defaultdict(dict)
        self._directories: set[str] = set()
        self._asked: Counter[tuple[str, str]] = Counter()
        self._written: set[tuple[str, str]] = set()
        self._listed: set[str] = set()
        self.waiting = 0
        self.subtrees: set[str] = set()

    def add(self, scope: Scope) -> None:
        """Take everything in ``scope``."""
        for directory, names in scope.names.items():
            self._names[directory].update(names)
            self._written.update((directory, name) for name, closed in names.items() if closed)
            if self._ignore_file and self._ignore_file in names:
                self.subtrees.add(directory)
        self._directories.update(scope.directories)
        self.subtrees.update(scope.subtrees)

    def ask_parent(self, path: str) -> None:
        """Let the parent say what is at ``path``."""
        parent, name = split(path)
        if path != ROOT and self._asked[parent, name] < _MOST_ASKED:
            self._asked[parent, name] += 1
            self._names[parent].setdefault(name, False)

    def ask(self, plan: Plan) -> None:
        """Look at what a batch could not settle: places without a row, and other names of files that have several."""
        for path in plan.unresolved:
            self.ask_parent(path)
        for directory, name, written in plan.linked:
            if written and (directory, name) in self._written:
                # It is what led to the other names.
                continue
            if self._asked[directory, name] < _MOST_ASKED:
                self._asked[directory, name] += 1
                self._names[directory][name] = self._names[directory].get(name, False) or written
                self.waiting += 1
                if written:
                    self._written.add((directory, name))

    def run(self, run: Run, *, is_all: bool = True) -> None:
        """Look until nothing is left but subtrees to walk.

        Args:
            run: the reconcile.
            is_all: whether nothing else is going on, so that what leads to no subtree ends the reconcile.
        """
        self.waiting = 0
        if not is_all:
            self._asked.clear()
        while self._names or self._directories:
            names, directories = self._take()
            observations = [self._tree.look(path, frozenset(wanted)) for path, wanted in names.items()]
            observations += [self._tree.observe(path, self._cover) for path in directories]
            for observation in observations:
                if has_vanished(observation.seen):
                    self.ask_parent(observation.path)
            rewritten = {path: {name for name, closed in wanted.items() if closed} for path, wanted in names.items()}
            last = is_all and not (self._names or self._directories or self.subtrees)
            plan = run.apply(observations, rewritten, may_be_last=last)
            self.take(plan)
            self._tree.refresh()

    def take(self, plan: Plan) -> None:
        """Note what a batch leads on to."""
        self.subtrees.update(plan.arrived)
        for path, troubled in plan.revisited:
            if troubled:
                self.subtrees.add(path)
            elif path not in self._listed:
                self._listed.add(path)
                self._directories.add(path)
        # A listing does not hold the files of a huge directory; a walk reads them in slices.
        self.subtrees.update(record.path for record, _ in plan.huge)
        self.ask(plan)

    def _take(self) -> tuple[dict[str, dict[str, bool]], list[str]]:
        """As much as fits one transaction."""
        names: dict[str, dict[str, bool]] = {}
        total = 0
        for path in list(islice(self._names, _DIRECTORIES_AT_ONCE)):
            wanted = self._names[path]
            names[path] = dict(islice(wanted.items(), _NAMES_AT_ONCE - total))
            total += len(names[path])
            if len(names[path]) == len(wanted):
                del self._names[path]
            else:
                self._names[path] = dict(islice(wanted.items(), len(names[path]), None))
            if total >= _NAMES_AT_ONCE:
                break
        if names:
            # No directory is both looked into and listed in one transaction: what is new in it would get two rows.
            return names, []
        directories = sorted(self._directories)[:_DIRECTORIES_AT_ONCE]
        self._directories.difference_update(directories)
        return names, directories
