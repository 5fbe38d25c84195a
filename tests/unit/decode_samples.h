/* Sample records and mappings shared by the decoder's tests: written for them, in the shape of the real feeds. */
#ifndef WEIR_TESTS_DECODE_SAMPLES_H
#define WEIR_TESTS_DECODE_SAMPLES_H

#define CANONICAL_RECORD                                                                                                   \
	"{\"id\":\"01KMYJ9DDA5N23P4SJK1WYA7Q8\",\"iccid\":\"89860000000000000001\",\"session\":\"d0-1774847286\","         \
	"\"start\":\"2026-03-30T05:03:16.000Z\",\"end\":\"2026-03-30T05:08:16.894Z\",\"up\":123456,\"down\":7891011,"      \
	"\"imei\":\"860000000000001\",\"apn\":\"cmiot\",\"rat\":\"LTE\",\"plmn\":\"46000\",\"event\":\"update\","          \
	"\"seq\":12}"

#define KORE_RECORD                                                                                                        \
	"{\"data\":{\"apn\":\"super\",\"imei\":\"353785000000001\",\"network\":{\"mcc\":\"310\",\"mnc\":\"170\","          \
	"\"friendly_name\":\"AT&T\"},\"location\":{\"lac\":\"602\",\"lat\":26.2721,\"lon\":-81.8090,\"cells\":[1,2,[]]},"  \
	"\"sim_iccid\":\"89883070000000000204\",\"timestamp\":\"2025-11-26T09:15:44Z\",\"data_upload\":2048,"              \
	"\"data_download\":1024,\"data_session_sid\":\"PI123\"},\"id\":\"EZ124\","                                         \
	"\"type\":\"com.twilio.iot.supersim.connection.data-session.updated\",\"specversion\":\"2.0\"}"

#define EMNIFY_RECORD                                                                                                      \
	"{\"cost\":0.00188512,\"id\":333333333333333,\"operator\":{\"id\":5,\"name\":\"Some "                              \
	"O2\",\"country\":{\"id\":74}},"                                                                                   \
	"\"traffic_type\":{\"id\":5,\"description\":\"Data\"},\"endpoint\":{\"imei\":\"8677300000000042\","                \
	"\"balance\":null,\"on\":true},\"volume\":{\"total\":0.219933,\"rx\":0.172848,\"tx\":0.047085},"                   \
	"\"start_timestamp\":\"2022-04-26T11:53:43Z\",\"sim\":{\"id\":3324192,\"iccid\":\"89883030000000000311\"},"        \
	"\"currency\":{\"symbol\":\"\xe2\x82\xac\"},\"end_timestamp\":\"2024-02-15T14:56:15.260Z\"}"

#define KORE_MAPPING                                                                                                       \
	"filter:\n  - {path: type, prefix: [com.twilio.iot.supersim.connection.data-session.]}\n"                          \
	"iccid: data.sim_iccid\nid: id\nsession: data.data_session_sid\nup: data.data_upload\n"                            \
	"down: data.data_download\nend: data.timestamp\nimei: data.imei\napn: data.apn\n"                                  \
	"event: {path: type, start: [com.twilio.iot.supersim.connection.data-session.started], "                           \
	"stop: [com.twilio.iot.supersim.connection.data-session.ended]}\n"

#define EMNIFY_MAPPING                                                                                                     \
	"filter:\n  - {path: traffic_type.id, equals: [5]}\niccid: sim.iccid\nid: id\n"                                    \
	"up: {path: volume.tx, unit: MB}\ndown: {path: volume.rx, unit: MB}\nend: end_timestamp\n"                         \
	"start: start_timestamp\nimei: endpoint.imei\n"

#endif
