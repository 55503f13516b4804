/* node_traced_ordinal.c - the layout ordinal once more, telling what it touches: see node_trace.h. */
#define NOD_TRACED
#define nod_ordinal nod_ordinal_traced
#define ordinal_below_scalar ordinal_traced_below_scalar
#include "variants/node/ordinal.c"
