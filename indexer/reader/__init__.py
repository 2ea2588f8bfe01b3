"""Vectors from wherever they are, as rows that have been checked.

    .npy                   2-d, C order, float32, float16, uint8 or int8
    .fbin .u8bin .i8bin    u32 n, u32 dim, then the rows (the format of big-ann-benchmarks)
    .fvecs .bvecs          each row after its own i32 dim (http://corpus-texmex.irisa.fr)
    a folder               its files of one of these formats, one after the other
"""

from longspan.indexer.reader.opening import open_vectors
from longspan.indexer.reader.vectors import Vectors

__all__ = ["Vectors", "open_vectors"]
