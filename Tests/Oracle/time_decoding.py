"""Times the OpenTelemetry project's own protobuf classes, which decode in C, on requests of traces.

usage: time_decoding.py FILE RUNS     FILE holds requests one behind the other, each after its length in eight bytes,
                                      little-endian; prints the spans, their attributes, and each run's nanoseconds
                                      of processor time for all requests, one line of numbers
Needs the package opentelemetry-proto, kept in .build-venv: python3 -m venv .build-venv &&
.build-venv/bin/pip install opentelemetry-proto
"""

import pathlib
import sys
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def bodies(data):
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at:at + 8], "little")
        yield data[at + 8:at + 8 + length]
        at += 8 + length


def main(file, runs):
    requests = list(bodies(pathlib.Path(file).read_bytes()))
    decode = ExportTraceServiceRequest.FromString
    times = []
    # The first warms up.
    for _ in range(runs + 1):
        start = time.process_time_ns()
        for request in requests:
            decode(request)
        times.append(time.process_time_ns() - start)
    spans = [
        span
        for request in requests
        for resource in decode(request).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    print(len(spans), sum(len(span.attributes) for span in spans), *times[1:])


main(sys.argv[1], int(sys.argv[2]))
