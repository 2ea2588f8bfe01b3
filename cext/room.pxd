"""Memory of a size that was checked, for the other native modules."""

cdef extern from "room.h" nogil:
    size_t ls_times(size_t a, size_t b)
    size_t ls_plus(size_t a, size_t b)
    void *ls_room(size_t count, size_t size)
