/* Memory of a size that was checked: every allocation of native code goes through here. */
#ifndef LONGSPAN_ROOM_H
#define LONGSPAN_ROOM_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* a * b, or SIZE_MAX, which no memory has, where that overflows. */
static inline size_t ls_times(size_t a, size_t b)
{
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

/* a + b, or SIZE_MAX where that overflows. */
static inline size_t ls_plus(size_t a, size_t b)
{
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

/* Room for count things of size bytes each, to be freed; NULL when there is not so much. */
static inline void *ls_room(size_t count, size_t size)
{
    const size_t bytes = ls_times(count, size);
    return bytes > PTRDIFF_MAX ? NULL : malloc(bytes ? bytes : 1);
}

#endif
