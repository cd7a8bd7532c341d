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
    private let data: DataFiles
    /// What a test file drives; nil for a plugin.
    private let driver: (any PluginTestDriver)?
    private var reply = UnsafeMutableRawBufferPointer.allocate(byteCount: 1024, alignment: 8)
    private var keyBytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
    private(set) var state: LuaState?
    private var isLive = false

    /// Loads a plugin's text into a fresh state.
    /// - Throws: ``PluginFault`` with file and line.
    init(
        _ source: PluginSource,
        limits: PluginLimits,
        registry: MetricRegistry,
        settings: Value.Object,
        now: Timestamp,
        data: DataFiles = DataFiles(),
        driver: (any PluginTestDriver)? = nil,
        isWatched: Bool = false
    ) throws(PluginFault) {
        self.data = data
        self.driver = driver
        self.source = source
        self.registry = registry
        overrides = settings
        loadedAt = now
        guard let state = LuaState(name: source.name, limits: limits, callbacks: makeCallbacks(for: self))
        else {
            throw PluginFault(code: .limit, plugin: source.name, detail: "no memory for a state")
        }
        self.state = state
        if driver != nil { state.addTests() }
        if isWatched { state.cover() }
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
        keyBytes.deallocate()
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
        let function = RuleFunction(
            handle: raw.function,
            place: raw.place.string ?? source.file,
            line: Int(raw.line)
        )
        switch nj_declaration_kind(UInt32(raw.kind)) {
        case NJ_DECLARE_PLUGIN:
            try declarations.plugin(options ?? .object([:]))
            if declarations.isGlobal { state?.keepState() }
            try applySettings()
        case NJ_DECLARE_RULE:
            try declarations.rule(
                event: name,
                match: value(raw.match),
                options: options,
                function: function
            )
        case NJ_DECLARE_SCORER:
            try declarations.scorer(name: name, options: options, function: function)
        case NJ_DECLARE_COUNTER: return try metric(.counter, name, options)
        case NJ_DECLARE_GAUGE: return try metric(.gauge, name, options)
        case NJ_DECLARE_HISTOGRAM: return try metric(.histogram, name, options)
        case NJ_DECLARE_LABELS: try declarations.labels(metric: name, options ?? .object([:]))
        case NJ_DECLARE_PROCESS:
            try declarations.process(
                signal: name,
                match: value(raw.match),
                function: function
            )
        case NJ_DECLARE_SAMPLER: try declarations.sampler(function: function)
        case NJ_DECLARE_EVERY: try declarations.every(raw.number, function: function)
        case NJ_DECLARE_DATA: return try openData(name) << 32
        case NJ_DECLARE_TEST:
            declarations.tests.append(
                DeclaredTest(name: name, function: raw.function, options: options, place: function.place)
            )
        default: declarations.unload.append(raw.function)
        }
        return 0
    }

    private func openData(_ name: String) throws(DeclarationFault) -> Int {
        guard let folder = source.folder else {
            throw DeclarationFault("nightjar.data needs a plugin that lies in a folder")
        }
        return try data.number(of: name, in: folder)
    }

    /// The file of a node's handle, and the node within it.
    func dataFile(_ handle: Int64) -> (file: DataFile, node: Int)? {
        data.file(Int(handle >> 32)).map { ($0, Int(handle & 0xFFFF_FFFF)) }
    }

    /// Passes on what a test asks for.
    func ask(_ operation: String, _ arguments: [UInt8]) throws(DeclarationFault) -> Value? {
        guard let driver else { throw DeclarationFault("there is no test here") }
        let list: Value
        do throws(JSONError) { list = try Value(jsonBytes: arguments) } catch {
            throw DeclarationFault("the arguments cannot be read: \(error.detail)")
        }
        return try driver.perform(operation, list.array ?? [])
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
        answer(indexes: found, reply)
    }

    /// Answers with numbers; they lie in the reply's buffer until the next answer.
    func answer(indexes: [Int32], _ reply: UnsafeMutablePointer<nj_reply>) {
        indexes.withUnsafeBytes { keep($0) }
        reply.pointee.indexes = self.reply.baseAddress.map {
            UnsafePointer($0.assumingMemoryBound(to: Int32.self))
        }
        reply.pointee.count = UInt32(indexes.count)
    }

    /// Answers with a value, absent for nil.
    func answer(_ value: Value?, _ reply: UnsafeMutablePointer<nj_reply>) -> Int32 {
        switch value {
        case nil: return NJ_REPLY_ABSENT.rawValue
        case .double(let number)?: return answer(.number(number), reply)
        case .int(let whole)? where abs(whole) < 1 << 53: return answer(.number(Double(whole)), reply)
        case let value?: return answer(.value(value), reply)
        }
    }

    /// Answers with a member of a data file: what has members itself is a handle.
    func answer(
        member: Int,
        key: String? = nil,
        of file: DataFile,
        _ node: Int64,
        _ reply: UnsafeMutablePointer<nj_reply>
    ) -> Int32 {
        var status = NJ_REPLY_NODE.rawValue
        if case .scalar(let value)? = file.node(member) {
            status = answer(value == .null ? nil : value, reply)
        } else {
            reply.pointee.number = node & ~0xFFFF_FFFF | Int64(member)
        }
        guard let key else { return status }
        key.withText { text in
            keyBytes.deallocate()
            keyBytes = .allocate(byteCount: max(Int(text.length), 1), alignment: 1)
            keyBytes.copyMemory(from: text.buffer)
            reply.pointee.key = nj_text(UnsafeRawBufferPointer(rebasing: keyBytes[0..<Int(text.length)]))
        }
        // A pair whose value is null is a pair nevertheless.
        return status == NJ_REPLY_ABSENT.rawValue ? answer(.value(.null), reply) : status
    }

    /// Answers with content; it lies in the reply's buffer until the next answer.
    func answer(_ content: SpanContent, _ reply: UnsafeMutablePointer<nj_reply>) -> Int32 {
        switch content {
        case .absent: return NJ_REPLY_ABSENT.rawValue
        case .text(let bytes): return answer(bytes, NJ_REPLY_TEXT, reply)
        case .value(.string(let text)): return answer(Array(text.utf8), NJ_REPLY_TEXT, reply)
        case .value(.bytes(let bytes)): return answer(bytes, NJ_REPLY_TEXT, reply)
        case .number(let number):
            reply.pointee.value = number
            return NJ_REPLY_NUMBER.rawValue
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
