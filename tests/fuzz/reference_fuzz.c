/*
 * Messages of weir.cards from any bytes: no crash, an error text whenever one is refused, the quick reading of pools' words
 * agrees with the reading of all messages, and what was read of partitions' own messages prints and reads back the same.
 * Plan vouchers likewise take any text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/reference/parser_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
voucher(const uint8_t *data, size_t size)
{
	struct weir_ref_plan plan = {0};
	struct weir_error err = {0};
	char pool[WEIR_ID_MAX] = "", *text = weir_strndup((const char *)data, size);
	if (weir_voucher_parse(text, &plan, pool, &err) != WEIR_OK && err.text[0] == '\0')
		abort();
	free(text);
}

static void
print_again(const struct weir_reference *reference)
{
	static struct weir_buf buf;
	struct weir_reference again;
	buf.len = 0;
	if (reference->type == WEIR_REF_POOL_STATE)
		weir_reference_print_pool_state(&reference->pool_state, &buf);
	else if (reference->type == WEIR_REF_CHILD)
		weir_reference_print_child(&reference->child, &buf);
	else
		return;
	if (weir_reference_parse((struct weir_slice){buf.data, buf.len}, &again, NULL) != WEIR_OK)
		abort();
	if (!reference->pool_state.defined && reference->type == WEIR_REF_POOL_STATE)
		return; /* plan and kind of a pool that is not defined are not told */
	if (memcmp(&again, reference, sizeof(again)) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct weir_reference fast, slow;
	struct weir_error err = {0};
	memset(&fast, 0, sizeof(fast));
	memset(&slow, 0, sizeof(slow));
	voucher(data, size);
	enum weir_class class = weir_reference_parse((struct weir_slice){data, size}, &fast, &err);
	if (class != WEIR_OK && err.text[0] == '\0')
		abort();
	json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	enum weir_class other = root == NULL ? WEIR_POISON : weir_reference_from_json(root, &slow, NULL);
	json_decref(root);
	if (class != other || (class == WEIR_OK && memcmp(&fast, &slow, sizeof(fast)) != 0))
		abort();
	if (class == WEIR_OK)
		print_again(&fast);
	return 0;
}
