/* The k nearest seen so far, of answers and of candidates that are read: a max-heap over two
   parallel arrays, ordered by (distance, key).

   It is always full: start from ls_topk_clear. The order is total, so that what it holds does
   not depend on the order in which candidates come. */
#ifndef LONGSPAN_TOPK_H
#define LONGSPAN_TOPK_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define LS_NOBODY UINT32_MAX

typedef struct {
    float *dist;   /* (k,) */
    uint32_t *key; /* (k,) */
    size_t k;
} ls_topk;

static inline void ls_topk_clear(ls_topk top)
{
    for (size_t i = 0; i < top.k; i++) {
        top.dist[i] = INFINITY;
        top.key[i] = LS_NOBODY;
    }
}

static inline int ls_after(float da, uint32_t ka, float db, uint32_t kb)
{
    return da > db || (da == db && ka > kb);
}

static inline void ls_sift_down(ls_topk top, size_t at, float dist, uint32_t key)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= top.k)
            break;
        if (child + 1 < top.k
            && ls_after(top.dist[child + 1], top.key[child + 1], top.dist[child], top.key[child]))
            child++;
        if (!ls_after(top.dist[child], top.key[child], dist, key))
            break;
        top.dist[at] = top.dist[child];
        top.key[at] = top.key[child];
        at = child;
    }
    top.dist[at] = dist;
    top.key[at] = key;
}

/* Fold in one candidate that may be new. */
static inline void ls_topk_push(ls_topk top, float dist, uint32_t key)
{
    if (ls_after(top.dist[0], top.key[0], dist, key))
        ls_sift_down(top, 0, dist, key);
}

/* The same for a key that may be in the heap already: a copy changes nothing. */
static inline void ls_topk_push_once(ls_topk top, float dist, uint32_t key)
{
    if (!ls_after(top.dist[0], top.key[0], dist, key))
        return;
    uint32_t seen = 0;
    for (size_t i = 0; i < top.k; i++)
        seen |= top.key[i] == key;
    if (!seen)
        ls_sift_down(top, 0, dist, key);
}

/* The first place from `from` on where dist is not above bound; n when there is none.
   Most distances are above the heap's greatest, so 16 are compared at a time. */
static inline size_t ls_next_within(const float *dist, size_t from, size_t n, float bound)
{
    for (; from + 16 <= n; from += 16) {
        int within = 0;
        for (size_t i = 0; i < 16; i++)
            within += dist[from + i] <= bound;
        if (within)
            break;
    }
    while (from < n && !(dist[from] <= bound))
        from++;
    return from;
}

/* Make a heap of entries in any order. */
static inline void ls_topk_heapify(ls_topk top)
{
    for (size_t at = top.k / 2; at-- > 0;)
        ls_sift_down(top, at, top.dist[at], top.key[at]);
}

/* Turn the heap into a list, nearest first. */
static inline void ls_topk_sort(ls_topk top)
{
    for (ls_topk heap = top; heap.k > 1;) {
        const float dist = heap.dist[0];
        const uint32_t key = heap.key[0];
        heap.k--;
        const float last_dist = heap.dist[heap.k];
        const uint32_t last_key = heap.key[heap.k];
        heap.dist[heap.k] = dist;
        heap.key[heap.k] = key;
        ls_sift_down(heap, 0, last_dist, last_key);
    }
}

#endif
