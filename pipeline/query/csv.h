/*
 * Cards as CSV (RFC 4180: commas, CRLF, quotes where needed), page by page: for `weir export` and the API's export.
 *
 * A specification says which columns there are; a search gives the pages; each page becomes rows. Nothing is kept between
 * pages, so an export's size is bounded by nobody's memory. Amounts are bytes, times ISO 8601 in UTC, what there is not and
 * usage that is no longer kept is empty, several reasons or tags are separated by semicolons. A text that a spreadsheet
 * would calculate has an apostrophe before it.
 */
#ifndef WEIR_PIPELINE_READ_CSV_H
#define WEIR_PIPELINE_READ_CSV_H

#include "config/base/slice.h"
#include "pipeline/query/query.h"

#define WEIR_CSV_FIELDS_MAX 32u

struct weir_csv {
	uint8_t fields[WEIR_CSV_FIELDS_MAX]; /* numbers of columns (weir_csv_field_name), in order */
	uint32_t field_count;
	bool has_usage;      /* further columns: usage of each window */
	enum weir_span span; /* day or cycle */
	int32_t first;       /* window.number of the first */
	uint32_t windows;
	uint8_t usage_fields[5]; /* of each window: used_bytes up_bytes down_bytes records sessions, by number */
	uint32_t usage_field_count;
};

/* NULL past the last column. */
const char *weir_csv_field_name(uint32_t number);

/* "iccid,status": NULL or "" = the usual ones. REFUSED with err "fields: …", which names the nearest word. */
enum weir_read weir_csv_fields(struct weir_csv *csv, const char *words, struct weir_error *err);
/*
 * Columns of usage: span "day" with dates (2026-11-01, local days of each card's carrier) or "cycle" with months (2026-11);
 * both inclusive; NULL or "" = this cycle's days so far by UTC, or the last 7 cycles. words: "used_bytes,records"; NULL or
 * "" = used_bytes. At most 366 windows. REFUSED with err "usage: …", "usage_fields: …", "from: …" or "to: …".
 */
enum weir_read weir_csv_usage(struct weir_csv *csv, const char *span, const char *from, const char *to, const char *words,
    int64_t now_us, struct weir_error *err);

void weir_csv_header(const struct weir_csv *csv, struct weir_buf *out);
/* The page's rows; asks for their usage when the specification has any. */
enum weir_read weir_csv_rows(struct weir_reader *reader, const struct weir_csv *csv, const struct weir_card_page *page,
    struct weir_buf *out, struct weir_error *err);

/* One field, with quotes when it needs them, and an apostrophe before = + - @ and controls. */
void weir_csv_text(struct weir_buf *out, const char *text);

#endif
