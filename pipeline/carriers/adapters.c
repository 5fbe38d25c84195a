/* The table of adapters; see carrier.h. */
#include "pipeline/carriers/carrier.h"

static const struct weir_carrier_adapter *const ADAPTERS[] = {&weir_carrier_log, &weir_carrier_cisco};

const struct weir_carrier_adapter *
weir_carrier_adapter_find(const char *name)
{
	for (size_t i = 0; i < sizeof(ADAPTERS) / sizeof(ADAPTERS[0]); i++) {
		if (strcmp(ADAPTERS[i]->name, name) == 0)
			return ADAPTERS[i];
	}
	return NULL;
}
