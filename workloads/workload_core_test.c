/* CoreWorkload as a stream: kinds, keys, fields, replay, and what wl_open refuses. */
#include "workloads/chi_square.h"
#include "workloads/core.h"

#include "engine/base/le.h"

#include <inttypes.h>
#include <lz4.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SEED 17u
#define FIVE_KINDS                                                                                                     \
	"workload=core ycsb.readproportion=0.3 ycsb.updateproportion=0.2 ycsb.insertproportion=0.1 "                   \
	"ycsb.scanproportion=0.15 ycsb.readmodifywriteproportion=0.25"
#define HISTOGRAM                                                                                                      \
	"ycsb.fieldlengthdistribution=histogram ycsb.fieldlengthhistogram=workloads/golden/histogram_input.txt"

/* settings: "key=value key=value ..." */
static void configure(struct pl_conf *c, const char *settings)
{
	char text[512], *save = NULL;
	struct pl_fault f;
	pl_conf_init(c);
	wl_declare(c);
	assert_true(strlen(settings) < sizeof text);
	(void)snprintf(text, sizeof text, "%s", settings);
	for (char *s = strtok_r(text, " ", &save); s; s = strtok_r(NULL, " ", &save)) {
		char *equals = strchr(s, '=');
		assert_non_null(equals);
		*equals = 0;
		if (pl_conf_set(c, s, equals + 1, &f))
			fail_msg("%s", f.text);
	}
}

static struct wl *open_as(const char *settings, uint64_t seed, uint32_t clients)
{
	struct pl_conf c;
	struct pl_fault f;
	struct wl *w = NULL;
	configure(&c, settings);
	if (wl_open(&c, seed, clients, &w, &f))
		fail_msg("%s: %s", settings, f.text);
	pl_conf_free(&c);
	return w;
}

static void refused(const char *settings, const char *sentence)
{
	struct pl_conf c;
	struct pl_fault f = {0, ""};
	struct wl *w = NULL;
	configure(&c, settings);
	assert_int_equal(wl_open(&c, SEED, 1, &w, &f), PL_INVALID);
	assert_null(w);
	assert_string_equal(f.text, sentence);
	pl_conf_free(&c);
}

static void next(struct wl *w, uint32_t client, struct wl_op *op)
{
	wl_next(w, client, op);
	if (op->kind == WL_INSERT)
		wl_acknowledge(w, op->keynum);
}

static void kinds_fit(void **state)
{
	(void)state;
	static const char *const all[] = {
		"workload=ycsb/a", "workload=ycsb/d", "workload=ycsb/e", "workload=ycsb/f", FIVE_KINDS};
	for (size_t k = 0; k < PL_COUNT(all); k++) {
		char text[512];
		uint64_t count[WL_KINDS] = {0};
		(void)snprintf(text, sizeof text, "%s records=10000 operations=100000", all[k]);
		struct wl *w = open_as(text, SEED, 1);
		for (int i = 0; i < 100000; i++) {
			struct wl_op op;
			next(w, 0, &op);
			count[op.kind]++;
		}
		double excess = chi_square_excess(count, w->spec.proportion, WL_KINDS, 100000);
		if (excess >= 5)
			fail_msg("%s: %g standard deviations", all[k], excess);
		for (size_t i = 0; i < WL_KINDS; i++)
			assert_true(w->spec.proportion[i] > 0 || count[i] == 0);
		wl_close(w);
	}
}

/* Every kind of request stays on records that exist, with and without inserts, and inserts are numbered on. */
static void requests_name_existing_records(void **state)
{
	(void)state;
	for (size_t r = 0; wl_request_name[r]; r++) {
		char text[256];
		uint64_t known = 500;
		(void)snprintf(text, sizeof text, "workload=ycsb/d records=500 operations=20000 request=%s",
			wl_request_name[r]);
		struct wl *w = open_as(text, SEED, 4);
		for (uint32_t i = 0; i < 20000; i++) {
			struct wl_op op;
			wl_next(w, i % 4, &op);
			if (op.kind == WL_INSERT) {
				assert_int_equal(op.keynum, known++);
				wl_acknowledge(w, op.keynum);
			} else {
				assert_true(op.keynum < known);
			}
		}
		assert_true(known > 1200);
		wl_close(w);
	}
}

static void unacknowledged_inserts_are_not_requested(void **state)
{
	(void)state;
	struct wl *w = open_as("workload=ycsb/d records=100 operations=10000", SEED, 1);
	uint64_t newest = 0;
	for (int i = 0; i < 10000; i++) {
		struct wl_op op;
		wl_next(w, 0, &op);
		if (op.kind == WL_INSERT && op.keynum != 100) /* the first one is held back */
			wl_acknowledge(w, op.keynum);
		if (op.kind == WL_READ)
			newest = pl_max64(newest, op.keynum);
	}
	assert_int_equal(newest, 99);
	wl_acknowledge(w, 100);
	for (int i = 0; i < 1000; i++) {
		struct wl_op op;
		wl_next(w, 0, &op);
		if (op.kind == WL_READ)
			newest = pl_max64(newest, op.keynum);
	}
	assert_true(newest > 500);
	wl_close(w);
}

static void load_covers_the_slice_in_order(void **state)
{
	(void)state;
	struct wl *w =
		open_as("workload=core request=uniform ycsb.recordcount=1000 ycsb.insertstart=200 ycsb.insertcount=300",
			SEED, 1);
	struct wl_op op;
	assert_int_equal(wl_records(w), 300);
	assert_int_equal(wl_load_keynum(w, 0), 200);
	assert_int_equal(wl_load_keynum(w, 299), 499);
	for (int i = 0; i < 10000; i++) {
		next(w, 0, &op);
		assert_in_range(op.keynum, 200, 499);
	}
	wl_close(w);
}

static void sequential_requests_wrap(void **state)
{
	(void)state;
	struct wl *w = open_as("workload=ycsb/c records=10 request=sequential", SEED, 2);
	struct wl_op op;
	for (uint32_t i = 0; i < 35; i++) {
		wl_next(w, i % 2, &op);
		assert_int_equal(op.keynum, i % 10);
	}
	wl_close(w);
}

static void fields_follow_the_properties(void **state)
{
	(void)state;
	struct wl_op op;
	struct wl *w = open_as("workload=ycsb/a records=100", SEED, 1);
	uint64_t count[10] = {0}, updates = 0;
	const double tenth[10] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1};
	for (int i = 0; i < 20000; i++) {
		next(w, 0, &op);
		if (op.kind == WL_READ) {
			assert_int_equal(op.field, WL_ALL_FIELDS);
		} else {
			assert_true(op.field < 10);
			count[op.field]++;
			updates++;
		}
	}
	assert_true(chi_square_excess(count, tenth, 10, updates) < 5);
	wl_close(w);
	w = open_as("workload=ycsb/a records=100 ycsb.readallfields=0 ycsb.writeallfields=1", SEED, 1);
	for (int i = 0; i < 1000; i++) {
		next(w, 0, &op);
		assert_true(op.kind == WL_READ ? op.field < 10 : op.field == WL_ALL_FIELDS);
	}
	wl_close(w);
}

static void scan_lengths_fit(void **state)
{
	(void)state;
	struct wl_op op;
	uint64_t count[101] = {0}, scans = 0;
	double p[101] = {0};
	for (int i = 1; i <= 100; i++)
		p[i] = 0.01;
	struct wl *w = open_as("workload=ycsb/e records=1000", SEED, 1);
	for (int i = 0; i < 100000; i++) {
		next(w, 0, &op);
		assert_true(op.kind != WL_SCAN || (op.scan_count >= 1 && op.scan_count <= 100));
		if (op.kind == WL_SCAN) {
			count[op.scan_count]++;
			scans++;
		}
	}
	assert_true(chi_square_excess(count, p, 101, scans) < 5);
	wl_close(w);
	w = open_as("workload=ycsb/e records=1000 ycsb.scanlengthdistribution=zipfian ycsb.minscanlength=5", SEED, 1);
	uint64_t shortest = 0;
	scans = 0;
	for (int i = 0; i < 20000; i++) {
		next(w, 0, &op);
		assert_true(op.kind != WL_SCAN || (op.scan_count >= 5 && op.scan_count <= 100));
		scans += op.kind == WL_SCAN;
		shortest += op.kind == WL_SCAN && op.scan_count == 5;
	}
	assert_true(shortest * 6 > scans); /* 1 / zeta(96) = 0.19 */
	wl_close(w);
}

static void replay_is_equal(void **state)
{
	(void)state;
	for (size_t r = 0; wl_request_name[r]; r++) {
		char text[256];
		(void)snprintf(text, sizeof text, "workload=ycsb/e records=1000 operations=5000 request=%s",
			wl_request_name[r]);
		struct wl *a = open_as(text, SEED, 3), *b = open_as(text, SEED, 3), *c = open_as(text, SEED + 1, 3);
		unsigned other = 0;
		for (uint32_t i = 0; i < 5000; i++) {
			struct wl_op x, y, z;
			next(a, i % 3, &x);
			next(b, i % 3, &y);
			next(c, i % 3, &z);
			assert_int_equal(x.kind, y.kind);
			assert_int_equal(x.keynum, y.keynum);
			assert_int_equal(x.field, y.field);
			assert_int_equal(x.scan_count, y.scan_count);
			other += x.keynum != z.keynum || x.scan_count != z.scan_count;
		}
		assert_true(other > 1000);
		wl_close(a);
		wl_close(b);
		wl_close(c);
	}
}

/* Without inserts a client's stream is the same however the clients take turns. */
static void streams_do_not_depend_on_scheduling(void **state)
{
	(void)state;
	struct wl *a = open_as("workload=ycsb/f records=1000", SEED, 2),
		  *b = open_as("workload=ycsb/f records=1000", SEED, 2);
	struct wl_op x[200], y[200], op;
	unsigned same = 0;
	for (int i = 0; i < 200; i++)
		wl_next(a, 1, &x[i]);
	for (int i = 0; i < 200; i++) {
		wl_next(b, 0, &op);
		wl_next(b, 1, &y[i]);
		assert_true(x[i].kind == y[i].kind && x[i].keynum == y[i].keynum && x[i].field == y[i].field);
		same += op.keynum == y[i].keynum;
	}
	assert_in_range(same, 0, 40);
	wl_close(a);
	wl_close(b);
}

static void operations_are_split_as_upstream(void **state)
{
	(void)state;
	struct wl *w = open_as("operations=11", SEED, 4);
	assert_int_equal(wl_operations(w), 11);
	assert_int_equal(wl_client_operations(w, 0), 3);
	assert_int_equal(wl_client_operations(w, 2), 3);
	assert_int_equal(wl_client_operations(w, 3), 2);
	wl_close(w);
}

static void check_key(const char *settings, uint64_t keynum, const char *want)
{
	uint8_t key[WL_KEY_MAX + 1];
	struct wl *w = open_as(settings, SEED, 1);
	size_t n = wl_key(w, keynum, key);
	assert_true(n <= wl_key_bytes_max(w) && n <= WL_KEY_MAX);
	key[n] = 0;
	assert_string_equal((char *)key, want);
	wl_close(w);
}

static void ycsb_keys_are_upstreams(void **state)
{
	(void)state;
	check_key("", 0, "user6284781860667377211");
	check_key("", 1, "user8517097267634966620");
	check_key("", 1000, "user5952875239596136740");
	check_key("ycsb.insertorder=ordered", 0, "user0");
	check_key("ycsb.insertorder=ordered", 9, "user9");
	check_key("ycsb.insertorder=ordered", 10, "user10");
	check_key("ycsb.insertorder=ordered", 99, "user99");
	check_key("ycsb.insertorder=ordered", 100, "user100");
	check_key("ycsb.insertorder=ordered", 1234567, "user1234567");
	check_key("ycsb.insertorder=ordered ycsb.zeropadding=10", 42, "user0000000042");
	check_key("ycsb.zeropadding=22", 0, "user0006284781860667377211");
	/* 0's hash is negative: 2^64 - 6284781860667377211 */
	check_key("ycsb.compat=cpp", 0, "user12161962213042174405");
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

static void keys_are_unique(void **state)
{
	(void)state;
	static const char *const all[] = {"keys=ycsb", "keys=fixed8", "keys=fixed16",
		"keys=ycsb ycsb.insertorder=ordered", "keys=fixed8 ycsb.insertorder=ordered",
		"keys=ycsb ycsb.compat=cpp"};
	enum { N = 100000 };
	uint8_t(*key)[32] = calloc(N, sizeof *key);
	assert_non_null(key);
	for (size_t k = 0; k < PL_COUNT(all); k++) {
		struct wl *w = open_as(all[k], SEED, 1);
		memset(key, 0, N * sizeof *key);
		for (uint64_t i = 0; i < N; i++) {
			size_t n = wl_key(w, i, key[i]);
			assert_true(n <= wl_key_bytes_max(w) && n < 32);
			assert_true(strstr(all[k], "fixed8") ? n == 8 : strstr(all[k], "fixed16") ? n == 16 : n >= 5);
			key[i][31] = (uint8_t)n;
		}
		qsort(key, N, sizeof *key, compare_keys);
		for (uint64_t i = 1; i < N; i++)
			assert_int_not_equal(memcmp(key[i - 1], key[i], 32), 0);
		assert_int_equal(wl_int_keys(w), strstr(all[k], "fixed8") != NULL);
		wl_close(w);
	}
	free(key);
}

static void ordered_keys_are_in_byte_order(void **state)
{
	(void)state;
	static const char *const all[] = {"keys=fixed8 ycsb.insertorder=ordered",
		"keys=fixed16 ycsb.insertorder=ordered", "keys=ycsb ycsb.insertorder=ordered ycsb.zeropadding=20"};
	for (size_t k = 0; k < PL_COUNT(all); k++) {
		struct wl *w = open_as(all[k], SEED, 1);
		uint8_t a[WL_KEY_MAX], b[WL_KEY_MAX];
		size_t n = wl_key(w, 0, a);
		for (uint64_t i = 1; i < 2000; i++) {
			assert_int_equal(wl_key(w, i * 7, b), n);
			assert_true(memcmp(a, b, n) < 0);
			memcpy(a, b, n);
		}
		wl_close(w);
	}
	check_key("keys=fixed16 ycsb.insertorder=ordered", 255, "00000000000000ff");
	struct wl *w = open_as("keys=fixed8 ycsb.insertorder=ordered", SEED, 1);
	uint8_t key[8];
	assert_int_equal(wl_key(w, 258, key), 8);
	assert_int_equal(be64(key), 258);
	wl_close(w);
}

static void extents_tile_the_record(void **state)
{
	(void)state;
	static const char *const all[] = {"", "ycsb.fieldlengthdistribution=uniform ycsb.minfieldlength=20",
		"ycsb.fieldlengthdistribution=zipfian ycsb.minfieldlength=3", "value.bytes=4096 ycsb.fieldcount=1",
		HISTOGRAM};
	for (size_t k = 0; k < PL_COUNT(all); k++) {
		struct wl *w = open_as(all[k], SEED, 1);
		uint32_t least = UINT32_MAX, most = 0;
		for (uint64_t n = 0; n < 500; n++) {
			uint32_t at = 0, offset, bytes;
			for (uint32_t i = 0; i < wl_fields(w); i++) {
				wl_field_extent(w, n, i, &offset, &bytes);
				assert_int_equal(offset, at);
				at += bytes;
				least = bytes < least ? bytes : least;
				most = bytes > most ? bytes : most;
			}
			assert_int_equal(wl_record_bytes(w, n), at);
			assert_true(at <= wl_record_bytes_max(w));
		}
		assert_true(most * wl_fields(w) == wl_record_bytes_max(w));
		assert_true(k != 1 || (least == 20 && most == 100));
		assert_true(k != 2 || (least == 3 && most == 100));
		assert_true(k != 3 || (least == 4096 && most == 4096));
		assert_true(k != 4 || (least == 32 && most == 128));
		wl_close(w);
	}
}

/* Field lengths are drawn from the distribution over keys and fields. */
static void field_lengths_fit(void **state)
{
	(void)state;
	uint64_t count[101] = {0}, sizes[5] = {0};
	double p[101] = {0};
	const double histogram[5] = {0, 0.11, 0.30, 0, 0.59}; /* numbers 0..10, 11..40, 41..99 of 100 */
	struct wl *w = open_as("ycsb.fieldlengthdistribution=uniform", SEED, 1);
	for (int i = 1; i <= 100; i++)
		p[i] = 0.01;
	for (uint64_t n = 0; n < 100000; n++)
		count[wl_field_bytes(w, n / 10, (uint32_t)(n % 10))]++;
	assert_true(chi_square_excess(count, p, 101, 100000) < 5);
	wl_close(w);
	w = open_as(HISTOGRAM, SEED, 1);
	for (uint64_t n = 0; n < 100000; n++)
		sizes[wl_field_bytes(w, n / 10, (uint32_t)(n % 10)) / 32]++;
	wl_close(w);
	/* 0..9 and 10 give 32; 11..40 give 64 as bucket 1's remainder is then at most 0; bucket 3 and 4 give 128 */
	assert_true(chi_square_excess(sizes, histogram, 5, 100000) < 5);
}

static void content_is_deterministic(void **state)
{
	(void)state;
	static const char *const all[] = {
		"", "value.compressibility=0.5", "value.compressibility=1", "value.bytes=999 ycsb.fieldcount=3"};
	for (size_t k = 0; k < PL_COUNT(all); k++) {
		struct wl *a = open_as(all[k], SEED, 1), *b = open_as(all[k], SEED, 5),
			  *c = open_as(all[k], SEED + 1, 1);
		uint8_t x[400], y[400];
		uint32_t offset, n;
		for (uint64_t key = 0; key < 200; key++)
			for (uint32_t field = 0; field < wl_fields(a); field++) {
				wl_field_extent(a, key, field, &offset, &n);
				wl_field(a, key, field, 3, x);
				wl_field(b, key, field, 3, y);
				assert_memory_equal(x, y, n);
				wl_field(a, key, field, 4, y);
				assert_int_not_equal(memcmp(x, y, n), 0);
				wl_field(a, key + 1, field, 3, y);
				assert_int_not_equal(memcmp(x, y, n), 0);
				wl_field(a, key, (field + 1) % wl_fields(a), 3, y);
				assert_int_not_equal(memcmp(x, y, n), 0);
				wl_field(c, key, field, 3, y);
				assert_int_not_equal(memcmp(x, y, n), 0);
			}
		wl_close(a);
		wl_close(b);
		wl_close(c);
	}
}

/* The character sets of upstream's RandomByteIterator, all used, each about equally. */
static void content_has_upstreams_alphabet(void **state)
{
	(void)state;
	struct wl *w = open_as("value.bytes=10000 ycsb.fieldcount=1", SEED, 1);
	static uint8_t x[10000];
	static const uint8_t mask[] = {31, 63, 95};
	uint64_t count[3][128] = {{0}};
	for (uint32_t version = 0; version < 30; version++) {
		wl_field(w, 1, 0, version, x);
		for (size_t i = 0; i < sizeof x; i++) {
			assert_in_range(x[i], 32, 127);
			count[i % 3][x[i]]++;
		}
	}
	for (size_t m = 0; m < 3; m++) {
		double p[128] = {0};
		for (unsigned v = 0; v < 128; v++)
			p[(v & mask[m]) + 32] = m == 0 ? 1.0 / 32 : 1.0 / 64;
		uint64_t draws = 0;
		for (unsigned v = 0; v < 128; v++) {
			draws += count[m][v];
			assert_true(p[v] > 0 || count[m][v] == 0);
		}
		assert_true(chi_square_excess(count[m], p, 128, draws) < 5);
	}
	wl_close(w);
}

/* Lengths around the word boundaries: nothing beyond the field is touched, and a longer field begins alike. */
static void content_stays_in_its_field(void **state)
{
	(void)state;
	for (uint32_t n = 1; n < 60; n++) {
		char text[64];
		uint8_t x[64];
		(void)snprintf(text, sizeof text, "value.bytes=%u ycsb.fieldcount=1", n);
		struct wl *w = open_as(text, SEED, 1);
		memset(x, 0xee, sizeof x);
		wl_field(w, 5, 0, 0, x);
		for (uint32_t i = 0; i < sizeof x; i++)
			assert_true(i < n ? x[i] < 128 : x[i] == 0xee);
		wl_close(w);
	}
}

static uint32_t permille(const char *settings)
{
	struct wl_facts facts;
	struct wl *w = open_as(settings, SEED, 1);
	wl_facts(w, &facts);
	wl_close(w);
	return facts.value_lz4_permille;
}

static void stock_payload_does_not_compress(void **state)
{
	(void)state;
	assert_in_range(permille(""), 990, 1010);
	assert_in_range(permille("value.bytes=1000 ycsb.fieldcount=1"), 990, 1010);
	assert_in_range(permille("value.bytes=1000000 ycsb.fieldcount=1"), 990, 1010);
}

static void compressibility_is_near_its_target(void **state)
{
	(void)state;
	assert_in_range(permille("value.compressibility=0.5 value.bytes=1000 ycsb.fieldcount=1"), 490, 530);
	assert_in_range(permille("value.compressibility=0.25 value.bytes=1000 ycsb.fieldcount=1"), 740, 780);
	assert_in_range(permille("value.compressibility=0.75 value.bytes=1000 ycsb.fieldcount=1"), 240, 280);
	assert_in_range(permille("value.compressibility=0.5"), 500, 570); /* fields of 100 bytes: a token each */
}

static void facts_name_what_is_drawn(void **state)
{
	(void)state;
	static const struct {
		const char *settings;
		double theta;
		uint64_t items;
		uint32_t key_milli;
	} all[] = {
		{"workload=ycsb/a", 0.99, 10000000001u, 22877},
		{"workload=ycsb/a request=zipf zipf.theta=1.2 keys=fixed8", 1.2, 1000, 8000},
		{"workload=ycsb/d keys=fixed16", 0.99, 999, 16000},
		{"workload=core records=10 ycsb.insertorder=ordered", 0, 10, 5000},
	};
	for (size_t k = 0; k < PL_COUNT(all); k++) {
		struct wl_facts facts;
		struct wl *w = open_as(all[k].settings, SEED, 1);
		wl_facts(w, &facts);
		assert_true(facts.theta == all[k].theta);
		assert_int_equal(facts.items, all[k].items);
		assert_int_equal(facts.key_bytes_mean_milli, all[k].key_milli);
		wl_close(w);
	}
}

static void compat_changes_what_it_says(void **state)
{
	(void)state;
	struct wl *a = open_as("workload=ycsb/e", SEED, 1), *b = open_as("workload=ycsb/e ycsb.compat=cpp", SEED, 1);
	assert_int_equal(a->scrambled.items, 1000 + 100 + 1); /* 1000 operations, 5 % inserts, twice */
	assert_int_equal(b->scrambled.items, 1000 + 100);
	assert_true(b->scrambled.cpp && !a->scrambled.cpp);
	assert_true(a->inserts.window == 1u << 20 && b->inserts.window == 1u << 16);
	wl_close(a);
	wl_close(b);
}

static void open_refuses_with_a_sentence(void **state)
{
	(void)state;
	refused("workload=core records=5 ycsb.readproportion=0 ycsb.updateproportion=0",
		"all proportions of the workload are 0; set one of ycsb.readproportion, updateproportion, "
		"insertproportion, scanproportion, readmodifywriteproportion");
	refused("workload=core", "the workload has no records; set `records` or ycsb.recordcount");
	refused("records=10 ycsb.insertstart=10", "ycsb.insertstart 10 is not below the 10 records");
	refused("records=10 ycsb.insertcount=11", "ycsb.insertstart + ycsb.insertcount is more than the 10 records");
	refused("records=10 ycsb.insertcount=5",
		"requests by zipfian reach records that ycsb.insertcount leaves out; load all 10");
	refused("workload=ycsb/d ycsb.insertstart=5",
		"requests by latest reach records below ycsb.insertstart, which this run does not load; set it to 0");
	refused("workload=ycsb/d records=3", "requests by latest need 4 records or more, not 3");
	refused("zipf.theta=1.5", "zipf.theta 1.5: requests by zipfian need a theta below 1; request=zipf takes any");
	refused("ycsb.minscanlength=50 workload=ycsb/e ycsb.maxscanlength=49",
		"ycsb.minscanlength 50 is above ycsb.maxscanlength 49");
	refused("request=hotspot records=4", "ycsb.hotspotdatafraction 0.2 of 4 records is no record");
	refused("request=hotspot ycsb.hotspotdatafraction=1",
		"ycsb.hotspotdatafraction 1 leaves no cold record for the other 0.2 of the requests");
	refused("value.bytes=1001",
		"value.bytes 1001 is no multiple of the 10 fields; set ycsb.fieldcount=1 or another size");
	refused("value.bytes=1000 ycsb.fieldlength=100",
		"value.bytes and ycsb.fieldlength say the same thing; set one of them");
	refused("ycsb.compat=cpp request=hotspot", "ycsb.compat=cpp: YCSB-cpp has no requests by hotspot");
	refused("ycsb.fieldlengthdistribution=histogram", "fieldlengthhistogram: cannot open 'hist.txt'");
	refused("ycsb.fieldlengthdistribution=histogram ycsb.fieldlengthhistogram=workloads/ycsb/workloada",
		"workloads/ycsb/workloada:1: expected 'BlockSize<tab>bytes'");
	refused("ycsb.fieldlength=1000000000", "a record of 10 fields of up to 1000000000 bytes exceeds 2 GiB");
}

/* A theta other than upstream's works at once, without the sum of 10^10 terms. */
static void other_thetas_open_at_once(void **state)
{
	(void)state;
	struct wl *w = open_as("zipf.theta=0.8 records=1000", SEED, 1);
	struct wl_op op;
	for (int i = 0; i < 1000; i++)
		next(w, 0, &op);
	assert_true(w->scrambled.inner.zetan > 400 && w->scrambled.inner.zetan < 600); /* 496.6 */
	wl_close(w);
}

#define GOLDEN "workloads/golden/print.txt"

/* 30 operations of the run and 3 of the load of each preset, and of other keys and requests. */
static void write_all(FILE *file)
{
	static const char *const all[] = {"workload=ycsb/a", "workload=ycsb/b", "workload=ycsb/c", "workload=ycsb/d",
		"workload=ycsb/e", "workload=ycsb/f", "request=zipf keys=fixed8", "request=hotspot keys=fixed16",
		"request=exponential ycsb.compat=upstream ycsb.insertorder=ordered", "request=latest ycsb.compat=cpp",
		"ycsb.fieldlengthdistribution=zipfian ycsb.readallfields=0 request=uniform", "keys=dense8", "keys=url",
		"keys=mail", "keys=title", "keys=uuid",
		"workload=ycsb/e keys=file keys.path=workloads/golden/keys.txt records=20 operations=30"};
	struct pl_fault f;
	for (size_t i = 0; i < PL_COUNT(all); i++) {
		struct pl_conf c;
		configure(&c, all[i]);
		(void)fprintf(file, "# %s\n", all[i]);
		assert_int_equal(wl_print(&c, 1, "load", 3, file, &f), PL_OK);
		assert_int_equal(wl_print(&c, 1, "run", 30, file, &f), PL_OK);
		pl_conf_free(&c);
	}
}

/* wl_print as text and content as bytes, the same on every machine and compiler. */
static void print_golden(void **state)
{
	(void)state;
	char *got = NULL, want[65536];
	size_t n = 0;
	FILE *file = open_memstream(&got, &n);
	assert_non_null(file);
	write_all(file);
	struct wl *w = open_as("value.compressibility=0.3", 1, 1);
	uint8_t x[100];
	for (uint32_t i = 0; i < 10; i++) {
		wl_field(w, i, i, i, x);
		(void)fwrite(x, 1, sizeof x, file);
		(void)fputc('\n', file);
	}
	wl_close(w);
	assert_int_equal(fclose(file), 0);
	if (getenv("PAGELAB_UPDATE_GOLDEN")) {
		file = fopen(GOLDEN, "w");
		assert_non_null(file);
		assert_int_equal(fwrite(got, 1, n, file), n);
		assert_int_equal(fclose(file), 0);
	}
	file = fopen(GOLDEN, "r");
	if (!file)
		fail_msg("%s is missing; run in the root of the source tree", GOLDEN);
	assert_int_equal(fread(want, 1, sizeof want, file), n);
	(void)fclose(file);
	assert_memory_equal(got, want, n);
	free(got);
}

static void print_names_phases(void **state)
{
	(void)state;
	struct pl_conf c;
	struct pl_fault f;
	configure(&c, "");
	assert_int_equal(wl_print(&c, 1, "warm", 1, stdout, &f), PL_INVALID);
	assert_string_equal(f.text, "unknown phase 'warm' (phases: load, run)");
	pl_conf_free(&c);
}

static void histogram_prints_shares(void **state)
{
	(void)state;
	struct pl_conf c;
	struct pl_fault f;
	char *text = NULL;
	size_t n = 0;
	FILE *file = open_memstream(&text, &n);
	assert_non_null(file);
	configure(&c, "request=hotspot records=1000 ycsb.hotspotdatafraction=0.001 ycsb.hotspotopnfraction=1");
	assert_int_equal(wl_histogram(&c, SEED, 1000, file, &f), PL_OK);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(text, "# request=hotspot theta=0 items=1000 records=1000 draws=1000\n"
				  "hottest keys=1 share_ppm=1000000\n"
				  "hottest keys=100 share_ppm=1000000\n"
				  "hottest keys=10 percent=1 share_ppm=1000000\n"
				  "hottest keys=100 percent=10 share_ppm=1000000\n"
				  "ranks from=1 to=1 share_ppm=1000000\n"
				  "ranks from=2 to=3 share_ppm=0\n"
				  "ranks from=4 to=7 share_ppm=0\n"
				  "ranks from=8 to=15 share_ppm=0\n"
				  "ranks from=16 to=31 share_ppm=0\n"
				  "ranks from=32 to=63 share_ppm=0\n"
				  "ranks from=64 to=127 share_ppm=0\n"
				  "ranks from=128 to=255 share_ppm=0\n"
				  "ranks from=256 to=511 share_ppm=0\n"
				  "ranks from=512 to=1000 share_ppm=0\n");
	free(text);
	assert_int_equal(wl_histogram(&c, SEED, 0, stdout, &f), PL_INVALID);
	pl_conf_free(&c);
}

#define T(name, function)                                                                                              \
	{                                                                                                              \
		"workload." name, function, NULL, NULL, NULL                                                           \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T("core.kinds_fit", kinds_fit),
		T("core.requests_name_existing_records", requests_name_existing_records),
		T("core.unacknowledged_inserts_are_not_requested", unacknowledged_inserts_are_not_requested),
		T("core.load_covers_the_slice_in_order", load_covers_the_slice_in_order),
		T("sequential.requests_wrap", sequential_requests_wrap),
		T("core.fields_follow_the_properties", fields_follow_the_properties),
		T("core.scan_lengths_fit", scan_lengths_fit),
		T("core.replay_is_equal", replay_is_equal),
		T("core.streams_do_not_depend_on_scheduling", streams_do_not_depend_on_scheduling),
		T("core.operations_are_split_as_upstream", operations_are_split_as_upstream),
		T("keys.ycsb_keys_are_upstreams", ycsb_keys_are_upstreams),
		T("keys.unique", keys_are_unique),
		T("keys.ordered_keys_are_in_byte_order", ordered_keys_are_in_byte_order),
		T("value.extents_tile_the_record", extents_tile_the_record),
		T("value.field_lengths_fit", field_lengths_fit),
		T("value.content_is_deterministic", content_is_deterministic),
		T("value.content_has_upstreams_alphabet", content_has_upstreams_alphabet),
		T("value.content_stays_in_its_field", content_stays_in_its_field),
		T("value.stock_payload_does_not_compress", stock_payload_does_not_compress),
		T("value.compressibility_is_near_its_target", compressibility_is_near_its_target),
		T("core.facts_name_what_is_drawn", facts_name_what_is_drawn),
		T("ycsb.compat_changes_what_it_says", compat_changes_what_it_says),
		T("core.open_refuses_with_a_sentence", open_refuses_with_a_sentence),
		T("zipfian.other_thetas_open_at_once", other_thetas_open_at_once),
		T("core.print_golden", print_golden),
		T("core.print_names_phases", print_names_phases),
		T("core.histogram_prints_shares", histogram_prints_shares),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
