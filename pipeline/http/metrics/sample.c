/* One line of the exposition: a metric's name, its labels and its value. */
#include <inttypes.h>
#include <string.h>

#include "pipeline/http/metrics/metrics_priv.h"

void
weir_metric_label(char *out, size_t size, const char *name, const char *value)
{
	size_t len = (size_t)snprintf(out, size, "%s=\"", name);
	for (; *value != '\0' && len + 4 < size; value++) {
		if (*value == '"' || *value == '\\' || *value == '\n')
			out[len++] = '\\';
		out[len++] = *value == '\n' ? 'n' : *value;
	}
	out[len++] = '"';
	out[len] = '\0';
}

static void
sample_begin(struct weir_buf *out, const char *name, const char *labels)
{
	bool any = labels != NULL && labels[0] != '\0';
	weir_buf_append(out, name, strlen(name));
	if (any)
		weir_buf_printf(out, "{%s}", labels);
	weir_buf_append(out, " ", 1);
}

/* Microseconds as seconds, exactly. */
static void
put_seconds(struct weir_buf *out, uint64_t us)
{
	if (us % 1000000 == 0)
		weir_buf_printf(out, "%" PRIu64, us / 1000000);
	else
		weir_buf_printf(out, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

void
weir_metric_value(struct weir_buf *out, enum weir_metric_as as, uint64_t value)
{
	if (as == WEIR_METRIC_AS_US)
		put_seconds(out, value);
	else
		weir_buf_printf(out, "%" PRIu64, value);
}

void
weir_metric_sample_u64(struct weir_buf *out, const char *name, const char *labels, uint64_t value)
{
	sample_begin(out, name, labels);
	weir_buf_printf(out, "%" PRIu64 "\n", value);
}

static uint64_t
value_at(enum weir_metric_as as, const void *value)
{
	uint64_t u64 = 0;
	uint32_t u32;
	switch (as) {
	case WEIR_METRIC_AS_U64:
	case WEIR_METRIC_AS_US:
		memcpy(&u64, value, sizeof(u64));
		return u64;
	case WEIR_METRIC_AS_U32:
		memcpy(&u32, value, sizeof(u32));
		return u32;
	case WEIR_METRIC_AS_BOOL:
		return *(const bool *)value;
	}
	return 0;
}

void
weir_metric_sample(struct weir_buf *out, const char *name, const char *labels, enum weir_metric_as as, const void *value)
{
	sample_begin(out, name, labels);
	weir_metric_value(out, as, value_at(as, value));
	weir_buf_append(out, "\n", 1);
}
