/* spec.c - options of the workloads, the presets a to f, and the resolved specification.
 *
 * Three sources, the first that has a value wins: options that were set; the preset named by `workload`, the values of
 * the property files workloads/ycsb/workload[a-f]; the defaults of upstream's CoreWorkload. The lab's own options
 * (records, operations, request) win over the upstream properties of the same meaning. */
#include "workloads/core.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const wl_workload_name[] = {"ycsb/a", "ycsb/b", "ycsb/c", "ycsb/d", "ycsb/e", "ycsb/f", "core", NULL};
const char *const wl_request_name[] = {
	"uniform", "zipfian", "zipf", "latest", "hotspot", "exponential", "sequential", NULL};

static const char *const request_choices[] = {
	"uniform", "zipfian", "zipf", "latest", "hotspot", "exponential", "sequential", "", NULL};
static const char *const upstream_requests[] = {
	"uniform", "zipfian", "latest", "hotspot", "exponential", "sequential", NULL};
static const char *const keys_choices[] = {
	"ycsb", "fixed8", "fixed16", "dense8", "url", "mail", "title", "uuid", "file", NULL};
static const char *const compat_choices[] = {"upstream", "cpp", NULL};
static const char *const length_choices[] = {"constant", "uniform", "zipfian", "histogram", NULL};
static const char *const scan_choices[] = {"uniform", "zipfian", NULL};
static const char *const order_choices[] = {"hashed", "ordered", NULL};

const struct wl_key_ops *const wl_key_forms[] = {&wl_keys_ycsb, &wl_keys_fixed8, &wl_keys_fixed16, &wl_keys_dense8,
	&wl_keys_url, &wl_keys_mail, &wl_keys_title, &wl_keys_uuid, &wl_keys_file, NULL};
static_assert(PL_COUNT(keys_choices) == PL_COUNT(wl_key_forms), "a name for every form of keys");

#define COUNT_MAX ((uint64_t)1 << 48)
#define LENGTH_MAX ((uint64_t)1 << 30)
#define ZEROPADDING_MAX 252u

static const struct pl_opt lab_options[] = {
	{"workload", PL_OPT_ENUM, "ycsb/a", 0, 0, wl_workload_name,
		"preset of YCSB's properties; core: upstream's defaults alone"},
	{"records", PL_OPT_U64, "0", 0, COUNT_MAX, NULL, "records loaded before the run; 0: by ycsb.recordcount"},
	{"operations", PL_OPT_U64, "0", 0, COUNT_MAX, NULL, "operations of the run; 0: by ycsb.operationcount"},
	{"keys", PL_OPT_ENUM, "ycsb", 0, 0, keys_choices,
		"form of the keys: YCSB's, integers, what looks like addresses, titles or identifiers, or lines of a "
		"file"},
	{"keys.path", PL_OPT_STR, "", 0, 0, NULL,
		"file for keys=file, one key a line; the run's identity is its content, not its path"},
	{"keys.digest", PL_OPT_STR, "", 0, 0, NULL,
		"xxh64 of that file, 16 hexadecimal digits; empty: found out, else insisted on"},
	{"request", PL_OPT_ENUM, "", 0, 0, request_choices,
		"distribution of requests; zipf: exact over the records; empty: by ycsb.requestdistribution"},
	{"zipf.theta", PL_OPT_REAL, "0.99", 1, 10000, NULL,
		"exponent of zipfian, zipf and latest (below 1 but for zipf)"},
	{"value.compressibility", PL_OPT_REAL, "0", 0, 1000, NULL,
		"share of a field that repeats and so compresses away; 0: stock payload, which does not compress"},
	{"value.bytes", PL_OPT_BYTES, "0", 0, LENGTH_MAX, NULL,
		"bytes of a record's value, a multiple of ycsb.fieldcount; 0: by ycsb.fieldlength"},
	{"ycsb.compat", PL_OPT_ENUM, "upstream", 0, 0, compat_choices, "whose quirks: YCSB or YCSB-cpp"},
	{NULL, PL_OPT_STR, NULL, 0, 0, NULL, NULL},
};

const struct pl_opt wl_property[] = {
	{"recordcount", PL_OPT_U64, "0", 0, COUNT_MAX, NULL, "records in the store before the run"},
	{"operationcount", PL_OPT_U64, "0", 0, COUNT_MAX, NULL, "operations of the run, all clients together"},
	{"insertstart", PL_OPT_U64, "0", 0, COUNT_MAX, NULL, "number of the first record to load"},
	{"insertcount", PL_OPT_U64, "0", 0, COUNT_MAX, NULL, "records to load; 0: recordcount - insertstart"},
	{"fieldcount", PL_OPT_U64, "10", 1, 1u << 20, NULL, "fields of a record"},
	{"fieldlength", PL_OPT_U64, "100", 1, LENGTH_MAX, NULL, "bytes of a field, or the most of them"},
	{"minfieldlength", PL_OPT_U64, "1", 1, LENGTH_MAX, NULL, "least bytes of a field"},
	{"fieldlengthdistribution", PL_OPT_ENUM, "constant", 0, 0, length_choices, "distribution of field lengths"},
	{"fieldlengthhistogram", PL_OPT_STR, "hist.txt", 0, 0, NULL, "file of field lengths for histogram"},
	{"readallfields", PL_OPT_BOOL, "1", 0, 0, NULL, "a read asks for all fields, else for one"},
	{"writeallfields", PL_OPT_BOOL, "0", 0, 0, NULL, "an update writes all fields, else one"},
	{"readproportion", PL_OPT_REAL, "0.95", 0, 1000000000, NULL, "share of reads"},
	{"updateproportion", PL_OPT_REAL, "0.05", 0, 1000000000, NULL, "share of updates"},
	{"insertproportion", PL_OPT_REAL, "0", 0, 1000000000, NULL, "share of inserts"},
	{"scanproportion", PL_OPT_REAL, "0", 0, 1000000000, NULL, "share of scans"},
	{"readmodifywriteproportion", PL_OPT_REAL, "0", 0, 1000000000, NULL, "share of read-modify-writes"},
	{"requestdistribution", PL_OPT_ENUM, "uniform", 0, 0, upstream_requests, "distribution of requests"},
	{"minscanlength", PL_OPT_U64, "1", 1, LENGTH_MAX, NULL, "least records of a scan"},
	{"maxscanlength", PL_OPT_U64, "1000", 1, LENGTH_MAX, NULL, "most records of a scan"},
	{"scanlengthdistribution", PL_OPT_ENUM, "uniform", 0, 0, scan_choices, "distribution of scan lengths"},
	{"insertorder", PL_OPT_ENUM, "hashed", 0, 0, order_choices,
		"key from the hash of a record's number, or the number"},
	{"zeropadding", PL_OPT_U64, "1", 0, ZEROPADDING_MAX, NULL, "least digits of a key"},
	{"hotspotdatafraction", PL_OPT_REAL, "0.2", 0, 1000, NULL, "share of the records that is hot"},
	{"hotspotopnfraction", PL_OPT_REAL, "0.8", 0, 1000, NULL, "share of the requests that go to hot records"},
	{"exponential.percentile", PL_OPT_REAL, "95", 1, 99999, NULL, "percentage of requests within exponential.frac"},
	{"exponential.frac", PL_OPT_REAL, "0.8571428571", 1, 1000000, NULL, "share of the records, newest first"},
	{NULL, PL_OPT_STR, NULL, 0, 0, NULL, NULL},
};

struct preset_value {
	const char *name, *value;
};

#define COMMON                                                                                                         \
	{"recordcount", "1000"}, {"operationcount", "1000"},                                                           \
	{                                                                                                              \
		"readallfields", "1"                                                                                   \
	}

static const struct preset_value preset_a[] = {COMMON, {"readproportion", "0.5"}, {"updateproportion", "0.5"},
	{"scanproportion", "0"}, {"insertproportion", "0"}, {"requestdistribution", "zipfian"}, {NULL, NULL}};
static const struct preset_value preset_b[] = {COMMON, {"readproportion", "0.95"}, {"updateproportion", "0.05"},
	{"scanproportion", "0"}, {"insertproportion", "0"}, {"requestdistribution", "zipfian"}, {NULL, NULL}};
static const struct preset_value preset_c[] = {COMMON, {"readproportion", "1"}, {"updateproportion", "0"},
	{"scanproportion", "0"}, {"insertproportion", "0"}, {"requestdistribution", "zipfian"}, {NULL, NULL}};
static const struct preset_value preset_d[] = {COMMON, {"readproportion", "0.95"}, {"updateproportion", "0"},
	{"scanproportion", "0"}, {"insertproportion", "0.05"}, {"requestdistribution", "latest"}, {NULL, NULL}};
static const struct preset_value preset_e[] = {COMMON, {"readproportion", "0"}, {"updateproportion", "0"},
	{"scanproportion", "0.95"}, {"insertproportion", "0.05"}, {"requestdistribution", "zipfian"},
	{"maxscanlength", "100"}, {"scanlengthdistribution", "uniform"}, {NULL, NULL}};
static const struct preset_value preset_f[] = {COMMON, {"readproportion", "0.5"}, {"updateproportion", "0"},
	{"scanproportion", "0"}, {"insertproportion", "0"}, {"readmodifywriteproportion", "0.5"},
	{"requestdistribution", "zipfian"}, {NULL, NULL}};
static const struct preset_value no_preset[] = {{NULL, NULL}};

static const struct preset_value *const presets[] = {
	preset_a, preset_b, preset_c, preset_d, preset_e, preset_f, no_preset};

void wl_declare(struct pl_conf *c)
{
	pl_conf_declare(c, "", lab_options);
	pl_conf_declare(c, "ycsb", wl_property);
}

static size_t choice(const char *const *names, const char *name)
{
	size_t i = 0;
	while (strcmp(names[i], name) != 0)
		i++;
	return i;
}

const char *wl_preset_value(const char *workload, const char *property)
{
	const struct preset_value *p = presets[choice(wl_workload_name, workload)];
	for (; p->name; p++)
		if (strcmp(p->name, property) == 0)
			return p->value;
	return NULL;
}

static const char *property(const struct pl_conf *c, const char *name)
{
	char key[64];
	(void)snprintf(key, sizeof key, "ycsb.%s", name);
	if (pl_conf_is_set(c, key))
		return pl_conf_str(c, key);
	const char *preset = wl_preset_value(pl_conf_str(c, "workload"), name);
	return preset ? preset : pl_conf_str(c, key);
}

static uint64_t property_u64(const struct pl_conf *c, const char *name)
{
	return strtoull(property(c, name), NULL, 10);
}
static double property_real(const struct pl_conf *c, const char *name)
{
	return strtod(property(c, name), NULL);
}

static int resolve_counts(const struct pl_conf *c, struct wl_spec *s, struct pl_fault *f)
{
	s->records = pl_conf_u64(c, "records");
	if (!s->records)
		s->records = property_u64(c, "recordcount");
	s->operations = pl_conf_u64(c, "operations");
	if (!s->operations)
		s->operations = property_u64(c, "operationcount");
	s->insertstart = property_u64(c, "insertstart");
	s->insertcount = property_u64(c, "insertcount");
	if (!s->records)
		return pl_fault_set(f, PL_INVALID, "the workload has no records; set `records` or ycsb.recordcount");
	if (s->insertstart >= s->records)
		return pl_fault_set(f, PL_INVALID, "ycsb.insertstart %" PRIu64 " is not below the %" PRIu64 " records",
			s->insertstart, s->records);
	if (!s->insertcount)
		s->insertcount = s->records - s->insertstart;
	if (s->insertcount > s->records - s->insertstart)
		return pl_fault_set(f, PL_INVALID,
			"ycsb.insertstart + ycsb.insertcount is more than the %" PRIu64 " records", s->records);
	return PL_OK;
}

static int resolve_proportions(const struct pl_conf *c, struct wl_spec *s, struct pl_fault *f)
{
	static const char *const names[WL_KINDS] = {[WL_READ] = "readproportion",
		[WL_UPDATE] = "updateproportion",
		[WL_INSERT] = "insertproportion",
		[WL_SCAN] = "scanproportion",
		[WL_RMW] = "readmodifywriteproportion"};
	double sum = 0;
	for (size_t k = 0; k < WL_KINDS; k++) {
		s->proportion[k] = names[k] ? property_real(c, names[k]) : 0;
		sum += s->proportion[k];
	}
	if (!(sum > 0))
		return pl_fault_set(f, PL_INVALID,
			"all proportions of the workload are 0; set one of ycsb.readproportion, updateproportion, "
			"insertproportion, scanproportion, readmodifywriteproportion");
	s->read_all = property(c, "readallfields")[0] == '1';
	s->write_all = property(c, "writeallfields")[0] == '1';
	s->scan_min = property_u64(c, "minscanlength");
	s->scan_max = property_u64(c, "maxscanlength");
	s->scan_zipfian = strcmp(property(c, "scanlengthdistribution"), "zipfian") == 0;
	if (s->scan_min > s->scan_max)
		return pl_fault_set(f, PL_INVALID,
			"ycsb.minscanlength %" PRIu64 " is above ycsb.maxscanlength %" PRIu64, s->scan_min,
			s->scan_max);
	return PL_OK;
}

/* Requests must only name records that were loaded or inserted; upstream can ask for others, and then its reads
 * silently find nothing. */
static int check_loaded(const struct wl_spec *s, struct pl_fault *f)
{
	const char *name = wl_request_name[s->request];
	bool from_zero = s->request == WL_LATEST || s->request == WL_EXPONENTIAL || s->cpp;
	bool to_end = from_zero || s->request == WL_ZIPFIAN;
	if (from_zero && s->insertstart)
		return pl_fault_set(f, PL_INVALID,
			"%srequests by %s reach records below ycsb.insertstart, which this run does not load; set it "
			"to 0",
			s->cpp ? "under ycsb.compat=cpp " : "", name);
	if (to_end && s->insertstart + s->insertcount != s->records)
		return pl_fault_set(f, PL_INVALID,
			"requests by %s reach records that ycsb.insertcount leaves out; load all %" PRIu64, name,
			s->records);
	if (s->request == WL_LATEST && s->records < 4)
		return pl_fault_set(
			f, PL_INVALID, "requests by latest need 4 records or more, not %" PRIu64, s->records);
	return PL_OK;
}

static int resolve_request(const struct pl_conf *c, struct wl_spec *s, struct pl_fault *f)
{
	const char *name = pl_conf_str(c, "request");
	if (!*name)
		name = property(c, "requestdistribution");
	s->request = (enum wl_request)choice(wl_request_name, name);
	s->theta = pl_conf_real(c, "zipf.theta");
	s->hot_set = property_real(c, "hotspotdatafraction");
	s->hot_operations = property_real(c, "hotspotopnfraction");
	s->percentile = property_real(c, "exponential.percentile");
	s->fraction = property_real(c, "exponential.frac");
	if ((s->request == WL_ZIPFIAN || s->request == WL_LATEST) && s->theta >= 1)
		return pl_fault_set(f, PL_INVALID,
			"zipf.theta %g: requests by %s need a theta below 1; request=zipf takes any", s->theta, name);
	if (s->cpp && s->request >= WL_HOTSPOT)
		return pl_fault_set(f, PL_INVALID, "ycsb.compat=cpp: YCSB-cpp has no requests by %s", name);
	double hot = (double)s->insertcount * s->hot_set;
	if (s->request == WL_HOTSPOT && s->hot_operations > 0 && hot < 1)
		return pl_fault_set(f, PL_INVALID, "ycsb.hotspotdatafraction %g of %" PRIu64 " records is no record",
			s->hot_set, s->insertcount);
	if (s->request == WL_HOTSPOT && s->hot_operations < 1 && hot >= (double)s->insertcount)
		return pl_fault_set(f, PL_INVALID,
			"ycsb.hotspotdatafraction %g leaves no cold record for the other %g of the requests",
			s->hot_set, 1 - s->hot_operations);
	return check_loaded(s, f);
}

static int resolve_values(const struct pl_conf *c, struct wl_spec *s, struct pl_fault *f)
{
	uint64_t value_bytes = pl_conf_u64(c, "value.bytes");
	s->fields = (uint32_t)property_u64(c, "fieldcount");
	s->field_bytes = (uint32_t)property_u64(c, "fieldlength");
	s->field_bytes_min = s->cpp ? 1 : (uint32_t)property_u64(c, "minfieldlength");
	s->lengths = (enum wl_lengths)choice(length_choices, property(c, "fieldlengthdistribution"));
	const char *path = property(c, "fieldlengthhistogram");
	s->compressible_q32 = (uint64_t)(pl_conf_real(c, "value.compressibility") * 0x1p32);
	if (value_bytes && s->lengths != WL_LENGTH_CONSTANT)
		return pl_fault_set(f, PL_INVALID, "value.bytes goes with ycsb.fieldlengthdistribution=constant only");
	if (value_bytes && pl_conf_is_set(c, "ycsb.fieldlength"))
		return pl_fault_set(
			f, PL_INVALID, "value.bytes and ycsb.fieldlength say the same thing; set one of them");
	if (value_bytes % s->fields)
		return pl_fault_set(f, PL_INVALID,
			"value.bytes %" PRIu64
			" is no multiple of the %u fields; set ycsb.fieldcount=1 or another size",
			value_bytes, s->fields);
	if (value_bytes)
		s->field_bytes = (uint32_t)(value_bytes / s->fields);
	bool range = s->lengths == WL_LENGTH_UNIFORM || s->lengths == WL_LENGTH_ZIPFIAN;
	if (range && s->field_bytes_min > s->field_bytes)
		return pl_fault_set(f, PL_INVALID, "ycsb.minfieldlength %u is above ycsb.fieldlength %u",
			s->field_bytes_min, s->field_bytes);
	if (s->cpp && s->lengths == WL_LENGTH_HISTOGRAM)
		return pl_fault_set(f, PL_INVALID, "ycsb.compat=cpp: YCSB-cpp has no histogram of field lengths");
	if (strlen(path) >= sizeof s->histogram_path)
		return pl_fault_set(f, PL_INVALID, "ycsb.fieldlengthhistogram: the path is too long");
	memcpy(s->histogram_path, path, strlen(path) + 1);
	return PL_OK;
}

static int resolve_keys(const struct pl_conf *c, struct wl_spec *s, struct pl_fault *f)
{
	const char *path = pl_conf_str(c, "keys.path"), *digest = pl_conf_str(c, "keys.digest");
	s->keys = wl_key_forms[choice(keys_choices, pl_conf_str(c, "keys"))];
	s->key_form.cpp = s->cpp;
	s->key_form.ordered = strcmp(property(c, "insertorder"), "ordered") == 0;
	s->key_form.zeropadding = (uint32_t)property_u64(c, "zeropadding");
	if (s->key_form.ordered && s->keys->own_order)
		return pl_fault_set(f, PL_INVALID,
			"ycsb.insertorder=ordered: the byte order of keys=%s does not follow their numbers",
			s->keys->name);
	if (s->keys != &wl_keys_file)
		return PL_OK;
	if (!*path)
		return pl_fault_set(f, PL_INVALID, "keys=file needs keys.path, a file with one key a line");
	if (strlen(path) >= sizeof s->keys_path)
		return pl_fault_set(f, PL_INVALID, "keys.path: the path is too long");
	if (*digest && (strlen(digest) != 16 || strspn(digest, "0123456789abcdef") != 16))
		return pl_fault_set(f, PL_INVALID, "keys.digest: '%s' is not 16 hexadecimal digits", digest);
	memcpy(s->keys_path, path, strlen(path) + 1);
	memcpy(s->keys_digest, digest, strlen(digest) + 1);
	return PL_OK;
}

static uint64_t root(uint64_t n)
{
	uint64_t r = 0;
	for (uint64_t bit = (uint64_t)1 << 31; bit; bit /= 2)
		if ((r + bit) * (r + bit) <= n)
			r += bit;
	return r;
}

/* Inserts are drawn, so their number is known only within bounds: the mean and eight standard deviations, which are
 * exceeded with a probability below 10^-14. */
static uint64_t inserts_most(const struct wl_spec *s, uint64_t operations)
{
	double sum = 0;
	for (size_t k = 0; k < WL_KINDS; k++)
		sum += s->proportion[k];
	double share = s->proportion[WL_INSERT] / sum, mean = (double)operations * share;
	if (!(share > 0))
		return 0;
	return pl_min64(operations, (uint64_t)mean + 8 * root((uint64_t)(mean * (1 - share)) + 1) + 8);
}

int wl_check_lines(const struct wl_spec *s, uint64_t lines, uint64_t operations, struct pl_fault *f)
{
	uint64_t inserts = inserts_most(s, operations), first = s->insertstart + s->insertcount;
	uint64_t wanted = inserts ? s->records + inserts : first;
	if (lines < first)
		return pl_fault_set(f, PL_INVALID,
			"%s:%" PRIu64 ": the file ends here, but the workload has %" PRIu64 " records", s->keys_path,
			lines, first);
	if (lines < wanted)
		return pl_fault_set(f, PL_INVALID,
			"%s:%" PRIu64 ": the file ends here, but %" PRIu64 " records and up to %" PRIu64
			" inserts of %" PRIu64 " operations are %" PRIu64 " keys",
			s->keys_path, lines, s->records, inserts, operations, wanted);
	return PL_OK;
}

int wl_spec_resolve(const struct pl_conf *c, struct wl_spec *s, struct pl_fault *f)
{
	memset(s, 0, sizeof *s);
	s->cpp = strcmp(pl_conf_str(c, "ycsb.compat"), "cpp") == 0;
	int err = resolve_keys(c, s, f);
	if (!err)
		err = resolve_counts(c, s, f);
	if (!err)
		err = resolve_proportions(c, s, f);
	if (!err)
		err = resolve_values(c, s, f);
	return err ? err : resolve_request(c, s, f);
}
