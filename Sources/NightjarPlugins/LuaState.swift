import CNightjarLua
import CNightjarSignals
import NightjarSignals

/// One Lua state: the only place in Swift that holds its handle. Used by one thread at a time; nothing here raises.
final class LuaState {
    /// How a call ended.
    enum Outcome: Int32 {
        case ok, error, time, fuel, memory, emissions

        /// Whether a limit was hit.
        var isLimit: Bool { self != .ok && self != .error }
    }

    /// What is known of a call that failed.
    struct Failure {
        let outcome: Outcome
        let message: String
        let traceback: String
    }

    private let handle: OpaquePointer
    private let memoryLimit: Int

    /// A fresh state; nil where memory is lacking. The callbacks' context must outlive it.
    init?(name: String, limits: PluginLimits, callbacks: nj_callbacks) {
        var raw = limits.raw
        var callbacks = callbacks
        let opened = name.withText { nj_lua_open(&raw, &callbacks, $0) }
        guard let opened else { return nil }
        handle = opened
        memoryLimit = limits.memoryBytes
    }

    deinit { nj_lua_close(handle) }

    /// Loads and runs a source text.
    func load(_ source: [UInt8], file: String) -> Outcome {
        source.withUnsafeBytes { bytes in
            file.withText { outcome(nj_lua_load(handle, nj_text(bytes), $0)) }
        }
    }

    /// Sets what `nightjar.settings` and `nightjar.version` answer.
    func setSettings(json: String, version: String?) {
        json.withText { text in
            guard let version else { return nj_lua_set_settings(handle, text, .absent) }
            version.withText { nj_lua_set_settings(handle, text, $0) }
        }
    }

    /// A new event: earlier emissions and objects are void.
    func begin() { nj_lua_begin(handle) }

    /// Calls a rule with a span.
    func call(
        _ function: Int32,
        span: nj_span_ref,
        withTrace: Bool,
        scorer: UnsafePointer<nj_scorer>?
    ) -> Outcome {
        outcome(nj_lua_call_span(handle, function, span, withTrace, scorer))
    }

    /// Calls a rule with a trace.
    func call(
        _ function: Int32,
        trace: UnsafePointer<nj_trace>,
        scorer: UnsafePointer<nj_scorer>?
    ) -> Outcome {
        outcome(nj_lua_call_trace(handle, function, trace, scorer))
    }

    /// Calls a function without arguments.
    func call(_ function: Int32) -> Outcome { outcome(nj_lua_call(handle, function)) }

    /// Why the last load or call failed.
    var failure: Failure {
        let failure = nj_lua_failure(handle).pointee
        return Failure(
            outcome: outcome(failure.outcome),
            message: text(failure.message),
            traceback: text(failure.traceback)
        )
    }

    /// What was emitted since the event began; valid until the next one.
    var emissions: UnsafeBufferPointer<nj_emission> {
        var count: UInt32 = 0
        let first = nj_lua_emissions(handle, &count)
        return UnsafeBufferPointer(start: first, count: Int(count))
    }

    /// The bytes in use.
    var memoryBytes: Int { Int(nj_lua_memory(handle)) }

    /// Whether most of what it may use is in use.
    var isNearlyFull: Bool { memoryBytes > memoryLimit / 4 * 3 }

    /// Frees what nothing refers to.
    func collect() { _ = nj_lua_collect(handle) }

    private func outcome(_ raw: Int32) -> Outcome { Outcome(rawValue: raw) ?? .error }

    /// The text of a fixed, terminated buffer.
    private func text<Buffer>(_ buffer: Buffer) -> String {
        withUnsafeBytes(of: buffer) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

extension String {
    /// Calls with the text's bytes, valid during the call.
    func withText<Result>(_ body: (nj_text) throws -> Result) rethrows -> Result {
        var copy = self
        return try copy.withUTF8 { try body(nj_text(UnsafeRawBufferPointer($0))) }
    }
}
