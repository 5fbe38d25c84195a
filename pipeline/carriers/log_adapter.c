/*
 * The adapter that sends nothing: every command is confirmed at once. It serves carriers without a configured API and
 * shadow mode (CMD-5): decisions are made, audited and reported as ever, the world is left alone. No limits apply to it.
 */
#include "config/base/log.h"
#include "pipeline/carriers/carrier.h"

static enum weir_class
log_check(const struct weir_carrier_settings *settings, struct weir_error *err)
{
	(void)settings;
	(void)err;
	return WEIR_OK;
}

static void
log_classify(const struct weir_carrier_command *command, const struct weir_carrier_response *response,
    struct weir_outcome *outcome_out)
{
	(void)response;
	if (weir_log_enabled(WEIR_LOG_DEBUG)) {
		char iccid[WEIR_ICCID_TEXT_MAX];
		(void)weir_iccid_format(command->iccid, iccid);
		weir_log(WEIR_LOG_DEBUG, "command_not_sent", "card %s: would be %s", iccid,
		    command->target == WEIR_DESIRED_SUSPENDED ? "suspended" : "resumed");
	}
	if (command->kind == WEIR_CALL_ASK)
		outcome_out->state = command->target;
	weir_outcome_set(
	    outcome_out, command->kind == WEIR_CALL_ASK ? WEIR_OUTCOME_STATE : WEIR_OUTCOME_DONE, "written down only");
}

const struct weir_carrier_adapter weir_carrier_log = {
    .name = "log",
    .local = true,
    .can_ask = true,
    .check = log_check,
    .classify = log_classify,
};
