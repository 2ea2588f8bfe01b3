"""faiss, loaded where its address space is: without, it ends the process and says nothing."""

import os

from longspan.indexer.running.proc import check_address_space

# What loading maps, measured: 300 MiB with one thread of BLAS, 470 with two.
LIBRARIES, A_THREAD = 224 << 20, 112 << 20

_named = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
_threads = int(_named) if _named.isdecimal() else len(os.sched_getaffinity(0))
check_address_space(LIBRARIES + A_THREAD * _threads)

import faiss  # noqa: E402  not before there is room for it

__all__ = ["faiss"]
