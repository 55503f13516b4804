/* file_test.c - what the file device claims: holes, locking, and system calls that fail or do half of the work. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

/* the file device's system calls, made to fail */
static struct {
	int interrupts; /* so many calls fail with EINTR first */
	size_t at_most; /* bytes a call transfers; 0: all */
	int error; /* then fail with this errno */
	int calls;
} fault;

static bool fault_hits(void)
{
	fault.calls++;
	if (fault.interrupts > 0) {
		fault.interrupts--;
		errno = EINTR;
		return true;
	}
	errno = fault.error;
	return fault.error != 0;
}

static ssize_t faulty_pread(int fd, void *buf, size_t n, off_t at)
{
	return fault_hits() ? -1 : pread(fd, buf, fault.at_most && fault.at_most < n ? fault.at_most : n, at);
}

static ssize_t faulty_pwrite(int fd, const void *buf, size_t n, off_t at)
{
	return fault_hits() ? -1 : pwrite(fd, buf, fault.at_most && fault.at_most < n ? fault.at_most : n, at);
}

static int faulty_fdatasync(int fd)
{
	return fault_hits() ? -1 : fdatasync(fd);
}

#define pread faulty_pread
#define pwrite faulty_pwrite
#define fdatasync faulty_fdatasync
#define dev_file file_inside
#include "variants/device/file.c"
#undef dev_file
#undef pread
#undef pwrite
#undef fdatasync

#include "variants/device/device_rig.h"

extern const struct dev_ops dev_file;

static int file_reopen(struct rig *g, uint64_t capacity_bytes, struct dev **out, struct pl_fault *f)
{
	struct dev_args a = {.conf = &g->conf,
		.seed = 1,
		.capacity_bytes = capacity_bytes,
		.block_bytes = B,
		.path = g->path,
		.create = false};
	return dev_open(&dev_file, &a, out, f);
}

static void file_holes_free_space(void **state)
{
	(void)state;
	struct rig g;
	rig_open(&g, &dev_file);
	struct dev_stats empty, full, holed;
	if (!g.dev->caps.punch) {
		print_message("the file system of %s cannot punch holes\n", g.path);
		rig_close(&g);
		skip();
	}
	dev_stats(g.dev, &empty);
	fill(buf, 64, 1);
	for (uint64_t i = 0; i < 512; i += 64)
		assert_int_equal(rig_do(&g, DEV_WRITE, i, 64, buf), PL_OK);
	assert_int_equal(rig_do(&g, DEV_SYNC, 0, 0, NULL), PL_OK);
	dev_stats(g.dev, &full);
	assert_true(full.stored_bytes >= empty.stored_bytes + 512 * B);
	uint32_t granule = g.dev->caps.punch_blocks;
	for (uint64_t i = 0; i < 512; i += 2 * granule)
		assert_int_equal(rig_do(&g, DEV_PUNCH, i, granule, NULL), PL_OK);
	assert_int_equal(rig_do(&g, DEV_SYNC, 0, 0, NULL), PL_OK);
	dev_stats(g.dev, &holed);
	assert_true(holed.stored_bytes + 512 * B / 2 <= full.stored_bytes + 16 * B);
	struct stat st;
	assert_int_equal(stat(g.path, &st), 0);
	assert_int_equal(st.st_size, CAPACITY);
	rig_close(&g);
}

static void file_reopens_and_refuses(void **state)
{
	(void)state;
	struct rig g;
	struct dev *second = NULL;
	struct pl_fault f = {0};
	rig_open(&g, &dev_file);
	fill(buf, 4, 1);
	assert_int_equal(rig_do(&g, DEV_WRITE, 100, 4, buf), PL_OK);
	assert_int_equal(file_reopen(&g, CAPACITY, &second, &f), PL_IO);
	assert_non_null(strstr(f.text, "in use"));
	/* a second creator must not empty the file before it notices */
	struct dev_args again = {.conf = &g.conf,
		.seed = 1,
		.capacity_bytes = CAPACITY,
		.block_bytes = B,
		.path = g.path,
		.create = true};
	assert_int_equal(dev_open(&dev_file, &again, &second, &f), PL_IO);
	dev_close(g.dev);
	assert_int_equal(file_reopen(&g, 2 * CAPACITY, &second, &f), PL_INVALID);
	assert_non_null(strstr(f.text, "4194304"));
	assert_non_null(strstr(f.text, "8388608"));
	assert_int_equal(file_reopen(&g, CAPACITY, &g.dev, &f), PL_OK);
	assert_int_equal(rig_do(&g, DEV_READ, 100, 4, buf2), PL_OK);
	expect(buf2, 4, 1);
	rig_close(&g);
	struct dev_args a = {.conf = &g.conf,
		.seed = 1,
		.capacity_bytes = CAPACITY,
		.block_bytes = B,
		.path = "/tmp/pagelab-no-such-directory/x"};
	assert_int_equal(dev_open(&dev_file, &a, &second, &f), PL_IO);
	a.path = "/dev/null";
	assert_int_equal(dev_open(&dev_file, &a, &second, &f), PL_INVALID);
	a.path = NULL;
	assert_int_equal(dev_open(&dev_file, &a, &second, &f), PL_INVALID);
}

static void file_survives_system_call_weather(void **state)
{
	(void)state;
	struct rig g;
	rig_open(&g, &file_inside);
	memset(&fault, 0, sizeof fault);
	fault.interrupts = 3;
	fault.at_most = 1000;
	fill(buf, 8, 1);
	assert_int_equal(rig_do(&g, DEV_WRITE, 8, 8, buf), PL_OK);
	assert_int_equal(fault.calls, 3 + 33);
	fault.interrupts = 2;
	assert_int_equal(rig_do(&g, DEV_READ, 8, 8, buf2), PL_OK);
	expect(buf2, 8, 1);
	const int errors[][2] = {{ENOSPC, PL_FULL}, {EDQUOT, PL_FULL}, {EFBIG, PL_FULL}, {EIO, PL_IO}, {EBADF, PL_IO}};
	for (size_t i = 0; i < PL_COUNT(errors); i++) {
		fault.error = errors[i][0];
		assert_int_equal(rig_do(&g, DEV_WRITE, 0, 1, buf), errors[i][1]);
	}
	assert_int_equal(rig_do(&g, DEV_READ, 0, 1, buf2), PL_IO);
	fault.error = EINTR; /* a failed sync is never tried again */
	fault.calls = 0;
	assert_int_equal(rig_do(&g, DEV_SYNC, 0, 0, NULL), PL_IO);
	assert_int_equal(fault.calls, 1);
	memset(&fault, 0, sizeof fault);
	assert_int_equal(truncate(g.path, 16 * B), 0); /* cut short behind our back */
	assert_int_equal(rig_do(&g, DEV_READ, 14, 4, buf2), PL_IO);
	rig_close(&g);
}

int main(void)
{
#define T(name, function)                                                                                              \
	{                                                                                                              \
		name, function, NULL, NULL, NULL                                                                       \
	}
	const struct CMUnitTest tests[] = {
		T("device.file.holes_free_space", file_holes_free_space),
		T("device.file.reopens_and_refuses", file_reopens_and_refuses),
		T("device.file.survives_system_call_weather", file_survives_system_call_weather),
	};
	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
