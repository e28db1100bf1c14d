"""What the system says of this process: threads by name, memory, the clock."""

from __future__ import annotations

import threading

import numpy as np

from cstor.process import clock_state, cpu_ns, resident_bytes, thread_name


def test_it_counts_time_by_thread() -> None:
    done = threading.Event()
    worker = threading.Thread(target=lambda: (np.sort(np.random.default_rng(1).random(3_000_000)), done.wait(30)))
    worker.name = "capture-7"
    before = cpu_ns()
    worker.start()
    while cpu_ns().get("capture-7", 0) < 10_000_000:
        assert worker.is_alive()
    after = cpu_ns()
    done.set()
    worker.join()
    assert after["main"] >= before["main"] > 0


def test_it_adds_up_the_threads_of_a_pool() -> None:
    assert thread_name("publish_0") == thread_name("publish_1") == "publish"
    assert thread_name("MainThread") == "main"
    assert thread_name("capture-0") == "capture-0"


def test_it_sees_memory_grow() -> None:
    before = resident_bytes()
    held = np.ones(8_000_000)
    assert resident_bytes() - before > 0.8 * held.nbytes


def test_it_tells_whether_the_clock_is_kept_in_step() -> None:
    state = clock_state()
    assert state["synchronised"] in (True, False, None)
    assert state["max_error_s"] is None or state["max_error_s"] >= 0
