import NightjarBus
import NightjarSignals

/// A plugin of the running set with this worker's state of it. Belongs to one session.
final class PluginMember {
    /// What every call of a rule reads and counts. Plain memory, as all of it is touched for every event: checking each access for
    /// exclusivity and counting each reference would cost more than the call. What it refers to is held by the member.
    struct Counts {
        let member: Unmanaged<PluginMember>
        /// This worker's own state; nil where all workers share one, and once it was given back.
        var own: Entered?
        /// The event that its state was last told of.
        var eventNumber = -1
        /// How many of the event's emissions have been handed on.
        var delivered = 0
        /// How much of the budget of the incoming event is spent, with all that its emissions caused.
        var spent = (incoming: -1, emissions: 0)
        var isExhausted = false
        var series = EmittedSeries()

        /// What was spent of an incoming event's budget.
        func spent(of incoming: Int) -> Int { spent.incoming == incoming ? spent.emissions : 0 }

        /// Adds to what was spent of an incoming event's budget.
        mutating func spend(_ emissions: Int, of incoming: Int) {
            spent = (incoming, spent(of: incoming) + emissions)
        }
    }

    /// A state that this thread may call, and whose it is.
    struct Entered {
        let calls: LuaCalls
        let instance: Unmanaged<PluginInstance>

        /// Nil where the instance has given its state back.
        init?(_ instance: PluginInstance) {
            guard let state = instance.state else { return nil }
            calls = state.calls
            self.instance = Unmanaged.passUnretained(instance)
        }
    }

    let plugin: LoadedPlugin
    /// This worker's own instance; nil where all workers share one.
    let instance: PluginInstance?
    let shared: SharedInstance?
    /// What its emissions are marked with, where no other plugin's led to them.
    let origin: EmissionOrigin
    let counts: UnsafeMutablePointer<Counts>

    init(_ plugin: LoadedPlugin, _ instance: PluginInstance?) {
        self.plugin = plugin
        self.instance = instance
        shared = plugin.shared
        origin = EmissionOrigin(plugins: [plugin.name])
        counts = .allocate(capacity: 1)
        counts.initialize(
            to: Counts(member: Unmanaged.passUnretained(self), own: instance.flatMap(Entered.init))
        )
    }

    deinit {
        counts.pointee.series.deallocate()
        counts.deallocate()
    }

    var isExhausted: Bool {
        get { counts.pointee.isExhausted }
        set { counts.pointee.isExhausted = newValue }
    }

    /// Gives the state's memory back.
    func retire() {
        counts.pointee.own = nil
        instance?.retire()
        shared?.enter { $0.retire() }
    }
}

/// A rule with everything that a call of it touches. Belongs to one session.
final class RuleSlot {
    /// What every call reads and counts: plain memory, as ``PluginMember/Counts``. What it refers to is held by the slot.
    struct Counts {
        let slot: Unmanaged<RuleSlot>
        let record: Unmanaged<RuleRecord>
        let member: UnsafeMutablePointer<PluginMember.Counts>
        let function: Int32
        let isScorer: Bool
        let samplesAll: Bool
        var circuit = Circuit()
        var meter = ShareMeter()
    }

    let member: PluginMember
    let rule: Rule
    /// The rule's place among those of its plugin.
    let index: Int
    let record: RuleRecord
    let sampleLimit: UInt64
    let sampleSalt: UInt64
    let counts: UnsafeMutablePointer<Counts>
    /// When a timer is due; nil before it was first looked at.
    var due: Timestamp?

    init(_ member: PluginMember, _ rule: Rule, _ index: Int, _ record: RuleRecord) {
        self.member = member
        self.rule = rule
        self.index = index
        self.record = record
        sampleLimit = Self.limit(rule.options.sample)
        sampleSalt = Self.salt(rule.scorer ?? "")
        counts = .allocate(capacity: 1)
        counts.initialize(
            to: Counts(
                slot: Unmanaged.passUnretained(self),
                record: Unmanaged.passUnretained(record),
                member: member.counts,
                function: rule.function,
                isScorer: rule.scorer != nil,
                samplesAll: sampleLimit == .max
            )
        )
    }

    deinit { counts.deallocate() }

    func isSampled(_ trace: TraceID) -> Bool { Self.isSampled(trace, sampleLimit, sampleSalt) }

    /// Whether a scorer of a name and share takes a trace.
    static func isSampled(_ trace: TraceID, scorer: String, share: Double) -> Bool {
        isSampled(trace, limit(share), salt(scorer))
    }

    private static func isSampled(_ trace: TraceID, _ limit: UInt64, _ salt: UInt64) -> Bool {
        limit == .max || TraceID(high: trace.high ^ salt, low: trace.low).mixed < limit
    }

    private static func limit(_ share: Double) -> UInt64 {
        share >= 1 ? .max : UInt64(share * 18_446_744_073_709_549_568)
    }

    /// FNV-1a of a name, so that two scorers with one share take different traces.
    private static func salt(_ name: String) -> UInt64 {
        guard !name.isEmpty else { return 0 }
        return name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }
}

/// What the rules of a session want to be told of.
package struct RuleWants: OptionSet, Sendable {
    /// The bits.
    package let rawValue: UInt32

    /// A set of bits.
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Spans that started, once their facts are settled.
    package static let started = RuleWants(rawValue: 1)
    /// Spans that ended, once their facts are settled.
    package static let ended = RuleWants(rawValue: 2)
    /// Spans as they arrive.
    package static let arrivals = RuleWants(rawValue: 4)
    /// Traces that ended.
    package static let traces = RuleWants(rawValue: 8)
    /// Log lines.
    package static let logs = RuleWants(rawValue: 16)
    /// Observations of metrics.
    package static let metrics = RuleWants(rawValue: 32)
    /// Scores.
    package static let scores = RuleWants(rawValue: 64)
    /// Feedback.
    package static let feedback = RuleWants(rawValue: 128)
    /// What the pipeline lost.
    package static let drops = RuleWants(rawValue: 256)
    /// Spans before anything else sees them.
    package static let processSpans = RuleWants(rawValue: 512)
    /// Logs and metrics before anything else sees them.
    package static let processSignals = RuleWants(rawValue: 1024)
    /// The first span of each trace.
    package static let sampling = RuleWants(rawValue: 2048)
    /// The time.
    package static let timers = RuleWants(rawValue: 4096)
}

/// When in the life of a span rules are called.
package enum SpanMoment: Int, CaseIterable, Sendable {
    /// It started, and its facts are settled.
    case started
    /// It ended, and its facts are settled.
    case ended
    /// News of its start have come.
    case startArrived
    /// News of a change have come.
    case updateArrived
    /// News of its end have come.
    case endArrived

    /// What there is where rules ask for the moment.
    var want: RuleWants {
        switch self {
        case .started: .started
        case .ended: .ended
        case .startArrived, .updateArrived, .endArrived: .arrivals
        }
    }

    /// The moment that a rule of spans asks for.
    init(_ rule: Rule) {
        switch rule.event {
        case .spanStarted: self = rule.isEarly ? .startArrived : .started
        case .spanUpdated: self = .updateArrived
        default: self = rule.isEarly ? .endArrived : .ended
        }
    }
}
