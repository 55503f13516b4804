/* node_rows.c - a run of layouts as rows of a result file: counts, ratios of them, and apart from both what depends on
 * the machine. */
#include "harness/node_run.h"

static void put_whole(json_t *row, const char *key, uint64_t value)
{
	(void)json_object_set_new(row, key, json_integer((json_int_t)value));
}

static void put_ratio(json_t *row, const char *key, uint64_t a, uint64_t b)
{
	(void)json_object_set_new(row, key, json_real(b ? (double)a / (double)b : 0));
}

json_t *node_row_exact(const struct node_result *r)
{
	json_t *row = json_pack("{s:s}", "row", "node");
#define X(name, unit, direction, text) put_whole(row, #name, r->counts.name);
	RES_NODE(X)
#undef X
	return row;
}

json_t *node_row_derived(const struct node_result *r)
{
	const struct node_counts *n = &r->counts;
	json_t *row = json_pack("{s:s}", "row", "derived");
	uint64_t overhead = n->trie_bytes + n->hint_bytes + n->head_bytes, usable = n->page_bytes_total - n->pages * 64;
	put_ratio(row, "lines_per_lookup", n->leaf_lines + n->inner_lines, n->lookups);
	put_ratio(row, "leaf_lines_per_lookup", n->leaf_lines, n->lookups);
	put_ratio(row, "inner_lines_per_lookup", n->inner_lines, n->lookups);
	put_ratio(row, "search_lines_per_lookup", n->leaf_lines + n->inner_lines - n->value_lines, n->lookups);
	put_ratio(row, "loaded_lines_per_lookup", n->loaded_lines, n->lookups);
	put_ratio(row, "comparisons_per_lookup", n->leaf_comparisons + n->inner_comparisons, n->lookups);
	put_ratio(row, "leaf_comparisons_per_lookup", n->leaf_comparisons, n->lookups);
	put_ratio(row, "record_comparisons_per_lookup", n->record_comparisons, n->lookups);
	put_ratio(row, "read_bytes_per_lookup", n->leaf_read_bytes + n->inner_read_bytes, n->lookups);
	put_ratio(row, "bytes_per_record", n->page_bytes_total, n->records);
	put_ratio(row, "search_bytes_per_record", overhead, n->records);
	put_ratio(row, "fill", usable - n->free_bytes, usable);
	put_ratio(row, "trie_share", n->trie_bytes, n->page_bytes_total);
	put_ratio(row, "trie_used_share", n->trie_used_bytes, n->page_bytes_total);
	return row;
}

json_t *node_row_wall(const struct node_result *r)
{
	const struct node_wall *w = &r->wall;
	json_t *row = json_pack("{s:s}", "row", "wall");
	if (!w->measured)
		return row;
	put_ratio(row, "wall_ns_per_lookup", w->lookup_ns, r->counts.lookups);
	put_ratio(row, "cpu_ns_per_lookup", w->cpu_ns, r->counts.lookups);
	put_whole(row, "rounds", w->rounds);
	if (w->counted) {
		put_ratio(row, "cache_misses_per_lookup", w->cache_misses, r->counts.lookups);
		put_ratio(row, "instructions_per_lookup", w->instructions, r->counts.lookups);
		return row;
	}
	(void)json_object_set_new(row, "cache_misses_per_lookup", json_null());
	(void)json_object_set_new(row, "instructions_per_lookup", json_null());
	(void)json_object_set_new(row, "not_counted_because", json_string(w->why_not));
	return row;
}
