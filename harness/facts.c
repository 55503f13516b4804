/* facts.c - see facts.h. What cannot be found out is "unknown", never an error. */
#include "harness/facts.h"

#include "harness/util.h"

#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#ifdef PAGELAB_HAVE_ZSTD
#include <zstd.h>
#define ZSTD_VERSION ZSTD_versionString()
#else
#define ZSTD_VERSION "none"
#endif

#ifndef PAGELAB_REVISION
#define PAGELAB_REVISION "unknown"
#endif
#ifndef PAGELAB_FLAGS
#define PAGELAB_FLAGS "unknown"
#endif

const char *facts_revision(void)
{
	return PAGELAB_REVISION;
}

static const struct {
	unsigned long magic;
	const char *name;
} file_systems[] = {{0xEF53, "ext4"}, {0x58465342, "xfs"}, {0x9123683E, "btrfs"}, {0x01021994, "tmpfs"},
	{0xF2F52010, "f2fs"}, {0x794C7630, "overlayfs"}, {0x2FC12FC1, "zfs"}, {0x6969, "nfs"}, {0x01021997, "9p"},
	{0x65735546, "fuse"}};

static void put_file_system(json_t *row, const char *path)
{
	struct statfs s;
	char text[32] = "unknown";
	if (statfs(path, &s) == 0) {
		(void)snprintf(text, sizeof text, "0x%lx", (unsigned long)s.f_type);
		for (size_t i = 0; i < PL_COUNT(file_systems); i++)
			if (file_systems[i].magic == (unsigned long)s.f_type)
				lab_copy(text, sizeof text, file_systems[i].name);
	}
	(void)json_object_set_new(row, "file_system", json_string(text));
}

static void put_cpu(json_t *row)
{
	char line[512], model[200] = "unknown";
	FILE *in = fopen("/proc/cpuinfo", "re");
	while (in && fgets(line, sizeof line, in))
		if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
			lab_copy(model, sizeof model, strchr(line, ':') + 2);
			model[strcspn(model, "\n")] = 0;
			break;
		}
	if (in)
		(void)fclose(in);
	(void)json_object_set_new(row, "cpu", json_string(model));
	(void)json_object_set_new(row, "cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
}

json_t *facts_host_row(const char *path, const char *device_path)
{
	json_t *row = json_pack("{s:s}", "row", "host");
	struct utsname u;
	struct sysinfo si;
	char when[40] = "unknown";
	time_t now = time(NULL);
	struct tm tm;
	if (gmtime_r(&now, &tm))
		(void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
	(void)json_object_set_new(row, "time", json_string(when));
	if (uname(&u) == 0) {
		char *kernel = lab_printf("%s %s %s", u.sysname, u.release, u.machine);
		(void)json_object_set_new(row, "hostname", json_string(u.nodename));
		(void)json_object_set_new(row, "kernel", json_string(kernel));
		free(kernel);
	}
	put_cpu(row);
	if (sysinfo(&si) == 0)
		(void)json_object_set_new(
			row, "memory_bytes", json_integer((json_int_t)((uint64_t)si.totalram * si.mem_unit)));
#ifdef __clang__
	(void)json_object_set_new(row, "compiler", json_string("clang " __clang_version__));
#else
	(void)json_object_set_new(row, "compiler", json_string("gcc " __VERSION__));
#endif
	(void)json_object_set_new(row, "flags", json_string(PAGELAB_FLAGS));
	(void)json_object_set_new(row, "lz4_version", json_string(LZ4_versionString()));
	(void)json_object_set_new(row, "zstd_version", json_string(ZSTD_VERSION));
	(void)json_object_set_new(row, "revision", json_string(facts_revision()));
	put_file_system(row, path);
	(void)json_object_set_new(row, "device_path", json_string(device_path ? device_path : ""));
	return row;
}
