"""What has to be looked at, in bounded memory.

A mark says *look here*, never what happened. When there are too many, several become one that covers them all and costs
a longer look: names become their directory's listing, directories become their parent's subtree, and in the end the
whole repository is walked. Nothing that was marked is ever forgotten.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from censusd.model import ROOT, Scope, split
from censusd.watch.batch import Place

_MOST_FOLDING_ROUNDS: Final = 64


class Mark:
    """One thing to look at.

    Attributes:
        directory: relative path of the directory it is in, or that it is.
        name: the name to look at; None to look at the directory itself.
        subtree: where there is no name, whether to walk all that is below instead of listing the directory.
        written: whether a writer has closed the name.
        first: when it was marked first.
        last: when it was marked last.
        partners: marks that have to be looked at together with this one, since a rename connects them.
    """

    __slots__ = ("directory", "first", "last", "name", "partners", "subtree", "written")

    def __init__(self, directory: str, name: str | None, now: float) -> None:
        self.directory = directory
        self.name = name
        self.subtree = False
        self.written = False
        self.first = now
        self.last = now
        self.partners: set[Mark] | None = None


class Marks:
    """A bounded collection of marks; each directory has names, a listing, or a subtree, and nothing below a subtree.

    Plain data, not locked: its owner sees to that, and gives it times that never go back.

    Args:
        names_per_directory: names in one directory beyond which the directory is listed instead.
        most_names: names in all directories beyond which the fullest directories are listed instead.
        most_directories: directories beyond which those with the most siblings are walked from their parent instead.
        rules_file: a name that says what holds in its directory and below: where it would become part of a listing, the
            directory is walked instead. Empty for none.

    Attributes:
        rules_file: as given; may be changed.
        by_first: every mark, in the order of its first time.
        by_last: every mark, in the order of its last time.
        folds: how often marks became fewer, wider ones to keep within the bounds.
    """

    def __init__(self, names_per_directory: int, most_names: int, most_directories: int, rules_file: str = "") -> None:
        self._names_per_directory = names_per_directory
        self._most_names = most_names
        self._most_directories = most_directories
        self.rules_file = rules_file
        self._names: dict[str, dict[str, Mark]] = {}
        self._name_count = 0
        self._listings: dict[str, Mark] = {}
        self._subtrees: dict[str, Mark] = {}
        # Ordered dictionaries, since an end can be taken from these in constant time, again and again.
        self.by_first: OrderedDict[Mark, None] = OrderedDict()
        self.by_last: OrderedDict[Mark, None] = OrderedDict()
        self.folds = 0

    def add_names(self, directory: str, names: Mapping[str, bool], now: float) -> None:
        """Mark names in a directory; True where a writer has closed the name."""
        if directory in self._listings and self.rules_file in names:
            self.add_subtrees((directory,), now)
            return
        wider = self._listings.get(directory) or self._subtree_over(directory)
        if wider is not None:
            self._touch(wider, now)
            return
        marks = self._names.setdefault(directory, {})
        by_first, by_last = self.by_first, self.by_last
        before = len(marks)
        for name, written in names.items():
            mark = marks.get(name)
            if mark is None:
                mark = marks[name] = Mark(directory, name, now)
                by_first[mark] = by_last[mark] = None
            else:
                mark.last = now
                by_last.move_to_end(mark)
            if written:
                mark.written = True
        self._name_count += len(marks) - before
        if not marks:
            del self._names[directory]
        elif len(marks) > self._names_per_directory:
            self.folds += 1
            self.add_listing(directory, now)

    def add_listing(self, directory: str, now: float) -> None:
        """Mark a directory to be listed, in place of the names marked in it."""
        wider = self._listings.get(directory) or self._subtree_over(directory)
        if wider is not None:
            self._touch(wider, now)
        elif self.rules_file in self._names.get(directory, ()):
            self.add_subtrees((directory,), now)
        else:
            marks = self._pop_directory(directory) if directory in self._names else []
            self._listings[directory] = self._merge(marks, directory, now)

    def add_subtrees(self, paths: Iterable[str], now: float) -> None:
        """Mark subtrees, in place of all that is marked below them. All at once, since it goes through all marks."""
        wanted = set()
        for path in paths:
            wider = self._subtree_over(path)
            if wider is None:
                wanted.add(path)
            else:
                self._touch(wider, now)
        if not wanted:
            return
        swallowed: dict[str, list[Mark]] = {path: [] for path in wanted if _outermost(path, wanted) == path}
        for directory in self._directories():
            path_over = _outermost(directory, wanted)
            if path_over is not None:
                swallowed[path_over] += self._pop_directory(directory)
        for path, marks in swallowed.items():
            self._subtrees[path] = self._merge(marks, path, now, subtree=True)

    def link(self, origin: Place, target: Place) -> None:
        """See to it that both ends of a rename are looked at together."""
        one, other = self._covering(*origin), self._covering(*target)
        if one is not None and other is not None and one is not other:
            _partners(one).add(other)
            _partners(other).add(one)

    def fold(self, now: float) -> None:
        """Get back within the bounds; by half, so that the next time is far away."""
        if self._name_count > self._most_names:
            for directory in sorted(self._names, key=lambda each: len(self._names[each]), reverse=True):
                self.folds += 1
                self.add_listing(directory, now)
                if self._name_count <= self._most_names // 2:
                    break
        if self._directory_count() > self._most_directories:
            self.folds += 1
            self._fold_directories(now)

    def remove(self, mark: Mark, removed: list[Mark]) -> None:
        """Move a mark, and all that has to be looked at together with it, to ``removed``."""
        stack = [mark]
        while stack:
            mark = stack.pop()
            if mark not in self.by_first:
                continue
            del self.by_first[mark], self.by_last[mark]
            removed.append(mark)
            stack.extend(mark.partners or ())
            if mark.name is None:
                self._pop_directory(mark.directory)
            else:
                names = self._names[mark.directory]
                del names[mark.name]
                self._name_count -= 1
                if not names:
                    del self._names[mark.directory]

    def _subtree_over(self, path: str) -> Mark | None:
        """The subtree mark that covers the directory ``path``, if there is one."""
        if not self._subtrees:
            return None
        while True:
            mark = self._subtrees.get(path)
            if mark is not None or path == ROOT:
                return mark
            path, _ = split(path)

    def _covering(self, directory: str, name: str) -> Mark | None:
        """The mark that will have ``name`` in ``directory`` looked at."""
        mark = self._names.get(directory, {}).get(name) or self._listings.get(directory)
        return mark or self._subtree_over(directory)

    def _touch(self, mark: Mark, now: float) -> None:
        mark.last = now
        self.by_last.move_to_end(mark)

    def _merge(self, marks: list[Mark], directory: str, now: float, *, subtree: bool = False) -> Mark:
        """One mark for a directory, in place of others, and as old as the oldest of them."""
        if not marks:
            marks = [Mark(directory, None, now)]
            self.by_first[marks[0]] = self.by_last[marks[0]] = None
        merged = min(marks, key=lambda mark: mark.first)
        for mark in marks:
            if mark is not merged:
                del self.by_first[mark], self.by_last[mark]
                for partner in mark.partners or ():
                    _partners(partner).remove(mark)
                    _partners(partner).add(merged)
                    _partners(merged).add(partner)
        if merged.partners is not None:
            merged.partners.discard(merged)
        merged.directory, merged.name, merged.subtree = directory, None, subtree
        self._touch(merged, now)
        return merged

    def _pop_directory(self, directory: str) -> list[Mark]:
        """Take what is marked of a directory out of where it is found by path."""
        names = self._names.pop(directory, None)
        if names is not None:
            self._name_count -= len(names)
            return list(names.values())
        return [(self._listings if directory in self._listings else self._subtrees).pop(directory)]

    def _directories(self) -> list[str]:
        return [*self._names, *self._listings, *self._subtrees]

    def _directory_count(self) -> int:
        return len(self._names) + len(self._listings) + len(self._subtrees)

    def _fold_directories(self, now: float) -> None:
        """Walk the parents of the largest families of siblings instead, then theirs, until there are few enough."""
        enough = self._most_directories // 2
        for _ in range(_MOST_FOLDING_ROUNDS):
            families = Counter(split(path)[0] for path in self._directories() if path != ROOT)
            parents: list[str] = []
            left = self._directory_count()
            for parent, size in families.most_common():
                # Only children gain nothing by themselves; they go up when there is nothing else.
                if left <= enough or (size == 1 and parents):
                    break
                parents.append(parent)
                left -= size - 1
            self.add_subtrees(parents, now)
            if self._directory_count() <= enough:
                return
        self.add_subtrees((ROOT,), now)


def scope_of(marks: list[Mark]) -> Scope:
    """What a reconcile has to look at to settle these marks."""
    names: dict[str, dict[str, bool]] = {}
    for mark in marks:
        if mark.name is not None:
            names.setdefault(mark.directory, {})[mark.name] = mark.written
    return Scope(
        subtrees=tuple(mark.directory for mark in marks if mark.subtree),
        directories=tuple(mark.directory for mark in marks if mark.name is None and not mark.subtree),
        names=names,
    )


def _partners(mark: Mark) -> set[Mark]:
    if mark.partners is None:
        mark.partners = set()
    return mark.partners


def _outermost(path: str, paths: Collection[str]) -> str | None:
    """The shortest of ``paths`` that is ``path`` or lies above it."""
    found = None
    while True:
        if path in paths:
            found = path
        if path == ROOT:
            return found
        path, _ = split(path)
