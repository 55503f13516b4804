#include "engine/store/break.h"

enum kv_break kv_broken = KV_BREAK_NONE;

const char *const kv_break_text[KV_BREAK_COUNT] = {
#define X(id, text) text,
	KV_BREAKS(X)
#undef X
};
