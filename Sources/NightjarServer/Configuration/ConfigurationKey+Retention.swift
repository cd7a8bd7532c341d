import Nightjar
import NightjarSignals
import NightjarStore

/// The keys below `retention`.
extension ConfigurationKey {
    static let retention = [
        ConfigurationKey(
            "retention.traces",
            .duration,
            \.retention.traces,
            "how long traces are kept after their last span, with all of theirs"
        ),
        ConfigurationKey("retention.logs", .duration, \.retention.logs, "how long logs are kept"),
        ConfigurationKey(
            "retention.metrics",
            .duration,
            \.retention.metrics,
            "how long windows of 10 s are kept; those of 5 min nine times as long"
        ),
        ConfigurationKey(
            "retention.scores",
            .duration,
            \.retention.scores,
            "how long scores and feedback are kept; they may outlive traces"
        ),
        ConfigurationKey(
            "retention.maxBytes",
            ValueKind<Int>.size.optional,
            \.retention.maximumBytes,
            "how large the database file may be; beyond, the oldest traces and logs go"
        ),
        ConfigurationKey(
            "retention.refuseOlderThan",
            ValueKind<Duration>.duration.optional,
            \.engine.refuseOlderThan,
            "spans that ended longer ago are refused"
        ),
    ]
}

extension ServerConfiguration {
    var retention: Retention {
        get { engine.retention ?? Retention() }
        set { engine.retention = newValue }
    }
}
