from __future__ import annotations

from censusd.watch.uncovered import Uncovered


def test_a_pass_replaces_the_account_of_the_one_before() -> None:
    account = Uncovered()
    account.begin_pass()
    for path in ("a", "b", "c"):
        account.add(path, "ENOSPC")
    assert len(account) == 3
    account.end_pass()
    account.begin_pass()
    account.add("b", "ENOSPC")
    assert len(account) == 3  # the last complete one counts until this one is complete
    assert account.paths() == (["a", "b", "c"], True)
    account.end_pass()
    assert account.paths() == (["b"], True)
    assert len(account) == 1


def test_between_passes_it_learns_what_it_can() -> None:
    account = Uncovered()
    account.add("a", "ENOSPC")
    account.add("a", "ENOMEM")
    assert len(account) == 1
    assert account.reason == "ENOMEM"
    account.discard("a")
    account.discard("unknown")
    assert len(account) == 0


def test_more_than_can_be_remembered_are_counted() -> None:
    account = Uncovered(remembered=2)
    for attempt in range(2):
        account.begin_pass()
        for path in ("a", "b", "c", "d"):
            account.add(path, "ENOSPC")
        assert len(account) == 4, attempt
        account.end_pass()
        assert len(account) == 4, attempt
    assert account.paths() == (["a", "b"], False)


def test_a_directory_that_is_covered_in_the_end_does_not_count() -> None:
    account = Uncovered()
    account.begin_pass()
    account.add("a", "ENOSPC")
    account.discard("a")
    account.end_pass()
    assert len(account) == 0


def test_people_are_told_once_with_the_numbers_of_a_complete_pass() -> None:
    account = Uncovered()
    assert not account.take_report()
    account.begin_pass()
    account.add("a", "ENOSPC")
    assert not account.take_report()
    account.end_pass()
    assert account.take_report()
    assert not account.take_report()
    account.add("b", "ENOSPC")
    assert not account.take_report()
    account.begin_pass()
    account.end_pass()
    assert not account.take_report()
    account.add("c", "ENOSPC")  # it was well in between
    assert account.take_report()


def test_a_pass_that_never_ends_does_not_hide_what_it_found() -> None:
    account = Uncovered()
    account.begin_pass()
    account.add("a", "ENOSPC")
    account.abandon_pass()
    assert len(account) == 1
    assert account.take_report()
    account.begin_pass()
    account.abandon_pass()
    assert len(account) == 1
