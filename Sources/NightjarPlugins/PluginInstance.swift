import CNightjarLua
import CNightjarSignals
import NightjarBus
import NightjarSignals

/// One loaded state of a plugin with its rules: made on the loader's thread, then owned by one worker.
final class PluginInstance {
    let source: PluginSource
    let loadedAt: Timestamp
    private(set) var declarations = PluginDeclarations()
    /// The ids of `declarations.metrics`; filled when the plugin goes live.
    private(set) var instruments: [InstrumentID] = []
    /// What its rules are looking at; set by the session that owns it.
    var scope: SpanScope?
    private let registry: MetricRegistry
    private let overrides: Value.Object
    private var reply = UnsafeMutableRawBufferPointer.allocate(byteCount: 1024, alignment: 8)
    private(set) var state: LuaState?
    private var isLive = false

    /// Loads a plugin's text into a fresh state.
    /// - Throws: ``PluginFault`` with file and line.
    init(
        _ source: PluginSource,
        limits: PluginLimits,
        registry: MetricRegistry,
        settings: Value.Object,
        now: Timestamp
    ) throws(PluginFault) {
        self.source = source
        self.registry = registry
        overrides = settings
        loadedAt = now
        guard let state = LuaState(name: source.name, limits: limits, callbacks: makeCallbacks(for: self))
        else {
            throw PluginFault(code: .limit, plugin: source.name, detail: "no memory for a state")
        }
        self.state = state
        let outcome = state.load(source.text, file: source.file)
        guard outcome == .ok else {
            let failure = state.failure
            throw PluginFault(
                code: outcome.isLimit ? .limit : .load,
                plugin: source.name,
                detail: failure.message,
                traceback: failure.traceback
            )
        }
    }

    deinit {
        // The state may still ask the instance while it closes.
        state = nil
        reply.deallocate()
    }

    /// The id of a metric that an emission names.
    func instrument(_ handle: Int32) -> InstrumentID? {
        instruments.indices.contains(Int(handle)) ? instruments[Int(handle)] : nil
    }

    /// Gives its memory back; its rules cannot run any more.
    func retire() { state = nil }

    /// Finds the ids of its metrics; from now on new names get theirs at once.
    func goLive() throws(MetricError) {
        var ids: [InstrumentID] = []
        for metric in declarations.metrics {
            ids.append(try registry.instrument(metric, source: source.name))
        }
        instruments = ids
        isLive = true
    }

    // MARK: What the script declares

    /// Takes a declaration; the handle of a metric, else 0.
    func declare(_ raw: nj_declaration) throws(DeclarationFault) -> Int {
        let name = raw.name.string ?? ""
        let options = try value(raw.options)
        let place = raw.place.string ?? source.file
        switch nj_declaration_kind(UInt32(raw.kind)) {
        case NJ_DECLARE_PLUGIN:
            try declarations.plugin(options ?? .object([:]))
            try applySettings()
        case NJ_DECLARE_RULE:
            try declarations.rule(
                event: name,
                match: value(raw.match),
                options: options,
                function: raw.function,
                place: place
            )
        case NJ_DECLARE_SCORER:
            try declarations.scorer(name: name, options: options, function: raw.function, place: place)
        case NJ_DECLARE_COUNTER: return try metric(.counter, name, options)
        case NJ_DECLARE_GAUGE: return try metric(.gauge, name, options)
        case NJ_DECLARE_HISTOGRAM: return try metric(.histogram, name, options)
        case NJ_DECLARE_LABELS: try declarations.labels(metric: name, options ?? .object([:]))
        default: declarations.unload.append(raw.function)
        }
        return 0
    }

    private func metric(_ type: MetricType, _ name: String, _ options: Value?) throws(DeclarationFault) -> Int
    {
        if options == nil,
            let place = declarations.metrics.firstIndex(where: { $0.name == name && $0.type == type })
        {
            return place
        }
        if let conflict = registry.conflict(
            InstrumentDescriptor(name: name, type: type),
            source: source.name
        ) {
            throw DeclarationFault(conflict.description)
        }
        let handle = try declarations.metric(type, name: name, options: options)
        if isLive, handle == instruments.count {
            do throws(MetricError) {
                instruments.append(
                    try registry.instrument(declarations.metrics[handle], source: source.name)
                )
            } catch {
                declarations.metrics.removeLast()
                throw DeclarationFault(error.description)
            }
        }
        return handle
    }

    /// Settings are typed by their defaults.
    private func applySettings() throws(DeclarationFault) {
        var settings = declarations.settings
        for (key, value) in overrides.entries {
            guard let standard = settings[key] else {
                let known = settings.entries.map(\.key)
                throw DeclarationFault(
                    "the configuration sets '\(key)', which is no setting of this plugin\(suggestion(for: key, among: known))"
                )
            }
            guard standard.hasKind(of: value) else {
                throw DeclarationFault(
                    "setting '\(key)' is \(value.json) in the configuration; its default is \(standard.json)"
                )
            }
            settings[key] = value
        }
        state?.setSettings(json: Value.object(settings).json, version: declarations.version)
    }

    private func value(_ json: nj_text) throws(DeclarationFault) -> Value? {
        guard json.isPresent else { return nil }
        do throws(JSONError) {
            return try Value(jsonBytes: Array(json.buffer))
        } catch {
            throw DeclarationFault("options cannot be read: \(error.detail)")
        }
    }

    // MARK: What the state asks for

    /// Finds the spans of a trace that match; the indexes lie in the reply's buffer.
    func find(_ json: [UInt8], in trace: nj_trace, _ reply: UnsafeMutablePointer<nj_reply>)
        throws(DeclarationFault)
    {
        guard let scope else { return }
        let match: Value
        do throws(JSONError) { match = try Value(jsonBytes: json) } catch {
            throw DeclarationFault("the match cannot be read: \(error.detail)")
        }
        let program = MatchProgram(try MatchCompiler.span(match))
        let spans = UnsafeBufferPointer(start: trace.spans, count: Int(trace.count))
        let found = spans.indices.filter { program.holds(spans[$0], in: scope) }.map { Int32($0) }
        found.withUnsafeBytes { keep($0) }
        reply.pointee.indexes = self.reply.baseAddress.map {
            UnsafePointer($0.assumingMemoryBound(to: Int32.self))
        }
        reply.pointee.count = UInt32(found.count)
    }

    /// Answers with content; it lies in the reply's buffer until the next answer.
    func answer(_ content: SpanContent, _ reply: UnsafeMutablePointer<nj_reply>) -> Int32 {
        switch content {
        case .absent: return NJ_REPLY_ABSENT.rawValue
        case .text(let bytes): return answer(bytes, NJ_REPLY_TEXT, reply)
        case .value(.string(let text)): return answer(Array(text.utf8), NJ_REPLY_TEXT, reply)
        case .value(.bytes(let bytes)): return answer(bytes, NJ_REPLY_TEXT, reply)
        case .value(let value):
            var writer = JSONWriter()
            writer.write(value)
            return answer(writer.bytes, NJ_REPLY_JSON, reply)
        }
    }

    /// Answers with what is wrong.
    func answer(fault: String, _ reply: UnsafeMutablePointer<nj_reply>) -> Int32 {
        answer(Array(fault.utf8), NJ_REPLY_ERROR, reply)
    }

    private func answer(
        _ bytes: [UInt8],
        _ status: nj_reply_status,
        _ reply: UnsafeMutablePointer<nj_reply>
    ) -> Int32 {
        bytes.withUnsafeBytes { keep($0) }
        reply.pointee.bytes = nj_text(UnsafeRawBufferPointer(rebasing: self.reply[0..<bytes.count]))
        return status.rawValue
    }

    private func keep(_ bytes: UnsafeRawBufferPointer) {
        if reply.count < bytes.count {
            reply.deallocate()
            reply = .allocate(byteCount: max(bytes.count, 2048), alignment: 8)
        }
        reply.copyMemory(from: bytes)
    }
}

extension Value {
    /// Whether both are of one kind; whole numbers and others are one.
    fileprivate func hasKind(of other: Value) -> Bool {
        switch (self, other) {
        case (.bool, .bool), (.string, .string), (.array, .array), (.object, .object): true
        default: plainNumber != nil && other.plainNumber != nil
        }
    }
}
