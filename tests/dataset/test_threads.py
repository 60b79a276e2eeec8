import threading
import time
from itertools import count
from threading import Event

import pytest

from paring.dataset.threads import cores, share_out


def none_left() -> bool:
    return not [t for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor")]


@pytest.mark.parametrize("workers", [0, 1, 5])
def test_every_job_is_done_once(workers: int) -> None:
    done: list[int] = []
    stop = Event()
    share_out(iter(range(1000)), done.append, workers=workers, stop=stop)
    assert sorted(done) == list(range(1000))
    assert stop.is_set()
    assert none_left()


def test_as_many_jobs_run_at_a_time_as_there_are_workers() -> None:
    together = threading.Barrier(3)
    share_out(iter(range(6)), lambda _: together.wait(20), workers=3, stop=Event())
    assert not together.broken


def test_the_caller_watches_while_jobs_run_and_after_the_last() -> None:
    done: list[int] = []
    seen: list[tuple[int, threading.Thread]] = []

    def work(job: int) -> None:
        time.sleep(0.15)
        done.append(job)

    def watch() -> None:
        seen.append((len(done), threading.current_thread()))

    share_out(iter(range(3)), work, workers=1, stop=Event(), watch=watch)
    assert len(seen) > 1
    assert seen[-1] == (3, threading.current_thread())
    assert {thread for _, thread in seen} == {threading.current_thread()}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_of_one_stops_all_and_is_raised(error: type[BaseException]) -> None:
    stop = Event()

    def work(job: int) -> None:
        if job == 10:
            raise error("enough")
        time.sleep(0.001)

    with pytest.raises(error, match="enough"):
        share_out(count(), work, workers=4, stop=stop)
    assert stop.is_set()
    assert none_left()


def test_an_error_in_drawing_a_job_is_raised() -> None:
    def jobs():
        yield 1
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        share_out(jobs(), lambda _: None, workers=1, stop=Event())


def test_an_interrupt_of_the_caller_stops_all() -> None:
    stop = Event()

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        share_out(count(), lambda _: time.sleep(0.001), workers=2, stop=stop, watch=interrupt)
    assert stop.is_set()
    assert none_left()


def test_a_job_may_stop_all_without_an_error() -> None:
    done: list[int] = []
    stop = Event()

    def work(job: int) -> None:
        done.append(job)
        if job == 3:
            stop.set()

    share_out(count(), work, workers=1, stop=stop)
    assert done == [0, 1, 2, 3]


def test_there_is_at_least_one_core() -> None:
    assert cores() >= 1
