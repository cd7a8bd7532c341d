// The tables of what scripts can name.
#include "nj_internal.h"
#include "include/nj_fields.h"

static const nj_field_info span_fields[NJ_F_COUNT] = {
    [NJ_F_ID] = {"id", "string", "the span's id, 16 hex digits", 0},
    [NJ_F_TRACE_ID] = {"trace_id", "string", "the trace's id, 32 hex digits", 0},
    [NJ_F_PARENT_SPAN_ID] = {"parent_span_id", "string?", "the parent's id; nil on a root", 0},
    [NJ_F_NAME] = {"name", "string", "the span's name, as the sender gave it", 0},
    [NJ_F_KIND] = {"kind", "string", "internal, server, client, producer or consumer", 0},
    [NJ_F_TYPE] = {"type", "string", "what ran: agent_run, model_generation, tool_call, …", 0},
    [NJ_F_ENTITY_TYPE] = {"entity_type", "string?", "agent, tool, workflow_run or workflow_step", 0},
    [NJ_F_ENTITY_ID] = {"entity_id", "string?", "the id of what ran", 0},
    [NJ_F_ENTITY_NAME] = {"entity_name", "string?", "the name of what ran", 0},
    [NJ_F_AGENT] = {"agent", "string?", "the span's own agent, else that of the nearest agent run above", 0},
    [NJ_F_MODEL] = {"model", "string?", "the model that was asked for, else the one that answered", 0},
    [NJ_F_PROVIDER] = {"provider", "string?", "who serves the model", 0},
    [NJ_F_TOOL] = {"tool", "string?", "the tool's name", 0},
    [NJ_F_WORKFLOW] = {"workflow", "string?", "the span's own workflow, else that of the nearest run above", 0},
    [NJ_F_STATUS] = {"status", "string", "running, ok or error", 0},
    [NJ_F_ERROR] = {"error", "nightjar.Error?", "why the span failed", 0},
    [NJ_F_START_TIME] = {"start_time", "number?", "seconds since 1970", 0},
    [NJ_F_END_TIME] = {"end_time", "number?", "seconds since 1970; nil while it runs", 0},
    [NJ_F_DURATION_MS] = {"duration_ms", "number?", "end minus start, in milliseconds", 0},
    [NJ_F_INPUT] = {"input", "any", "what went in, decoded on first use", 0},
    [NJ_F_OUTPUT] = {"output", "any", "what came out, decoded on first use", 0},
    [NJ_F_INPUT_TEXT] = {"input_text", "string?", "the plain text of what went in, whatever the convention", 0},
    [NJ_F_OUTPUT_TEXT] = {"output_text", "string?", "the plain text of what came out", 0},
    [NJ_F_MESSAGES] = {"messages", "nightjar.Message[]?", "a generation's messages, those that went in first", 0},
    [NJ_F_TOOL_CALLS] = {"tool_calls", "nightjar.ToolCall[]?", "the tool calls that a generation asked for", 0},
    [NJ_F_ATTRIBUTES] = {"attributes", "table<string, any>", "the attributes by their own keys", 0},
    [NJ_F_METADATA] = {"metadata", "table<string, any>", "run context (sessionId, userId, …) and the caller's keys", 0},
    [NJ_F_TAGS] = {"tags", "string[]", "the tags of a root span", 0},
    [NJ_F_EVENTS] = {"events", "nightjar.SpanEvent[]", "points in time within the span", 0},
    [NJ_F_LINKS] = {"links", "nightjar.Link[]", "references to other spans", 0},
    [NJ_F_RESOURCE] = {"resource", "table<string, any>", "the attributes of the OpenTelemetry resource", 0},
    [NJ_F_SCOPE] = {"scope", "nightjar.Scope", "the instrumentation scope", 0},
    [NJ_F_SERVICE] = {"service", "string?", "the service's name", 0},
    [NJ_F_ENVIRONMENT] = {"environment", "string?", "where it runs: production, staging, …", 0},
    [NJ_F_USAGE] = {"usage", "nightjar.Usage?", "tokens and cost, where they were stated", 0},
    [NJ_F_TIME_TO_FIRST_TOKEN_MS] = {"time_to_first_token_ms", "number?", "milliseconds until the first token", 0},
    [NJ_F_IS_ROOT] = {"is_root", "boolean", "whether the span has no parent", 0},
    [NJ_F_DUPLICATE_OF] = {"duplicate_of", "string?", "the id of the span that this one repeats", 0},
    [NJ_F_PARENT] = {"parent", "fun(self: nightjar.Span): nightjar.Span?", "the span above", 0},
    [NJ_F_CHILDREN] = {"children", "fun(self: nightjar.Span): nightjar.Span[]", "the spans right below", 0},
    [NJ_F_TRACE] = {"trace", "fun(self: nightjar.Span): nightjar.Trace?", "the trace, as far as it has arrived", 0},
    [NJ_F_COPY] = {"copy", "fun(self: nightjar.Span): table", "a plain table of every field, which may be kept", 0},
    [NJ_F_ADD_SCORE] = {"addScore", "fun(score: nightjar.ScoreInput)", "a score on this span", 0},
    [NJ_F_ADD_FEEDBACK] = {"addFeedback", "fun(feedback: nightjar.FeedbackInput)", "feedback on this span", 0},
};

static const nj_field_info trace_fields[NJ_T_COUNT] = {
    [NJ_T_ID] = {"id", "string", "the trace's id, 32 hex digits", 0},
    [NJ_T_ROOT] = {"root", "nightjar.Span?", "the root, else the earliest span", 0},
    [NJ_T_SPANS] = {"spans", "nightjar.Span[]", "all spans by start time", 0},
    [NJ_T_DURATION_MS] = {"duration_ms", "number?", "from the first start to the last end, in milliseconds", 0},
    [NJ_T_STATUS] = {"status", "string", "the root's status: running, ok or error", 0},
    [NJ_T_HAS_ERRORS] = {"has_errors", "boolean", "whether any span failed", 0},
    [NJ_T_ERROR_COUNT] = {"error_count", "integer", "how many spans failed", 0},
    [NJ_T_USAGE] = {"usage", "nightjar.Usage?", "the sum over model spans, duplicates left out", 0},
    [NJ_T_SERVICE] = {"service", "string?", "the root's service", 0},
    [NJ_T_ENVIRONMENT] = {"environment", "string?", "the root's environment", 0},
    [NJ_T_METADATA] = {"metadata", "table<string, any>", "the root's metadata", 0},
    [NJ_T_SCORES] = {"scores", "nightjar.Score[]", "the scores it has", 0},
    [NJ_T_FEEDBACK] = {"feedback", "nightjar.Feedback[]", "the feedback it has", 0},
    [NJ_T_LOGS] = {"logs", "nightjar.Log[]", "its log lines", 0},
    [NJ_T_IS_PARTIAL] = {"is_partial", "boolean", "whether the root or a named parent is missing, or a span still runs", 0},
    [NJ_T_REVISION] = {"revision", "integer", "which end of the trace this is, from 1", 0},
    [NJ_T_GET_SPAN] = {"getSpan", "fun(id: string): nightjar.Span?", "the span of an id", 0},
    [NJ_T_FIND_SPANS] = {"find_spans",
     "fun(self: nightjar.Trace, match: nightjar.SpanMatch): nightjar.Span[]", "the spans that match", 0},
    [NJ_T_ADD_SCORE] = {"addScore", "fun(score: nightjar.ScoreInput)", "a score on the trace, or on its span `span`", 0},
    [NJ_T_ADD_FEEDBACK] = {"addFeedback", "fun(feedback: nightjar.FeedbackInput)", "feedback on the trace", 0},
};

enum {
    L = 1 << NJ_OBJECT_LOG, M = 1 << NJ_OBJECT_METRIC, S = 1 << NJ_OBJECT_SCORE, F = 1 << NJ_OBJECT_FEEDBACK,
    D = 1 << NJ_OBJECT_DROP,
    SIGNALS = L | M | S | F, EVERY = SIGNALS | D
};

static const nj_field_info record_fields[NJ_R_COUNT] = {
    [NJ_R_ID] = {"id", "string", "its id: one of the same id replaces it", S | F},
    [NJ_R_TIMESTAMP] = {"timestamp", "number", "when it was made, in seconds since 1970", EVERY},
    [NJ_R_TRACE_ID] = {"trace_id", "string?", "the trace it belongs to", SIGNALS},
    [NJ_R_SPAN_ID] = {"span_id", "string?", "the span it belongs to", SIGNALS},
    [NJ_R_SESSION_ID] = {"session_id", "string?", "the session it belongs to", SIGNALS},
    [NJ_R_LEVEL] = {"level", "string", "debug, info, warn, error or fatal", L},
    [NJ_R_MESSAGE] = {"message", "string", "what it says", L},
    [NJ_R_DATA] = {"data", "table<string, any>", "what belongs to the line", L},
    [NJ_R_NAME] = {"name", "string", "the metric's name", M},
    [NJ_R_METRIC_TYPE] = {"metric_type", "string", "counter, gauge or histogram", M},
    [NJ_R_VALUE] = {"value", "any", "what was observed, or given: of feedback a number or text", M | F},
    [NJ_R_LABELS] = {"labels", "table<string, string>", "the labels that make the series", M},
    [NJ_R_SCORER_NAME] = {"scorer_name", "string", "who judged", S},
    [NJ_R_SCORER_VERSION] = {"scorer_version", "string?", "the version of the scorer", S},
    [NJ_R_SCORE] = {"score", "number?", "the verdict as a number", S},
    [NJ_R_LABEL] = {"label", "string?", "the verdict as a category", S},
    [NJ_R_REASON] = {"reason", "string?", "why", S | D},
    [NJ_R_ERROR] = {"error", "string?", "why there is no verdict", S},
    [NJ_R_EXPERIMENT] = {"experiment", "string?", "the experiment it belongs to", SIGNALS},
    [NJ_R_ANNOTATOR_KIND] = {"annotator_kind", "string?", "human, llm, code or api", S},
    [NJ_R_SOURCE] = {"source", "string?", "where it came from", SIGNALS},
    [NJ_R_FEEDBACK_TYPE] = {"feedback_type", "string", "thumbs, rating, comment, …", F},
    [NJ_R_COMMENT] = {"comment", "string?", "words beside the value", F},
    [NJ_R_USER_ID] = {"user_id", "string?", "who it ran for, or who gave the feedback", SIGNALS},
    [NJ_R_SIGNAL] = {"signal", "string", "of what kind the lost events were", D},
    [NJ_R_COUNT_LOST] = {"count", "integer", "how many events were lost", D},
    [NJ_R_EXPORTER] = {"exporter", "string?", "who lost them", D},
    [NJ_R_DETAIL] = {"detail", "string?", "what the last failure said", D},
    [NJ_R_METADATA] = {"metadata", "table<string, any>", "run context and the maker's own keys", SIGNALS},
    [NJ_R_TAGS] = {"tags", "string[]", "the tags of the line, or of the trace", SIGNALS},
    [NJ_R_ENTITY_TYPE] = {"entity_type", "string?", "what ran in the span: agent, tool, …", SIGNALS},
    [NJ_R_ENTITY_ID] = {"entity_id", "string?", "its id", SIGNALS},
    [NJ_R_ENTITY_NAME] = {"entity_name", "string?", "its name", SIGNALS},
    [NJ_R_PARENT_ENTITY_TYPE] = {"parent_entity_type", "string?", "what ran above it", SIGNALS},
    [NJ_R_PARENT_ENTITY_ID] = {"parent_entity_id", "string?", "its id", SIGNALS},
    [NJ_R_PARENT_ENTITY_NAME] = {"parent_entity_name", "string?", "its name", SIGNALS},
    [NJ_R_ROOT_ENTITY_TYPE] = {"root_entity_type", "string?", "what ran in the root", SIGNALS},
    [NJ_R_ROOT_ENTITY_ID] = {"root_entity_id", "string?", "its id", SIGNALS},
    [NJ_R_ROOT_ENTITY_NAME] = {"root_entity_name", "string?", "its name", SIGNALS},
    [NJ_R_ORGANIZATION_ID] = {"organization_id", "string?", "which organization it belongs to", SIGNALS},
    [NJ_R_RESOURCE_ID] = {"resource_id", "string?", "what it ran on", SIGNALS},
    [NJ_R_RUN_ID] = {"run_id", "string?", "the run", SIGNALS},
    [NJ_R_THREAD_ID] = {"thread_id", "string?", "the conversation", SIGNALS},
    [NJ_R_REQUEST_ID] = {"request_id", "string?", "the request", SIGNALS},
    [NJ_R_ENVIRONMENT] = {"environment", "string?", "where it ran", SIGNALS},
    [NJ_R_SERVICE] = {"service_name", "string?", "the service", SIGNALS},
    [NJ_R_TRACE] = {"trace", "fun(self: table): nightjar.Trace?", "the trace it belongs to", SIGNALS},
    [NJ_R_COPY] = {"copy", "fun(self: table): table", "a plain table of every field, which may be kept", EVERY},
};

const char *nj_object_name(int32_t object) {
    static const char *const names[NJ_OBJECT_COUNT] = {"span", "trace", "log", "metric", "score", "feedback", "drop"};
    return object >= 0 && object < NJ_OBJECT_COUNT ? names[object] : "object";
}

int32_t nj_object_field_count(int32_t object) {
    return object == NJ_OBJECT_SPAN ? NJ_F_COUNT : object == NJ_OBJECT_TRACE ? NJ_T_COUNT : NJ_R_COUNT;
}

int32_t nj_object_first_method(int32_t object) {
    return object == NJ_OBJECT_SPAN ? NJ_F_METHODS : object == NJ_OBJECT_TRACE ? NJ_T_METHODS : NJ_R_METHODS;
}

const nj_field_info *nj_object_field(int32_t object, int32_t field) {
    if (object < 0 || object >= NJ_OBJECT_COUNT || field < 0 || field >= nj_object_field_count(object)) return NULL;
    if (object == NJ_OBJECT_SPAN) return &span_fields[field];
    if (object == NJ_OBJECT_TRACE) return &trace_fields[field];
    return (record_fields[field].objects >> object & 1) != 0 ? &record_fields[field] : NULL;
}

const nj_field_info *nj_record_info(int32_t field) { return &record_fields[field]; }

int32_t nj_object_find(int32_t object, nj_text name) {
    for (int32_t field = 0; field < nj_object_field_count(object); field++) {
        const nj_field_info *info = nj_object_field(object, field);
        if (info == NULL || strlen(info->name) != name.length || memcmp(info->name, name.bytes, name.length) != 0) continue;
        return field;
    }
    return -1;
}

int nj_unknown_field(lua_State *L, int object, int index) {
    const char *names[(int)NJ_R_COUNT > (int)NJ_F_COUNT ? (int)NJ_R_COUNT : (int)NJ_F_COUNT];
    int count = 0;
    for (int32_t field = 0; field < nj_object_field_count(object); field++) {
        const nj_field_info *info = nj_object_field(object, field);
        if (info != NULL) names[count++] = info->name;
    }
    const char *name = lua_tostring(L, index), *nearest = nj_nearest(name, names, count), *kind = nj_object_name(object);
    char shown[64];
    nj_printable(shown, sizeof shown, name, lua_rawlen(L, index), false);
    return luaL_error(
        L, "a %s has no field '%s'%s%s%s", kind, shown, nearest ? "; did you mean '" : "", nearest ? nearest : "",
        nearest ? "'?" : "");
}
