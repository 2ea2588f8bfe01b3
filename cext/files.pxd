"""Whether mapped files still have their bytes, for the native search."""

from cython cimport final
from libc.stdint cimport int64_t


@final
cdef class Files:
    cdef readonly tuple paths
    cdef int[::1] handles
    cdef int64_t[::1] sizes
    cdef double looked

    cdef Py_ssize_t shrunk(self, double now) noexcept nogil
    cdef object fault(self, Py_ssize_t file)
