import Foundation

/// SIGHUP as a call, one after the other, for as long as the object lives.
final class Hangups {
    private let source: any DispatchSourceSignal

    /// From now on the signal no longer ends the process.
    init(_ body: @escaping @Sendable () -> Void) {
        signal(SIGHUP, SIG_IGN)
        source = DispatchSource.makeSignalSource(
            signal: SIGHUP,
            queue: DispatchQueue(label: "nightjar.hangups")
        )
        source.setEventHandler(handler: body)
        source.resume()
    }

    deinit { source.cancel() }
}
