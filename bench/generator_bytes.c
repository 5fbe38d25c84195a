/* Records and cards of a workload as bytes, and as the decoder gives them; see workload.h. */
#include <inttypes.h>
#include <stdio.h>

#include "bench/bench.h"
#include "bench/workload.h"
#include "config/base/decimal.h"
#include "config/base/timetext.h"

#define LENGTH_US 300000000 /* of what a record is about: end - start */
#define ALLOWANCE_NONE (UINT64_C(1) << 60)
enum { ID_LEN = 26, SESSION_LEN = 15, PACKED_LEN = 64 };

/* Of a fixed length, as ULIDs have it. */
static void
id_text(uint64_t n, char out[ID_LEN])
{
	memcpy(out, "01K00000000000000000000000", ID_LEN);
	for (char *at = out + ID_LEN - 1; n > 0; n /= 10)
		*at-- = (char)('0' + n % 10);
}

static void
session_text(uint64_t card, char out[SESSION_LEN])
{
	memcpy(out, "d0-000000000000", SESSION_LEN);
	for (char *at = out + SESSION_LEN - 1; card > 0; card /= 10)
		*at-- = (char)('0' + card % 10);
}

/* Spread over 64 bits, never 0 below 2^64 - 1. */
static uint64_t
id_number(uint64_t n)
{
	uint64_t mixed = weir_random_mix(n + WEIR_RANDOM_STEP);
	return mixed != 0 ? mixed : 1;
}

static char *
put_bytes(char *at, const char *text, size_t len)
{
	memcpy(at, text, len);
	return at + len;
}
#define PUT(at, literal) put_bytes(at, literal, sizeof(literal) - 1)

static char *
put_number(char *at, uint64_t number)
{
	return at + weir_decimal_format_u64(number, at);
}

static char *
put_time(char *at, int64_t us)
{
	return at + weir_time_format_ms(us, at);
}

size_t
workload_json(const struct workload *w, const struct workload_record *r, char *out)
{
	char *at = PUT(out, "{");
	char iccid[WEIR_ICCID_TEXT_MAX];
	if (w->identity == WORKLOAD_BY_ID) {
		at = PUT(at, "\"id\":\"");
		id_text(r->n, at);
		at = PUT(at + ID_LEN, "\",");
	}
	workload_iccid_text(r->card, iccid);
	at = PUT(at, "\"iccid\":\"");
	at = put_bytes(at, iccid, WEIR_ICCID_TEXT_MAX - 1);
	at = PUT(at, "\",\"session\":\"");
	session_text(r->card, at);
	at = PUT(at + SESSION_LEN, "\",\"start\":\"");
	at = put_time(at, r->end_us - LENGTH_US);
	at = PUT(at, "\",\"end\":\"");
	at = put_time(at, r->end_us);
	at = PUT(at, "\",\"up\":");
	at = put_number(at, r->up);
	at = PUT(at, ",\"down\":");
	at = put_number(at, r->down);
	at = PUT(at,
	    ",\"imei\":\"860000000000001\",\"apn\":\"cmiot\",\"rat\":\"LTE\",\"plmn\":\"46000\",\"event\":\"update\","
	    "\"seq\":");
	at = put_number(at, r->sequence);
	at = PUT(at, "}");
	return (size_t)(at - out);
}

static void
packed_append(const struct workload *w, const struct workload_record *r, int64_t base_us, struct weir_buf *out)
{
	bool by_id = w->identity == WORKLOAD_BY_ID;
	struct weir_iccid iccid = workload_iccid(r->card);
	uint64_t end_ms = (uint64_t)(uint32_t)(int32_t)((r->end_us - base_us) / 1000);
	uint64_t words[PACKED_LEN / 8] = {iccid.hi, iccid.lo, by_id ? id_number(r->n) : 0, r->card + 1, r->up, r->down,
	    end_ms | (r->sequence & UINT32_MAX) << 32, UINT64_C(86000000000000) | (uint64_t)WEIR_RECORD_HAS_SEQ << 56};
	weir_buf_append(out, words, sizeof(words));
}

static void
packed_message(const struct workload *w, const struct workload_record *records, uint32_t count, struct weir_buf *out)
{
	int64_t base_us = records[0].end_us;
	weir_buf_append(out, "WRP1", 4);
	weir_buf_append(out, &count, sizeof(count));
	weir_buf_append(out, &base_us, sizeof(base_us));
	for (uint32_t i = 0; i < count; i++)
		packed_append(w, &records[i], base_us, out);
}

void
workload_message(const struct workload *w, const struct workload_record *records, uint32_t count, struct weir_buf *out)
{
	if (w->format == WORKLOAD_PACKED) {
		packed_message(w, records, count, out);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		weir_buf_reserve(out, WORKLOAD_JSON_MAX + 2);
		if (count > 1)
			out->data[out->len++] = i == 0 ? '[' : ',';
		out->len += workload_json(w, &records[i], (char *)out->data + out->len);
	}
	if (count > 1)
		weir_buf_append(out, "]", 1);
}

void
workload_decoded(const struct workload *w, const struct workload_record *r, struct weir_record *out)
{
	char id[ID_LEN], session[SESSION_LEN];
	weir_record_clear(out);
	out->iccid = workload_iccid(r->card);
	out->up = r->up;
	out->down = r->down;
	out->end_us = r->end_us;
	out->arrived_us = r->arrived_us;
	out->imei14 = UINT64_C(86000000000000);
	out->seq = r->sequence;
	out->flags = WEIR_RECORD_HAS_SEQ;
	bool by_id = w->identity == WORKLOAD_BY_ID;
	if (w->format == WORKLOAD_PACKED) {
		out->id_hash = by_id ? weir_identity_hash_u64(out->iccid, id_number(r->n)) : 0;
		out->session_hash = by_id ? 0 : weir_identity_hash_u64(out->iccid, r->card + 1);
		return;
	}
	id_text(r->n, id);
	session_text(r->card, session);
	out->start_us = r->end_us - LENGTH_US;
	out->id_hash = by_id ? weir_identity_hash(out->iccid, (const uint8_t *)id, ID_LEN) : 0;
	out->session_hash = by_id ? 0 : weir_identity_hash(out->iccid, (const uint8_t *)session, SESSION_LEN);
}

/* ---- reference data ---- */

void
workload_definitions(const struct workload *w, workload_reference_fn each, void *ctx)
{
	char json[WORKLOAD_JSON_MAX], key[32];
	uint64_t allowance = w->allowance != 0 ? w->allowance : ALLOWANCE_NONE;
	(void)snprintf(json, sizeof(json),
	    "{\"type\":\"plan\",\"id\":\"bench\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":%" PRIu64 "}",
	    allowance);
	each(ctx, NULL, json);
	if (w->pools == 0)
		return;
	(void)snprintf(json, sizeof(json),
	    "{\"type\":\"plan\",\"id\":\"shared\",\"carrier\":\"cm\",\"kind\":\"accumulative\",\"allowance\":%" PRIu64 "}",
	    allowance);
	each(ctx, NULL, json);
	for (uint64_t pool = 1; pool <= w->pools; pool++) {
		(void)snprintf(key, sizeof(key), "pool-%" PRIu64, pool);
		(void)snprintf(json, sizeof(json),
		    "{\"type\":\"pool\",\"id\":\"%s\",\"carrier\":\"cm\",\"kind\":\"accumulative\",\"plan\":\"shared\"}",
		    key);
		each(ctx, key, json);
	}
}

void
workload_card_json(const struct workload *w, uint64_t card, char out[WORKLOAD_JSON_MAX])
{
	char iccid[WEIR_ICCID_TEXT_MAX];
	uint64_t pool = workload_pool_of(w, card);
	workload_iccid_text(card, iccid);
	int len = snprintf(out, WORKLOAD_JSON_MAX, "{\"type\":\"card\",\"iccid\":\"%s\",\"carrier\":\"cm\",\"plan\":\"%s\"",
	    iccid, pool != 0 ? "shared" : "bench");
	if (pool != 0)
		len += snprintf(out + len, WORKLOAD_JSON_MAX - (size_t)len, ",\"pool\":\"pool-%" PRIu64 "\"", pool);
	(void)snprintf(out + len, WORKLOAD_JSON_MAX - (size_t)len, "}");
}
