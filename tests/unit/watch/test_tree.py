from __future__ import annotations

from censusd.watch.tree import Node, WatchTree


def planted(*paths: str) -> WatchTree:
    """A tree with a watch for the root (1) and for each path in turn (2, 3, ...)."""
    tree = WatchTree()
    for wd, path in enumerate(("", *paths), start=1):
        tree.place(path, wd)
    return tree


def paths(tree: WatchTree) -> dict[int, str]:
    return {wd: node.path for wd, node in tree.by_wd.items()}


def found(tree: WatchTree, path: str) -> Node:
    node = tree.find(path)
    assert node is not None, path
    return node


def test_a_directory_is_found_by_watch_and_by_path() -> None:
    tree = planted("a", "a/b", "c")
    assert paths(tree) == {1: "", 2: "a", 3: "a/b", 4: "c"}
    assert tree.find("a/b") is tree.by_wd[3]
    assert tree.find("") is tree.root
    assert tree.find("a/x") is None
    assert tree.find("c/x/y") is None


def test_renaming_a_directory_renames_everything_below_it() -> None:
    tree = planted("a", "a/b", "a/b/c", "d")
    assert tree.relocate(tree.by_wd[2], tree.by_wd[5], "new")
    assert paths(tree) == {1: "", 2: "d/new", 3: "d/new/b", 4: "d/new/b/c", 5: "d"}
    assert tree.find("a") is None


def test_a_directory_never_moves_below_itself() -> None:
    tree = planted("a", "a/b")
    assert not tree.relocate(tree.by_wd[2], tree.by_wd[3], "loop")
    assert not tree.relocate(tree.by_wd[2], tree.by_wd[2], "loop")
    assert not tree.relocate(tree.root, tree.by_wd[2], "loop")
    assert paths(tree) == {1: "", 2: "a", 3: "a/b"}


def test_a_directory_whose_name_was_taken_keeps_its_path_until_it_is_found_again() -> None:
    tree = planted("a", "a/b")
    old = tree.by_wd[2]
    new = tree.place("a", 9)
    assert not old.is_attached
    assert new.is_attached
    assert paths(tree) == {1: "", 2: "a", 3: "a/b", 9: "a"}
    tree.relocate(old, tree.root, "z")
    assert paths(tree) == {1: "", 2: "z", 3: "z/b", 9: "a"}
    assert tree.find("a") is new


def test_a_directory_that_is_found_elsewhere_moves_there_with_what_is_on_the_way() -> None:
    tree = planted("a", "a/b")
    tree.move(tree.by_wd[3], "x/y/z")
    assert paths(tree) == {1: "", 2: "a", 3: "x/y/z"}
    assert found(tree, "x/y").wd is None


def test_a_directory_that_is_not_watched_stays_known_as_long_as_something_below_it_is() -> None:
    tree = planted("a", "a/b")
    tree.forget(tree.by_wd[2])
    assert found(tree, "a").wd is None
    assert paths(tree) == {1: "", 3: "a/b"}
    tree.forget(tree.by_wd[3])
    assert tree.find("a") is None
    assert tree.root.children is None


def test_a_subtree_that_left_names_its_watches() -> None:
    tree = planted("a", "a/b", "a/b/c", "ab")
    assert sorted(tree.forget_subtree(tree.by_wd[2])) == [2, 3, 4]
    assert paths(tree) == {1: "", 5: "ab"}
    assert tree.find("a") is None


def test_another_root_takes_the_place_of_the_old_one() -> None:
    tree = planted("a")
    old = tree.root
    assert tree.place("", 9) is tree.root is not old
    assert tree.find("a") is None
    assert paths(tree) == {1: "", 2: "a", 9: ""}
    tree.move(old, "was the root")
    assert paths(tree)[2] == "was the root/a"


def test_a_directory_below_may_become_the_root() -> None:
    tree = planted("a", "a/b")
    tree.move(tree.by_wd[2], "")
    assert tree.root is tree.by_wd[2]
    assert paths(tree) == {1: "", 2: "", 3: "b"}


def test_a_root_that_lost_its_watch_gets_another_and_keeps_what_is_below() -> None:
    tree = planted("a")
    tree.forget(tree.root)
    tree.place("", 9)
    assert paths(tree) == {2: "a", 9: ""}
    assert tree.find("a") is tree.by_wd[2]


def test_depth_does_not_matter() -> None:
    path = "/".join(["d"] * 5_000)
    tree = planted(path)
    assert tree.by_wd[2].path == path
    tree.forget(tree.by_wd[2])
    assert tree.root.children is None
