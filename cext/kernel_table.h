/* All kernels of an instruction set, and its table.

   Define LS_TARGET and LS_NAME, and for integers (I) and floats (F) the vector macros
   xVEC xWIDTH xZERO xREDUCE xREDUCE4 xSUB_STEP xDOT_STEP, with the loads LOAD_U8 LOAD_I8 LOAD_F16 LOAD_F32;
   for bytes of 7 and 8 bits BYTES, how many a step takes, LOAD_BYTES, and BYTES_DOT_STEP into an IVEC;
   and for codes LOAD_HALF, of one half-precision number, FWIDE, the floats of a register, and
   BWIDE and LOOK_UP (kernel_scan.h);
   for squared lengths of floats DVEC DZERO DREDUCE, and DSQUARE_STEP(acc, x) of an FVEC x; and
   CRC_WORD of checksums. */

/* Four sums one by one, where an instruction set has no better way. */
#define REDUCE_EACH(sums, a, b, c, d) \
    (sums[0] = REDUCE(a), sums[1] = REDUCE(b), sums[2] = REDUCE(c), sums[3] = REDUCE(d))

#define SCALAR_L2(q, x) (((q) - (x)) * ((q) - (x)))
#define SCALAR_DOT(q, x) ((q) * (x))
#define HALF_L2(q, x) (((q) - ls_half(x)) * ((q) - ls_half(x)))
#define HALF_DOT(q, x) ((q) * ls_half(x))

#define SUM int32_t
#define VEC IVEC
#define WIDTH IWIDTH
#define ZERO IZERO
#define REDUCE IREDUCE
#define REDUCE4 IREDUCE4

#define ROW uint8_t
#define QUERY uint8_t
#define LOADQ LOAD_U8
#define LOADX LOAD_U8
#define NAME l2_u8
#define STEP ISUB_STEP
#define TAIL SCALAR_L2
#include "kernel_rows.h"
#define NAME dot_u8
#define STEP IDOT_STEP
#define TAIL SCALAR_DOT
#include "kernel_rows.h"
#undef ROW
#undef QUERY
#undef LOADQ
#undef LOADX

#define ROW int8_t
#define QUERY int8_t
#define LOADQ LOAD_I8
#define LOADX LOAD_I8
#define NAME l2_i8
#define STEP ISUB_STEP
#define TAIL SCALAR_L2
#include "kernel_rows.h"
#define NAME dot_i8
#define STEP IDOT_STEP
#define TAIL SCALAR_DOT
#include "kernel_rows.h"
#undef ROW
#undef LOADQ
#undef LOADX
#undef QUERY
#undef WIDTH

#define ROW int8_t
#define QUERY uint8_t
#define WIDTH BYTES
#define LOADQ LOAD_BYTES
#define LOADX LOAD_BYTES
#define NAME byte_dots
#define STEP BYTES_DOT_STEP
#define TAIL SCALAR_DOT
#include "kernel_rows.h"
#undef ROW
#undef LOADQ
#undef LOADX
#undef QUERY
#undef SUM
#undef VEC
#undef WIDTH
#undef ZERO
#undef REDUCE
#undef REDUCE4

#define SUM float
#define VEC FVEC
#define WIDTH FWIDTH
#define ZERO FZERO
#define REDUCE FREDUCE
#define REDUCE4 FREDUCE4
#define QUERY float
#define LOADQ LOAD_F32

#define ROW uint16_t
#define LOADX LOAD_F16
#define NAME l2_f16
#define STEP FSUB_STEP
#define TAIL HALF_L2
#include "kernel_rows.h"
#define NAME dot_f16
#define STEP FDOT_STEP
#define TAIL HALF_DOT
#include "kernel_rows.h"
#undef ROW
#undef LOADX

#define ROW float
#define LOADX LOAD_F32
#define NAME l2_f32
#define STEP FSUB_STEP
#define TAIL SCALAR_L2
#include "kernel_rows.h"
#define NAME dot_f32
#define STEP FDOT_STEP
#define TAIL SCALAR_DOT
#include "kernel_rows.h"

#undef ROW
#undef LOADX
#undef VEC
#undef ZERO
#undef REDUCE

#define SCALAR_SQUARE(x) ((double)(x) * (double)(x))
#define HALF_SQUARE(x) SCALAR_SQUARE(ls_half(x))

#define VEC DVEC
#define ZERO DZERO
#define REDUCE DREDUCE

#define NAME square_f16
#define ROW uint16_t
#define STEP(acc, p) DSQUARE_STEP(acc, LOAD_F16(p))
#define TAIL HALF_SQUARE
#include "kernel_square.h"
#define NAME square_f32
#define ROW float
#define STEP(acc, p) DSQUARE_STEP(acc, LOAD_F32(p))
#define TAIL SCALAR_SQUARE
#include "kernel_square.h"
#undef VEC
#undef WIDTH
#undef ZERO
#undef REDUCE

#define VEC IVEC
#define WIDTH IWIDTH
#define ZERO IZERO
#define REDUCE IREDUCE

#define NAME square_u8
#define ROW uint8_t
#define STEP(acc, p) IDOT_STEP(acc, LOAD_U8(p), LOAD_U8(p))
#define TAIL SCALAR_SQUARE
#include "kernel_square.h"
#define NAME square_i8
#define ROW int8_t
#define STEP(acc, p) IDOT_STEP(acc, LOAD_I8(p), LOAD_I8(p))
#define TAIL SCALAR_SQUARE
#include "kernel_square.h"

#include "kernel_codes.h"
#include "kernel_scan.h"
#include "kernel_check.h"

static const ls_kernels table = {
    .name = LS_NAME,
    .l2 = { [LS_F32] = l2_f32, [LS_F16] = l2_f16, [LS_U8] = l2_u8, [LS_I8] = l2_i8 },
    .dot = { [LS_F32] = dot_f32, [LS_F16] = dot_f16, [LS_U8] = dot_u8, [LS_I8] = dot_i8 },
    .bytes = byte_dots,
    .square = { [LS_F32] = square_f32, [LS_F16] = square_f16, [LS_U8] = square_u8,
                [LS_I8] = square_i8 },
    .tables = code_tables,
    .small = code_small,
    .nearest = code_nearest,
    .estimates = code_estimates,
    .check = crc_check,
};
