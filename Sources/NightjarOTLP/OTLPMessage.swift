import CNightjarSignals
import NightjarSignals

/// The messages of OTLP that come as JSON, and how JSON names their fields: `opentelemetry-proto`, v1.
enum OTLPMessage: Int, CaseIterable {
    case traceRequest, resourceSpans, scopeSpans, resource, scope, keyValue, anyValue, arrayValue, listOfKeys,
        span, event, link, status,
        logsRequest, resourceLogs, scopeLogs, logRecord,
        metricsRequest, resourceMetrics, scopeMetrics, metric, gauge, sum, histogram, exponentialHistogram,
        summary,
        numberPoint, histogramPoint, exponentialPoint, exponentialBuckets, summaryPoint, quantile

    /// One field of a message.
    struct Field {
        /// The field's number in protobuf.
        let number: UInt32
        /// Its name in camel case.
        let name: StaticString
        /// Its name as the protobuf definition has it.
        let original: StaticString
        /// How its value is written.
        let form: Form

        init(_ number: UInt32, _ name: StaticString, _ original: StaticString? = nil, form: Form) {
            self.number = number
            self.name = name
            self.original = original ?? name
            self.form = form
        }
    }

    /// How a field's value is written in JSON and in protobuf.
    enum Form {
        case text
        case bool
        case double
        case varint
        case fixed64
        case fixed32
        /// Hex of a trace id.
        case traceID
        /// Hex of a span id.
        case spanID
        case base64
        case spanKind
        case statusCode
        case severity
        case temporality
        /// A signed number of 32 bits, small ones short.
        case zigzag
        /// A message, or a list of messages.
        case message(OTLPMessage)
    }

    /// The fields of all messages, each message's together.
    private static let table: [[Field]] = allCases.map(\.definition)

    /// Its fields.
    var fields: [Field] { Self.table[rawValue] }

    private var definition: [Field] {
        switch self {
        case .traceRequest:
            [
                .init(1, "resourceSpans", "resource_spans", form: .message(.resourceSpans))
            ]
        case .resourceSpans:
            [
                .init(1, "resource", form: .message(.resource)),
                .init(2, "scopeSpans", "scope_spans", form: .message(.scopeSpans)),
                .init(3, "schemaUrl", "schema_url", form: .text),
            ]
        case .scopeSpans:
            [
                .init(2, "spans", form: .message(.span)),
                .init(1, "scope", form: .message(.scope)),
                .init(3, "schemaUrl", "schema_url", form: .text),
            ]
        case .resource:
            [
                .init(1, "attributes", form: .message(.keyValue)),
                .init(2, "droppedAttributesCount", "dropped_attributes_count", form: .varint),
            ]
        case .scope:
            [
                .init(1, "name", form: .text),
                .init(2, "version", form: .text),
                .init(3, "attributes", form: .message(.keyValue)),
                .init(4, "droppedAttributesCount", "dropped_attributes_count", form: .varint),
            ]
        case .keyValue:
            [
                .init(1, "key", form: .text),
                .init(2, "value", form: .message(.anyValue)),
            ]
        case .anyValue:
            [
                .init(1, "stringValue", "string_value", form: .text),
                .init(3, "intValue", "int_value", form: .varint),
                .init(2, "boolValue", "bool_value", form: .bool),
                .init(4, "doubleValue", "double_value", form: .double),
                .init(5, "arrayValue", "array_value", form: .message(.arrayValue)),
                .init(6, "kvlistValue", "kvlist_value", form: .message(.listOfKeys)),
                .init(7, "bytesValue", "bytes_value", form: .base64),
            ]
        case .arrayValue:
            [
                .init(1, "values", form: .message(.anyValue))
            ]
        case .listOfKeys:
            [
                .init(1, "values", form: .message(.keyValue))
            ]
        case .span:
            [
                .init(1, "traceId", "trace_id", form: .traceID),
                .init(2, "spanId", "span_id", form: .spanID),
                .init(3, "traceState", "trace_state", form: .text),
                .init(4, "parentSpanId", "parent_span_id", form: .spanID),
                .init(5, "name", form: .text),
                .init(
                    6,
                    "kind",
                    form: .spanKind
                ),
                .init(7, "startTimeUnixNano", "start_time_unix_nano", form: .fixed64),
                .init(8, "endTimeUnixNano", "end_time_unix_nano", form: .fixed64),
                .init(9, "attributes", form: .message(.keyValue)),
                .init(10, "droppedAttributesCount", "dropped_attributes_count", form: .varint),
                .init(11, "events", form: .message(.event)),
                .init(12, "droppedEventsCount", "dropped_events_count", form: .varint),
                .init(13, "links", form: .message(.link)),
                .init(14, "droppedLinksCount", "dropped_links_count", form: .varint),
                .init(15, "status", form: .message(.status)),
                .init(16, "flags", form: .fixed32),
            ]
        case .event:
            [
                .init(1, "timeUnixNano", "time_unix_nano", form: .fixed64),
                .init(2, "name", form: .text),
                .init(3, "attributes", form: .message(.keyValue)),
                .init(4, "droppedAttributesCount", "dropped_attributes_count", form: .varint),
            ]
        case .link:
            [
                .init(1, "traceId", "trace_id", form: .traceID),
                .init(2, "spanId", "span_id", form: .spanID),
                .init(3, "traceState", "trace_state", form: .text),
                .init(4, "attributes", form: .message(.keyValue)),
                .init(5, "droppedAttributesCount", "dropped_attributes_count", form: .varint),
                .init(6, "flags", form: .fixed32),
            ]
        case .status:
            [
                .init(2, "message", form: .text),
                .init(3, "code", form: .statusCode),
            ]
        default: logs ?? metrics ?? points
        }
    }
}
