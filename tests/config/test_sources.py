"""Lists from files and directories: what counts as an entry, live re-reading, and what a bad re-read leaves alone."""

from __future__ import annotations

import mmap
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from eximacl.config.list_files import TEXT_BYTES_MAX
from eximacl.config.losses import HANDFUL, REST_SECONDS
from eximacl.config.problems import Missing, Problem, Refused
from eximacl.config.sources import RESTLESS_SECONDS, SETTLED_NANOSECONDS, Refreshed, Sources
from eximacl.mail.lists import Messages, Names, Networks, Recipients, Secrets, Suffixes
from tests.system.irregular import IRREGULAR

NOTHING = Refreshed((), ())
SECRET = "a-long-enough-secret"


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(tmp_path)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        *(one for one in IRREGULAR if one.id != "directory"),
        pytest.param(lambda path: path.write_text("a" * (TEXT_BYTES_MAX + 1)), "it is longer than 64 KiB", id="long"),
    ],
)
def test_a_text_that_cannot_be_read_is_named_and_keeps_the_others(
    tmp_path: Path, sources: Sources, make: Callable[[Path], None], text: str
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "joe").write_text("Gone.")
    bad = sources.open(tmp_path / "bad", Messages)
    make(tmp_path / "bad" / "ann")
    sources.refresh()
    (problem,) = sources.refresh().problems
    assert problem.message.startswith(f"bad/ann cannot be read: {text}")
    assert bad.match("joe", "example.org") == ("joe", "Gone.")


@pytest.mark.parametrize(
    ("prepare", "error", "text"),
    [
        pytest.param(Path.absolute, Missing, "list does not exist", id="missing"),
        pytest.param(lambda path: path.symlink_to(path), Refused, "list cannot be read: Too many levels", id="loop"),
        pytest.param(os.mkfifo, Refused, "list is neither a file nor a directory", id="fifo"),
        pytest.param(
            lambda path: path.write_bytes("sa\n".encode("utf-16")), Refused, "list is UTF-16: save it as", id="utf-16"
        ),
        pytest.param(
            lambda path: path.write_bytes("sa\n".encode("utf-16-be")), Refused, "list is not a text", id="utf-16-be"
        ),
        pytest.param(
            lambda path: path.write_bytes("sa\n".encode("utf-16-le")), Refused, "list is UTF-16", id="utf-16-le"
        ),
        pytest.param(lambda path: path.write_bytes(b"\x7fELF\2\1\1\0"), Refused, "list is not a text", id="binary"),
        pytest.param(lambda path: path.write_text("sa\n\na b\n"), Refused, "list line 3: 'a b' is not", id="entry"),
    ],
)
def test_what_cannot_be_opened(tmp_path: Path, sources: Sources, prepare: object, error: type, text: str) -> None:
    assert callable(prepare)
    prepare(tmp_path / "list")
    with pytest.raises(error, match=text):
        sources.open(tmp_path / "list", Suffixes)


def test_a_bad_list_that_vanishes_while_it_is_read(tmp_path: Path, sources: Sources) -> None:
    path = tmp_path / "list"

    class Vanishing(Names):
        def replace(self, entries: Iterable[str]) -> None:
            super().replace(entries)
            if len(self):
                path.unlink()
                raise ValueError("something is wrong")

    path.write_text("sa\n")
    with pytest.raises(Refused, match="list: something is wrong"):
        sources.open(path, Vanishing)


def test_a_list_named_twice_is_one_list(tmp_path: Path, sources: Sources) -> None:
    path = tmp_path / "list"
    path.write_text("sa\n")
    assert sources.open(path, Suffixes) is sources.open(path, Suffixes)
    assert len(sources) == 1


def test_an_empty_file_is_not_unused_since_it_may_be_filled(tmp_path: Path, sources: Sources) -> None:
    (tmp_path / "list").touch()
    assert not sources.open(tmp_path / "list", Names).unused
    assert [kind.unused for kind in (Names(), Names(["a"]))] == [True, False]


def test_a_list_that_was_refused_is_refused_again_under_another_key(tmp_path: Path, sources: Sources) -> None:
    for _ in range(2):
        with pytest.raises(Missing):
            sources.open(tmp_path / "list", Names)


def test_a_changed_file_is_read_once_it_is_still(tmp_path: Path, sources: Sources) -> None:
    path = tmp_path / "list"
    path.write_text("sa\n")
    tlds = sources.open(path, Suffixes)
    assert sources.refresh() == NOTHING
    with path.open("a") as file:
        file.write("v")
        file.flush()
        assert sources.refresh() == NOTHING
        file.write("n\n")
        file.flush()
        assert sources.refresh() == NOTHING
    assert list(tlds) == ["sa"]
    assert sources.refresh() == Refreshed(("list",), ())
    assert list(tlds) == ["sa", "vn"]
    assert sources.refresh() == NOTHING


def test_what_was_read_right_after_a_change_is_read_again_until_it_has_settled(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("aa\n")
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 3) as page:
        page[:2] = b"sa"  # from now on the page is dirty, and what is written to it leaves no trace in the file's times
        now = [path.stat().st_ctime_ns]
        sources = Sources(tmp_path, lambda: now[0])
        tlds = sources.open(path, Suffixes)
        page[:2] = b"vn"
        assert sources.refresh() == NOTHING
        assert list(tlds) == ["vn"]
        page[:2] = b"ws"
        now[0] += SETTLED_NANOSECONDS + 1
        assert sources.refresh() == NOTHING
        assert list(tlds) == ["ws"]
        page[:2] = b"ye"
        assert sources.refresh() == NOTHING
        assert list(tlds) == ["ws"]


def test_touching_a_file_in_a_directory_adds_an_entry(tmp_path: Path, sources: Sources) -> None:
    (tmp_path / "tld").mkdir()
    tlds = sources.open(tmp_path / "tld", Suffixes)
    assert tlds.match("mail.example.sa") is None
    (tmp_path / "tld" / "sa").touch()
    sources.refresh()
    sources.refresh()
    assert tlds.match("mail.example.sa") == "sa"
    (tmp_path / "tld" / "sa").unlink()
    sources.refresh()
    sources.refresh()
    assert tlds.match("mail.example.sa") is None


def test_a_changed_text_in_a_directory_is_read(tmp_path: Path, sources: Sources) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "joe").write_text("Gone.")
    bad = sources.open(tmp_path / "bad", Messages)
    (tmp_path / "bad" / "joe").write_text("Gone for good.")
    sources.refresh()
    sources.refresh()
    assert bad.match("joe", "example.org") == ("joe", "Gone for good.")


def test_a_file_replaced_by_a_directory_is_read(tmp_path: Path, sources: Sources) -> None:
    path = tmp_path / "list"
    path.write_text("sa\n")
    tlds = sources.open(path, Suffixes)
    path.unlink()
    path.mkdir()
    (path / "vn").touch()
    sources.refresh()
    sources.refresh()
    assert list(tlds) == ["vn"]


def test_a_bad_entry_keeps_the_old_ones_and_is_reported_once(tmp_path: Path, sources: Sources) -> None:
    path = tmp_path / "list"
    path.write_text("192.0.2.0/24\n")
    networks = sources.open(path, Networks)
    path.write_text("192.0.2.0/24\n198.51.100.300\nx\n")
    assert sources.refresh() == NOTHING
    changed, problems, _ = sources.refresh()
    assert changed == ()
    assert problems[0][:2] == ("list", "")
    assert problems[0].message.startswith("list line 2: '198.51.100.300' is not an IP address")
    assert problems[0].message.endswith("; what was read before stays in force (1 entry)")
    assert sources.refresh() == NOTHING
    assert "192.0.2.7" in networks
    path.write_text("198.51.100.0/24\n")
    assert [sources.refresh().changed for _ in range(2)] == [(), ("list",)]
    assert "192.0.2.7" not in networks


def test_a_vanished_directory_keeps_its_entries_until_it_is_back(tmp_path: Path, sources: Sources) -> None:
    path = tmp_path / "tld"
    path.mkdir()
    (path / "sa").touch()
    tlds = sources.open(path, Suffixes)
    shutil.rmtree(path)
    assert sources.refresh() == NOTHING
    gone = Problem("tld", "", "tld does not exist; what was read before stays in force (1 entry)")
    assert sources.refresh() == Refreshed((), (gone,))
    assert sources.refresh() == NOTHING
    assert list(tlds) == ["sa"]
    path.mkdir()
    (path / "vn").touch()
    sources.refresh()
    assert sources.refresh().changed == ("tld",)
    assert list(tlds) == ["vn"]


def test_one_bad_source_does_not_keep_others_from_being_read(tmp_path: Path, sources: Sources) -> None:
    bad, good = tmp_path / "bad", tmp_path / "good"
    for path in (bad, good):
        path.write_text("sa\n")
    tlds = [sources.open(path, Suffixes) for path in (bad, good)]
    bad.unlink()
    good.write_text("vn\nws\n")
    sources.refresh()
    changed, problems, _ = sources.refresh()
    assert changed == ("good",)
    assert [problem.file for problem in problems] == ["bad"]
    assert [list(one) for one in tlds] == [["sa"], ["vn", "ws"]]


def test_readers_see_the_old_or_the_new_entries_and_nothing_between(tmp_path: Path, sources: Sources) -> None:
    path = tmp_path / "list"
    halves = [[f"{half}{number}" for number in range(2000)] for half in "ab"]
    path.write_text("\n".join(halves[0]))
    names = sources.open(path, Names)
    mixed: list[int] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            if len(names) != 2000:
                mixed.append(len(names))

    reader = threading.Thread(target=read)
    reader.start()
    for round_ in range(20):
        path.write_text("\n".join(halves[round_ % 2]) + "\n" * round_)
        sources.refresh()
        sources.refresh()
    stop.set()
    reader.join()
    assert mixed == []


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644])
def test_secrets_that_everyone_may_read_are_refused(tmp_path: Path, sources: Sources, mode: int) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET)
    path.chmod(mode)
    with pytest.raises(Refused, match="secret holds secrets, and everyone may read or write it: chmod o= secret"):
        sources.open(path, Secrets)


def test_secrets_are_read_from_a_private_file_and_noticed_when_it_stops_being_one(
    tmp_path: Path, sources: Sources
) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}-new\n{SECRET}\n")
    path.chmod(0o640)
    secrets = sources.open(path, Secrets)
    assert list(secrets) == [f"{SECRET}-new".encode(), SECRET.encode()]
    path.chmod(0o644)
    sources.refresh()
    problem = sources.refresh().problems[0]
    assert "chmod o= secret" in problem.message
    assert len(secrets) == 2


def test_no_secret_stands_in_an_error(tmp_path: Path, sources: Sources) -> None:
    path = tmp_path / "secret"
    path.write_text("tooshort\n")
    path.chmod(0o600)
    with pytest.raises(Refused) as raised:
        sources.open(path, Secrets)
    assert raised.value.messages[0].startswith("secret line 1: a secret is shorter than")
    assert "tooshort" not in str(raised.value)


def test_secrets_are_no_directory(tmp_path: Path, sources: Sources) -> None:
    with pytest.raises(Refused, match="is not a file; secrets come from a file"):
        sources.open(tmp_path, Secrets)


def test_the_files_that_are_read(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("a\n")
    (tmp_path / "texts").mkdir()
    for name in ("sales", ".hidden", "old~"):
        (tmp_path / "texts" / name).touch()
    sources = Sources(tmp_path)
    sources.open(tmp_path / "list", Names)
    sources.open(tmp_path / "texts", Messages)
    with pytest.raises(Missing):
        sources.open(tmp_path / "missing", Names)
    assert [str(path.relative_to(tmp_path)) for path in sources.files()] == ["list", "texts", "texts/sales"]


class Clock:
    """A monotonic clock that stands until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def resting(tmp_path: Path, clock: Clock) -> Sources:
    return Sources(tmp_path, monotonic=clock)


def people(count: int) -> str:
    return "".join(f"user{number}\n" for number in range(count))


def later() -> int:
    """Return a time at which what was written now has settled."""
    return time.time_ns() + 2 * SETTLED_NANOSECONDS


def look(sources: Sources) -> Refreshed:
    """Look twice, so that what does not change is read."""
    assert not sources.refresh().changed
    return sources.refresh()


def test_a_list_that_loses_many_entries_counts_when_it_has_rested(
    tmp_path: Path, resting: Sources, clock: Clock
) -> None:
    path = tmp_path / "valid"
    path.write_text(people(1000))
    valid = resting.open(path, Recipients)
    path.write_text(people(500))
    changed, problems, warnings = look(resting)
    told = "valid has 500 entries and had 1,000, which stay in force until it has rested for 60 s; at once: "
    assert (changed, problems) == ((), ())
    assert [warning.message for warning in warnings] == [f"{told}eximacl reload --accept"]
    assert resting.problems() == (warnings[0].message,)
    assert resting.kept() == ()
    clock.now += REST_SECONDS - 1
    assert resting.refresh() == NOTHING
    assert len(valid) == 1000
    clock.now += 1
    assert resting.refresh().changed == ("valid",)
    assert len(valid) == 500
    assert resting.problems() == ()
    assert resting.refresh() == NOTHING


def test_a_writer_that_pauses_is_read_at_its_end_only(tmp_path: Path, resting: Sources, clock: Clock) -> None:
    path = tmp_path / "valid"
    path.write_text(people(1000))
    valid = resting.open(path, Recipients)
    with path.open("w") as file:
        file.write(people(400))
        file.flush()
        assert len(look(resting).warnings) == 1
        clock.now += REST_SECONDS / 2
        file.write(people(1000).removeprefix(people(400)))
        file.flush()
        clock.now += REST_SECONDS / 2
        assert resting.refresh() == NOTHING
        assert len(valid) == 1000
        assert resting.refresh().changed == ("valid",)
    assert len(valid) == 1000
    assert resting.problems() == ()


@pytest.mark.parametrize("content", ["", "user1\n", people(99)])
def test_a_list_that_has_lost_nearly_all_is_refused_however_long_it_rests(
    tmp_path: Path, resting: Sources, clock: Clock, content: str
) -> None:
    path = tmp_path / "valid"
    path.write_text(people(1000))
    valid = resting.open(path, Recipients)
    path.write_text(content)
    _, problems, warnings = look(resting)
    assert warnings == ()
    assert problems[0].message.endswith("had 1,000, which stay in force; if so few are meant: eximacl reload --accept")
    assert resting.kept() == resting.problems() == (problems[0].message,)
    clock.now += 2 * REST_SECONDS
    assert resting.refresh() == NOTHING
    assert len(valid) == 1000
    path.write_text(people(1001))
    assert look(resting).changed == ("valid",)
    assert len(valid) == 1001
    assert resting.problems() == ()


def test_a_handful_of_entries_may_go_at_once(tmp_path: Path, resting: Sources) -> None:
    path = tmp_path / "valid"
    path.write_text(people(HANDFUL + 1))
    valid = resting.open(path, Recipients)
    path.write_text("user0\n")
    assert look(resting).changed == ("valid",)
    assert len(valid) == 1
    path.write_text("")
    assert look(resting).changed == ("valid",)
    assert len(valid) == 0


@pytest.mark.parametrize(
    ("now", "count", "kept", "problem"),
    [
        pytest.param(people(1000), 1000, 0, "", id="the same"),
        pytest.param(people(995), 995, 0, "", id="a few less"),
        pytest.param(people(500), 1000, 0, "500 entries and had 1,000, which stay in force until", id="half"),
        pytest.param(people(50), 1000, 1, "50 entries and had 1,000, which stay in force; if", id="a twentieth"),
    ],
)
def test_another_configuration_keeps_the_entries_of_a_list_that_lost_too_many(
    tmp_path: Path, clock: Clock, now: str, count: int, kept: int, problem: str
) -> None:
    path = tmp_path / "valid"
    path.write_text(people(1000))
    old = Sources(tmp_path, later, clock)
    old.open(path, Recipients)
    path.write_text(now)
    for accept in (False, True):
        new = Sources(tmp_path, later, clock)
        valid = new.open(path, Recipients)
        accepted = new.take_over(old, accept=accept)
        assert accepted == ((f"valid has {now.count(chr(10))} entries and had 1,000",) if accept and problem else ())
        assert len(valid) == (now.count("\n") if accept else count)
        assert len(new.kept()) == (0 if accept else kept)
        assert problem in "".join(new.problems()) or accept
        assert new.refresh() == NOTHING
    new = Sources(tmp_path, later, clock)
    valid = new.open(path, Recipients)
    new.take_over(old)
    clock.now += REST_SECONDS
    new.refresh()
    assert len(valid) == (count if kept else now.count("\n"))


@pytest.mark.parametrize(
    ("before", "now", "waits"),
    [
        pytest.param(people(1000), people(995), True, id="a few less"),
        pytest.param(people(5), "", True, id="none"),
        pytest.param(people(5), "a\nb\nc\nd\ne\n", True, id="others"),
        pytest.param(people(5)[:-1], people(6)[:-2], True, id="no end of the last line, as before"),
        pytest.param(people(1000), people(1001), False, id="more"),
        pytest.param(people(5), people(5), False, id="the same"),
    ],
)
def test_a_reload_takes_no_list_that_is_just_being_written(
    tmp_path: Path, clock: Clock, before: str, now: str, waits: bool
) -> None:
    path = tmp_path / "valid"
    path.write_text(before)
    old = Sources(tmp_path, monotonic=clock)
    had = len(old.open(path, Recipients))
    path.write_text(now)
    new = Sources(tmp_path, monotonic=clock)
    valid = new.open(path, Recipients)
    has = len(valid)
    new.take_over(old)
    assert len(valid) == (had if waits else has)
    told = ["valid has just changed: it is read once it has been still for a second"]
    assert (list(new.waiting()), new.problems()) == (told if waits else [], ())
    assert new.refresh() == NOTHING
    assert len(valid) == (had if waits else has)
    assert new.refresh().changed == (("valid",) if waits else ())
    assert len(valid) == has
    assert list(new.waiting()) == []


def test_a_reload_takes_a_short_list_that_has_settled(tmp_path: Path) -> None:
    path = tmp_path / "valid"
    path.write_text(people(5))
    old = Sources(tmp_path)
    old.open(path, Recipients)
    path.write_text(people(4))
    new = Sources(tmp_path, later)
    valid = new.open(path, Recipients)
    new.take_over(old)
    assert (len(valid), list(new.waiting())) == (4, [])


@pytest.mark.parametrize("absolute", [False, True])
def test_only_the_lists_that_are_named_are_accepted(tmp_path: Path, absolute: bool) -> None:
    paths = [tmp_path / name for name in ("valid", "other")]
    old, new = Sources(tmp_path), Sources(tmp_path)
    for path in paths:
        path.write_text(people(100))
        old.open(path, Recipients)
        path.write_text(people(1))
    lists = [new.open(path, Recipients) for path in paths]
    accepted = new.take_over(old, accept=True, named=[str(paths[0]) if absolute else "valid"])
    assert accepted == ("valid has 1 entry and had 100",)
    assert [len(one) for one in lists] == [1, 100]
    assert [line[:9] for line in new.kept()] == ["other has"]


def test_names_of_lists_that_the_policy_has_not(tmp_path: Path, sources: Sources) -> None:
    (tmp_path / "valid").touch()
    sources.open(tmp_path / "valid", Recipients)
    assert list(sources.unknown(["valid", str(tmp_path / "valid")])) == []
    assert list(sources.unknown(["vaild", "other-one"])) == [
        "vaild is not a list of the policy; did you mean valid?",
        "other-one is not a list of the policy",
    ]


@pytest.mark.parametrize(
    ("now", "in_force", "said", "refused"),
    [
        (people(1000), 1000, "", False),
        (people(995), 1000, "", False),
        (people(500), 1000, "valid has 500 entries and had 1,000, which stay in force until", False),
        (people(50), 1000, "valid has 50 entries and had 1,000, which stay in force; if so few", True),
        (people(50), None, "", False),
    ],
)
def test_what_a_daemon_with_other_entries_would_say(
    tmp_path: Path, now: str, in_force: int | None, said: str, refused: bool
) -> None:
    path = tmp_path / "valid"
    path.write_text(now)
    sources = Sources(tmp_path)
    sources.open(path, Recipients)
    found = list(sources.losses({} if in_force is None else {str(path): in_force}))
    assert [(text.startswith(said), is_refused) for text, is_refused in found] == [(True, refused)] * bool(said)
    assert sources.sizes() == {str(path): now.count("\n")}


def test_a_daemon_keeps_the_entries_of_a_default_list_that_is_gone(tmp_path: Path) -> None:
    sources = Sources(tmp_path)
    sources.awaited(tmp_path / "tld", Suffixes, "checks.rdns_tld.tlds")
    assert sources.sizes() == {}
    assert [refused for _, refused in sources.losses({str(tmp_path / "tld"): 3})] == [True]


def test_a_reload_does_not_make_a_resting_list_rest_again(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "valid"
    path.write_text(people(1000))
    sources = Sources(tmp_path, monotonic=clock)
    sources.open(path, Recipients)
    path.write_text(people(500))
    look(sources)
    clock.now += REST_SECONDS - 1
    new = Sources(tmp_path, monotonic=clock)
    new.open(path, Recipients)
    new.take_over(sources)
    clock.now += 1
    assert new.refresh().changed == ("valid",)


def test_a_default_list_that_is_missing_is_read_when_it_comes(tmp_path: Path, sources: Sources) -> None:
    path = tmp_path / "tld"
    with pytest.raises(Missing):
        sources.open(path, Suffixes)
    tlds = sources.awaited(path, Suffixes, "checks.rdns_tld.tlds")
    assert list(sources.missing()) == [("checks.rdns_tld.tlds", "tld")]
    assert len(sources) == 0
    assert sources.refresh() == NOTHING
    path.write_text("sa\n")
    assert look(sources).changed == ("tld",)
    assert list(tlds) == ["sa"]
    assert list(sources.missing()) == []
    assert len(sources) == 1


def test_a_default_list_that_is_gone_at_a_reload_keeps_its_entries(tmp_path: Path, sources: Sources) -> None:
    path = tmp_path / "tld"
    path.write_text("sa\n")
    sources.open(path, Suffixes)
    path.unlink()
    for accept in (False, True):
        new = Sources(tmp_path)
        with pytest.raises(Missing):
            new.open(path, Suffixes)
        tlds = new.awaited(path, Suffixes, "checks.rdns_tld.tlds")
        accepted = new.take_over(sources, accept=accept)
        assert accepted == (("tld does not exist and had 1 entry",) if accept else ())
        assert list(tlds) == ([] if accept else ["sa"])
        gone = () if accept else ("tld does not exist; what was read before stays in force (1 entry)",)
        assert new.problems() == new.kept() == gone
        assert new.refresh() == NOTHING
    path.write_text("vn\n")
    look(new)
    assert list(tlds) == ["vn"]


def test_a_problem_is_gone_when_the_file_is_right_again(tmp_path: Path, sources: Sources) -> None:
    path = tmp_path / "tld"
    path.write_text("sa\n")
    sources.open(path, Suffixes)
    for content, lines in (("a b\n", 1), ("a b c\n", 1), ("sa\nvn\n", 0)):
        path.write_text(content)
        look(sources)
        assert len(sources.problems()) == len(sources.kept()) == lines


def test_a_list_is_found_by_its_path(tmp_path: Path, sources: Sources) -> None:
    path = tmp_path / "list"
    path.write_text("sa\n")
    found = sources.open(path, Suffixes), sources.open(path, Names)
    assert sources.find(path) == found
    assert sources.find(tmp_path) == ()


def test_a_file_cut_off_in_its_last_line_does_not_count(tmp_path: Path, resting: Sources, clock: Clock) -> None:
    path = tmp_path / "tlds"
    path.write_text("sa\ncom.br\n")
    tlds = resting.open(path, Suffixes)
    path.write_text("sa\ncom")
    assert "2 entries and no end of its last line" in look(resting).problems[0].message
    clock.now += REST_SECONDS
    assert resting.refresh() == NOTHING
    assert tlds.match("mx.example.com") is None
    path.write_text("sa\ncom.br")
    look(resting)
    clock.now += REST_SECONDS
    assert resting.refresh().changed == ("tlds",)
    path.write_text("sa\ncom")
    assert look(resting).changed == ("tlds",)


def test_a_new_last_line_without_an_end_counts_when_it_has_rested(
    tmp_path: Path, resting: Sources, clock: Clock
) -> None:
    path = tmp_path / "tlds"
    path.write_text("sa\n")
    tlds = resting.open(path, Suffixes)
    path.write_text("sa\nnet")
    assert "2 entries and no end of its last line" in look(resting).warnings[0].message
    assert list(tlds) == ["sa"]
    clock.now += REST_SECONDS
    assert resting.refresh().changed == ("tlds",)


def test_the_beginning_of_a_longer_list_has_to_rest(tmp_path: Path, resting: Sources, clock: Clock) -> None:
    path = tmp_path / "valid"
    path.write_text(people(500))
    valid = resting.open(path, Recipients)
    first = "".join(f"a{number}\n" for number in range(520))
    path.write_text(first)
    (problem,) = look(resting).problems
    assert problem.message.startswith("valid has 520 entries and lacks 500 of the 500 that it had, which stay in force")
    clock.now += REST_SECONDS
    assert resting.refresh() == NOTHING
    assert valid.match("user499", "example.org")
    path.write_text(first + people(500))
    assert look(resting).changed == ("valid",)
    assert len(valid) == 1020
    path.write_text(people(300) + first)
    assert "has 820 entries and had 1,020, which stay in force until" in look(resting).warnings[0].message


def test_a_list_that_is_never_still_is_told_once(tmp_path: Path, resting: Sources, clock: Clock) -> None:
    path = tmp_path / "valid"
    path.write_text("steve\n")
    valid = resting.open(path, Recipients)
    told: list[str] = []
    for number in range(int(RESTLESS_SECONDS) + 10):
        path.write_text(f"steve\njoe{'x' * (number % 2)}\n")
        clock.now += 1
        told += (problem.message for problem in resting.refresh().problems)
    often = "valid has changed at each look for 300 s, so it was not read: write it less often; what was read before"
    assert [message.startswith(often) for message in told] == [True]
    assert len(valid) == len(resting.kept()) == 1
    assert resting.refresh().changed == ("valid",)
    assert len(valid) == 2
    assert resting.problems() == ()
