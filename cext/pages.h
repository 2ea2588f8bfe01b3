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

/* Start reading [at, at + bytes) of a mapping; returns at once. A failure costs speed only. */
static inline void ls_will_need(const void *at, size_t bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
    const uintptr_t start = (uintptr_t)at & ~page;
    madvise((void *)start, (uintptr_t)at + bytes - start, MADV_WILLNEED);
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
