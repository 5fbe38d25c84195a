/*
 * Compressed record batches, unpacked by the codecs' own libraries into room that the caller gives.
 *
 * A batch never grows past the room: what does not fit is RECORDS_ROOM, and the caller decides whether more is worth
 * giving. Contexts are kept, so that no batch allocates.
 *
 * Snappy comes in two shapes: raw, as most clients write it, and in the blocks of xerial's Java stream (magic, two
 * versions, then blocks of a length and raw snappy). A broker hands on whichever the producer wrote.
 */
#include <lz4frame.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "consumers/direct/records.h"
#include "consumers/wire/wire.h"

struct records_codecs {
	z_stream gzip;
	bool gzip_ready;
	LZ4F_dctx *lz4;
	ZSTD_DCtx *zstd;
};

struct records_codecs *
records_codecs_new(void)
{
	struct records_codecs *codecs = weir_calloc(1, sizeof(*codecs));
	codecs->gzip_ready = inflateInit2(&codecs->gzip, 15 + 32) == Z_OK;
	WEIR_CHECK(codecs->gzip_ready);
	WEIR_CHECK(!LZ4F_isError(LZ4F_createDecompressionContext(&codecs->lz4, LZ4F_VERSION)));
	codecs->zstd = ZSTD_createDCtx();
	WEIR_CHECK(codecs->zstd != NULL);
	return codecs;
}

void
records_codecs_free(struct records_codecs *codecs)
{
	if (codecs == NULL)
		return;
	(void)inflateEnd(&codecs->gzip);
	(void)LZ4F_freeDecompressionContext(codecs->lz4);
	(void)ZSTD_freeDCtx(codecs->zstd);
	free(codecs);
}

static enum records_fault
unpack_gzip(struct records_codecs *codecs, struct weir_slice packed, uint8_t *out, size_t room, size_t *len_out)
{
	z_stream *z = &codecs->gzip;
	if (packed.len > UINT32_MAX || room > UINT32_MAX || inflateReset(z) != Z_OK)
		return RECORDS_PACKED;
	z->next_in = (uint8_t *)(uintptr_t)packed.data;
	z->avail_in = (uInt)packed.len;
	z->next_out = out;
	z->avail_out = (uInt)room;
	int code = inflate(z, Z_FINISH);
	*len_out = room - z->avail_out;
	if (code == Z_STREAM_END)
		return RECORDS_OK;
	return (code == Z_OK || code == Z_BUF_ERROR) && z->avail_out == 0 ? RECORDS_ROOM : RECORDS_PACKED;
}

static enum records_fault
unpack_snappy_raw(struct weir_slice packed, uint8_t *out, size_t room, size_t *len_out)
{
	size_t len = 0;
	if (snappy_uncompressed_length((const char *)packed.data, packed.len, &len) != SNAPPY_OK)
		return RECORDS_PACKED;
	if (len > room)
		/* at most some 22 times its size comes out of snappy: a length above that is a lie, not a want of room */
		return len / 32 > packed.len ? RECORDS_PACKED : RECORDS_ROOM;
	*len_out = room;
	return snappy_uncompress((const char *)packed.data, packed.len, (char *)out, len_out) == SNAPPY_OK ? RECORDS_OK
													   : RECORDS_PACKED;
}

static enum records_fault
unpack_snappy(struct weir_slice packed, uint8_t *out, size_t room, size_t *len_out)
{
	static const uint8_t XERIAL[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
	if (packed.len < 16 || memcmp(packed.data, XERIAL, sizeof(XERIAL)) != 0)
		return unpack_snappy_raw(packed, out, room, len_out);
	struct wire_reader r = {packed.data + 16, packed.data + packed.len, false};
	size_t total = 0;
	while (wire_left(&r) > 0) {
		uint32_t len = (uint32_t)wire_i32(&r);
		struct weir_slice block = {wire_take(&r, len), len};
		size_t got = 0;
		if (r.bad)
			return RECORDS_PACKED;
		enum records_fault fault = unpack_snappy_raw(block, out + total, room - total, &got);
		if (fault != RECORDS_OK)
			return fault;
		total += got;
	}
	*len_out = total;
	return RECORDS_OK;
}

static enum records_fault
unpack_lz4(struct records_codecs *codecs, struct weir_slice packed, uint8_t *out, size_t room, size_t *len_out)
{
	size_t total = 0, at = 0, more = 1;
	LZ4F_resetDecompressionContext(codecs->lz4);
	while (at < packed.len && more != 0) {
		size_t given = room - total, taken = packed.len - at;
		more = LZ4F_decompress(codecs->lz4, out + total, &given, packed.data + at, &taken, NULL);
		if (LZ4F_isError(more))
			return RECORDS_PACKED;
		total += given;
		at += taken;
		if (given == 0 && taken == 0)
			break;
	}
	*len_out = total;
	if (more == 0)
		return RECORDS_OK;
	return total == room ? RECORDS_ROOM : RECORDS_PACKED;
}

static enum records_fault
unpack_zstd(struct records_codecs *codecs, struct weir_slice packed, uint8_t *out, size_t room, size_t *len_out)
{
	ZSTD_inBuffer in = {packed.data, packed.len, 0};
	ZSTD_outBuffer to = {out, room, 0};
	(void)ZSTD_DCtx_reset(codecs->zstd, ZSTD_reset_session_only);
	size_t more = 1;
	while (more != 0) {
		size_t in_before = in.pos, out_before = to.pos;
		more = ZSTD_decompressStream(codecs->zstd, &to, &in);
		if (ZSTD_isError(more))
			return RECORDS_PACKED;
		if (more != 0 && in.pos == in_before && to.pos == out_before)
			return to.pos == to.size ? RECORDS_ROOM : RECORDS_PACKED;
	}
	*len_out = to.pos;
	return RECORDS_OK;
}

enum records_fault
records_unpack(struct records_codecs *codecs, enum records_codec codec, struct weir_slice packed, uint8_t *out, size_t room,
    size_t *len_out)
{
	*len_out = 0;
	switch (codec) {
	case RECORDS_GZIP:
		return unpack_gzip(codecs, packed, out, room, len_out);
	case RECORDS_SNAPPY:
		return unpack_snappy(packed, out, room, len_out);
	case RECORDS_LZ4:
		return unpack_lz4(codecs, packed, out, room, len_out);
	case RECORDS_ZSTD:
		return unpack_zstd(codecs, packed, out, room, len_out);
	default:
		return RECORDS_CODEC;
	}
}
