"""Ask for pages ahead of use, and skip the asking while it is known to be for nothing.

Why: asking for a posting costs 1.2 us even when it is in memory (measured here, 20 KB), 40 us a
query or a quarter of a warm one. So each part is asked for once, until a page fault that had to
wait for the disk shows that the kernel has dropped pages; then all count as not asked again.
"""

from libc.string cimport memset

import numpy as np

cdef class Asked:
    """What was asked for since pages were last seen to be missing; `parts` are the caller's."""

    def __init__(self, size_t parts):
        self.stamps = np.zeros(parts, np.uint8)
        self.epoch = 1

    cdef void ask(self, size_t part, const void *at, size_t bytes) noexcept nogil:
        """Start reading a part unless that was done in this epoch."""
        if self.is_new(part):
            ls_will_need(at, bytes)

    cdef bint is_new(self, size_t part) noexcept nogil:
        """Return whether a part was not asked for in this epoch; from now on it was."""
        cdef bint new = not self.has(part)
        self.mark(part)
        return new

    cdef bint has(self, size_t part) noexcept nogil:
        """Return whether a part was marked in this epoch."""
        return self.stamps[part] == self.epoch

    cdef void mark(self, size_t part) noexcept nogil:
        """Mark a part as asked for, or whatever else holds until pages are missing."""
        self.stamps[part] = self.epoch

    cdef void missed(self) noexcept nogil:
        """Begin a new epoch: pages that had been asked for were gone."""
        cdef unsigned char epoch = self.epoch  # read once: another thread may be doing the same
        if epoch == 255 and self.stamps.shape[0]:
            memset(&self.stamps[0], 0, self.stamps.shape[0])
        self.epoch = epoch + 1 if epoch < 255 else 1  # never 0, which stands for never asked
