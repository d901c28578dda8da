"""Which directory each watch descriptor belongs to, as a tree, so that renaming a directory is one entry.

Plain data, no system calls, not locked: its owner sees to that.
"""

from __future__ import annotations

from collections.abc import Iterator

from censusd.model import ROOT, split


class Node:
    """One directory.

    A node knows its parent and its name, so its path is right whatever happens above it. Its parent knows it by name,
    unless another directory has taken the name meanwhile: then this node is *displaced* and keeps telling where it was
    until the kernel, a walk or ``forget`` says where it is.

    Attributes:
        parent: the directory it is in; None for the root.
        name: its name there, as catalogue text.
        wd: its watch descriptor; None for a directory that is only known because one below it is watched.
        children: what is known in it, by name; None as long as there is nothing.
        seen: the pass that covered it last.
    """

    __slots__ = ("children", "name", "parent", "seen", "wd")

    def __init__(self, parent: Node | None, name: str) -> None:
        self.parent = parent
        self.name = name
        self.wd: int | None = None
        self.children: dict[str, Node] | None = None
        self.seen = 0

    @property
    def path(self) -> str:
        """Its relative path, as far as is known."""
        names = []
        node = self
        while node.parent is not None:
            names.append(node.name)
            node = node.parent
        return "/".join(reversed(names))

    @property
    def paths(self) -> tuple[str, ...]:
        """Its path, as ``Spot`` has it."""
        return (self.path,)

    @property
    def is_attached(self) -> bool:
        """Whether its parent knows it by its name."""
        if self.parent is None:
            return True
        return self.parent.children is not None and self.parent.children.get(self.name) is self


class WatchTree:
    """The watched directories of one repository.

    Attributes:
        root: the root's node; it is there from the beginning, watched or not.
        by_wd: watch descriptor -> node, of all watched directories.
    """

    def __init__(self) -> None:
        self.root = Node(None, ROOT)
        self.by_wd: dict[int, Node] = {}

    def place(self, path: str, wd: int) -> Node:
        """Record that the directory at ``path`` has the watch ``wd``, which is not known yet."""
        if path == ROOT:
            node = self.root
            if node.wd is not None:  # another directory is the root now; the old one keeps what is below it
                node = self.root = Node(None, ROOT)
        else:
            node = self._node(path)
            if node.wd is not None:
                node = self._attach(Node(node.parent, node.name))
        node.wd = wd
        self.by_wd[wd] = node
        return node

    def move(self, node: Node, path: str) -> None:
        """Record that ``node`` was found at ``path``, with all that is below it."""
        if path == ROOT:
            self._detach(node)
            node.parent, node.name = None, ROOT
            self.root = node
        else:
            head, name = split(path)
            self.relocate(node, self._node(head), name)

    def relocate(self, node: Node, parent: Node, name: str) -> bool:
        """Record that ``node`` is ``name`` in ``parent`` now, with all that is below it.

        Returns:
            False if that cannot be, since ``parent`` is known to lie below ``node``: renames in between were lost, and
            a walk has to find out.
        """
        above: Node | None = parent
        while above is not None:
            if above is node:
                return False
            above = above.parent
        self._detach(node)
        node.parent, node.name = parent, name
        self._attach(node)
        return True

    def forget(self, node: Node) -> None:
        """Record that ``node`` is no longer watched. What is known below it stays."""
        if node.wd is not None:
            del self.by_wd[node.wd]
            node.wd = None
        if node.children is None:
            self._detach(node)

    def forget_subtree(self, node: Node) -> list[int]:
        """Record that ``node`` and all that is below it left the repository; the watches that are to be removed."""
        wds = []
        self._detach(node)
        for each in self._below(node):
            if each.wd is not None:
                wds.append(each.wd)
                del self.by_wd[each.wd]
                each.wd = None
        return wds

    def find(self, path: str) -> Node | None:
        """The node at ``path``, or None."""
        node: Node | None = self.root
        for name in path.split("/") if path else ():
            if node is None or node.children is None:
                return None
            node = node.children.get(name)
        return node

    def _node(self, path: str) -> Node:
        """The node at ``path``; made, with those above it, if there is none."""
        node = self.root
        for name in path.split("/") if path else ():
            children = node.children
            if children is None:
                children = node.children = {}
            below = children.get(name)
            if below is None:
                below = children[name] = Node(node, name)
            node = below
        return node

    def _attach(self, node: Node) -> Node:
        """Make ``node``'s parent know it by name, in place of whatever has that name."""
        parent = node.parent
        if parent is not None:
            if parent.children is None:
                parent.children = {}
            parent.children[node.name] = node
        return node

    def _detach(self, node: Node) -> None:
        """Take ``node`` out of its parent, and those above it that were there only for its sake."""
        while node.parent is not None and node.is_attached:
            parent = node.parent
            children = parent.children
            if children is not None:  # always: it is attached
                del children[node.name]
                parent.children = children or None
            if parent.children is not None or parent.wd is not None:
                return
            node = parent

    @staticmethod
    def _below(node: Node) -> Iterator[Node]:
        """``node`` and all that is below it."""
        stack = [node]
        while stack:
            node = stack.pop()
            yield node
            if node.children is not None:
                stack.extend(node.children.values())
