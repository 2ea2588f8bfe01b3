"""Raw postings, for the native search."""

from longspan.cext.scanner cimport Scanner


cdef class Postings(Scanner):
    pass
