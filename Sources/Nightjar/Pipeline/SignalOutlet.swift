import NightjarBus
import NightjarSignals

/// The way out of the event path: what workers tell exporters and subscribers. Values are made only where someone listens.
struct SignalOutlet: Sendable {
    let bus: ObservabilityBus?

    func wants(_ signal: Signal) -> Bool { bus?.wants(signal) ?? false }

    func emit(_ event: @autoclosure () -> SignalEvent, _ signal: Signal) {
        if let bus, bus.wants(signal) { bus.emit(event()) }
    }
}
