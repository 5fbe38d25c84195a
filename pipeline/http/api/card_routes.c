/* Cards: one, its usage, commands and audit, and lists of many. */
#include <string.h>

#include "pipeline/http/api/api_priv.h"

void
weir_api_card(struct weir_api_request *request, struct weir_api_worker *worker)
{
	struct weir_iccid iccid;
	struct weir_error err = {0};
	const struct weir_card_view *card;
	if (!weir_api_path_iccid(request, &iccid))
		return;
	enum weir_read code = weir_read_card(worker->reader, iccid, &card, &err);
	if (code != WEIR_READ_OK) {
		(void)weir_api_read_failed(request, worker, code, &err);
		return;
	}
	struct weir_json json = weir_api_json(request, 200);
	weir_print_card(&json, NULL, card);
}

void
weir_api_usage_answer(
    struct weir_api_request *request, const char *member, const char *id, const struct weir_usage_rows *rows)
{
	struct weir_json json = weir_api_json(request, 200);
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, member, id);
	weir_json_text(&json, "window", weir_span_name(rows->span));
	weir_json_text_or_null(&json, "zone", rows->zone);
	weir_json_open(&json, "usage", '[');
	for (uint32_t i = 0; i < rows->count; i++)
		weir_print_usage_row(&json, rows->span, &rows->rows[i]);
	weir_json_close(&json, ']');
	weir_json_close(&json, '}');
}

bool
weir_api_get_range(struct weir_api_request *request, enum weir_span *span_out, int64_t *from_us_out, int64_t *to_us_out)
{
	if (!weir_api_get_span(request, span_out) || !weir_api_get_time(request, "from", from_us_out) ||
	    !weir_api_get_time(request, "to", to_us_out))
		return false;
	if (*to_us_out != 0 && *from_us_out != 0 && *from_us_out >= *to_us_out) {
		weir_api_problem(request, 400, "bad-parameter", "to", "to: not after from");
		return false;
	}
	return true;
}

void
weir_api_card_usage(struct weir_api_request *request, struct weir_api_worker *worker)
{
	struct weir_iccid iccid;
	enum weir_span span;
	int64_t from_us, to_us;
	struct weir_usage_rows rows;
	struct weir_error err = {0};
	char text[WEIR_ICCID_TEXT_MAX];
	if (!weir_api_path_iccid(request, &iccid) || !weir_api_get_range(request, &span, &from_us, &to_us))
		return;
	enum weir_read code = weir_read_card_usage(worker->reader, iccid, span, from_us, to_us, &rows, &err);
	if (code != WEIR_READ_OK) {
		(void)weir_api_read_failed(request, worker, code, &err);
		return;
	}
	(void)weir_iccid_format(iccid, text);
	weir_api_usage_answer(request, "iccid", text, &rows);
}

void
weir_api_card_commands(struct weir_api_request *request, struct weir_api_worker *worker)
{
	struct weir_iccid iccid;
	struct weir_commands commands;
	struct weir_error err = {0};
	char text[WEIR_ICCID_TEXT_MAX];
	if (!weir_api_path_iccid(request, &iccid))
		return;
	enum weir_read code = weir_read_card_commands(worker->reader, iccid, &commands, &err);
	if (code != WEIR_READ_OK) {
		(void)weir_api_read_failed(request, worker, code, &err);
		return;
	}
	(void)weir_iccid_format(iccid, text);
	struct weir_json json = weir_api_json(request, 200);
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, "iccid", text);
	weir_json_open(&json, "commands", '[');
	for (uint32_t i = 0; i < commands.count; i++)
		weir_print_command(&json, &commands.commands[i]);
	weir_json_close(&json, ']');
	weir_json_close(&json, '}');
}

void
weir_api_audit_answer(
    struct weir_api_request *request, const char *member, const char *id, const struct weir_history *history)
{
	struct weir_json json = weir_api_json(request, 200);
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, member, id);
	weir_json_open(&json, "audit", '[');
	for (uint32_t i = 0; i < history->count; i++)
		weir_print_history_entry(&json, &history->entries[i]);
	weir_json_close(&json, ']');
	weir_json_u64(&json, "unreadable", history->unreadable);
	weir_json_close(&json, '}');
}

void
weir_api_card_audit(struct weir_api_request *request, struct weir_api_worker *worker)
{
	struct weir_iccid iccid;
	struct weir_history history;
	struct weir_error err = {0};
	char text[WEIR_ICCID_TEXT_MAX];
	if (!weir_api_path_iccid(request, &iccid))
		return;
	enum weir_read code = weir_read_card_history(worker->reader, iccid, &history, &err);
	if (code != WEIR_READ_OK) {
		(void)weir_api_read_failed(request, worker, code, &err);
		return;
	}
	(void)weir_iccid_format(iccid, text);
	weir_api_audit_answer(request, "iccid", text, &history);
}

void
weir_api_card_page_answer(struct weir_api_request *request, const struct weir_card_page *page)
{
	struct weir_json json = weir_api_json(request, 200);
	weir_json_open(&json, NULL, '{');
	weir_json_open(&json, "cards", '[');
	for (uint32_t i = 0; i < page->count; i++)
		weir_print_card_row(&json, &page->cards[i]);
	weir_json_close(&json, ']');
	weir_json_u64(&json, "looked_at", page->examined);
	weir_json_text_or_null(&json, "next", page->next);
	weir_json_close(&json, '}');
}

void
weir_api_cards(struct weir_api_request *request, struct weir_api_worker *worker)
{
	struct weir_card_query query;
	struct weir_card_page page;
	struct weir_error err = {0};
	uint32_t limit;
	if (!weir_api_card_query(request, &query) || !weir_api_get_limit(request, WEIR_PAGE_MAX, &limit))
		return;
	const char *cursor = weir_api_param(request, "cursor");
	enum weir_read code = weir_read_search(worker->reader, &query, cursor != NULL ? cursor : "", limit, &page, &err);
	if (code != WEIR_READ_OK)
		(void)weir_api_read_failed(request, worker, code, &err);
	else
		weir_api_card_page_answer(request, &page);
}
