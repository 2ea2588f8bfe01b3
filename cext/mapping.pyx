"""Files mapped one behind the other, so that the postings of all shards are one range of bytes."""

import os

from libc.stdint cimport uint8_t

cdef extern from "<sys/mman.h>" nogil:
    void *mmap(void *at, size_t size, int prot, int flags, int file, long offset) noexcept
    int munmap(void *at, size_t size) noexcept
    int madvise(void *at, size_t size, int advice) noexcept
    void *MAP_FAILED
    int PROT_NONE, PROT_READ, MAP_PRIVATE, MAP_SHARED, MAP_ANONYMOUS, MAP_NORESERVE, MAP_FIXED
    int MADV_RANDOM, MADV_DONTNEED

cdef enum:
    ALIGNED = 1 << 16  # the largest page of any system


cdef class Mapping:
    """A read-only buffer of the bytes of some files; nothing is read ahead.

    starts  where each file begins in it
    Raises OSError when a file cannot be mapped.
    """

    cdef uint8_t *base
    cdef size_t size
    cdef readonly tuple starts
    cdef Py_ssize_t shape[1]
    cdef Py_ssize_t strides[1]

    def __cinit__(self, paths):
        cdef size_t size, at
        cdef int file
        sizes = [os.path.getsize(path) for path in paths]
        starts = [0]
        for size in sizes:
            starts.append(starts[len(starts) - 1] + (size + ALIGNED - 1) // ALIGNED * ALIGNED)
        if not sizes or min(sizes) == 0:
            raise ValueError("want files to map, and none of them empty")
        self.starts = tuple(starts[: len(sizes)])
        # What lies between two files is mapped to nothing: whoever reads there is stopped.
        self.size = starts[len(sizes)]
        cdef void *base = mmap(
            NULL, self.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0
        )
        if base == MAP_FAILED:
            self.size = 0
            raise OSError(f"no room for a map of {starts[len(sizes)]} bytes")
        self.base = <uint8_t *>base
        for path, size, at in zip(paths, sizes, starts):
            file = os.open(path, os.O_RDONLY)
            base = mmap(self.base + at, size, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0)
            os.close(file)
            if base == MAP_FAILED:
                raise OSError(f"{path} cannot be mapped")
        madvise(self.base, self.size, MADV_RANDOM)

    def __dealloc__(self):
        if self.size:
            munmap(self.base, self.size)

    def release(self, size_t start, size_t stop):
        """Give the pages of some bytes back to the kernel; they can be read again."""
        cdef size_t first = start // ALIGNED * ALIGNED
        if first < stop <= self.size:
            madvise(self.base + first, stop - first, MADV_DONTNEED)

    def __len__(self):
        return self.size

    def __getbuffer__(self, Py_buffer *view, int flags):
        if flags & 1:  # PyBUF_WRITABLE
            raise BufferError("the files are mapped for reading")
        self.shape[0], self.strides[0] = self.size, 1
        view.buf, view.obj, view.len, view.itemsize = self.base, self, self.size, 1
        view.readonly, view.ndim, view.format = 1, 1, b"B"
        view.shape, view.strides, view.suboffsets, view.internal = (
            self.shape, self.strides, NULL, NULL
        )
