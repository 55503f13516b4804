/* node_traced_slotted.c - the layout slotted once more, telling what it touches: see node_trace.h. */
#define NOD_TRACED
#define nod_slotted nod_slotted_traced
#define slotted_check slotted_traced_check
#define slotted_entry slotted_traced_entry
#define slotted_gap slotted_traced_gap
#include "variants/node/slotted.c"
#include "variants/node/slotted_check.c"
