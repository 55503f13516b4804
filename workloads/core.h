/* core.h - inside of the workloads: the resolved specification of a CoreWorkload and the state of a run of it. */
#ifndef PL_WL_CORE_H
#define PL_WL_CORE_H

#include "workloads/generators.h"
#include "workloads/keys/keys.h"
#include "workloads/workload.h"

enum wl_request { WL_UNIFORM, WL_ZIPFIAN, WL_ZIPF, WL_LATEST, WL_HOTSPOT, WL_EXPONENTIAL, WL_SEQUENTIAL };
extern const char *const wl_request_name[]; /* NULL-terminated */

enum wl_lengths { WL_LENGTH_CONSTANT, WL_LENGTH_UNIFORM, WL_LENGTH_ZIPFIAN, WL_LENGTH_HISTOGRAM };

/* The theta of field lengths and scan lengths, which upstream does not let one choose. */
#define WL_LENGTH_THETA 0.99

struct wl_spec {
	bool cpp;
	uint64_t records; /* upstream's recordcount: the first key number an insert of the run gets */
	uint64_t insertstart, insertcount; /* what the load phase loads */
	uint64_t operations;
	double proportion[WL_KINDS];
	enum wl_request request;
	double theta, hot_set, hot_operations, percentile, fraction;
	uint32_t fields, field_bytes, field_bytes_min;
	enum wl_lengths lengths;
	char histogram_path[256];
	bool read_all, write_all;
	uint64_t scan_min, scan_max;
	bool scan_zipfian;
	struct wl_key_form key_form;
	const struct wl_key_ops *keys;
	char keys_path[1024], keys_digest[17]; /* of keys=file; digest: 16 digits, or empty */
	uint64_t compressible_q32; /* share of a field that repeats, in 2^-32 */
};

/* Settle every value: set options win over the preset of `workload`, the preset over upstream's defaults. PL_INVALID
 * with a sentence for what cannot be run. */
int wl_spec_resolve(const struct pl_conf *c, struct wl_spec *s, struct pl_fault *f) PL_MUST_USE;

/* Whether a file of `lines` keys does for the records and for what `operations` may insert; PL_INVALID gives the sum. */
int wl_check_lines(const struct wl_spec *s, uint64_t lines, uint64_t operations, struct pl_fault *f) PL_MUST_USE;
/* Whether the file's digest is the one that is wanted, if one is. */
int wl_check_digest(const struct wl_spec *s, uint64_t digest, struct pl_fault *f) PL_MUST_USE;

/* The value a preset gives to an upstream property, in canonical form, or NULL. */
const char *wl_preset_value(const char *workload, const char *property);
extern const char *const wl_workload_name[]; /* NULL-terminated; the last is "core", which is no preset */
extern const struct pl_opt wl_property[]; /* upstream's properties and defaults */

struct wl_client {
	struct pl_rng rng;
};

struct wl {
	struct wl_spec spec;
	uint64_t content_seed;
	uint32_t clients;
	uint32_t field_bytes_max;
	struct wl_key_file *key_file; /* of keys=file */
	struct gen_discrete kinds;
	struct gen_acknowledged inserts;
	struct gen_zipfian lengths, scans, latest;
	struct gen_scrambled scrambled;
	struct gen_zipf *zipf;
	struct gen_scatter scatter;
	struct gen_hotspot hotspot;
	struct gen_exponential exponential;
	struct gen_histogram histogram;
	uint64_t sequence; /* requests made of the sequential generator, by all clients */
	struct wl_client client[];
};

/* One key number as a request of this workload draws it (CoreWorkload.nextKeynum). */
uint64_t wl_request_keynum(struct wl *w, struct pl_rng *r);
/* Length of one field. */
uint32_t wl_field_bytes(const struct wl *w, uint64_t keynum, uint32_t field);

#endif
