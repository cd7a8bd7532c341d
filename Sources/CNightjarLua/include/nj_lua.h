// The Lua host: one state per plugin and worker, entered only through the functions below. None of them raises a Lua error
// into its caller; whatever a script does ends as an outcome. A state belongs to one thread at a time.
#ifndef NJ_LUA_H
#define NJ_LUA_H

#include <nj_signals.h>

typedef struct nj_lua nj_lua;

// What a state may use. Sizes in bytes, times in ms of the thread's CPU clock.
typedef struct nj_limits {
    uint64_t memory, string, block;
    uint32_t call_ms, load_ms;
    int64_t fuel;
    uint32_t emissions;
} nj_limits;

enum { NJ_SOURCE_LIMIT = 32768, NJ_MESSAGE_LIMIT = 400, NJ_TRACEBACK_LIMIT = 2048 };

// How a call ended. Everything above NJ_OUTCOME_ERROR is a limit that was hit.
enum nj_outcome {
    NJ_OUTCOME_OK = 0, NJ_OUTCOME_ERROR, NJ_OUTCOME_TIME, NJ_OUTCOME_FUEL, NJ_OUTCOME_MEMORY, NJ_OUTCOME_EMISSIONS
};

// Why the last call failed. Printable UTF-8; valid until the next call.
typedef struct nj_failure {
    int32_t outcome;
    char message[NJ_MESSAGE_LIMIT + 8];
    char traceback[NJ_TRACEBACK_LIMIT + 8];
} nj_failure;

// The fields of a span, in the order of its table in nj_fields.h. Methods come last.
enum nj_field {
    NJ_F_ID, NJ_F_TRACE_ID, NJ_F_PARENT_SPAN_ID, NJ_F_NAME, NJ_F_KIND, NJ_F_TYPE, NJ_F_ENTITY_TYPE, NJ_F_ENTITY_ID,
    NJ_F_ENTITY_NAME, NJ_F_AGENT, NJ_F_MODEL, NJ_F_PROVIDER, NJ_F_TOOL, NJ_F_WORKFLOW, NJ_F_STATUS, NJ_F_ERROR,
    NJ_F_START_TIME, NJ_F_END_TIME, NJ_F_DURATION_MS, NJ_F_INPUT, NJ_F_OUTPUT, NJ_F_INPUT_TEXT, NJ_F_OUTPUT_TEXT,
    NJ_F_MESSAGES, NJ_F_TOOL_CALLS, NJ_F_ATTRIBUTES, NJ_F_METADATA, NJ_F_TAGS, NJ_F_EVENTS, NJ_F_LINKS, NJ_F_RESOURCE,
    NJ_F_SCOPE, NJ_F_SERVICE, NJ_F_ENVIRONMENT, NJ_F_USAGE, NJ_F_TIME_TO_FIRST_TOKEN_MS, NJ_F_IS_ROOT, NJ_F_DUPLICATE_OF,
    NJ_F_METHODS, NJ_F_PARENT = NJ_F_METHODS, NJ_F_CHILDREN, NJ_F_TRACE, NJ_F_COPY, NJ_F_ADD_SCORE, NJ_F_ADD_FEEDBACK,
    NJ_F_COUNT
};

// The fields of a trace.
enum nj_trace_field {
    NJ_T_ID, NJ_T_ROOT, NJ_T_SPANS, NJ_T_DURATION_MS, NJ_T_STATUS, NJ_T_HAS_ERRORS, NJ_T_ERROR_COUNT, NJ_T_USAGE, NJ_T_SERVICE,
    NJ_T_ENVIRONMENT, NJ_T_METADATA, NJ_T_SCORES, NJ_T_FEEDBACK, NJ_T_LOGS, NJ_T_IS_PARTIAL, NJ_T_REVISION,
    NJ_T_METHODS, NJ_T_GET_SPAN = NJ_T_METHODS, NJ_T_FIND_SPANS, NJ_T_ADD_SCORE, NJ_T_ADD_FEEDBACK, NJ_T_COUNT
};

// The fields of the events that are no spans; which kind has which is in nj_fields.h.
enum nj_record_field {
    NJ_R_ID, NJ_R_TIMESTAMP, NJ_R_TRACE_ID, NJ_R_SPAN_ID, NJ_R_SESSION_ID, NJ_R_LEVEL, NJ_R_MESSAGE, NJ_R_DATA, NJ_R_NAME,
    NJ_R_METRIC_TYPE, NJ_R_VALUE, NJ_R_LABELS, NJ_R_SCORER_NAME, NJ_R_SCORER_VERSION, NJ_R_SCORE, NJ_R_LABEL, NJ_R_REASON,
    NJ_R_ERROR, NJ_R_EXPERIMENT, NJ_R_ANNOTATOR_KIND, NJ_R_SOURCE, NJ_R_FEEDBACK_TYPE, NJ_R_COMMENT, NJ_R_USER_ID, NJ_R_SIGNAL,
    NJ_R_COUNT_LOST, NJ_R_EXPORTER, NJ_R_DETAIL, NJ_R_METADATA, NJ_R_TAGS, NJ_R_ENTITY_TYPE, NJ_R_ENTITY_ID, NJ_R_ENTITY_NAME,
    NJ_R_PARENT_ENTITY_TYPE, NJ_R_PARENT_ENTITY_ID, NJ_R_PARENT_ENTITY_NAME, NJ_R_ROOT_ENTITY_TYPE, NJ_R_ROOT_ENTITY_ID,
    NJ_R_ROOT_ENTITY_NAME, NJ_R_ORGANIZATION_ID, NJ_R_RESOURCE_ID, NJ_R_RUN_ID, NJ_R_THREAD_ID, NJ_R_REQUEST_ID,
    NJ_R_ENVIRONMENT, NJ_R_SERVICE,
    NJ_R_METHODS, NJ_R_TRACE = NJ_R_METHODS, NJ_R_COPY, NJ_R_COUNT
};

// What a script declares while it loads, and metrics that it names inside a call.
enum nj_declaration_kind {
    NJ_DECLARE_PLUGIN = 0, NJ_DECLARE_RULE, NJ_DECLARE_COUNTER, NJ_DECLARE_GAUGE, NJ_DECLARE_HISTOGRAM, NJ_DECLARE_LABELS,
    NJ_DECLARE_SCORER, NJ_DECLARE_UNLOAD, NJ_DECLARE_PROCESS, NJ_DECLARE_SAMPLER, NJ_DECLARE_EVERY, NJ_DECLARE_DATA,
    NJ_DECLARE_TEST
};
typedef struct nj_declaration {
    int32_t kind;
    int32_t function;    // the handle to call it by; -1 where there is none
    int32_t line;        // where the function begins; 0 where it is no function of the script
    bool in_call;        // not while the file loads
    nj_text name;        // of the event, metric, scorer, signal, file or test
    double number;       // of seconds
    nj_text match, options;  // JSON, absent where nil
    nj_text place;       // FILE:LINE
} nj_declaration;

// What the other side answers. The bytes are the answerer's, and stay valid until it is asked again.
enum nj_reply_status {
    NJ_REPLY_ERROR = -1, NJ_REPLY_ABSENT = 0, NJ_REPLY_TEXT, NJ_REPLY_JSON, NJ_REPLY_DONE, NJ_REPLY_NUMBER, NJ_REPLY_NODE
};
typedef struct nj_reply {
    nj_text bytes;            // text, JSON, or what is wrong
    nj_text key;              // of a member of a data file
    int64_t number;           // a handle: of a metric, of a node of a data file
    double value;             // of a number
    const int32_t *indexes;   // into a trace's spans
    uint32_t count;
} nj_reply;

// Calls out of the state. Each returns a status from nj_reply_status and never enters the state again.
typedef struct nj_callbacks {
    void *context;
    int32_t (*declare)(void *context, const nj_declaration *declaration, nj_reply *reply);
    int32_t (*read)(void *context, const nj_span_ref *span, int32_t field, nj_reply *reply);
    int32_t (*read_attribute)(void *context, const nj_attribute *attribute, nj_reply *reply);
    int32_t (*find)(void *context, const nj_trace *trace, nj_text match, nj_reply *reply);
    int32_t (*module)(void *context, nj_text name, nj_reply *reply);
    const nj_trace *(*trace)(void *context);
    double (*now)(void *context);
    // A field of an event that is no span; handles are the host's.
    int32_t (*read_record)(void *context, int32_t handle, int32_t field, nj_reply *reply);
    // The trace of an id, NULL where it is not known; valid during the call.
    const nj_trace *(*fetch)(void *context, uint64_t trace_high, uint64_t trace_low);
    // The scores, feedback or logs of a trace as handles, in the reply's indexes.
    int32_t (*annotations)(void *context, const nj_trace *trace, int32_t kind, nj_reply *reply);
    // Members of a node of a data file: by key, by place (from 1), and the one after a place; the number of list items.
    int32_t (*data_member)(void *context, int64_t node, nj_text key, int64_t place, nj_reply *reply);
    int32_t (*data_next)(void *context, int64_t node, int64_t place, nj_reply *reply);
    int64_t (*data_length)(void *context, int64_t node);
    // What a test asks for: an operation and its arguments as a JSON list.
    int32_t (*test)(void *context, nj_text operation, nj_text arguments, nj_reply *reply);
} nj_callbacks;

// What a call emitted, in order; texts lie in the state and are valid until the next event or load.
enum nj_emission_kind { NJ_EMIT_METRIC = 0, NJ_EMIT_SCORE, NJ_EMIT_FEEDBACK, NJ_EMIT_LOG, NJ_EMIT_PRINT, NJ_EMIT_CHANGE };
typedef struct nj_emission {
    int32_t kind;
    int32_t instrument;
    double value;            // of a metric, a score, or a feedback that is a number; NaN where there is none
    const nj_label *labels;
    uint32_t label_count;
    int32_t label_set;       // the number of this metric with these labels, -1 where it has none; see nj_lua_label_epoch
    int32_t level;           // of a log: 0 debug to 3 error
    uint64_t trace_high, trace_low, span_id;   // the target; 0: none
    const struct nj_annotation *annotation;
    nj_text text, data;      // a log's message, or the field that process changes; its data as JSON
} nj_emission;

typedef struct nj_annotation {
    nj_text id, scorer_name, label, reason, error, experiment, scorer_version, annotator_kind, session_id;
    nj_text source, feedback_type, value_text, comment, user_id;
    nj_text metadata;        // JSON
    nj_span_ref span;        // the span that was annotated, where it is at hand
    bool by_id;              // nightjar.score or nightjar.feedback
} nj_annotation;

// Who calls: what addScore may leave out, and what it must keep to.
typedef struct nj_scorer {
    nj_text name;
    bool has_range;
    double low, high;
    const nj_text *categories;
    uint32_t category_count;
} nj_scorer;

// A fresh state with the sandbox in it; NULL where memory is lacking. `name` is the plugin's.
nj_lua *nj_lua_open(const nj_limits *limits, const nj_callbacks *callbacks, nj_text name);
// Ends a state; runs no code of the script.
void nj_lua_close(nj_lua *state);
// Gives the script its settings, read back as nightjar.settings; JSON.
void nj_lua_set_settings(nj_lua *state, nj_text json, nj_text version);

// Loads and runs a source text under the load budget. `file` is what messages call it.
int32_t nj_lua_load(nj_lua *state, nj_text source, nj_text file);
// A new event: what was emitted before is forgotten and every object handed out before is void.
void nj_lua_begin(nj_lua *state);
// Calls a rule with a span, and the trace as second argument where asked for.
int32_t nj_lua_call_span(nj_lua *state, int32_t function, nj_span_ref span, bool with_trace, const nj_scorer *scorer);
// Calls a rule with a trace.
int32_t nj_lua_call_trace(nj_lua *state, int32_t function, const nj_trace *trace, const nj_scorer *scorer);
// Calls a function without arguments.
int32_t nj_lua_call(nj_lua *state, int32_t function);
// Calls a rule with an event that is no span.
int32_t nj_lua_call_record(nj_lua *state, int32_t function, int32_t kind, int32_t handle);
// Calls a processor with a span, or where `span` is NULL with another event. What it changes are emissions; `keep` is false
// where it returned false.
int32_t nj_lua_call_process(
    nj_lua *state, int32_t function, const nj_span_ref *span, int32_t kind, int32_t handle, bool *keep);
// Calls a sampler with a span; the share of traces like it that are to be kept.
int32_t nj_lua_call_sampler(nj_lua *state, int32_t function, nj_span_ref span, double *share);
// Gives the state of a test file the function `test`; before its file is loaded.
void nj_lua_add_tests(nj_lua *state);
// Calls a test with its table `t`, which is made by running `prelude` once.
int32_t nj_lua_call_test(nj_lua *state, int32_t function, nj_text prelude);
// How many more emissions the event may have, beyond those that it has; until the next nj_lua_begin.
void nj_lua_allow(nj_lua *state, uint32_t more);

// The plugin keeps a table over reloads: makes it.
void nj_lua_keep_state(nj_lua *state);
// Packs the table nightjar.state; the bytes stay valid until the next load, event or call. An empty text where there is none.
// The outcome is an error where the table holds what cannot be kept.
int32_t nj_lua_pack_state(nj_lua *state, nj_text *packed);
// Gives the table what an earlier version packed; `version` is that one's, or absent: then nightjar.migrate is not asked.
int32_t nj_lua_unpack_state(nj_lua *state, nj_text packed, nj_text version);

// Lines that ran, a bit for each from 1, of the main file and each module by name; `report` is called for each source.
void nj_lua_cover(nj_lua *state);
void nj_lua_covered(nj_lua *state, void *context, void (*report)(void *context, nj_text source, const uint64_t *bits, uint32_t words));

// Why the last load or call failed.
const nj_failure *nj_lua_failure(const nj_lua *state);
// What was emitted since nj_lua_begin.
const nj_emission *nj_lua_emissions(const nj_lua *state, uint32_t *count);
// Changes when the numbers of label sets are given anew; never between the begin of an event and what it emits.
uint32_t nj_lua_label_epoch(const nj_lua *state);
// A metric with labels has a number below this.
enum { NJ_LABEL_SETS = 4096 };
// The bytes in use.
uint64_t nj_lua_memory(const nj_lua *state);
// Collects garbage; false where that failed.
bool nj_lua_collect(nj_lua *state);

// SHA-256 of bytes.
void nj_sha256(const void *bytes, size_t length, uint8_t digest[32]);
// Copies text as printable UTF-8 of at most `room` - 1 bytes, terminated; line feeds stay where `lines`.
void nj_printable(char *out, size_t room, const char *bytes, size_t length, bool lines);

#endif
