#include "engine/iface/device.h"

const char *const dev_tag_name[DEV_TAGS] = {
#define X(id, name, text) [DEV_TAG_##id] = name,
	DEV_TAGS_TABLE(X)
#undef X
};

const char *const dev_op_name[DEV_OPS] = {
	[DEV_READ] = "read",
	[DEV_WRITE] = "write",
	[DEV_APPEND] = "append",
	[DEV_PUNCH] = "punch",
	[DEV_SYNC] = "sync",
	[DEV_ZONE_RESET] = "reset",
	[DEV_ZONE_FINISH] = "finish",
	[DEV_ZONE_OPEN] = "open",
	[DEV_ZONE_CLOSE] = "close",
	[DEV_ZONE_FLUSH] = "zrwa_flush",
	[DEV_TRUNCATE] = "truncate",
	[DEV_FILE_OPEN] = "file_open",
	[DEV_FILE_CLOSE] = "file_close",
	[DEV_FILE_MOVE] = "file_move",
	[DEV_FILE_REMOVE] = "file_remove",
};
