#include "engine/iface/device.h"

const char *const dev_tag_name[DEV_TAGS] = {
#define X(id, name, text) [DEV_TAG_##id] = name,
	DEV_TAGS_TABLE(X)
#undef X
};
