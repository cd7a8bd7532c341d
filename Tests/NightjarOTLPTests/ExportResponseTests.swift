import NightjarOTLP
import Testing

/// The answers that a sender reads.
struct ExportResponseTests {
    @Test func `full success is an empty message`() {
        #expect(ExportResponse.accepted(.traces, encoding: .protobuf).isEmpty)
        #expect(ExportResponse.accepted(.traces, encoding: .json) == Array("{}".utf8))
    }

    @Test func `partial success counts and says why`() {
        let protobuf = ExportResponse.accepted(.traces, rejected: 300, message: "bad", encoding: .protobuf)
        #expect(protobuf == [0x0A, 0x08, 0x08, 0xAC, 0x02, 0x12, 0x03] + Array("bad".utf8))
    }

    @Test(arguments: [
        (ExportResponse.Signal.traces, "rejectedSpans"), (.logs, "rejectedLogRecords"),
        (.metrics, "rejectedDataPoints"),
    ])
    func `partial success in JSON names what was rejected`(_ signal: ExportResponse.Signal, _ field: String) {
        let json = ExportResponse.accepted(signal, rejected: 3, message: "say \"no\"", encoding: .json)
        #expect(
            String(decoding: json, as: UTF8.self)
                == #"{"partialSuccess":{"\#(field)":"3","errorMessage":"say \"no\""}}"#
        )
    }

    @Test func `a refusal is a status`() {
        let protobuf = ExportResponse.refused(code: 3, message: "bad", encoding: .protobuf)
        #expect(protobuf == [0x08, 0x03, 0x12, 0x03] + Array("bad".utf8))
        let json = ExportResponse.refused(code: 3, message: "bad", encoding: .json)
        #expect(String(decoding: json, as: UTF8.self) == #"{"code":3,"message":"bad"}"#)
    }
}
