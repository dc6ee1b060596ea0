import torch
from threadpoolctl import threadpool_info

from search.workers.single_thread import single_thread


def threads():
    return {each["num_threads"] for each in threadpool_info()} | {torch.get_num_threads()}


def test_libraries_compute_with_one_thread_inside_and_as_before_outside():
    torch.set_num_threads(2)
    try:
        before = threads()
        with single_thread():
            assert threads() == {1}
        assert threads() == before and 2 in before
    finally:
        torch.set_num_threads(1)
