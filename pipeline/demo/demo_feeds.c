/* Records as text; see demo_feeds.h. */
#include "pipeline/demo/demo_feeds.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define TIME_MAX 32

const char *
weir_demo_topic(enum weir_demo_style style)
{
	return style == WEIR_DEMO_KORE     ? WEIR_DEMO_TOPIC_KORE
	       : style == WEIR_DEMO_EMNIFY ? WEIR_DEMO_TOPIC_EMNIFY
					   : WEIR_DEMO_TOPIC_RECORDS;
}

int64_t
weir_demo_time_unit_us(enum weir_demo_style style)
{
	return style == WEIR_DEMO_KORE ? 1000000 : 1000;
}

static void
time_write(int64_t at_us, bool millis, char out[TIME_MAX])
{
	time_t seconds = (time_t)(at_us / 1000000);
	struct tm parts;
	(void)gmtime_r(&seconds, &parts);
	size_t len = strftime(out, TIME_MAX, "%Y-%m-%dT%H:%M:%S", &parts);
	if (millis)
		(void)snprintf(out + len, TIME_MAX - len, ".%03dZ", (int)(at_us % 1000000 / 1000));
	else
		(void)snprintf(out + len, TIME_MAX - len, "Z");
}

static void
canonical_write(const struct weir_demo_card *card, const struct weir_demo_record *r, struct weir_buf *out)
{
	char end[TIME_MAX];
	time_write(r->end_us, true, end);
	switch ((enum weir_demo_style)card->style) {
	case WEIR_DEMO_CANONICAL_SEQ:
		weir_buf_printf(out,
		    "{\"iccid\":\"%s\",\"session\":\"s-%s\",\"seq\":%" PRIu64 ",\"end\":%" PRId64 ",\"up\":%" PRIu64
		    ",\"down\":%" PRIu64 "}",
		    card->iccid, card->iccid, r->seq, r->end_us / 1000, r->up, r->down);
		return;
	case WEIR_DEMO_CANONICAL_TOTALS:
		weir_buf_printf(out,
		    "{\"iccid\":\"%s\",\"session\":\"t-%s\",\"end\":\"%s\",\"up_total\":%" PRIu64 ",\"down_total\":%" PRIu64
		    ",\"event\":\"update\"}",
		    card->iccid, card->iccid, end, r->up_total, r->down_total);
		return;
	default:
		weir_buf_printf(out,
		    "{\"id\":\"r-%" PRIx64 "\",\"iccid\":\"%s\",\"end\":\"%s\",\"up\":%" PRIu64 ",\"down\":%" PRIu64
		    ",\"apn\":\"cmiot\",\"rat\":\"LTE\",\"plmn\":\"46000\"}",
		    r->id, card->iccid, end, r->up, r->down);
		return;
	}
}

/* `event`: updated, or started, which has no volumes. */
static void
kore_write(const struct weir_demo_card *card, const struct weir_demo_record *r, const char *event, struct weir_buf *out)
{
	char end[TIME_MAX], volumes[128] = "";
	time_write(r->end_us, false, end);
	if (event[0] == 'u')
		(void)snprintf(volumes, sizeof(volumes),
		    "\"data_total\":%" PRIu64 ",\"data_upload\":%" PRIu64 ",\"data_download\":%" PRIu64 ",",
		    r->up + r->down, r->up, r->down);
	weir_buf_printf(out,
	    "{\"data\":{\"apn\":\"super\",\"imsi\":\"732123206640719\",\"network\":{\"mcc\":\"310\",\"mnc\":\"170\","
	    "\"iso_country\":\"US\",\"friendly_name\":\"AT&T\"},\"sim_sid\":\"HS7319340e\",\"rat_type\":\"4G "
	    "LTE\",\"sim_iccid\":"
	    "\"%s\",\"timestamp\":\"%s\",%s\"event_type\":\"com.twilio.iot.supersim.connection.data-session.%s\","
	    "\"data_session_sid\":\"PI%s\"},\"id\":\"EZ%" PRIx64 "\",\"time\":\"%s\",\"type\":"
	    "\"com.twilio.iot.supersim.connection.data-session.%s\",\"source\":\"kore-events\",\"specversion\":\"2.0\"}",
	    card->iccid, end, volumes, event, card->iccid, r->id, end, event);
}

/* Volumes are decimal megabytes with six places, which is exactly a byte each. type: 5 data, 6 text messages. */
static void
emnify_write(const struct weir_demo_card *card, const struct weir_demo_record *r, int type, struct weir_buf *out)
{
	char end[TIME_MAX];
	uint64_t total = r->up + r->down;
	time_write(r->end_us, true, end);
	weir_buf_printf(out,
	    "{\"cost\":0.00188512,\"id\":%" PRIu64
	    ",\"operator\":{\"id\":5,\"name\":\"Telefonica O2\",\"mnc\":\"07\",\"country\":"
	    "{\"id\":74,\"mcc\":\"262\",\"name\":\"Germany\"}},\"traffic_type\":{\"id\":%d,\"description\":\"%s\"},"
	    "\"endpoint\":{"
	    "\"id\":123456789,\"name\":\"Example Device\",\"tags\":null},\"volume\":{\"total\":%" PRIu64 ".%06" PRIu64
	    ",\"rx\":%" PRIu64 ".%06" PRIu64 ",\"tx\":%" PRIu64 ".%06" PRIu64
	    "},\"sim\":{\"id\":3324192,\"iccid\":\"%s\"},\"currency\":{\"code\":"
	    "\"EUR\",\"symbol\":\"€\"},\"end_timestamp\":\"%s\",\"session_id\":\"722aeb56-c4de-4753-ac23-4f99c1980c5e\"}",
	    r->id, type, type == 5 ? "Data" : "SMS", total / 1000000, total % 1000000, r->down / 1000000, r->down % 1000000,
	    r->up / 1000000, r->up % 1000000, card->iccid, end);
}

void
weir_demo_record_write(const struct weir_demo_card *card, const struct weir_demo_record *record, struct weir_buf *out)
{
	if (card->style == WEIR_DEMO_KORE)
		kore_write(card, record, "updated", out);
	else if (card->style == WEIR_DEMO_EMNIFY)
		emnify_write(card, record, 5, out);
	else
		canonical_write(card, record, out);
}

bool
weir_demo_other_write(const struct weir_demo_card *card, const struct weir_demo_record *record, struct weir_buf *out)
{
	if (card->style == WEIR_DEMO_KORE)
		kore_write(card, record, "started", out);
	else if (card->style == WEIR_DEMO_EMNIFY)
		emnify_write(card, record, 6, out);
	return card->style == WEIR_DEMO_KORE || card->style == WEIR_DEMO_EMNIFY;
}
