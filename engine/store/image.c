/* image.c - between a page in memory and blocks on a device. */
#include "engine/base/crc32c.h"
#include "engine/store/store.h"

#include <inttypes.h>
#include <string.h>

/* Node pages are compacted and have a gap; overflow pages are full from the front, zero behind; map pages have none. */
static struct nod_gap page_gap(struct store *s, struct pl_ctx *x, uint8_t *page)
{
	enum page_kind kind = page_kind(page);
	if (kind != PAGE_LEAF && kind != PAGE_INNER) {
		/* the bytes used are noted in the first word behind the header by whoever fills the page */
		uint32_t used = kind == PAGE_MAP ? s->page_bytes : le32(page + PL_PAGE_HEADER);
		if (used > s->page_bytes)
			used = s->page_bytes;
		return (struct nod_gap){used, s->page_bytes};
	}
	if (s->choice.space->wants_compact) {
		nod_compact(s->choice.node, &s->node, page);
		pl_charge_bytes(x, PL_COST_COPY_KIB, s->page_bytes);
	}
	return nod_gap(s->choice.node, &s->node, page);
}

/* By codec: its name for a reader, and what encoding and decoding are charged at. */
static const struct {
	const char *name;
	enum pl_cost encode, decode;
} codecs[] = {
	[SPC_CODEC_RAW] = {"raw", PL_COST_ENCODE_RAW_KIB, PL_COST_DECODE_RAW_KIB},
	[SPC_CODEC_LZ4] = {"LZ4", PL_COST_ENCODE_LZ4_KIB, PL_COST_DECODE_LZ4_KIB},
	[SPC_CODEC_ZSTD] = {"zstd", PL_COST_ENCODE_ZSTD_KIB, PL_COST_DECODE_ZSTD_KIB},
};

void image_charge(const struct store *s, struct pl_ctx *x)
{
	const struct spc_ops *o = s->choice.space;
	pl_charge_bytes(
		x, codecs[o->codec].encode, (uint64_t)s->page_bytes * spc_encode_permille(o, s->space_derived) / 1000);
}

static uint32_t crc_of_front(const uint8_t *bytes, uint32_t n)
{
	static const uint8_t zero[4];
	uint32_t c = pl_crc32c(0, bytes, PAGE_AT_CRC);
	c = pl_crc32c(c, zero, 4);
	return pl_crc32c(c, bytes + PAGE_AT_CRC + 4, n - PAGE_AT_CRC - 4);
}

static uint32_t crc_of(const uint8_t *block0, uint32_t block_bytes, const uint8_t *rest, uint16_t bitmap, bool home)
{
	uint32_t c = crc_of_front(block0, block_bytes);
	if (!home)
		return pl_crc32c(c, rest, (size_t)(__builtin_popcount(bitmap) - 1) * block_bytes);
	for (uint32_t i = 1; i < 16; i++)
		if (bitmap >> i & 1)
			c = pl_crc32c(c, block0 + (size_t)i * block_bytes, block_bytes);
	return c;
}

static void put_header(
	const struct store *s, uint8_t *bytes, const struct spc_image *img, uint16_t bitmap, uint8_t generation)
{
	bytes[PAGE_AT_CODEC] = img->codec;
	bytes[PAGE_AT_GENERATION] = generation;
	put16(bytes + PAGE_AT_BITMAP, bitmap);
	put32(bytes + PAGE_AT_PAYLOAD, img->payload_bytes);
	put64(bytes + PAGE_AT_EPOCH, s->epoch);
}

void image_seal(const struct store *s, uint8_t *bytes, const struct spc_image *img, uint8_t generation)
{
	put_header(s, bytes, img, img->bitmap, generation);
	put32(bytes + PAGE_AT_CRC, crc_of(bytes, s->block_bytes, bytes + s->block_bytes, img->bitmap, false));
}

/* The same for an image that is packed: no bitmap, and the crc covers header and payload. */
static void seal_packed(const struct store *s, uint8_t *bytes, const struct spc_image *img, uint8_t generation)
{
	put_header(s, bytes, img, 0, generation);
	put32(bytes + PAGE_AT_CRC, crc_of_front(bytes, PL_PAGE_HEADER + img->payload_bytes));
}

/* By_parent every image of a tree bears the same number, and an extent serves one page after the other: versions of a page
 * would all but agree, so the generation tells images of the store apart. */
static uint8_t next_generation(const struct store *s, pl_loc loc, bool same)
{
	if (store_by_parent(s))
		return (uint8_t)(((s->epoch << 24) + s->stats.page_writes + s->stats.moved_pages) *
					 0x9E3779B97F4A7C15u >>
				 56);
	return (uint8_t)(loc_generation(loc) + !same);
}

void image_make(struct store *s, struct pl_ctx *x, uint32_t frame, bool same, uint8_t *out, struct plc_image *i)
{
	uint8_t *page = frame_page(s, frame);
	struct frame *f = &s->pool.frame[frame];
	struct nod_gap gap = page_gap(s, x, page);
	if (store_by_parent(s)) {
		memcpy(s->locs, page, s->page_bytes);
		refs_to_locs(s, s->locs);
		put64(s->locs + PAGE_AT_ID, image_page_id(s, f->id));
		page = s->locs;
		pl_charge_bytes(x, PL_COST_COPY_KIB, s->page_bytes);
	}
	spc_encode(s->choice.space, s->space_derived, s->page_bytes, s->block_bytes, page, gap, out, &i->img,
		s->space_scratch);
	memcpy(out, page, PL_PAGE_HEADER);
	i->id = (pl_pageid){f->id};
	i->frame = frame;
	i->tag = f->cleaning ? DEV_TAG_CLEAN : tag_of_kind(page_kind(page));
	i->cleaning = f->cleaning;
	i->generation = next_generation(s, f->loc, same);
	i->bytes = out;
	i->units = s->packs ? pack_units(&i->img, s->block_bytes) : 0;
	if (i->units)
		seal_packed(s, out, &i->img, i->generation);
	else
		image_seal(s, out, &i->img, i->generation);
	image_charge(s, x);
}

/* What an image of either form has: magic, tag, the crc expected, the id. */
static int verify_header(const struct store *s, const uint8_t *bytes, uint64_t id, struct pl_fault *f)
{
	uint32_t magic = le32(bytes + PAGE_AT_MAGIC), tag = le32(bytes + PAGE_AT_TAG);
	if (magic != PAGE_MAGIC)
		return pl_fault_set(
			f, PL_DAMAGED, "page %" PRIu64 ": magic: expected %08x, found %08x", id, PAGE_MAGIC, magic);
	if (tag != s->tag)
		return pl_fault_set(
			f, PL_DAMAGED, "page %" PRIu64 ": store tag: expected %08x, found %08x", id, s->tag, tag);
	return PL_OK;
}

static int verify_content(
	const struct store *s, const uint8_t *bytes, uint32_t expected, uint64_t id, struct pl_fault *f)
{
	uint32_t found = le32(bytes + PAGE_AT_CRC);
	if (found != expected)
		return pl_fault_set(
			f, PL_DAMAGED, "page %" PRIu64 ": checksum: expected %08x, found %08x", id, expected, found);
	if (page_id(bytes) != image_page_id(s, id))
		return pl_fault_set(
			f, PL_DAMAGED, "page %" PRIu64 ": page id: found %" PRIu64 " in its place", id, page_id(bytes));
	return PL_OK;
}

int image_verify(const struct store *s, const uint8_t *bytes, size_t n, bool home, uint64_t id, struct spc_image *img,
	struct pl_fault *f)
{
	int err = verify_header(s, bytes, id, f);
	if (err)
		return err;
	img->bitmap = le16(bytes + PAGE_AT_BITMAP);
	img->codec = bytes[PAGE_AT_CODEC];
	img->payload_bytes = le32(bytes + PAGE_AT_PAYLOAD);
	uint32_t blocks = (uint32_t)__builtin_popcount(img->bitmap);
	uint32_t reach = home ? 32u - (uint32_t)__builtin_clz((uint32_t)img->bitmap | 1u) : blocks;
	if (!(img->bitmap & 1) || img->bitmap & ~(uint32_t)s->full_bitmap || (size_t)reach * s->block_bytes > n)
		return pl_fault_set(
			f, PL_DAMAGED, "page %" PRIu64 ": bitmap of blocks %04x is not possible here", id, img->bitmap);
	return verify_content(
		s, bytes, crc_of(bytes, s->block_bytes, bytes + s->block_bytes, img->bitmap, home), id, f);
}

/* The blocks of a packed image, just read: bring it to the front of them and verify it. decode is told the blocks that it
 * would have by itself. */
static int unpack(
	const struct store *s, uint8_t *bytes, uint64_t id, pl_loc loc, struct spc_image *img, struct pl_fault *f)
{
	uint32_t unit = s->block_bytes / PAGE_UNITS, own = loc_bytes(loc, s->block_bytes);
	if (!loc_possible(loc, s->full_bitmap, s->packs))
		return pl_fault_set(f, PL_DAMAGED, "page %" PRIu64 ": no image can lie at %016" PRIx64, id, loc.v);
	if (loc_offset(loc))
		memmove(bytes, bytes + (size_t)loc_offset(loc) * unit, own);
	int err = verify_header(s, bytes, id, f);
	if (err)
		return err;
	uint16_t bitmap = le16(bytes + PAGE_AT_BITMAP);
	*img = (struct spc_image){.bitmap = loc_bitmap(loc),
		.codec = bytes[PAGE_AT_CODEC],
		.payload_bytes = le32(bytes + PAGE_AT_PAYLOAD)};
	if (bitmap || img->payload_bytes > own - PL_PAGE_HEADER || own - PL_PAGE_HEADER - img->payload_bytes >= unit)
		return pl_fault_set(f, PL_DAMAGED,
			"page %" PRIu64 ": a payload of %u bytes and bitmap %04x are not those of %u bytes packed", id,
			img->payload_bytes, bitmap, own);
	return verify_content(s, bytes, crc_of_front(bytes, PL_PAGE_HEADER + img->payload_bytes), id, f);
}

int image_fetched(
	const struct store *s, uint8_t *bytes, uint64_t id, pl_loc loc, struct plc_image *i, struct pl_fault *f)
{
	int err = loc_packed(loc)
			  ? unpack(s, bytes, id, loc, &i->img, f)
			  : image_verify(s, bytes, (size_t)loc_blocks(loc) * s->block_bytes, false, id, &i->img, f);
	if (err)
		return err;
	if (i->img.bitmap != loc_bitmap(loc))
		return pl_fault_set(f, PL_DAMAGED, "page %" PRIu64 ": blocks %04x, but its place says %04x", id,
			i->img.bitmap, loc_bitmap(loc));
	i->units = loc_packed(loc) ? loc_units(loc) : 0;
	i->generation = loc_generation(loc);
	i->bytes = bytes;
	return PL_OK;
}

int image_open(struct store *s, struct pl_ctx *x, uint8_t *page, uint64_t id, pl_loc loc, bool home, struct pl_fault *f)
{
	struct spc_image img;
	bool packed = !home && loc_packed(loc);
	if (packed)
		pl_charge_bytes(x, PL_COST_COPY_KIB, loc_offset(loc) ? loc_bytes(loc, s->block_bytes) : 0);
	int err = packed ? unpack(s, page, id, loc, &img, f) : image_verify(s, page, s->page_bytes, home, id, &img, f);
	if (err)
		return err;
	if (!s->choice.addressing->fixed && page[PAGE_AT_GENERATION] != loc_generation(loc))
		return pl_fault_set(f, PL_DAMAGED,
			"page %" PRIu64 ": generation: expected %u, found %u (a write was lost)", id,
			loc_generation(loc), page[PAGE_AT_GENERATION]);
	if (home) /* gather the blocks present, as they would lie in a dense image */
		for (uint32_t i = 1, to = 1; i < s->page_blocks; i++)
			if (img.bitmap >> i & 1) {
				if (to != i)
					memmove(page + (size_t)to * s->block_bytes, page + (size_t)i * s->block_bytes,
						s->block_bytes);
				to++;
			}
	err = spc_decode(s->choice.space, s->page_bytes, s->block_bytes, &img, page, s->space_scratch);
	bool known = img.codec < PL_COUNT(codecs);
	pl_charge_bytes(x, codecs[known ? img.codec : SPC_CODEC_RAW].decode, s->page_bytes);
	if (err && !known)
		return pl_fault_set(
			f, PL_DAMAGED, "page %" PRIu64 ": codec %u of its image is not known", id, img.codec);
	if (err)
		return pl_fault_set(f, PL_DAMAGED, "page %" PRIu64 ": its %s image does not decode to a page", id,
			codecs[img.codec].name);
	return PL_OK;
}
