"""Vectors from wherever they are, as rows that have been checked.

    .npy                   2-d, C order, float32, float16, uint8 or int8
    .fbin .u8bin .i8bin    u32 n, u32 dim, then the rows (the format of big-ann-benchmarks)
    .fvecs .bvecs          each row after its own i32 dim (http://corpus-texmex.irisa.fr)
    .hdf5 .h5              a dataset, named FILE::DATASET (ann-benchmarks)
    .parquet               a column of lists, named FILE::COLUMN
    a folder               its files of one of these formats, one after the other
    s3://... https://...   one of these files, at any address that fsspec knows

What lies in a local file row by row is memory-mapped there. All else, chunks of HDF5, parquet and
remote files, is copied once, in bounded chunks, to a nameless file, and mapped from that.
"""

from longspan.indexer.reader.opening import open_vectors
from longspan.indexer.reader.vectors import Source, Vectors

__all__ = ["Source", "Vectors", "open_vectors"]
