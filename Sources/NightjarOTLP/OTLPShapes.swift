/// The messages of OTLP as JSON names their fields: `opentelemetry-proto`, v1.
enum OTLPShapes {
    static let traceRequest: JSONTranscoder.Shape = [
        .init(1, "resourceSpans", "resource_spans", form: .message { resourceSpans })
    ]

    private static let resourceSpans: JSONTranscoder.Shape = [
        .init(1, "resource", form: .message { resource }),
        .init(2, "scopeSpans", "scope_spans", form: .message { scopeSpans }),
        .init(3, "schemaUrl", "schema_url", form: .text),
    ]

    private static let scopeSpans: JSONTranscoder.Shape = [
        .init(2, "spans", form: .message { span }),
        .init(1, "scope", form: .message { scope }),
        .init(3, "schemaUrl", "schema_url", form: .text),
    ]

    static let resource: JSONTranscoder.Shape = [
        .init(1, "attributes", form: .message { keyValue }),
        .init(2, "droppedAttributesCount", "dropped_attributes_count", form: .varint),
    ]

    static let scope: JSONTranscoder.Shape = [
        .init(1, "name", form: .text),
        .init(2, "version", form: .text),
        .init(3, "attributes", form: .message { keyValue }),
        .init(4, "droppedAttributesCount", "dropped_attributes_count", form: .varint),
    ]

    static let keyValue: JSONTranscoder.Shape = [
        .init(1, "key", form: .text),
        .init(2, "value", form: .message { anyValue }),
    ]

    static let anyValue: JSONTranscoder.Shape = [
        .init(1, "stringValue", "string_value", form: .text),
        .init(3, "intValue", "int_value", form: .varint),
        .init(2, "boolValue", "bool_value", form: .bool),
        .init(4, "doubleValue", "double_value", form: .double),
        .init(5, "arrayValue", "array_value", form: .message { arrayValue }),
        .init(6, "kvlistValue", "kvlist_value", form: .message { listOfKeys }),
        .init(7, "bytesValue", "bytes_value", form: .base64),
    ]

    private static let arrayValue: JSONTranscoder.Shape = [
        .init(1, "values", form: .message { anyValue })
    ]

    private static let listOfKeys: JSONTranscoder.Shape = [
        .init(1, "values", form: .message { keyValue })
    ]

    private static let span: JSONTranscoder.Shape = [
        .init(1, "traceId", "trace_id", form: .identifier(16)),
        .init(2, "spanId", "span_id", form: .identifier(8)),
        .init(3, "traceState", "trace_state", form: .text),
        .init(4, "parentSpanId", "parent_span_id", form: .identifier(8)),
        .init(5, "name", form: .text),
        .init(
            6,
            "kind",
            form: .enumeration([
                "SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT",
                "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER",
            ])
        ),
        .init(7, "startTimeUnixNano", "start_time_unix_nano", form: .fixed64),
        .init(8, "endTimeUnixNano", "end_time_unix_nano", form: .fixed64),
        .init(9, "attributes", form: .message { keyValue }),
        .init(10, "droppedAttributesCount", "dropped_attributes_count", form: .varint),
        .init(11, "events", form: .message { event }),
        .init(12, "droppedEventsCount", "dropped_events_count", form: .varint),
        .init(13, "links", form: .message { link }),
        .init(14, "droppedLinksCount", "dropped_links_count", form: .varint),
        .init(15, "status", form: .message { status }),
        .init(16, "flags", form: .fixed32),
    ]

    private static let event: JSONTranscoder.Shape = [
        .init(1, "timeUnixNano", "time_unix_nano", form: .fixed64),
        .init(2, "name", form: .text),
        .init(3, "attributes", form: .message { keyValue }),
        .init(4, "droppedAttributesCount", "dropped_attributes_count", form: .varint),
    ]

    private static let link: JSONTranscoder.Shape = [
        .init(1, "traceId", "trace_id", form: .identifier(16)),
        .init(2, "spanId", "span_id", form: .identifier(8)),
        .init(3, "traceState", "trace_state", form: .text),
        .init(4, "attributes", form: .message { keyValue }),
        .init(5, "droppedAttributesCount", "dropped_attributes_count", form: .varint),
        .init(6, "flags", form: .fixed32),
    ]

    private static let status: JSONTranscoder.Shape = [
        .init(2, "message", form: .text),
        .init(3, "code", form: .enumeration(["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"])),
    ]
}
