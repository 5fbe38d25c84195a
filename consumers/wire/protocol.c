/* Requests and responses; see protocol.h. What each version has is said where it is read or written. */
#include "consumers/wire/protocol.h"

static const struct api {
	int16_t key, least, most; /* versions spoken here; most >= the least that any broker since 2.0 has */
	int16_t flexible;         /* first version with compact lengths and tagged fields */
} APIS[API_COUNT] = {
    [API_FETCH] = {1, 4, 13, 12},
    [API_LIST_OFFSETS] = {2, 1, 6, 6},
    [API_METADATA] = {3, 1, 12, 9},
    [API_SASL_HANDSHAKE] = {17, 1, 1, 99},
    [API_VERSIONS] = {18, 0, 3, 3},
    [API_EPOCH_END] = {23, 2, 4, 4},
    [API_SASL_AUTHENTICATE] = {36, 0, 1, 2},
};

static bool
is_flexible(enum protocol_api api, int16_t version)
{
	return version >= APIS[api].flexible;
}

size_t
protocol_begin(struct weir_buf *out, enum protocol_api api, int16_t version, int32_t correlation)
{
	size_t from = out->len;
	wire_put32(out, 0);
	wire_put16(out, (uint16_t)APIS[api].key);
	wire_put16(out, (uint16_t)version);
	wire_put32(out, (uint32_t)correlation);
	wire_put_string(out, false, weir_slice_of("weir"));
	wire_put_tags(out, is_flexible(api, version));
	return from;
}

void
protocol_end(struct weir_buf *out, size_t from)
{
	uint32_t len = __builtin_bswap32((uint32_t)(out->len - from - 4));
	memcpy(out->data + from, &len, sizeof(len));
}

bool
protocol_response(struct wire_reader *r, enum protocol_api api, int16_t version, int32_t correlation)
{
	if (wire_i32(r) != correlation)
		return false;
	wire_tags(r, api != API_VERSIONS && is_flexible(api, version)); /* its header stays readable to all */
	return !r->bad;
}

/* ---- versions ---- */

void
protocol_request_versions(struct weir_buf *out, int16_t version, int32_t correlation)
{
	size_t from = protocol_begin(out, API_VERSIONS, version, correlation);
	if (version >= 3) {
		wire_put_string(out, true, weir_slice_of("weir"));
		wire_put_string(out, true, weir_slice_of(WEIR_VERSION));
		wire_put_tags(out, true);
	}
	protocol_end(out, from);
}

static void
take_version(struct protocol_versions *out, int16_t key, int16_t least, int16_t most)
{
	for (int i = 0; i < API_COUNT; i++) {
		if (APIS[i].key != key)
			continue;
		int16_t best = most < APIS[i].most ? most : APIS[i].most;
		out->of[i] = best >= least && best >= APIS[i].least ? best : -1;
	}
}

bool
protocol_read_versions(struct wire_reader *r, int16_t version, int16_t *error_out, struct protocol_versions *out)
{
	bool flexible = version >= 3;
	for (int i = 0; i < API_COUNT; i++)
		out->of[i] = -1;
	*error_out = wire_i16(r);
	uint32_t count = wire_count(r, flexible, 6);
	for (uint32_t i = 0; i < count && !r->bad; i++) {
		int16_t key = wire_i16(r), least = wire_i16(r), most = wire_i16(r);
		wire_tags(r, flexible);
		take_version(out, key, least, most);
	}
	return !r->bad;
}

/* ---- metadata ---- */

void
protocol_request_metadata(
    struct weir_buf *out, int16_t version, int32_t correlation, const char *const *topics, uint32_t topic_count)
{
	static const struct log_id NONE = {{0}};
	bool flexible = is_flexible(API_METADATA, version);
	size_t from = protocol_begin(out, API_METADATA, version, correlation);
	wire_put_count(out, flexible, topic_count);
	for (uint32_t i = 0; i < topic_count; i++) {
		if (version >= 10)
			weir_buf_append(out, NONE.bytes, sizeof(NONE.bytes));
		wire_put_string(out, flexible, weir_slice_of(topics[i]));
		wire_put_tags(out, flexible);
	}
	if (version >= 4)
		wire_put8(out, 0); /* create none */
	if (version >= 8 && version <= 10)
		wire_put8(out, 0);
	if (version >= 8)
		wire_put8(out, 0);
	wire_put_tags(out, flexible);
	protocol_end(out, from);
}

void
protocol_metadata_begin(struct protocol_metadata *m, struct wire_reader r, int16_t version)
{
	*m = (struct protocol_metadata){.r = r, .version = version};
	if (version >= 3)
		(void)wire_i32(&m->r);
	m->brokers = wire_count(&m->r, is_flexible(API_METADATA, version), 10);
	m->topics = UINT32_MAX; /* counted behind the brokers */
}

bool
protocol_metadata_broker(struct protocol_metadata *m, struct protocol_broker *out)
{
	bool flexible = is_flexible(API_METADATA, m->version);
	if (m->r.bad || m->brokers == 0)
		return false;
	m->brokers--;
	out->id = wire_i32(&m->r);
	out->host = wire_string(&m->r, flexible);
	out->port = wire_i32(&m->r);
	(void)wire_string(&m->r, flexible); /* rack */
	wire_tags(&m->r, flexible);
	return !m->r.bad;
}

static void
count_topics(struct protocol_metadata *m, bool flexible)
{
	if (m->version >= 2)
		(void)wire_string(&m->r, flexible); /* cluster's id */
	(void)wire_i32(&m->r);                      /* controller */
	m->topics = wire_count(&m->r, flexible, 8);
}

bool
protocol_metadata_topic(struct protocol_metadata *m, struct protocol_topic *out)
{
	bool flexible = is_flexible(API_METADATA, m->version);
	if (m->brokers > 0 || m->partitions > 0)
		return false;
	if (m->topics == UINT32_MAX)
		count_topics(m, flexible);
	if (m->r.bad || m->topics == 0)
		return false;
	m->topics--;
	*out = (struct protocol_topic){.error = wire_i16(&m->r)};
	out->name = wire_string(&m->r, flexible);
	if (m->version >= 10) {
		const uint8_t *id = wire_take(&m->r, sizeof(out->id.bytes));
		if (id != NULL)
			memcpy(out->id.bytes, id, sizeof(out->id.bytes));
	}
	(void)wire_i8(&m->r); /* internal */
	m->partitions = wire_count(&m->r, flexible, 14);
	if (m->partitions == 0)
		goto behind;
	return !m->r.bad;
behind:
	if (m->version >= 8)
		(void)wire_i32(&m->r);
	wire_tags(&m->r, flexible);
	return !m->r.bad;
}

static void
skip_nodes(struct wire_reader *r, bool flexible)
{
	(void)wire_take(r, (size_t)wire_count(r, flexible, 4) * 4);
}

bool
protocol_metadata_partition(struct protocol_metadata *m, struct protocol_leader *out)
{
	bool flexible = is_flexible(API_METADATA, m->version);
	if (m->r.bad || m->partitions == 0)
		return false;
	m->partitions--;
	out->error = wire_i16(&m->r);
	out->partition = wire_i32(&m->r);
	out->leader = wire_i32(&m->r);
	out->epoch = m->version >= 7 ? wire_i32(&m->r) : -1;
	skip_nodes(&m->r, flexible);
	skip_nodes(&m->r, flexible);
	if (m->version >= 5)
		skip_nodes(&m->r, flexible);
	wire_tags(&m->r, flexible);
	if (m->partitions == 0) { /* the rest of the topic */
		if (m->version >= 8)
			(void)wire_i32(&m->r);
		wire_tags(&m->r, flexible);
	}
	return !m->r.bad;
}

/* ---- fetch ---- */

void
protocol_fetch_begin(
    struct weir_buf *out, int16_t version, const struct protocol_fetch_request *request, uint32_t topic_count)
{
	wire_put32(out, UINT32_MAX); /* no replica */
	wire_put32(out, (uint32_t)request->wait_ms);
	wire_put32(out, (uint32_t)request->min_bytes);
	wire_put32(out, (uint32_t)request->max_bytes);
	wire_put8(out, request->committed ? 1 : 0);
	if (version >= 7) { /* no session */
		wire_put32(out, 0);
		wire_put32(out, UINT32_MAX);
	}
	wire_put_count(out, is_flexible(API_FETCH, version), topic_count);
}

void
protocol_fetch_topic(
    struct weir_buf *out, int16_t version, struct weir_slice name, const struct log_id *id, uint32_t part_count)
{
	bool flexible = is_flexible(API_FETCH, version);
	if (version >= 13)
		weir_buf_append(out, id->bytes, sizeof(id->bytes));
	else
		wire_put_string(out, flexible, name);
	wire_put_count(out, flexible, part_count);
}

void
protocol_fetch_part(struct weir_buf *out, int16_t version, const struct protocol_fetch_part *part, bool last)
{
	bool flexible = is_flexible(API_FETCH, version);
	wire_put32(out, (uint32_t)part->partition);
	if (version >= 9)
		wire_put32(out, (uint32_t)part->epoch);
	wire_put64(out, (uint64_t)part->offset);
	if (version >= 12)
		wire_put32(out, UINT32_MAX); /* divergence is asked after on its own */
	if (version >= 5)
		wire_put64(out, UINT64_MAX); /* no log of our own */
	wire_put32(out, (uint32_t)part->max_bytes);
	wire_put_tags(out, flexible);
	if (last)
		wire_put_tags(out, flexible); /* the topic's */
}

void
protocol_fetch_end(struct weir_buf *out, int16_t version, const struct protocol_fetch_request *request)
{
	bool flexible = is_flexible(API_FETCH, version);
	if (version >= 7)
		wire_put_count(out, flexible, 0); /* no session, nothing to forget */
	if (version >= 11)
		wire_put_string(out, flexible, request->rack);
	wire_put_tags(out, flexible);
}

void
protocol_fetched_begin(struct protocol_fetch *f, struct wire_reader r, int16_t version)
{
	bool flexible = is_flexible(API_FETCH, version);
	*f = (struct protocol_fetch){.r = r, .version = version};
	f->throttle_ms = wire_i32(&f->r);
	if (version >= 7) {
		f->error = wire_i16(&f->r);
		(void)wire_i32(&f->r);
	}
	f->topics = wire_count(&f->r, flexible, 3);
}

/* Goes to the next topic that has partitions. */
static bool
fetched_topic(struct protocol_fetch *f, bool flexible)
{
	while (f->parts == 0) {
		if (f->r.bad || f->topics == 0)
			return false;
		f->topics--;
		if (f->version >= 13) {
			const uint8_t *id = wire_take(&f->r, sizeof(f->id.bytes));
			if (id != NULL)
				memcpy(f->id.bytes, id, sizeof(f->id.bytes));
		} else
			f->name = wire_string(&f->r, flexible);
		f->parts = wire_count(&f->r, flexible, 22);
		if (f->parts == 0)
			wire_tags(&f->r, flexible);
	}
	return !f->r.bad;
}

static void
read_aborted(struct protocol_fetch *f, struct protocol_fetched *out, bool flexible)
{
	out->aborted_count = wire_count(&f->r, flexible, 16);
	out->aborted = f->r;
	for (uint32_t i = 0; i < out->aborted_count && !f->r.bad; i++) {
		(void)wire_take(&f->r, 16);
		wire_tags(&f->r, flexible);
	}
	out->aborted.end = f->r.at;
}

bool
protocol_fetched_next(struct protocol_fetch *f, struct protocol_fetched *out)
{
	bool flexible = is_flexible(API_FETCH, f->version);
	if (!fetched_topic(f, flexible))
		return false;
	*out = (struct protocol_fetched){.name = f->name, .id = f->id, .preferred = -1, .low = -1};
	out->partition = wire_i32(&f->r);
	out->error = wire_i16(&f->r);
	out->high = wire_i64(&f->r);
	out->stable = wire_i64(&f->r);
	if (f->version >= 5)
		out->low = wire_i64(&f->r);
	read_aborted(f, out, flexible);
	if (f->version >= 11)
		out->preferred = wire_i32(&f->r);
	out->records = wire_bytes(&f->r, flexible);
	if (out->records.data == NULL)
		out->records.data = f->r.at; /* none, and a place all the same */
	wire_tags(&f->r, flexible);
	if (--f->parts == 0)
		wire_tags(&f->r, flexible); /* the topic's */
	return !f->r.bad;
}

struct protocol_aborted
protocol_aborted_next(struct wire_reader *r, int16_t version)
{
	struct protocol_aborted aborted = {wire_i64(r), 0};
	aborted.first_offset = wire_i64(r);
	wire_tags(r, is_flexible(API_FETCH, version));
	return aborted;
}

/* ---- offsets ---- */

void
protocol_request_offsets(struct weir_buf *out, int16_t version, int32_t correlation, bool committed,
    struct weir_slice topic, const struct protocol_offset_part *parts, uint32_t part_count, int64_t at)
{
	bool flexible = is_flexible(API_LIST_OFFSETS, version);
	size_t from = protocol_begin(out, API_LIST_OFFSETS, version, correlation);
	wire_put32(out, UINT32_MAX);
	if (version >= 2)
		wire_put8(out, committed ? 1 : 0);
	wire_put_count(out, flexible, 1);
	wire_put_string(out, flexible, topic);
	wire_put_count(out, flexible, part_count);
	for (uint32_t i = 0; i < part_count; i++) {
		wire_put32(out, (uint32_t)parts[i].partition);
		if (version >= 4)
			wire_put32(out, (uint32_t)parts[i].leader_epoch);
		wire_put64(out, (uint64_t)at);
		wire_put_tags(out, flexible);
	}
	wire_put_tags(out, flexible);
	wire_put_tags(out, flexible);
	protocol_end(out, from);
}

void
protocol_request_epoch_ends(struct weir_buf *out, int16_t version, int32_t correlation, struct weir_slice topic,
    const struct protocol_offset_part *parts, uint32_t part_count)
{
	bool flexible = is_flexible(API_EPOCH_END, version);
	size_t from = protocol_begin(out, API_EPOCH_END, version, correlation);
	if (version >= 3)
		wire_put32(out, UINT32_MAX);
	wire_put_count(out, flexible, 1);
	wire_put_string(out, flexible, topic);
	wire_put_count(out, flexible, part_count);
	for (uint32_t i = 0; i < part_count; i++) {
		wire_put32(out, (uint32_t)parts[i].partition);
		wire_put32(out, (uint32_t)parts[i].leader_epoch);
		wire_put32(out, (uint32_t)parts[i].epoch);
		wire_put_tags(out, flexible);
	}
	wire_put_tags(out, flexible);
	wire_put_tags(out, flexible);
	protocol_end(out, from);
}

bool
protocol_offsets_begin(struct protocol_offsets *o, struct wire_reader r, enum protocol_api api, int16_t version)
{
	bool flexible = is_flexible(api, version);
	*o = (struct protocol_offsets){.r = r, .api = api, .version = version};
	if (version >= 2) /* both requests, from the same version on */
		(void)wire_i32(&o->r);
	if (wire_count(&o->r, flexible, 3) != 1)
		wire_fail(&o->r);
	o->topic = wire_string(&o->r, flexible);
	o->parts = wire_count(&o->r, flexible, api == API_EPOCH_END ? 18 : 22);
	return !o->r.bad;
}

bool
protocol_offsets_next(struct protocol_offsets *o, struct protocol_offset *out)
{
	if (o->r.bad || o->parts == 0)
		return false;
	o->parts--;
	*out = (struct protocol_offset){.epoch = -1};
	if (o->api == API_EPOCH_END) {
		out->error = wire_i16(&o->r);
		out->partition = wire_i32(&o->r);
		out->epoch = wire_i32(&o->r);
		out->offset = wire_i64(&o->r);
	} else {
		out->partition = wire_i32(&o->r);
		out->error = wire_i16(&o->r);
		(void)wire_i64(&o->r); /* timestamp */
		out->offset = wire_i64(&o->r);
		if (o->version >= 4)
			out->epoch = wire_i32(&o->r);
	}
	wire_tags(&o->r, is_flexible(o->api, o->version));
	return !o->r.bad;
}

void
protocol_request_offset(struct weir_buf *out, int16_t version, int32_t correlation, bool committed, struct weir_slice topic,
    int32_t partition, int32_t epoch, int64_t at)
{
	struct protocol_offset_part part = {.partition = partition, .leader_epoch = epoch};
	protocol_request_offsets(out, version, correlation, committed, topic, &part, 1, at);
}

/* The answer to a question about one partition. */
static bool
read_one(struct wire_reader *r, enum protocol_api api, int16_t version, struct protocol_offset *out)
{
	struct protocol_offsets o;
	if (!protocol_offsets_begin(&o, *r, api, version) || o.parts != 1)
		return false;
	return protocol_offsets_next(&o, out);
}

bool
protocol_read_offset(struct wire_reader *r, int16_t version, int16_t *error_out, int64_t *offset_out)
{
	struct protocol_offset one = {.offset = -1};
	bool good = read_one(r, API_LIST_OFFSETS, version, &one);
	*error_out = one.error;
	*offset_out = one.offset;
	return good;
}

void
protocol_request_epoch_end(struct weir_buf *out, int16_t version, int32_t correlation, struct weir_slice topic,
    int32_t partition, int32_t leader_epoch, int32_t epoch)
{
	struct protocol_offset_part part = {.partition = partition, .leader_epoch = leader_epoch, .epoch = epoch};
	protocol_request_epoch_ends(out, version, correlation, topic, &part, 1);
}

bool
protocol_read_epoch_end(struct wire_reader *r, int16_t version, int16_t *error_out, int32_t *epoch_out, int64_t *end_out)
{
	struct protocol_offset one = {.epoch = -1, .offset = -1};
	bool good = read_one(r, API_EPOCH_END, version, &one);
	*error_out = one.error;
	*epoch_out = one.epoch;
	*end_out = one.offset;
	return good;
}

/* ---- SASL ---- */

void
protocol_request_sasl(struct weir_buf *out, int32_t correlation, const char *mechanism)
{
	size_t from = protocol_begin(out, API_SASL_HANDSHAKE, 1, correlation);
	wire_put_string(out, false, weir_slice_of(mechanism));
	protocol_end(out, from);
}

bool
protocol_read_sasl(struct wire_reader *r, int16_t *error_out, struct weir_slice *first_mechanism_out)
{
	*error_out = wire_i16(r);
	*first_mechanism_out = wire_count(r, false, 2) > 0 ? wire_string(r, false) : (struct weir_slice){NULL, 0};
	return !r->bad;
}

void
protocol_request_authenticate(struct weir_buf *out, int16_t version, int32_t correlation, struct weir_slice bytes)
{
	size_t from = protocol_begin(out, API_SASL_AUTHENTICATE, version, correlation);
	wire_put32(out, (uint32_t)bytes.len);
	weir_buf_append(out, bytes.data, bytes.len);
	protocol_end(out, from);
}

bool
protocol_read_authenticate(struct wire_reader *r, int16_t version, int16_t *error_out, struct weir_slice *text_out,
    struct weir_slice *bytes_out, int64_t *lifetime_ms_out)
{
	*error_out = wire_i16(r);
	*text_out = wire_string(r, false);
	*bytes_out = wire_bytes(r, false);
	*lifetime_ms_out = version >= 1 ? wire_i64(r) : 0;
	return !r->bad;
}
