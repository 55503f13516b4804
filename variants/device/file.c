/* file.c - a POSIX file as a block device: buffered pread and pwrite, fdatasync, holes punched by fallocate.
 *
 *   byte of block b = b * block_bytes; the file is capacity_bytes long (rounded down to blocks) from its creation on
 *   and sparse: what was never written or was punched takes no space and reads as zeros
 *
 * Invariants:
 *  1. The file is locked exclusively (flock) while it is open; a second opener is refused.
 *  2. Every request is done when submit returns; completions leave in the order of submission, whatever the time that
 *     poll is called with (done_ns is CLOCK_MONOTONIC, and the caller's clock may have been read earlier).
 *  3. caps.punch says what the file system answered when the file was opened; punch_blocks is its allocation unit:
 *     smaller or unaligned punches give zeros but free nothing.
 *  4. A write that finds no space (full disk, quota, size limit) ends with PL_FULL, any other failure with PL_IO.
 *
 * Cost: one system call a request. stored_bytes is what st_blocks says; on btrfs that is not what a punch has freed.
 * Left out: direct I/O, asynchronous I/O, block devices (variants of their own); the page cache serves reads. Nothing
 * is promised about torn writes (atomic_blocks = 0). media_* are 0: nobody knows. */
#include "engine/store/content.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

extern const struct dev_ops dev_file;

#ifdef __linux__
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

struct file_dev {
	struct dev dev; /* first: a struct dev * is a struct file_dev * */
	int fd;
	struct dev_req *head, **tail; /* done, not yet polled */
};

static struct file_dev *file_of(struct dev *d)
{
	return (struct file_dev *)(void *)d;
}

static uint64_t monotonic_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int err_of(int system_error)
{
	switch (system_error) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return PL_FULL;
	default:
		return PL_IO;
	}
}

/* ---- opening ---- */

/* A new name is durable only when its directory is. */
static int sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = slash == path ? strdup("/") : slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
	if (!name)
		return -1;
	int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(name);
	if (fd < 0)
		return -1;
	int err = fsync(fd);
	(void)close(fd);
	/* some file systems have no notion of syncing a directory, and then need none */
	return err && errno != EINVAL ? -1 : 0;
}

/* Truncate a new file to its size, or see that an old one is long enough. The file is locked. */
static int file_size(int fd, const struct dev_args *a, uint64_t want_bytes, struct pl_fault *f)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return pl_fault_set(f, PL_IO, "cannot examine %s: %s", a->path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return pl_fault_set(f, PL_INVALID, "%s is not a regular file", a->path);
	if (!a->create && (uint64_t)st.st_size < want_bytes)
		return pl_fault_set(f, PL_INVALID,
			"%s has %" PRIu64 " bytes, but the device should have %" PRIu64
			" bytes; give the capacity it was created with",
			a->path, (uint64_t)st.st_size, want_bytes);
	if (a->create && want_bytes > INT64_MAX)
		return pl_fault_set(f, PL_INVALID, "a file cannot have %" PRIu64 " bytes", want_bytes);
	if (a->create && (ftruncate(fd, 0) != 0 || ftruncate(fd, (off_t)want_bytes) != 0 || fsync(fd) != 0 ||
				 sync_directory(a->path) != 0))
		return pl_fault_set(f, err_of(errno), "cannot create %s with %" PRIu64 " bytes: %s", a->path,
			want_bytes, strerror(errno));
	return PL_OK;
}

/* Beyond the end of the file a punch changes nothing, but a file system that knows none says so. */
static void file_probe(int fd, uint64_t size_bytes, struct dev_caps *caps)
{
	struct statvfs v;
	uint64_t unit = fstatvfs(fd, &v) == 0 && v.f_frsize ? v.f_frsize : 4096;
	off_t beyond = (off_t)(pl_div_up(size_bytes, unit) * unit);
	caps->punch = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, beyond, (off_t)unit) == 0;
	caps->punch_blocks = caps->punch ? (uint32_t)pl_div_up(unit, caps->block_bytes) : 0;
}

static int file_prepare(int fd, const struct dev_args *a, struct dev **out, struct pl_fault *f)
{
	uint64_t blocks = a->capacity_bytes / a->block_bytes, bytes = blocks * a->block_bytes;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		return pl_fault_set(f, PL_IO, "%s is in use: another device has it open and locked", a->path);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return pl_fault_set(f, PL_IO, "cannot lock %s: %s", a->path, strerror(errno));
	int err = file_size(fd, a, bytes, f);
	if (err)
		return err;
	struct file_dev *p = calloc(1, sizeof *p);
	if (!p)
		return pl_fault_set(f, PL_NOMEM, "device file: out of memory");
	p->dev.ops = &dev_file;
	p->dev.caps = (struct dev_caps){.block_bytes = a->block_bytes, .capacity_blocks = blocks};
	file_probe(fd, bytes, &p->dev.caps);
	p->fd = fd;
	p->tail = &p->head;
	*out = &p->dev;
	return PL_OK;
}

static int file_open(const struct dev_args *a, struct dev **out, struct pl_fault *f)
{
	int err = dev_args_check("file", a, f);
	if (err)
		return err;
	if (!a->path)
		return pl_fault_set(f, PL_INVALID, "device file: needs the path of a file");
	/* not O_TRUNC: the file may be in use, which only the lock tells */
	int fd = open(a->path, O_RDWR | O_CLOEXEC | (a->create ? O_CREAT : 0), 0666);
	if (fd < 0)
		return pl_fault_set(f, PL_IO, "cannot open %s: %s", a->path, strerror(errno));
	err = file_prepare(fd, a, out, f);
	if (err)
		(void)close(fd);
	return err;
}

static void file_close(struct dev *d)
{
	struct file_dev *p = file_of(d);
	(void)close(p->fd);
	free(p);
}

/* ---- requests ---- */

static int read_all(int fd, uint8_t *buf, size_t n, off_t at)
{
	while (n) {
		ssize_t got = pread(fd, buf, n, at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) /* 0: the file was cut short behind our back */
			return PL_IO;
		buf += got;
		at += got;
		n -= (size_t)got;
	}
	return PL_OK;
}

static int write_all(int fd, const uint8_t *buf, size_t n, off_t at)
{
	while (n) {
		ssize_t put = pwrite(fd, buf, n, at);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put < 0 ? err_of(errno) : PL_IO;
		buf += put;
		at += put;
		n -= (size_t)put;
	}
	return PL_OK;
}

static int punch(int fd, off_t at, off_t n)
{
	int err;
	do
		err = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, n);
	while (err != 0 && errno == EINTR);
	return err ? err_of(errno) : PL_OK;
}

/* Not repeated when it fails: the system may already have dropped the dirty pages. */
static int sync_data(int fd)
{
	return fdatasync(fd) == 0 ? PL_OK : err_of(errno);
}

static int file_submit(struct dev *d, uint64_t now_ns, struct dev_req *r)
{
	struct file_dev *p = file_of(d);
	int err = dev_req_check(&d->caps, r);
	if (err)
		return err;
	off_t at = (off_t)(r->block * d->caps.block_bytes);
	size_t n = (size_t)r->blocks * d->caps.block_bytes;
	if (r->op == DEV_READ)
		r->status = read_all(p->fd, r->buf, n, at);
	else if (r->op == DEV_WRITE)
		r->status = write_all(p->fd, r->buf, n, at);
	else if (r->op == DEV_PUNCH)
		r->status = punch(p->fd, at, (off_t)n);
	else
		r->status = sync_data(p->fd);
	dev_req_count(&d->stats, &d->caps, r);
	r->submit_ns = now_ns;
	r->done_ns = monotonic_ns();
	r->next = NULL;
	*p->tail = r;
	p->tail = &r->next;
	return PL_OK;
}

static struct dev_req *file_poll(struct dev *d, uint64_t now_ns)
{
	struct file_dev *p = file_of(d);
	struct dev_req *r = p->head;
	(void)now_ns;
	if (!r)
		return NULL;
	p->head = r->next;
	if (!p->head)
		p->tail = &p->head;
	r->next = NULL;
	return r;
}

static uint64_t file_next_ns(struct dev *d)
{
	return file_of(d)->head ? 0 : PL_NS_NEVER;
}

static void file_stats(struct dev *d, struct dev_stats *out)
{
	struct stat st;
	*out = d->stats;
	if (fstat(file_of(d)->fd, &st) == 0)
		out->stored_bytes = (uint64_t)st.st_blocks * 512;
}

#define UNAVAILABLE NULL
#else
#define UNAVAILABLE "this build has no Linux file calls (flock, fallocate)"
#define file_open NULL
#define file_close NULL
#define file_submit NULL
#define file_poll NULL
#define file_next_ns NULL
#define file_stats NULL
#endif

const struct dev_ops dev_file = {
	.real = true,
	.name = "file",
	.summary = "a file: pread, pwrite, fdatasync; holes by fallocate",
	.unavailable = UNAVAILABLE,
	.open = file_open,
	.close = file_close,
	.submit = file_submit,
	.poll = file_poll,
	.next_ns = file_next_ns,
	.stats = file_stats,
};
