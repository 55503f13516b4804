/* node_traced_b2.c - the layout b2 once more, telling what it touches: see node_trace.h. */
#define NOD_TRACED
#define nod_b2 nod_b2_traced
#define b2_find b2_traced_find
#define b2_shift_insert b2_traced_shift_insert
#define b2_shift_remove b2_traced_shift_remove
#define b2_build b2_traced_build
#define b2_trie_used_bytes b2_traced_trie_used_bytes
#define b2_check b2_traced_check
#define b2_check_trie b2_traced_check_trie
#define b2_entry b2_traced_entry
#define b2_gap b2_traced_gap
#include "variants/node/b2.c"
#include "variants/node/b2_check.c"
#include "variants/node/b2_trie.c"
