/* calibrate_measure.c - the part of calibration that touches the machine: times calls on a scratch file or block device.
 *
 *     fill (1 MiB writes, fsync) -> reads, then writes of each size at random places, one at a time -> flushes
 *     -> random reads of 4 KiB by 1 .. 64 threads
 *
 * Invariants:
 *  1. A scratch file has no name while it is measured: whatever ends the program, nothing is left.
 *  2. What existed before is not touched, but for a block device, and that only with `destroy` and when nobody has it.
 *  3. Places and contents come from a fixed seed; only the times are of this machine.
 * Left out: what the device below does with the place in its own caches. A file much larger than these tells more. */
#include "harness/calibrate.h"

#include "harness/facts.h"
#include "harness/util.h"

#include "engine/base/ctx.h"
#include "engine/base/rng.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)
#define SIZE_LEAST (16 * MIB)

struct bench {
	const struct calibrate_options *o;
	bool (*progress)(void *arg, const char *what);
	void *arg;
	struct calibrate_result *r;
	struct pl_fault *f;
	int fd;
	uint8_t *buf; /* 1 MiB, aligned for direct I/O */
	struct pl_rng rng;
};

struct budget { /* calls at least, at most, and time after which no more are made than the least */
	uint64_t least, most, time_ns;
};

static int say(struct bench *b, const char *what)
{
	if (!lab_interrupted() && (!b->progress || b->progress(b->arg, what)))
		return PL_OK;
	return pl_fault_set(b->f, PL_INTERRUPTED, "interrupted");
}

static int io_error(struct bench *b, const char *what)
{
	return pl_fault_set(b->f, PL_IO, "cannot %s %s: %s", what, b->o->path, strerror(errno));
}

/* ---- the place */

static int open_device(struct bench *b)
{
	uint64_t bytes = 0;
	if (!b->o->destroy)
		return pl_fault_set(b->f, PL_INVALID,
			"%s is a block device: calibration overwrites it; say --destroy if that is meant", b->o->path);
	/* exclusive: refused while it is mounted or otherwise in use */
	b->fd = open(b->o->path, O_RDWR | O_CLOEXEC | O_EXCL | (b->o->buffered ? 0 : O_DIRECT));
	if (b->fd < 0)
		return pl_fault_set(b->f, PL_INVALID, "cannot use %s: %s", b->o->path, strerror(errno));
	if (ioctl(b->fd, BLKGETSIZE64, &bytes) != 0)
		return io_error(b, "find the size of");
	if (bytes < b->o->size_bytes)
		return pl_fault_set(b->f, PL_INVALID,
			"%s has %" PRIu64 " bytes, less than the %" PRIu64 " asked for (--size)", b->o->path, bytes,
			b->o->size_bytes);
	b->r->direct = !b->o->buffered;
	return PL_OK;
}

/* A file without a name in directory, or with the name path that is taken away at once. */
static int open_scratch(const struct bench *b, const char *directory, int flags)
{
	if (directory)
		return open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600);
	int fd = open(b->o->path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | flags, 0600);
	int failed = errno;
	if (fd >= 0 || failed == EINVAL) /* some file systems make the file and then refuse direct I/O */
		(void)unlink(b->o->path);
	errno = failed;
	return fd;
}

static int open_file(struct bench *b, const char *directory)
{
	b->fd = b->o->buffered ? -1 : open_scratch(b, directory, O_DIRECT);
	b->r->direct = b->fd >= 0;
	if (b->fd < 0 && (b->o->buffered || errno == EINVAL))
		b->fd = open_scratch(b, directory, 0);
	if (b->fd < 0)
		return pl_fault_set(
			b->f, PL_INVALID, "cannot make a scratch file at %s: %s", b->o->path, strerror(errno));
	int err = posix_fallocate(b->fd, 0, (off_t)b->o->size_bytes);
	if (err)
		return pl_fault_set(b->f, err == ENOSPC || err == EFBIG ? PL_INVALID : PL_IO,
			"cannot have %" PRIu64 " bytes at %s: %s", b->o->size_bytes, b->o->path, strerror(err));
	return PL_OK;
}

static int open_place(struct bench *b)
{
	struct stat st;
	if (b->o->size_bytes < SIZE_LEAST || b->o->size_bytes % MIB)
		return pl_fault_set(b->f, PL_INVALID,
			"--size: %" PRIu64 " is not a multiple of 1 MiB of at least 16 MiB", b->o->size_bytes);
	if (stat(b->o->path, &st) != 0)
		return errno == ENOENT
			       ? open_file(b, NULL)
			       : pl_fault_set(b->f, PL_INVALID, "cannot use %s: %s", b->o->path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return open_file(b, b->o->path);
	if (S_ISBLK(st.st_mode))
		return open_device(b);
	return pl_fault_set(b->f, PL_INVALID,
		"%s exists and is not overwritten: name a file that does not exist, a directory, or a block device",
		b->o->path);
}

/* Memory takes direct I/O for politeness' sake; there is nothing but the page cache. */
static bool is_memory(int fd)
{
	struct statfs s;
	return fstatfs(fd, &s) == 0 && (s.f_type == TMPFS_MAGIC || s.f_type == RAMFS_MAGIC);
}

/* ---- calls */

static int compare_u64(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void summarise(struct calibrate_cell *c, uint64_t *ns, uint64_t n)
{
	uint64_t sum = 0;
	for (uint64_t i = 0; i < n; i++)
		sum += ns[i];
	qsort(ns, n, sizeof *ns, compare_u64);
	*c = (struct calibrate_cell){n, sum / n, ns[n / 2], ns[n - 1 - n / 100]};
}

static bool whole(ssize_t got, uint64_t bytes)
{
	if (got >= 0 && (uint64_t)got != bytes)
		errno = EIO;
	return got == (ssize_t)bytes;
}

static int fill(struct bench *b)
{
	for (size_t i = 0; i < MIB / 8; i++) {
		uint64_t v = pl_rng_next(&b->rng);
		memcpy(b->buf + 8 * i, &v, 8);
	}
	for (uint64_t at = 0; at < b->o->size_bytes; at += MIB) {
		char what[64];
		(void)snprintf(
			what, sizeof what, "filling, %" PRIu64 " of %" PRIu64 " MiB", at / MIB, b->o->size_bytes / MIB);
		if (say(b, what))
			return PL_INTERRUPTED;
		if (!whole(pwrite(b->fd, b->buf, MIB, (off_t)at), MIB))
			return io_error(b, "write");
	}
	return fsync(b->fd) == 0 ? PL_OK : io_error(b, "flush");
}

/* One call at a random place, a multiple of its size. */
static int call(struct bench *b, bool reads, uint64_t bytes, uint64_t *ns)
{
	off_t at = (off_t)(pl_rng_below(&b->rng, b->o->size_bytes / bytes) * bytes);
	uint64_t begin = pl_clock_ns();
	ssize_t got = reads ? pread(b->fd, b->buf, bytes, at) : pwrite(b->fd, b->buf, bytes, at);
	*ns = pl_clock_ns() - begin;
	return whole(got, bytes) ? PL_OK : io_error(b, reads ? "read" : "write");
}

static int calls(struct bench *b, bool reads, uint64_t bytes, struct calibrate_cell *out)
{
	const struct budget g = b->o->quick ? (struct budget){16, 48, 60000000} : (struct budget){64, 512, 600000000};
	uint64_t *ns = lab_calloc(g.most, sizeof *ns), n = 0, begin = pl_clock_ns(), ignored;
	char what[64];
	(void)snprintf(what, sizeof what, "%s of %" PRIu64 " KiB", reads ? "reads" : "writes", bytes / 1024);
	int err = say(b, what);
	for (int warm = 0; !err && warm < 4; warm++)
		err = call(b, reads, bytes, &ignored);
	while (!err && n < g.most && (n < g.least || pl_clock_ns() - begin < g.time_ns)) {
		err = lab_interrupted() ? say(b, what) : call(b, reads, bytes, &ns[n]);
		n++;
	}
	if (!err)
		summarise(out, ns, n);
	free(ns);
	return err;
}

static int flushes(struct bench *b, uint64_t writes, uint64_t bytes, struct calibrate_cell *out)
{
	uint64_t n = b->o->quick ? 8 : 48, ignored, *ns = lab_calloc(n, sizeof *ns);
	int err = PL_OK;
	for (uint64_t i = 0; !err && i < n; i++) {
		err = say(b, "flushes");
		for (uint64_t w = 0; !err && w < writes; w++)
			err = call(b, false, bytes, &ignored);
		uint64_t begin = pl_clock_ns();
		if (!err && fdatasync(b->fd) != 0)
			err = io_error(b, "flush");
		ns[i] = pl_clock_ns() - begin;
	}
	if (!err)
		summarise(out, ns, n);
	free(ns);
	return err;
}

/* ---- threads */

struct reader {
	pthread_t thread;
	int fd, failed; /* errno */
	uint64_t blocks, reads;
	struct pl_rng rng;
	atomic_bool *stop;
};

static void *read_on(void *arg)
{
	struct reader *r = arg;
	void *buf = NULL;
	r->failed = posix_memalign(&buf, 4096, 4096);
	while (!r->failed && !atomic_load(r->stop)) {
		if (whole(pread(r->fd, buf, 4096, (off_t)(pl_rng_below(&r->rng, r->blocks) * 4096)), 4096))
			r->reads++;
		else
			r->failed = errno;
	}
	free(buf);
	return NULL;
}

static int threads(struct bench *b, uint32_t n, uint64_t *reads_per_s)
{
	struct reader *r = lab_calloc(n, sizeof *r);
	atomic_bool stop = false;
	uint64_t reads = 0, for_ns = b->o->quick ? 60000000 : 500000000;
	uint32_t started = 0;
	char what[64];
	(void)snprintf(what, sizeof what, "reads by %" PRIu32 " threads", n);
	int err = say(b, what), failed = 0;
	uint64_t begin = pl_clock_ns();
	for (; !err && !failed && started < n; started++) {
		r[started] = (struct reader){.fd = b->fd, .blocks = b->o->size_bytes / 4096, .stop = &stop};
		pl_rng_seed(&r[started].rng, 42, started);
		failed = pthread_create(&r[started].thread, NULL, read_on, &r[started]);
		started -= failed != 0;
	}
	while (!err && !failed && pl_clock_ns() - begin < for_ns && !lab_interrupted())
		(void)usleep(5000);
	atomic_store(&stop, true);
	for (uint32_t i = 0; i < started; i++) {
		(void)pthread_join(r[i].thread, NULL);
		reads += r[i].reads;
		failed = failed ? failed : r[i].failed;
	}
	*reads_per_s = (uint64_t)((double)reads * 1e9 / (double)(pl_clock_ns() - begin));
	free(r);
	errno = failed;
	if (!err && lab_interrupted())
		err = say(b, what);
	return err ? err : failed ? io_error(b, "read by threads") : PL_OK;
}

/* ---- all of it */

static void describe(struct bench *b)
{
	char *path = lab_strdup(b->o->path);
	json_t *row = facts_host_row(lab_is_dir(path) ? path : dirname(path), NULL);
	const char *part[3] = {"kernel", "cpu", "file_system"};
	time_t now = time(NULL);
	struct tm tm;
	for (size_t i = 0; i < PL_COUNT(part); i++) {
		const char *text = json_string_value(json_object_get(row, part[i]));
		size_t used = strlen(b->r->where);
		if (text)
			(void)snprintf(b->r->where + used, sizeof b->r->where - used, "%s%s", used ? ", " : "", text);
	}
	for (char *c = b->r->where; *c; c++)
		*c = *c == ';' || *c == '#' ? ' ' : *c; /* they would begin a comment */
	if (gmtime_r(&now, &tm))
		(void)strftime(b->r->date, sizeof b->r->date, "%Y-%m-%d", &tm);
	json_decref(row);
	free(path);
}

static int measure(struct bench *b)
{
	int err = fill(b);
	for (int i = 0; !err && i < CALIBRATE_SIZES; i++)
		err = calls(b, true, (uint64_t)4096 << i, &b->r->read[i]);
	for (int i = 0; !err && i < CALIBRATE_THREADS; i++)
		err = threads(b, 1u << i, &b->r->reads_per_s[i]);
	for (int i = 0; !err && i < CALIBRATE_SIZES; i++)
		err = calls(b, false, (uint64_t)4096 << i, &b->r->write[i]);
	if (!err && fdatasync(b->fd) != 0)
		err = io_error(b, "flush");
	if (!err)
		err = flushes(b, 1, 4096, &b->r->sync_little);
	return err ? err : flushes(b, CALIBRATE_SYNC_MUCH, 16384, &b->r->sync_much);
}

int calibrate_measure(const struct calibrate_options *o, bool (*progress)(void *arg, const char *what), void *arg,
	struct calibrate_result *out, struct pl_fault *f)
{
	*out = (struct calibrate_result){.size_bytes = o->size_bytes};
	struct bench b = {.o = o, .progress = progress, .arg = arg, .r = out, .f = f, .fd = -1};
	void *buf = NULL;
	pl_rng_seed(&b.rng, 42, 0);
	int err = open_place(&b);
	if (!err && posix_memalign(&buf, 4096, MIB))
		err = pl_fault_set(f, PL_NOMEM, "out of memory");
	b.buf = buf;
	if (!err) {
		out->direct = out->direct && !is_memory(b.fd);
		describe(&b);
		err = measure(&b);
	}
	if (b.fd >= 0)
		(void)close(b.fd);
	free(buf);
	return err;
}
