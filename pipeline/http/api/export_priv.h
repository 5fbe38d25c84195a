/* Inside of exports: the stream. */
#ifndef WEIR_PIPELINE_API_EXPORT_PRIV_H
#define WEIR_PIPELINE_API_EXPORT_PRIV_H

#include "pipeline/http/api/api_priv.h"
#include "pipeline/query/csv.h"

struct weir_api_export {
	struct weir_api_job job; /* first */
	struct weir_api *api;
	struct MHD_Connection *connection;
	struct weir_api_peer *peer;
	struct weir_card_query query; /* texts are the request's parameters */
	struct weir_csv csv;
	char name[128];
	char cursor[WEIR_CURSOR_MAX];
	struct weir_buf lines;
	size_t at; /* of lines, sent so far */
	uint64_t cards;
	bool done, failed, counted;
};

#endif
