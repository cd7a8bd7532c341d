"""Decodes requests with the OpenTelemetry project's own protobuf classes.

usage: decode_otlp.py FOLDER                        a folder of recordings; prints one JSON object a span
       decode_otlp.py traces|logs|metrics FILE      one protobuf request; prints it as JSON, ids in hex
Needs the package opentelemetry-proto, kept in .build-venv: python3 -m venv .build-venv &&
.build-venv/bin/pip install opentelemetry-proto
"""

import base64
import gzip
import json
import pathlib
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

IDS = {"traceId", "spanId", "parentSpanId"}
REQUESTS = {
    "traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest, "metrics": ExportMetricsServiceRequest,
}


def hex_to_base64(node):
    """OTLP's JSON has ids in hex, protobuf's own JSON has them in base64."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in IDS and isinstance(value, str):
                node[key] = base64.b64encode(bytes.fromhex(value)).decode()
            else:
                hex_to_base64(value)
    elif isinstance(node, list):
        for value in node:
            hex_to_base64(value)


def base64_to_hex(node):
    """The way back."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in IDS and isinstance(value, str):
                node[key] = base64.b64decode(value).hex()
            else:
                base64_to_hex(value)
    elif isinstance(node, list):
        for value in node:
            base64_to_hex(value)


def show(signal, file):
    tree = json_format.MessageToDict(REQUESTS[signal].FromString(file.read_bytes()))
    base64_to_hex(tree)
    print(json.dumps(tree))


def request(file):
    data = file.read_bytes()
    if file.suffix == ".gz":
        data = gzip.decompress(data)
    if ".json" in file.name:
        tree = json.loads(data)
        hex_to_base64(tree)
        return json_format.ParseDict(tree, ExportTraceServiceRequest(), ignore_unknown_fields=True)
    return ExportTraceServiceRequest.FromString(data)


def value(any_value):
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value(element) for element in any_value.array_value.values]
    if kind == "kvlist_value":
        return {entry.key: value(entry.value) for entry in any_value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(any_value.bytes_value).decode()
    return getattr(any_value, kind) if kind else None


def attributes(pairs):
    return {pair.key: value(pair.value) for pair in pairs}


def main(folder):
    meta = json.loads((folder / "meta.json").read_text())
    for entry in meta["requests"]:
        if entry["signal"] != "traces":
            continue
        for resource_spans in request(folder / entry["file"]).resource_spans:
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    print(json.dumps({
                        "trace": span.trace_id.hex(),
                        "id": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(),
                        "name": span.name,
                        "kind": span.kind,
                        "start": span.start_time_unix_nano,
                        "end": span.end_time_unix_nano,
                        "attributes": attributes(span.attributes),
                        "resource": attributes(resource_spans.resource.attributes),
                        "scope": [scope_spans.scope.name, scope_spans.scope.version],
                        "events": [
                            {"name": event.name, "time": event.time_unix_nano, "attributes": attributes(event.attributes)}
                            for event in span.events
                        ],
                        "links": [
                            {"trace": link.trace_id.hex(), "id": link.span_id.hex(), "attributes": attributes(link.attributes)}
                            for link in span.links
                        ],
                    }))


if sys.argv[1] in REQUESTS:
    show(sys.argv[1], pathlib.Path(sys.argv[2]))
else:
    main(pathlib.Path(sys.argv[1]))
