// What scripts can name: the fields of the objects that they are given, and the calls of the table `nightjar`. The one source
// of field access, of compiled matches, of the editor's definitions and of the reference page.
#ifndef NJ_FIELDS_H
#define NJ_FIELDS_H

#include "nj_lua.h"

enum nj_object {
    NJ_OBJECT_SPAN = 0, NJ_OBJECT_TRACE, NJ_OBJECT_LOG, NJ_OBJECT_METRIC, NJ_OBJECT_SCORE, NJ_OBJECT_FEEDBACK, NJ_OBJECT_DROP,
    NJ_OBJECT_COUNT
};

// A field or method; `type` is in the words of the Lua language server, of a method the arguments and the result.
typedef struct nj_field_info {
    const char *name, *type, *text;
    uint32_t objects;  // of events that are no spans: a bit for each enum nj_object that has it
} nj_field_info;

// The name of an object in messages and definitions.
const char *nj_object_name(int32_t object);
// How many fields an object's table has, methods included, and the number of its first method. The table of an event that is
// no span is shared: its fields are those whose bit is set.
int32_t nj_object_field_count(int32_t object);
int32_t nj_object_first_method(int32_t object);
// A field of an object; NULL where it has none of this number.
const nj_field_info *nj_object_field(int32_t object, int32_t field);
// The number of an object's field, -1 where it has none of this name.
int32_t nj_object_find(int32_t object, nj_text name);

// The type or the name of what ran in a span, as far as its row tells.
nj_text nj_entity_text(const nj_span_ref *span, int32_t field);

// When a call may be made.
enum nj_when { NJ_WHILE_LOADING = 1, NJ_IN_CALLS = 2, NJ_ALWAYS = 3 };

// A call or value of the table `nightjar`, or a method of what such a call returns: "counter:add". The arguments are written as
// "name: type, other?: type", in the words of the Lua language server, NULL for a value. A leading "<K, V>" names what stands
// for any type; the types $event, $match and $handler stand for what nj_event_info says of each event.
typedef struct nj_call_info {
    const char *name, *arguments, *result, *text;
    int32_t when;
} nj_call_info;

// The calls in the order of the reference page; NULL after the last.
const nj_call_info *nj_api_call(int32_t place);
// The globals of Lua's own library that differ from stock Lua by what is left out or added; NULL after the last.
const nj_call_info *nj_library_call(int32_t place);
// What a test file has beside `nightjar`; a name that comes twice has two forms. NULL after the last.
const nj_call_info *nj_test_call(int32_t place);

// What the call `call` can be made for: the event, the parameters of the function that it gets, the type of its match.
typedef struct nj_event_info {
    const char *call, *name, *parameters, *match, *text;
} nj_event_info;

// NULL after the last.
const nj_event_info *nj_event(int32_t place);

// A table that scripts are given or pass. `base` is the shape whose fields it has too, NULL where there is none. Without
// fields of its own it is another name of the type `base`, or a value without members where that is NULL.
typedef struct nj_shape_info {
    const char *name, *base, *text;
    const nj_field_info *fields;
    int32_t count;
} nj_shape_info;

// The shapes in the order of the reference page; NULL after the last.
const nj_shape_info *nj_shape(int32_t place);

#endif
