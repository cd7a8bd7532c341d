package import NightjarBus

/// Which traces are stored and exported, `sampling`.
package struct SamplingConfiguration: Sendable, Equatable {
    /// What there is to choose from.
    package enum Choice: String, Sendable, CaseIterable {
        /// Every trace.
        case always
        /// No trace.
        case never
        /// A part of all traces, by a hash of their ids.
        case ratio
    }

    /// How it is decided.
    package var type = Choice.always
    /// The part of all traces that is kept, 0 to 1; for `ratio` only.
    package var probability: Double?

    /// Every trace.
    package init() {}

    /// What decides; none where every trace is kept.
    package var samplers: [Sampling] {
        switch type {
        case .always: []
        case .never: [.never]
        case .ratio: [.ratio(probability ?? 1)]
        }
    }
}
