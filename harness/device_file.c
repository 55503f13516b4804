/* device_file.c - device sizes, scratch files and kept stores.
 *
 * A kept store is a directory:
 *
 *     spec        one canonical key=value word a line; device_bytes is always among them
 *     device.img  the device, block 0 first; blocks of zeros are holes
 *     zones.txt   simulated devices with zones: per zone its number, state (enum dev_zone_state) and write pointer
 *
 * A real device's store lies in device.img from the beginning, or stays where `path` says. */
#include "harness/device_file.h"

#include "harness/options.h"
#include "harness/util.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BLOCKS 64u
#define MIB ((uint64_t)1 << 20)
#define COMFORTABLE_BYTES (256 * MIB)

static uint64_t record_bytes(const struct wl *w, uint64_t keynum)
{
	uint8_t key[WL_KEY_MAX];
	return wl_key(w, keynum, key) + wl_record_bytes(w, keynum);
}

/* Inserts to be expected, from the first operations of a stream of the same workload. */
static uint64_t expected_inserts(const struct pl_conf *c)
{
	enum { SAMPLE = 2000 };
	struct wl *w = NULL;
	uint64_t inserts = 0, operations;
	if (wl_open(c, 1, 1, &w, NULL))
		return 0;
	operations = wl_operations(w);
	for (int i = 0; i < SAMPLE; i++) {
		struct wl_op op;
		wl_next(w, 0, &op);
		if (op.kind == WL_INSERT) {
			inserts++;
			wl_acknowledge(w, op.keynum);
		}
	}
	wl_close(w);
	return pl_div_up(inserts * operations, SAMPLE);
}

uint64_t device_size(const struct pl_conf *c, const struct wl *w)
{
	uint64_t bytes = pl_conf_u64(c, "device_bytes"), data = 0, records = wl_records(w), inserts;
	if (bytes)
		return bytes;
	for (uint64_t i = 0; i < records && !lab_interrupted(); i++)
		data += record_bytes(w, wl_load_keynum(w, i));
	inserts = expected_inserts(c);
	if (inserts)
		data += inserts * (records ? data / records : record_bytes(w, 0));
	bytes = data * 1000 / pl_conf_u64(c, "fill_permille");
	if (!pl_conf_is_set(c, "fill_permille")) /* whoever asks for no fill gets a device on which everything fits */
		bytes = pl_max64(bytes + lab_u64_or(c, "log_bytes", 0), COMFORTABLE_BYTES);
	return pl_div_up(pl_max64(bytes, 4 * MIB), MIB) * MIB;
}

char *device_scratch_path(const struct spec *s, const char *directory)
{
	const char *dir = pl_conf_str(s->conf, "scratch");
	if (!*dir && getenv("TMPDIR") && *getenv("TMPDIR"))
		dir = getenv("TMPDIR");
	return lab_printf("%s/pagelab-%s-%d.scratch", *dir ? dir : directory, s->run_id, (int)getpid());
}

int keep_prepare(const char *dir, struct pl_fault *f)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	if (!d)
		return errno == ENOENT ? lab_mkdirs(dir, f)
				       : pl_fault_set(f, PL_INVALID, "cannot use %s: %s", dir, strerror(errno));
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
			(void)closedir(d);
			return pl_fault_set(
				f, PL_INVALID, "%s is not empty; name a new directory to keep the store in", dir);
		}
	(void)closedir(d);
	return PL_OK;
}

static int save_image(const char *path, struct dev *dev, struct pl_fault *f)
{
	size_t block = dev->caps.block_bytes;
	uint8_t *buf = lab_calloc(CHUNK_BLOCKS, block), *zero = lab_calloc(1, block);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), err = PL_OK;
	if (fd < 0 || ftruncate(fd, (off_t)(dev->caps.capacity_blocks * block)) != 0)
		err = pl_fault_set(f, PL_IO, "cannot write %s: %s", path, strerror(errno));
	for (uint64_t at = 0; !err && at < dev->caps.capacity_blocks; at += CHUNK_BLOCKS) {
		uint32_t n = (uint32_t)pl_min64(CHUNK_BLOCKS, dev->caps.capacity_blocks - at);
		err = dev->ops->peek(dev, at, n, buf);
		for (uint32_t i = 0; !err && i < n; i++)
			if (memcmp(buf + i * block, zero, block) != 0 &&
				pwrite(fd, buf + i * block, block, (off_t)((at + i) * block)) != (ssize_t)block)
				err = pl_fault_set(f, PL_IO, "cannot write %s: %s", path, strerror(errno));
	}
	if (fd >= 0)
		(void)close(fd);
	free(buf);
	free(zero);
	return err;
}

static int save_zones(const char *path, struct dev *dev, struct pl_fault *f)
{
	FILE *out = fopen(path, "we");
	if (!out)
		return pl_fault_set(f, PL_IO, "cannot write %s: %s", path, strerror(errno));
	for (uint64_t z = 0; z < dev->caps.zones; z++) {
		struct dev_zone zone;
		if (dev_zone(dev, z, &zone) == PL_OK)
			(void)fprintf(out, "%" PRIu64 " %d %" PRIu64 "\n", z, (int)zone.state, zone.write_pointer);
	}
	return fclose(out) == 0 ? PL_OK : pl_fault_set(f, PL_IO, "cannot write %s: %s", path, strerror(errno));
}

static int save_spec(const char *path, const struct spec *s, uint64_t device_bytes, struct pl_fault *f)
{
	FILE *out = fopen(path, "we");
	if (!out)
		return pl_fault_set(f, PL_IO, "cannot write %s: %s", path, strerror(errno));
	for (size_t i = 0; i < s->words; i++)
		if (strcmp(s->word[i].key, "device_bytes") != 0)
			(void)fprintf(out, "%s=%s\n", s->word[i].key, s->word[i].value);
	(void)fprintf(out, "device_bytes=%" PRIu64 "\n", device_bytes);
	return fclose(out) == 0 ? PL_OK : pl_fault_set(f, PL_IO, "cannot write %s: %s", path, strerror(errno));
}

int keep_save(const char *dir, const struct spec *s, struct dev *dev, struct pl_fault *f)
{
	char *spec = lab_printf("%s/spec", dir), *image = lab_printf("%s/device.img", dir);
	char *zones = lab_printf("%s/zones.txt", dir);
	int err = save_spec(spec, s, dev->caps.capacity_blocks * dev->caps.block_bytes, f);
	if (!err && dev->ops->peek) {
		err = save_image(image, dev, f);
		if (!err && dev->caps.zones)
			err = save_zones(zones, dev, f);
	}
	free(spec);
	free(image);
	free(zones);
	return err;
}

static int load_spec(const char *path, struct spec *out, struct pl_fault *f)
{
	struct pl_conf conf;
	char *text = lab_read_file(path), *save = NULL;
	int err = PL_OK;
	if (!text)
		return pl_fault_set(f, PL_NOTSTORE, "%s cannot be read: %s; name a directory that `run --keep` left",
			path, strerror(errno));
	lab_conf_init(&conf);
	for (char *line = strtok_r(text, "\n", &save); !err && line; line = strtok_r(NULL, "\n", &save)) {
		struct pl_fault why = {0};
		char *eq = strchr(line, '=');
		if (!eq)
			err = pl_fault_set(f, PL_INVALID, "%s: '%s' is not key=value", path, line);
		else {
			*eq = 0;
			if (strcmp(eq + 1, "-") != 0 && pl_conf_set(&conf, line, eq + 1, &why))
				err = pl_fault_set(f, PL_INVALID, "%s: %s", path, why.text);
		}
	}
	if (!err)
		spec_init(out, &conf);
	pl_conf_free(&conf);
	free(text);
	if (!err && out->skip_err) {
		err = pl_fault_set(f, out->skip_err, "%s: %s", path, out->skip);
		spec_free(out);
	}
	return err;
}

static int load_image(const char *path, struct dev *dev, struct pl_fault *f)
{
	size_t block = dev->caps.block_bytes;
	uint8_t *buf = lab_calloc(1, block), *zero = lab_calloc(1, block);
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = PL_OK;
	struct stat st = {0};
	off_t at = 0;
	if (fd < 0)
		err = pl_fault_set(f, PL_NOTSTORE, "cannot read %s: %s", path, strerror(errno));
	else if (fstat(fd, &st) != 0 || st.st_size != (off_t)(dev->caps.capacity_blocks * block))
		err = pl_fault_set(f, PL_DAMAGED, "%s has %lld bytes, but the device has %llu", path,
			(long long)st.st_size, (unsigned long long)(dev->caps.capacity_blocks * block));
	while (!err && (at = lseek(fd, at, SEEK_DATA)) >= 0) {
		at -= at % (off_t)block;
		if ((uint64_t)at >= dev->caps.capacity_blocks * block)
			break;
		ssize_t n = pread(fd, buf, block, at);
		if (n != (ssize_t)block)
			err = pl_fault_set(f, PL_DAMAGED, "%s is cut off at byte %lld", path, (long long)at);
		else if (memcmp(buf, zero, block) != 0)
			err = dev->ops->poke(dev, (uint64_t)at / block, 1, buf);
		at += (off_t)block;
	}
	if (fd >= 0)
		(void)close(fd);
	free(buf);
	free(zero);
	return err;
}

static int load_zones(const char *path, struct dev *dev, struct pl_fault *f)
{
	FILE *in = fopen(path, "re");
	uint64_t zone, pointer, lines = 0;
	int state, err = PL_OK;
	if (!in)
		return pl_fault_set(f, PL_NOTSTORE, "cannot read %s: %s", path, strerror(errno));
	while (!err && fscanf(in, "%" SCNu64 " %d %" SCNu64, &zone, &state, &pointer) == 3) {
		if (zone >= dev->caps.zones || state < DEV_ZONE_EMPTY || state > DEV_ZONE_OFFLINE)
			err = pl_fault_set(
				f, PL_DAMAGED, "%s: there is no zone %" PRIu64 " or no state %d", path, zone, state);
		else
			err = dev->ops->poke_zone(dev, zone, (enum dev_zone_state)state, pointer);
		if (err && (!f || !*f->text))
			err = pl_fault_set(f, PL_DAMAGED,
				"%s: zone %" PRIu64 " cannot be in state %d with write pointer %" PRIu64, path, zone,
				state, pointer);
		lines++;
	}
	if (!err && (!feof(in) || lines != dev->caps.zones))
		err = pl_fault_set(f, PL_DAMAGED, "%s tells of %" PRIu64 " zones, but the device has %" PRIu64, path,
			lines, (uint64_t)dev->caps.zones);
	(void)fclose(in);
	return err;
}

int keep_load(const char *dir, struct spec *s, struct dev **out, struct pl_fault *f)
{
	char *spec = lab_printf("%s/spec", dir), *image = lab_printf("%s/device.img", dir);
	char *zones = lab_printf("%s/zones.txt", dir);
	int err;
	*out = NULL;
	err = load_spec(spec, s, f);
	if (!err) {
		const char *path = pl_conf_str(s->conf, "path");
		bool simulated = s->choice.device->peek != NULL;
		struct dev_args a = {.conf = s->conf,
			.seed = s->seed,
			.capacity_bytes = pl_conf_u64(s->conf, "device_bytes"),
			.block_bytes = (uint32_t)lab_u64_or(s->conf, "block_bytes", 4096),
			.path = simulated ? NULL
				: *path   ? path
					  : image};
		err = dev_open(s->choice.device, &a, out, f);
		if (!err && simulated)
			err = load_image(image, *out, f);
		if (!err && simulated && (*out)->caps.zones)
			err = load_zones(zones, *out, f);
		if (err) {
			dev_close(*out);
			*out = NULL;
			spec_free(s);
		}
	}
	free(spec);
	free(image);
	free(zones);
	return err;
}
