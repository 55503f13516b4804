/* node_run.c - the keys, the tree, the lookups, and what they touched.
 *
 *     open tree | insert records in the order of a permutation of the seed | lookups, traced | lookups, timed
 *
 * Invariants
 *  1. The counts are a function of the configuration: keys, permutation and requests are integers of the seed, the tree is
 *     built and searched by layouts that are; times come from other rounds over the same requests.
 *  2. Every lookup finds its record and the value that was put in, or the run fails.
 *  3. A timed lookup begins only when the value of the one before has come.
 *
 * Left out: misses, deletes and scans; page headers, directory and latches of a store; prefetches from a parent. */
#include "harness/node_run.h"

#include "engine/base/rng.h"
#include "harness/node_trace.h"
#include "harness/node_tree.h"
#include "harness/node_wall.h"
#include "harness/util.h"
#include "variants/registry.h"
#include "workloads/generators.h"
#include "workloads/keys/keys.h"
#include "workloads/workload.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_RECORDS 100000u
#define ORDER_STREAM 1u /* of the seed: inserts, ranks of requests, requests */
#define RANK_STREAM 2u
#define REQUEST_STREAM 3u
#define WALL_ROUNDS 3u

static const char *const request_names[] = {"uniform", "zipf", NULL};

const struct pl_opt node_run_opts[] = {
	{"lookups", PL_OPT_U64, "20000", 1, 100000000, NULL, "lookups that are counted"},
	{"requests", PL_OPT_ENUM, "uniform", 0, 0, request_names, "which records are looked up"},
	{"theta", PL_OPT_REAL, "0.99", 0, 10000, NULL, "of requests = zipf: rank r has probability r^-theta / zeta"},
	{"value_bytes", PL_OPT_U64, "100", 8, 16384, NULL, "bytes of a value"},
	{"wall", PL_OPT_BOOL, "1", 0, 0, NULL, "1: the same lookups are timed, too, and their cache misses counted"},
	{NULL, PL_OPT_U64, NULL, 0, 0, NULL, NULL},
};

struct lab_node {
	const struct node_run_args *args;
	const struct pl_conf *conf;
	struct pl_fault *f;
	const struct nod_ops *ops;
	const struct wl_key_ops *keys;
	uint64_t seed, records, lookups, started_ns;
	uint32_t page_bytes, value_bytes;
	struct node_tree tree;
	uint32_t *request; /* numbers of keys */
	uint64_t *seen; /* a bit for every line of every page */
	struct node_trace trace;
	struct node_result *result;
};

static const struct nod_ops *layout_of(const struct pl_conf *conf)
{
	struct kv_choice c;
	/* whether an engine could run with the rest is no concern here */
	if (reg_choose(conf, &c, NULL))
		return c.node;
	return c.node;
}

static const struct wl_key_ops *keys_of(const struct pl_conf *conf)
{
	const char *name = pl_conf_str(conf, "keys");
	for (size_t i = 0; wl_key_forms[i]; i++)
		if (strcmp(wl_key_forms[i]->name, name) == 0)
			return wl_key_forms[i];
	return NULL;
}

static uint64_t records_of(const struct pl_conf *conf)
{
	uint64_t n = pl_conf_u64(conf, "records");
	return n ? n : DEFAULT_RECORDS;
}

int node_run_check(const struct pl_conf *conf, struct pl_fault *f)
{
	static const struct wl_key_form form = {.zeropadding = 1};
	const struct wl_key_ops *keys = keys_of(conf);
	const struct nod_ops *ops = layout_of(conf);
	uint64_t page_bytes = pl_conf_u64(conf, "page_bytes"), value_bytes = pl_conf_u64(conf, "node.value_bytes");
	if (!ops || !node_traced(ops->name))
		return pl_fault_set(f, PL_INVALID, "node: searches of this layout are not counted");
	if (!keys || keys == &wl_keys_file)
		return pl_fault_set(
			f, PL_INVALID, "keys: runs of layouts make their keys; keys = file is none of them");
	if (page_bytes > NODE_PAGE_BYTES_MAX || page_bytes & (page_bytes - 1))
		return pl_fault_set(f, PL_INVALID, "page_bytes: %" PRIu64 " is no power of two up to %u", page_bytes,
			NODE_PAGE_BYTES_MAX);
	if (keys->bytes_max(&form) > page_bytes / 8 ||
		keys->bytes_max(&form) + value_bytes > (page_bytes - PL_PAGE_HEADER) / 4)
		return pl_fault_set(f, PL_INVALID,
			"page_bytes: keys of up to %u bytes and values of %" PRIu64
			" are too long for pages of %" PRIu64 " (an eighth, together a quarter)",
			keys->bytes_max(&form), value_bytes, page_bytes);
	if (records_of(conf) > UINT32_MAX / 2)
		return pl_fault_set(f, PL_INVALID, "records: %" PRIu64 " are more than a run of layouts can hold (%u)",
			records_of(conf), UINT32_MAX / 2);
	struct nod_cfg cfg = {.page_bytes = (uint32_t)page_bytes,
		.max_key_bytes = (uint32_t)page_bytes / 8,
		.int_keys = keys->integers};
	return ops->configure ? ops->configure(&cfg, conf, f) : PL_OK;
}

static int progress(struct lab_node *r, const char *phase, uint64_t done, uint64_t of)
{
	const struct node_run_args *a = r->args;
	if (done % 4096 || !a->progress)
		return PL_OK;
	if (a->progress(a->arg, phase, done, of, node_wall_ns() - r->started_ns))
		return PL_OK;
	return pl_fault_set(r->f, PL_INTERRUPTED, "interrupted");
}

static size_t make_key(const struct lab_node *r, uint64_t number, uint8_t *out)
{
	const struct wl_key_form form = {.zeropadding = 1};
	return r->keys->make(&form, number, out);
}

static void make_value(const struct lab_node *r, uint64_t number, uint8_t *out)
{
	for (uint32_t i = 0; i < r->value_bytes; i += 8) {
		uint64_t word = pl_mix64(number * 4099 + i);
		memcpy(out + i, &word, r->value_bytes - i < 8 ? r->value_bytes - i : 8);
	}
}

static uint64_t stream_key(const struct lab_node *r, uint64_t stream)
{
	struct pl_rng rng;
	pl_rng_seed(&rng, r->seed, stream);
	return pl_rng_next(&rng);
}

static int build(struct lab_node *r)
{
	uint8_t key[WL_KEY_MAX], *value = lab_calloc(1, r->value_bytes);
	struct gen_scatter order;
	int err = PL_OK;
	gen_scatter_init(&order, r->records, stream_key(r, ORDER_STREAM));
	for (uint64_t i = 0; i < r->records && !err; i++) {
		uint64_t number = gen_scatter(&order, i);
		pl_slice k = pl_slice_of(key, make_key(r, number, key));
		make_value(r, number, value);
		r->result->counts.user_bytes += k.n + r->value_bytes;
		err = node_tree_insert(&r->tree, k, pl_slice_of(value, r->value_bytes), r->f);
		if (!err)
			err = progress(r, "build", i, r->records);
	}
	free(value);
	return err;
}

static int draw_requests(struct lab_node *r)
{
	bool zipf = strcmp(pl_conf_str(r->conf, "node.requests"), "zipf") == 0;
	struct gen_scatter ranks;
	struct gen_zipf *z = NULL;
	struct pl_rng rng;
	r->request = lab_calloc(r->lookups, sizeof *r->request);
	gen_scatter_init(&ranks, r->records, stream_key(r, RANK_STREAM));
	pl_rng_seed(&rng, r->seed, REQUEST_STREAM);
	if (zipf && gen_zipf_open(r->records, pl_conf_real(r->conf, "node.theta"), &z))
		return pl_fault_set(r->f, PL_NOMEM, "no memory for %" PRIu64 " ranks", r->records);
	for (uint64_t i = 0; i < r->lookups; i++) {
		uint64_t rank = 0;
		if (zipf) {
			uint64_t a, b;
			do {
				a = pl_rng_next(&rng);
				b = pl_rng_next(&rng);
			} while (!gen_zipf(z, a, b, &rank));
		} else {
			rank = pl_rng_below(&rng, r->records);
		}
		r->request[i] = (uint32_t)gen_scatter(&ranks, rank);
	}
	if (z)
		gen_zipf_close(z);
	return PL_OK;
}

/* ---- counted */

static uint32_t either(const struct node_trace *t)
{
	uint32_t n = 0;
	for (size_t i = 0; i < PL_COUNT(t->line); i++)
		n += (uint32_t)__builtin_popcountll(t->line[i] | t->ahead[i]);
	return n;
}

/* What was touched of a page enters the sums. */
static void account(struct lab_node *r, uint32_t page, const struct node_trace *t)
{
	struct node_counts *n = &r->result->counts;
	bool leaf = r->tree.leaf[page];
	uint64_t comparisons = 0;
	for (int i = 0; i < NOD_COMPARED; i++)
		comparisons += t->compared[i];
	n->array_comparisons += t->compared[NOD_IN_ARRAY];
	n->trie_comparisons += t->compared[NOD_IN_TRIE];
	n->record_comparisons += t->compared[NOD_IN_RECORD];
	*(leaf ? &n->leaf_comparisons : &n->inner_comparisons) += comparisons;
	*(leaf ? &n->leaf_lines : &n->inner_lines) += node_trace_lines(t);
	*(leaf ? &n->leaf_read_bytes : &n->inner_read_bytes) += node_trace_bytes(t);
	n->loaded_lines += either(t);
	uint32_t lines = r->page_bytes / NODE_LINE_BYTES;
	for (uint32_t i = 0; i < lines; i++)
		if (t->line[i / 64] >> i % 64 & 1) {
			uint64_t at = (uint64_t)page * lines + i;
			r->seen[at / 64] |= (uint64_t)1 << at % 64;
		}
}

static uint64_t lines_of(const uint8_t *page, pl_slice s)
{
	if (!s.n)
		return 0;
	size_t from = (size_t)(s.p - page);
	return (from + s.n - 1) / NODE_LINE_BYTES - from / NODE_LINE_BYTES + 1;
}

static int counted_lookup(struct lab_node *r, const struct nod_ops *traced, uint64_t number, uint8_t *expected)
{
	const struct node_tree *t = &r->tree;
	uint8_t bytes[WL_KEY_MAX];
	pl_slice key = pl_slice_of(bytes, make_key(r, number, bytes));
	uint32_t page = t->root;
	struct nod_entry e;
	bool exact = false;
	for (uint32_t level = t->height;; level--) {
		const uint8_t *at = t->page[page];
		node_trace_begin(&r->trace, at, r->page_bytes);
		uint32_t slot = level > 1 ? nod_child(traced, &t->cfg, at, key)
					  : nod_lower_bound(traced, &t->cfg, at, key, &exact);
		nod_entry(traced, &t->cfg, at, slot, &e);
		nod_trace_touch(e.value.p, e.value.n);
		node_trace_end();
		account(r, page, &r->trace);
		if (level == 1)
			break;
		page = node_tree_child(t, e.value);
	}
	make_value(r, number, expected);
	r->result->counts.value_lines += lines_of(t->page[page], e.value);
	if (!exact || pl_slice_cmp(e.value, pl_slice_of(expected, r->value_bytes)) != 0)
		return pl_fault_set(r->f, PL_DAMAGED, "the record of key number %" PRIu64 " is not found", number);
	return PL_OK;
}

static int count_lookups(struct lab_node *r)
{
	const struct nod_ops *traced = node_traced(r->ops->name);
	uint64_t words = (uint64_t)r->tree.pages * (r->page_bytes / NODE_LINE_BYTES) / 64 + 1;
	uint8_t *expected = lab_calloc(1, r->value_bytes);
	int err = PL_OK;
	r->seen = lab_calloc(words, sizeof *r->seen);
	for (uint64_t i = 0; i < r->lookups && !err; i++) {
		err = counted_lookup(r, traced, r->request[i], expected);
		if (!err)
			err = progress(r, "count", i, r->lookups);
	}
	for (uint64_t i = 0; i < words; i++)
		r->result->counts.distinct_lines += (uint64_t)__builtin_popcountll(r->seen[i]);
	free(expected);
	return err;
}

static int count_pages(struct lab_node *r)
{
	struct node_counts *n = &r->result->counts;
	char why[200];
	n->records = r->records;
	n->lookups = r->lookups;
	n->height = r->tree.height;
	n->pages = r->tree.pages;
	n->page_bytes_total = (uint64_t)r->tree.pages * r->page_bytes;
	for (uint32_t i = 0; i < r->tree.pages; i++) {
		struct nod_anatomy a;
		if (nod_check(r->ops, &r->tree.cfg, r->tree.page[i], r->tree.leaf[i], why, sizeof why))
			return pl_fault_set(r->f, PL_DAMAGED, "page %u: %s", i, why);
		nod_anatomy_of(r->ops, &r->tree.cfg, r->tree.page[i], &a);
		n->leaf_pages += r->tree.leaf[i];
		n->fixed_bytes += a.fixed_bytes;
		n->trie_bytes += a.trie_bytes;
		n->trie_used_bytes += a.trie_used_bytes;
		n->hint_bytes += a.hint_bytes;
		n->head_bytes += a.head_bytes;
		n->slot_bytes += a.slot_bytes;
		n->key_bytes += a.key_bytes;
		n->value_bytes += a.value_bytes;
		n->free_bytes += a.free_bytes;
	}
	return PL_OK;
}

/* ---- timed */

static void time_lookups(struct lab_node *r)
{
	struct node_request *request = lab_calloc(r->lookups, sizeof *request);
	uint8_t *bytes = lab_calloc(r->lookups, r->keys->bytes_max(&(const struct wl_key_form){.zeropadding = 1}));
	size_t used = 0;
	for (uint64_t i = 0; i < r->lookups; i++) {
		request[i].key = pl_slice_of(bytes + used, make_key(r, r->request[i], bytes + used));
		used += request[i].key.n;
	}
	node_wall_measure(&r->tree, request, r->lookups, WALL_ROUNDS, &r->result->wall);
	free(request);
	free(bytes);
}

int node_run(const struct node_run_args *a, struct node_result *out, struct pl_fault *f)
{
	struct lab_node r = {.args = a, .conf = a->conf, .f = f, .result = out, .started_ns = node_wall_ns()};
	memset(out, 0, sizeof *out);
	int err = node_run_check(a->conf, f);
	if (err)
		return err;
	r.ops = layout_of(a->conf);
	r.keys = keys_of(a->conf);
	r.seed = pl_conf_u64(a->conf, "seed");
	r.records = records_of(a->conf);
	r.lookups = pl_conf_u64(a->conf, "node.lookups");
	r.page_bytes = (uint32_t)pl_conf_u64(a->conf, "page_bytes");
	r.value_bytes = (uint32_t)pl_conf_u64(a->conf, "node.value_bytes");
	err = node_tree_open(&r.tree, r.ops, a->conf, r.page_bytes, r.keys->integers, f);
	if (!err)
		err = build(&r);
	if (!err)
		err = count_pages(&r);
	if (!err)
		err = draw_requests(&r);
	if (!err)
		err = count_lookups(&r);
	if (!err && pl_conf_bool(a->conf, "node.wall"))
		time_lookups(&r);
	out->run_ns = node_wall_ns() - r.started_ns;
	node_tree_close(&r.tree);
	free(r.request);
	free(r.seen);
	return err;
}
