// The tables of what scripts can call and pass: the reference page and the editor's definitions are made of them, and the
// options
// of declarations are checked by them.
#include "nj_internal.h"
#include "include/nj_fields.h"

#define COUNT(table) ((int32_t)(sizeof(table) / sizeof *(table)))
#define SHAPE(name, base, text, fields) {name, base, text, fields, COUNT(fields)}

// ---- calls

static const nj_call_info calls[] = {
    {"plugin", "options: nightjar.PluginOptions", "",
     "says what the plugin is; at most once, and before settings are read", NJ_WHILE_LOADING},
    {"on", "event: $event, match?: $match, fn: $handler, opts?: nightjar.OnOptions", "",
     "calls `fn` for each event that matches; see the table of events", NJ_WHILE_LOADING},
    {"scorer", "name: string, opts: $event, fn: $handler", "",
     "judges spans or traces: `fn` calls `addScore`; running again replaces the verdict", NJ_WHILE_LOADING},
    {"process", "signal: $event, match?: $match, fn: $handler", "",
     "changes spans, logs or metrics before extraction and rules; `fn` may set `name`, `attributes`, `metadata` and `tags` "
     "of a span, "
     "`message`, `data`, `metadata` and `tags` of a log, `name`, `labels` and `metadata` of a metric, and returns false to "
     "drop it "
     "from store and exporters", NJ_WHILE_LOADING},
    {"sampler", "fn: fun(span: nightjar.Span): boolean|number", "",
     "asked with the first span of a trace whether to keep it: true, false or a probability; one a plugin, and the largest "
     "answer "
     "of all plugins counts", NJ_WHILE_LOADING},
    {"every", "seconds: number, fn: fun()", "",
     "calls `fn` again and again, every second at most; needs `scope = \"global\"`", NJ_WHILE_LOADING},
    {"on_unload", "fn: fun()", "", "called before this version goes", NJ_WHILE_LOADING},
    {"counter", "name: string, opts?: nightjar.MetricOptions", "nightjar.Counter",
     "a sum that only grows; inside a call only the name is given", NJ_ALWAYS},
    {"counter:add", "value: number, labels?: nightjar.Labels", "", "adds a finite number that is not negative", NJ_IN_CALLS},
    {"gauge", "name: string, opts?: nightjar.MetricOptions", "nightjar.Gauge", "the last value by event time", NJ_ALWAYS},
    {"gauge:set", "value: number, labels?: nightjar.Labels", "", "sets the value", NJ_IN_CALLS},
    {"histogram", "name: string, opts?: nightjar.HistogramOptions", "nightjar.Histogram", "a distribution", NJ_ALWAYS},
    {"histogram:record", "value: number, labels?: nightjar.Labels", "", "records one value", NJ_IN_CALLS},
    {"labels", "metric: string, policy: nightjar.LabelPolicy", "",
     "the cardinality policy of any metric, built-in ones too; `\"*\"` for all", NJ_WHILE_LOADING},
    {"get_trace", "id: string", "nightjar.Trace?",
     "a trace from this worker or the store; nil where it is not known", NJ_IN_CALLS},
    {"score", "score: nightjar.ScoreInput", "",
     "a score by id: it names `trace_id` or `session_id`, and `scorer_name`", NJ_IN_CALLS},
    {"feedback", "feedback: nightjar.FeedbackInput", "", "feedback by id: it names `trace_id` or `session_id`", NJ_IN_CALLS},
    {"state", NULL, "table<string|number, any>",
     "a table that survives reload and restart; needs `scope = \"global\"`", NJ_ALWAYS},
    {"migrate", NULL, "fun(old: table, old_version: string): table",
     "set by the plugin: makes this version's state of that of another one, which gives its version or the start of its hash",
     NJ_WHILE_LOADING},
    {"lru", "n: integer", "nightjar.Lru",
     "a map of at most n entries; the one that was not used for longest goes first", NJ_ALWAYS},
    {"lru:get", "key: any", "any", "the value, which counts as used; nil where there is none", NJ_ALWAYS},
    {"lru:set", "key: any, value: any", "", "keeps a value; nil removes it", NJ_ALWAYS},
    {"lru:delete", "key: any", "", "removes an entry", NJ_ALWAYS},
    {"lru:count", "", "integer", "how many entries there are", NJ_ALWAYS},
    {"window", "seconds: number", "nightjar.Window", "a rolling window over the last seconds, in sixty steps", NJ_ALWAYS},
    {"window:add", "value?: number", "", "adds a value, 1 where none is given", NJ_ALWAYS},
    {"window:count", "", "integer", "how many values were added", NJ_ALWAYS},
    {"window:sum", "", "number", "their sum", NJ_ALWAYS},
    {"window:mean", "", "number?", "their mean; nil where there is none", NJ_ALWAYS},
    {"window:min", "", "number?", "the smallest", NJ_ALWAYS},
    {"window:max", "", "number?", "the largest", NJ_ALWAYS},
    {"window:quantile", "q: number", "number?",
     "the value below which the share q lies, over at most the last 1,024", NJ_ALWAYS},
    {"data", "file: string", "any",
     "a JSON or CSV file beside the plugin, read only and looked up in the host; of CSV a list of rows by "
     "column", NJ_WHILE_LOADING},
    {"settings", NULL, "table<string, any>", "the settings that the plugin declares, as the configuration has them", NJ_ALWAYS},
    {"name", NULL, "string", "the plugin's name", NJ_ALWAYS},
    {"version", NULL, "string?", "the plugin's version", NJ_ALWAYS},
    {"log.debug", "message: any, data?: table", "", "a log event with the correlation of the span at hand", NJ_ALWAYS},
    {"log.info", "message: any, data?: table", "", "the same, of level info", NJ_ALWAYS},
    {"log.warn", "message: any, data?: table", "", "the same, of level warn", NJ_ALWAYS},
    {"log.error", "message: any, data?: table", "", "the same, of level error", NJ_ALWAYS},
    {"now", "", "number", "seconds since 1970; in tests, runs and replays the time at which the event was received", NJ_ALWAYS},
    {"hash", "text: string", "string", "SHA-256 in hex", NJ_ALWAYS},
    {"uuid_like", "text: string", "string", "an id in the form of a UUID, the same for the same text", NJ_ALWAYS},
    {"json.encode", "value: any", "string", "a value as JSON", NJ_ALWAYS},
    {"json.decode", "text: string", "any", "the value of JSON text; null is `nightjar.null`", NJ_ALWAYS},
    {"null", NULL, "lightuserdata", "JSON's null, which a table can hold", NJ_ALWAYS},
    {"none_of", "...: nightjar.Literal", "nightjar.Excluded",
     "in a match: none of these values; an absent field is none of them", NJ_ALWAYS},
};

// What is not listed of string, table, math, utf8 and coroutine is stock Lua's.
static const nj_call_info library[] = {
    {"assert", "<T> value: T, message?: any, ...: any", "T", "raises where the value is false or nil", NJ_ALWAYS},
    {"collectgarbage", "what: \"count\"", "number", "the state's memory in KiB; takes nothing but \"count\"", NJ_ALWAYS},
    {"error", "message: any, level?: integer", "", "ends the call, or the nearest pcall", NJ_ALWAYS},
    {"getmetatable", "object: any", "any", "the metatable", NJ_ALWAYS},
    {"ipairs", "<T> list: T[]", "fun(list: T[], place?: integer): integer, T", "for loops over a list", NJ_ALWAYS},
    {"load", "text: string|fun(): string?, name?: string, mode?: \"t\", environment?: table", "function?, string?",
     "compiles text of at most 32 KiB; no byte code", NJ_ALWAYS},
    {"next", "<K, V> t: table<K, V>, key?: K", "K?, V?", "the pair after a key", NJ_ALWAYS},
    {"pairs", "<K, V> t: table<K, V>", "fun(t: table<K, V>, key?: K): K, V", "for loops over a table", NJ_ALWAYS},
    {"pcall", "fn: function, ...: any", "boolean, any, any", "calls and catches errors, but not a limit's", NJ_ALWAYS},
    {"print", "...: any", "", "a line in the plugin's log", NJ_ALWAYS},
    {"rawequal", "one: any, other: any", "boolean", "compares without metamethods", NJ_ALWAYS},
    {"rawget", "t: table, key: any", "any", "reads without metamethods", NJ_ALWAYS},
    {"rawlen", "value: table|string", "integer", "the length without metamethods", NJ_ALWAYS},
    {"rawset", "t: table, key: any, value: any", "table", "writes without metamethods", NJ_ALWAYS},
    {"require", "name: string", "any", "a module of the plugin's own folder: \"NAME.sub\"", NJ_WHILE_LOADING},
    {"select", "place: integer|\"#\", ...: any", "any", "the arguments from a place on, or their number", NJ_ALWAYS},
    {"setmetatable", "<T> t: T, metatable?: table", "T",
     "refuses `__gc`, `__close` and `__mode`; metafields that are added later have no effect",
     NJ_ALWAYS},
    {"tonumber", "value: any, base?: integer", "number?", "a number of text", NJ_ALWAYS},
    {"tostring", "value: any", "string", "text of a value, without addresses", NJ_ALWAYS},
    {"type", "value: any", "string", "what a value is", NJ_ALWAYS},
    {"xpcall", "fn: function, handler: function, ...: any", "boolean, any, any", "pcall with a message handler", NJ_ALWAYS},
    {"debug.traceback", "thread?: any, message?: any, level?: integer", "string", "where the script is", NJ_ALWAYS},
    {"os.clock", "", "number", "CPU time of the process in seconds", NJ_ALWAYS},
    {"os.date", "format?: string, time?: integer", "any", "a time as text or table", NJ_ALWAYS},
    {"os.difftime", "later: integer, earlier: integer", "number", "the seconds between", NJ_ALWAYS},
    {"os.time", "date?: table", "integer", "seconds since 1970", NJ_ALWAYS},
};

static const nj_call_info test_calls[] = {
    {"test", "name: string, options?: nightjar.TestOptions, fn: fun(t: nightjar.Test)", "",
     "declares a test; each runs in a fresh state of the plugin", NJ_WHILE_LOADING},
    {"t.emit", "span: nightjar.TestSpan", "", "one ended span; what is not given has a default", NJ_IN_CALLS},
    {"t.emit", "event: \"log\"|\"metric\"|\"score\"|\"feedback\"|\"drop\"|\"span_started\", fields?: table", "",
     "another event, with the fields that it has in a rule", NJ_IN_CALLS},
    {"t.run", "spans: nightjar.TestSpan[]", "", "a whole trace, which ends", NJ_IN_CALLS},
    {"t.run", "trace: nightjar.TestTrace", "", "a captured trace, which ends", NJ_IN_CALLS},
    {"t.trace", "file: string", "nightjar.TestTrace",
     "a trace from a file of events or an OTLP body, by its path from the test", NJ_IN_CALLS},
    {"t.finish", "", "", "ends the traces that are open", NJ_IN_CALLS},
    {"t.advance", "seconds: number", "", "lets time pass: timers run, windows move, traces end", NJ_IN_CALLS},
    {"t.metric", "name: string, labels?: nightjar.Labels", "number?",
     "what a metric has summed up over the series with these labels", NJ_IN_CALLS},
    {"t.scores", "scorer?: string", "nightjar.ScoreInput[]", "the scores that were given", NJ_IN_CALLS},
    {"t.expect.metric", "name: string, value: number|nightjar.MetricExpectation, labels?: nightjar.Labels", "",
     "what the metric sums up to over the series that have these labels", NJ_IN_CALLS},
    {"t.expect.no_metric", "name: string, labels?: nightjar.Labels", "", "nothing was observed", NJ_IN_CALLS},
    {"t.expect.score", "scorer: string, value: number|nightjar.ScoreExpectation", "", "the scorer's last verdict", NJ_IN_CALLS},
    {"t.expect.no_score", "scorer: string", "", "the scorer gave none", NJ_IN_CALLS},
    {"t.expect.feedback", "feedback_type: string, value?: number|string", "", "feedback was given", NJ_IN_CALLS},
    {"t.expect.log", "text: string, level?: string", "", "a line that has this text was logged or printed", NJ_IN_CALLS},
    {"t.expect.no_errors", "", "", "no call of the plugin failed", NJ_IN_CALLS},
    {"t.expect.error", "text: string", "", "a call of the plugin failed with this text", NJ_IN_CALLS},
    {"t.expect.equal", "value: any, expected: any", "",
     "both are the same; tables are compared by what they hold", NJ_IN_CALLS},
};

const nj_call_info *nj_api_call(int32_t place) { return place >= 0 && place < COUNT(calls) ? &calls[place] : NULL; }
const nj_call_info *nj_library_call(int32_t place) { return place >= 0 && place < COUNT(library) ? &library[place] : NULL; }
const nj_call_info *nj_test_call(int32_t place) { return place >= 0 && place < COUNT(test_calls) ? &test_calls[place] : NULL; }

// ---- events

#define ON_SPAN "span: nightjar.Span", "nightjar.SpanMatch"

static const nj_event_info events[] = {
    {"on", "span_started", ON_SPAN, "a span has begun, and what it inherits is known"},
    {"on", "span_updated", ON_SPAN, "a span that runs has changed"},
    {"on", "span_ended", ON_SPAN, "a span has ended, and what it inherits is known"},
    {"on", "trace_ended", "trace: nightjar.Trace", "nightjar.TraceMatch",
     "nothing has come for a trace for a while after its root ended"},
    {"on", "log", "log: nightjar.Log", "nightjar.LogMatch", "a log line"},
    {"on", "metric", "metric: nightjar.Metric", "nightjar.MetricMatch",
     "an observation: a sender's, a plugin's, or one of the built-in metrics; not those that came by OTLP"},
    {"on", "score", "score: nightjar.Score", "nightjar.ScoreMatch", "a score that someone gave"},
    {"on", "feedback", "feedback: nightjar.Feedback", "nightjar.FeedbackMatch", "feedback that someone gave"},
    {"on", "drop", "drop: nightjar.Drop", "nightjar.DropMatch", "events were lost"},
    {"scorer", "span_ended", "span: nightjar.Span, trace: nightjar.Trace", "nightjar.SpanMatch", "judges a span"},
    {"scorer", "trace_ended", "trace: nightjar.Trace", "nightjar.TraceMatch", "judges a trace"},
    {"process", "span", ON_SPAN, "at each event of a span"},
    {"process", "log", "log: nightjar.Log", "nightjar.LogMatch", "a log line"},
    {"process", "metric", "metric: nightjar.Metric", "nightjar.MetricMatch", "an observation that a sender made"},
};

const nj_event_info *nj_event(int32_t place) { return place >= 0 && place < COUNT(events) ? &events[place] : NULL; }

// ---- shapes: options of declarations

static const nj_field_info plugin_options[] = {
    {"name", "string?", "its name for people; the file's name is what it is known by", 0},
    {"version", "string?", "its version, which scores carry; else the start of its hash", 0},
    {"description", "string?", "what it does", 0},
    {"api", "1?", "the version of this interface", 0},
    {"scope", "\"worker\"|\"global\"?",
     "`worker` (the default): a state on each worker, a trace is always on one. `global`: one state "
     "that sees every event", 0},
    {"settings", "table<string, any>?", "settings with their defaults, which give them their types", 0},
};
static const nj_field_info on_options[] = {
    {"early", "boolean?", "call at arrival, when what a span inherits may be nil", 0},
    {"duplicates", "boolean?", "call for spans that repeat another one too", 0},
    {"again", "boolean?", "of `trace_ended`: call at every end, not at the first only", 0},
};
static const nj_field_info metric_options[] = {
    {"help", "string?", "what it counts, for `/metrics`", 0},
    {"unit", "string?", "its unit, for `/metrics`", 0},
    {"labels", "string[]?", "the allow-list: another label is dropped and counted", 0},
    {"cardinality_limit", "integer?", "so many label sets; what goes beyond is counted in one series", 0},
    {"max_value_length", "integer?", "longer label values are cut", 0},
};
static const nj_field_info histogram_options[] = {
    {"buckets", "number[]?", "upper bounds, ascending", 0},
    {"range", "number[]?", "{low, high}: ten equal buckets between them", 0},
};
static const nj_field_info label_policy[] = {
    {"allow", "string[]?", "the only labels; several lists intersect", 0},
    {"block", "string[]?", "labels that are dropped", 0},
    {"cardinality_limit", "integer?", "so many label sets; the smallest of several counts", 0},
    {"max_value_length", "integer?", "longer label values are cut", 0},
};
static const nj_field_info scorer_options[] = {
    {"on", "\"span_ended\"|\"trace_ended\"", "what it judges", 0},
    {"match", "table?", "a `SpanMatch` or `TraceMatch`", 0},
    {"sample", "number?", "the share of traces that it judges, 0 to 1, by the trace's id", 0},
    {"range", "number[]?", "{low, high}: a score outside is an error", 0},
    {"categories", "string[]?", "the labels that it may give", 0},
    {"version", "string?", "its version, which scores carry", 0},
    {"experiment", "string?", "the experiment that its scores belong to", 0},
};

// ---- shapes: what annotations are made of

static const nj_field_info score_input[] = {
    {"score", "number?", "the verdict as a number; needed where there is no label and no error", 0},
    {"label", "string?", "the verdict as a category", 0},
    {"reason", "string?", "why", 0},
    {"error", "string?", "why there is no verdict", 0},
    {"scorer_name", "string?", "who judges; in a scorer its own name", 0},
    {"scorer_version", "string?", "the version of the scorer", 0},
    {"experiment", "string?", "the experiment that it belongs to", 0},
    {"annotator_kind", "string?", "`human`, `llm`, `code` or `api`", 0},
    {"metadata", "table<string, any>?", "keys of your own", 0},
    {"id", "string?", "a score of the same id is replaced", 0},
    {"span", "nightjar.Span?", "of a trace's `addScore`: the span that is meant", 0},
    {"trace_id", "string?", "of `nightjar.score`: the trace", 0},
    {"span_id", "string?", "of `nightjar.score`: the span", 0},
    {"session_id", "string?", "the session, where no trace is meant", 0},
};
static const nj_field_info feedback_input[] = {
    {"feedback_type", "string", "`thumbs`, `rating`, `comment`, …", 0},
    {"value", "number|string", "what was given", 0},
    {"comment", "string?", "words beside the value", 0},
    {"source", "string?", "where it came from", 0},
    {"user_id", "string?", "who gave it", 0},
    {"experiment", "string?", "the experiment that it belongs to", 0},
    {"metadata", "table<string, any>?", "keys of your own", 0},
    {"id", "string?", "feedback of the same id is replaced", 0},
    {"span", "nightjar.Span?", "of a trace's `addFeedback`: the span that is meant", 0},
    {"trace_id", "string?", "of `nightjar.feedback`: the trace", 0},
    {"span_id", "string?", "of `nightjar.feedback`: the span", 0},
    {"session_id", "string?", "the session, where no trace is meant", 0},
};

// ---- shapes: matches

static const nj_field_info operators[] = {
    {"equals", "string?", "is this text; for `ignore_case`", 0},
    {"prefix", "string?", "begins with it", 0},
    {"suffix", "string?", "ends with it", 0},
    {"contains", "string?", "has it somewhere", 0},
    {"pattern", "string?", "a Lua pattern that finds something", 0},
    {"ignore_case", "boolean?", "compares the texts above without case (of ASCII)", 0},
    {"gt", "number?", "greater", 0},
    {"ge", "number?", "greater or equal", 0},
    {"lt", "number?", "less", 0},
    {"le", "number?", "less or equal", 0},
    {"exists", "boolean?", "whether there is a value at all", 0},
};
static const nj_field_info trace_match[] = {
    {"root", "nightjar.SpanMatch?", "the root must match", 0},
    {"any", "nightjar.SpanMatch?", "some span must match", 0},
    {"all", "nightjar.SpanMatch?", "every span must match", 0},
    {"id", "nightjar.Condition?", "the id", 0},
    {"duration_ms", "nightjar.Condition?", "the duration", 0},
    {"status", "nightjar.Condition?", "the root's status", 0},
    {"has_errors", "nightjar.Condition?", "whether a span failed", 0},
    {"error_count", "nightjar.Condition?", "how many spans failed", 0},
    {"usage", "nightjar.Condition?", "a part of it: `[\"usage.cost\"]`", 0},
    {"service", "nightjar.Condition?", "the root's service", 0},
    {"environment", "nightjar.Condition?", "the root's environment", 0},
    {"metadata", "nightjar.Condition?", "a key of it: `[\"metadata.userId\"]`", 0},
    {"is_partial", "nightjar.Condition?", "whether something is missing", 0},
    {"revision", "nightjar.Condition?", "which end of the trace it is", 0},
};

// ---- shapes: tables within events

static const nj_field_info usage[] = {
    {"input_tokens", "integer?", "tokens that went in, those of the cache with them", 0},
    {"output_tokens", "integer?", "tokens that came out", 0},
    {"cache_read_tokens", "integer?", "of the input: read from the cache", 0},
    {"cache_write_tokens", "integer?", "of the input: written to the cache", 0},
    {"reasoning_tokens", "integer?", "of the output: for reasoning", 0},
    {"cost", "number?", "what the sender says that it cost", 0},
};
static const nj_field_info error_fields[] = {
    {"message", "string", "what went wrong", 0},
    {"id", "string?", "its kind: `TimeoutError`, …", 0},
};
static const nj_field_info message[] = {
    {"role", "string", "`system`, `user`, `assistant` or `tool`", 0},
    {"parts", "table[]", "what it consists of, each with a `type`", 0},
};
static const nj_field_info tool_call[] = {
    {"id", "string?", "the call's id", 0},
    {"name", "string", "the tool", 0},
    {"arguments", "any", "what it was called with", 0},
};
static const nj_field_info span_event[] = {
    {"name", "string", "what happened", 0},
    {"time", "number", "seconds since 1970", 0},
    {"attributes", "table<string, any>", "what belongs to it", 0},
};
static const nj_field_info link_fields[] = {
    {"trace_id", "string", "the other trace", 0},
    {"span_id", "string", "the other span", 0},
    {"attributes", "table<string, any>", "what belongs to the link", 0},
};
static const nj_field_info scope[] = {
    {"name", "string?", "the library's name", 0},
    {"version", "string?", "the library's version", 0},
    {"attributes", "table<string, any>", "what belongs to it", 0},
};

// ---- shapes: tests

static const nj_field_info test_options[] = {
    {"settings", "table<string, any>?", "settings of the plugin, over its defaults", 0},
};
static const nj_field_info metric_expectation[] = {
    {"equals", "number?", "the sum is this", 0},
    {"above", "number?", "the sum is greater", 0},
    {"below", "number?", "the sum is less", 0},
    {"count", "integer?", "so many observations", 0},
    {"sum", "number?", "their sum", 0},
    {"mean", "number?", "their mean", 0},
};
static const nj_field_info score_expectation[] = {
    {"equals", "number?", "the score is this", 0},
    {"above", "number?", "the score is greater", 0},
    {"below", "number?", "the score is less", 0},
    {"label", "string?", "the label is this", 0},
    {"reason", "string?", "the reason has this text", 0},
};

static const nj_shape_info shapes[] = {
    {"nightjar.Labels", "table<string, string|number|boolean>",
     "labels of a metric; one that is nil or empty is left out", NULL, 0},
    {"nightjar.Literal", "string|number|boolean", "a value that is compared as it is", NULL, 0},
    {"nightjar.Excluded", NULL, "what `nightjar.none_of` makes", NULL, 0},
    {"nightjar.Condition", "nightjar.Literal|nightjar.Operators|nightjar.Excluded|(nightjar.Literal|nightjar.Operators)[]",
     "what stands under a key of a match; of a list any", NULL, 0},
    {"nightjar.TestTrace", NULL, "what `t.trace` reads", NULL, 0},
    SHAPE("nightjar.PluginOptions", NULL, "of `nightjar.plugin`", plugin_options),
    SHAPE("nightjar.OnOptions", NULL, "of `nightjar.on`", on_options),
    SHAPE("nightjar.ScorerOptions", NULL, "of `nightjar.scorer`", scorer_options),
    SHAPE("nightjar.MetricOptions", NULL, "of `nightjar.counter` and `nightjar.gauge`", metric_options),
    SHAPE("nightjar.HistogramOptions", "nightjar.MetricOptions", "of `nightjar.histogram`", histogram_options),
    SHAPE("nightjar.LabelPolicy", NULL, "of `nightjar.labels`", label_policy),
    SHAPE("nightjar.ScoreInput", NULL, "what `addScore` takes; camelCase spellings are taken too", score_input),
    SHAPE("nightjar.FeedbackInput", NULL, "what `addFeedback` takes; camelCase spellings are taken too", feedback_input),
    SHAPE("nightjar.Operators", NULL, "what a key of a match can demand; several must all hold", operators),
    SHAPE("nightjar.TraceMatch", NULL, "the match of a trace", trace_match),
    SHAPE("nightjar.Usage", NULL, "tokens and cost; what was not stated is nil", usage),
    SHAPE("nightjar.Error", NULL, "why a span failed", error_fields),
    SHAPE("nightjar.Message", NULL, "a message of a conversation", message),
    SHAPE("nightjar.ToolCall", NULL, "a tool call that a model asked for", tool_call),
    SHAPE("nightjar.SpanEvent", NULL, "a point in time within a span", span_event),
    SHAPE("nightjar.Link", NULL, "a reference to another span", link_fields),
    SHAPE("nightjar.Scope", NULL, "what made a span", scope),
    SHAPE("nightjar.TestOptions", NULL, "of `test`", test_options),
    SHAPE("nightjar.MetricExpectation", NULL, "of `t.expect.metric`", metric_expectation),
    SHAPE("nightjar.ScoreExpectation", NULL, "of `t.expect.score`", score_expectation),
};

const nj_shape_info *nj_shape(int32_t place) { return place >= 0 && place < COUNT(shapes) ? &shapes[place] : NULL; }
