/* The nearest of many candidates that each come once, by codes in memory or on a walk: more are held
   than are kept, and the rest is dropped when there is no room left. Which are kept does not depend
   on the order in which they come. A candidate is one word, its distance above its key, so that
   numbers order as they do, and neither taking one in nor dropping one is a branch that the
   processor must guess. */
#ifndef LONGSPAN_POOL_H
#define LONGSPAN_POOL_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "room.h"

enum {
    LS_OFFERED = 16, /* candidates that are looked at together */
    LS_SPARE = 128,  /* more room than twice what is kept: few kept are not sorted out too often */
    LS_FEW = 12      /* that are sorted by insertion */
};

typedef struct {
    uint64_t *held; /* (ls_pool_room(keep),) */
    size_t keep, count;
    float bound; /* what is farther is of no use */
} ls_pool;

static inline size_t ls_pool_room(size_t keep)
{
    return ls_plus(ls_times(2, keep), LS_SPARE);
}

static inline void ls_pool_clear(ls_pool *pool, size_t keep)
{
    pool->keep = keep;
    pool->count = 0;
    pool->bound = INFINITY;
}

/* The bits of a float order as an integer does once those of a negative one are turned round. */
static inline uint64_t ls_candidate(float dist, uint32_t key)
{
    uint32_t bits;
    memcpy(&bits, &dist, sizeof bits);
    bits ^= bits >> 31 ? UINT32_MAX : UINT32_C(1) << 31;
    return (uint64_t)bits << 32 | key;
}

static inline uint32_t ls_key(uint64_t candidate)
{
    return (uint32_t)candidate;
}

static inline float ls_dist(uint64_t candidate)
{
    uint32_t bits = (uint32_t)(candidate >> 32);
    float dist;
    bits ^= bits >> 31 ? UINT32_C(1) << 31 : UINT32_MAX;
    memcpy(&dist, &bits, sizeof dist);
    return dist;
}

static inline void ls_swap(uint64_t *a, uint64_t *b)
{
    const uint64_t kept = *a;
    *a = *b;
    *b = kept;
}

/* Put what is below some pivot of [low, high) before it; return where the pivot is then. */
static inline size_t ls_part(uint64_t *held, size_t low, size_t high)
{
    uint64_t *first = held + low, *last = held + high - 1, *middle = held + (low + high) / 2;
    if (*middle < *first)
        ls_swap(middle, first);
    if (*last < *first)
        ls_swap(last, first);
    if (*middle < *last)
        ls_swap(middle, last); /* the median of three is the last now */
    const uint64_t pivot = *last;
    size_t border = low;
    for (size_t i = low; i < high - 1; i++) {
        const uint64_t candidate = held[i];
        held[i] = held[border];
        held[border] = candidate;
        border += candidate < pivot;
    }
    ls_swap(held + border, last);
    return border;
}

/* Bring the `keep` nearest of those held to the front, and drop the rest. */
static inline void ls_pool_thin(ls_pool *pool)
{
    size_t low = 0, high = pool->count;
    uint64_t farthest = 0;
    if (high <= pool->keep)
        return;
    while (low < high) {
        const size_t at = ls_part(pool->held, low, high);
        if (at < pool->keep)
            low = at + 1;
        else
            high = at;
        if (low == pool->keep || high == pool->keep)
            break;
    }
    pool->count = pool->keep;
    for (size_t i = 0; i < pool->count; i++)
        farthest = pool->held[i] > farthest ? pool->held[i] : farthest;
    pool->bound = ls_dist(farthest);
}

/* Take in those of n candidates with the keys first, first + 1, ... that may be of use. */
static inline void ls_pool_offer(ls_pool *pool, const float *dist, size_t n, uint32_t first)
{
    for (size_t from = 0; from < n; from += LS_OFFERED) {
        const size_t some = n - from < LS_OFFERED ? n - from : LS_OFFERED;
        const float *near = dist + from;
        int within = 0;
        for (size_t i = 0; i < some; i++)
            within += near[i] <= pool->bound;
        if (!within)
            continue;
        if (pool->count + LS_OFFERED > ls_pool_room(pool->keep))
            ls_pool_thin(pool);
        for (size_t i = 0; i < some; i++) {
            pool->held[pool->count] = ls_candidate(near[i], first + (uint32_t)(from + i));
            pool->count += near[i] <= pool->bound;
        }
    }
}

/* Sort candidates, nearest first. */
static void ls_pool_order(uint64_t *held, size_t n)
{
    while (n > LS_FEW) {
        const size_t at = ls_part(held, 0, n);
        if (at < n - at - 1) { /* the shorter side by recursion: it is never deep */
            ls_pool_order(held, at);
            held += at + 1;
            n -= at + 1;
        } else {
            ls_pool_order(held + at + 1, n - at - 1);
            n = at;
        }
    }
    for (size_t i = 1; i < n; i++) {
        const uint64_t candidate = held[i];
        size_t j = i;
        for (; j > 0 && held[j - 1] > candidate; j--)
            held[j] = held[j - 1];
        held[j] = candidate;
    }
}

/* Drop what is not kept, and sort the rest, nearest first. */
static inline void ls_pool_sort(ls_pool *pool)
{
    ls_pool_thin(pool);
    ls_pool_order(pool->held, pool->count);
}

#endif
