/* Ask the kernel for pages of a mapped file before they are touched. */
#ifndef LONGSPAN_PAGES_H
#define LONGSPAN_PAGES_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* A request for more than a disk takes at once is cut off by the kernel without a word: at
   max(read_ahead_kb, max_sectors_kb), which is 128 or more nearly everywhere. */
enum { LS_ASKED_AT_ONCE = 128 << 10 };

static inline size_t ls_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Start reading [at, at + bytes) of a mapping; returns at once. A failure costs speed only. */
static inline void ls_will_need(const void *at, size_t bytes)
{
    const uintptr_t end = (uintptr_t)at + bytes;
    uintptr_t start = (uintptr_t)at & ~(uintptr_t)(ls_page_size() - 1);
    for (; start < end; start += LS_ASKED_AT_ONCE) {
        const size_t left = end - start;
        madvise((void *)start, left < LS_ASKED_AT_ONCE ? left : LS_ASKED_AT_ONCE, MADV_WILLNEED);
    }
}

/* Page faults of this thread so far that had to wait for the disk. */
static inline long ls_major_faults(void)
{
    struct rusage usage;
#ifdef RUSAGE_THREAD
    getrusage(RUSAGE_THREAD, &usage);
#else
    getrusage(RUSAGE_SELF, &usage);
#endif
    return usage.ru_majflt;
}

#endif
