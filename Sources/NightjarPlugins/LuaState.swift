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

        fileprivate init(_ raw: Int32) { self = Outcome(rawValue: raw) ?? .error }
    }

    /// What is known of a call that failed.
    struct Failure {
        let outcome: Outcome
        let message: String
        let traceback: String
    }

    /// What its rules are called through.
    let calls: LuaCalls
    private let handle: OpaquePointer
    private let memoryLimit: Int

    /// A fresh state; nil where memory is lacking. The callbacks' context must outlive it.
    init?(name: String, limits: PluginLimits, callbacks: nj_callbacks) {
        var raw = limits.raw
        var callbacks = callbacks
        let opened = name.withText { nj_lua_open(&raw, &callbacks, $0) }
        guard let opened else { return nil }
        handle = opened
        calls = LuaCalls(opened)
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

    /// Gives the script what only test files have.
    func addTests() { nj_lua_add_tests(handle) }

    /// Calls a test; `prelude` makes its table.
    func test(_ function: Int32, prelude: String) -> Outcome {
        prelude.withText { outcome(nj_lua_call_test(handle, function, $0)) }
    }

    /// Notes from now on which lines run.
    func cover() { nj_lua_cover(handle) }

    /// The lines that ran, by the name of their source.
    var coveredLines: [String: Set<Int>] {
        let found = LineSets()
        nj_lua_covered(handle, Unmanaged.passUnretained(found).toOpaque()) { context, source, bits, words in
            guard let context, let bits else { return }
            let found = Unmanaged<LineSets>.fromOpaque(context).takeUnretainedValue()
            let name = source.string ?? ""
            for word in 0..<Int(words) where bits[word] != 0 {
                for bit in 0..<64 where bits[word] >> UInt64(bit) & 1 != 0 {
                    found.lines[name, default: []].insert(word * 64 + bit)
                }
            }
        }
        return found.lines
    }

    private final class LineSets {
        var lines: [String: Set<Int>] = [:]
    }

    /// The script keeps `nightjar.state`.
    func keepState() { nj_lua_keep_state(handle) }

    /// What `nightjar.state` holds, packed; nil where that cannot be kept, or there is none.
    func packState() -> [UInt8]? {
        var packed = nj_text()
        guard outcome(nj_lua_pack_state(handle, &packed)) == .ok, packed.isPresent else { return nil }
        return Array(packed.buffer)
    }

    /// Fills `nightjar.state` with what an earlier version packed; with its version, by way of `nightjar.migrate`.
    func unpackState(_ packed: [UInt8], version: String?) -> Outcome {
        packed.withUnsafeBytes { bytes in
            guard let version else {
                return outcome(nj_lua_unpack_state(handle, nj_text(bytes), .absent))
            }
            return version.withText { outcome(nj_lua_unpack_state(handle, nj_text(bytes), $0)) }
        }
    }

    /// Why the last load or call failed.
    var failure: Failure {
        let failure = nj_lua_failure(handle).pointee
        return Failure(
            outcome: outcome(failure.outcome),
            message: text(failure.message),
            traceback: text(failure.traceback)
        )
    }

    /// The bytes in use.
    var memoryBytes: Int { Int(nj_lua_memory(handle)) }

    /// Whether most of what it may use is in use.
    var isNearlyFull: Bool { memoryBytes > memoryLimit / 4 * 3 }

    /// Frees what nothing refers to.
    func collect() { _ = nj_lua_collect(handle) }

    private func outcome(_ raw: Int32) -> Outcome { Outcome(raw) }

    /// The text of a fixed, terminated buffer.
    private func text<Buffer>(_ buffer: Buffer) -> String {
        withUnsafeBytes(of: buffer) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

/// The calls into a state: plain data, so that nothing is counted for a call. Whoever has it holds the state.
struct LuaCalls {
    typealias Outcome = LuaState.Outcome

    private let raw: OpaquePointer

    fileprivate init(_ raw: OpaquePointer) { self.raw = raw }

    /// A new event: earlier emissions and objects are void.
    func begin() { nj_lua_begin(raw) }

    /// Calls a rule with a span.
    func call(
        _ function: Int32,
        span: nj_span_ref,
        withTrace: Bool,
        scorer: UnsafePointer<nj_scorer>?
    ) -> Outcome {
        Outcome(nj_lua_call_span(raw, function, span, withTrace, scorer))
    }

    /// Calls a rule with a trace.
    func call(
        _ function: Int32,
        trace: UnsafePointer<nj_trace>,
        scorer: UnsafePointer<nj_scorer>?
    ) -> Outcome {
        Outcome(nj_lua_call_trace(raw, function, trace, scorer))
    }

    /// Calls a function without arguments.
    func call(_ function: Int32) -> Outcome { Outcome(nj_lua_call(raw, function)) }

    /// Calls a rule with an event that is no span.
    func call(_ function: Int32, record handle: Int32, of object: nj_object) -> Outcome {
        Outcome(nj_lua_call_record(raw, function, Int32(object.rawValue), handle))
    }

    /// Calls a processor; whether the event is to be kept.
    func process(_ function: Int32, span: nj_span_ref) -> (outcome: Outcome, keeps: Bool) {
        var span = span
        var keeps = true
        let result = nj_lua_call_process(raw, function, &span, Int32(NJ_OBJECT_SPAN.rawValue), 0, &keeps)
        return (Outcome(result), keeps)
    }

    /// Calls a processor with an event that is no span; whether it is to be kept.
    func process(_ function: Int32, record: Int32, of object: nj_object) -> (outcome: Outcome, keeps: Bool) {
        var keeps = true
        let result = nj_lua_call_process(raw, function, nil, Int32(object.rawValue), record, &keeps)
        return (Outcome(result), keeps)
    }

    /// Asks a sampler about the first span of a trace.
    func sample(_ function: Int32, span: nj_span_ref) -> (outcome: Outcome, share: Double) {
        var share = 1.0
        let result = nj_lua_call_sampler(raw, function, span, &share)
        return (Outcome(result), share)
    }

    /// How many more emissions the event may have.
    func allow(_ more: Int) { nj_lua_allow(raw, UInt32(clamping: max(more, 0))) }

    /// What was emitted since the event began; valid until the next one.
    var emissions: UnsafeBufferPointer<nj_emission> {
        var count: UInt32 = 0
        let first = nj_lua_emissions(raw, &count)
        return UnsafeBufferPointer(start: first, count: Int(count))
    }

    /// Changes when the numbers of metrics with labels are given anew; never while an event lasts.
    var labelEpoch: UInt32 { nj_lua_label_epoch(raw) }
}

extension String {
    /// Calls with the text's bytes, valid during the call.
    func withText<Result>(_ body: (nj_text) throws -> Result) rethrows -> Result {
        var copy = self
        return try copy.withUTF8 { try body(nj_text(UnsafeRawBufferPointer($0))) }
    }
}
