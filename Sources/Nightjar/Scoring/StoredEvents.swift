import Foundation
import NightjarBus
package import NightjarSignals
package import NightjarStore

/// Which stored traces are looked at: the newest by their last receipt.
package struct StoredWindow: Sendable, Equatable {
    /// So many where nothing else is said.
    package static let usualLimit = 10_000

    /// Received last not before.
    package var from: Timestamp?
    /// Received last not after.
    package var to: Timestamp?
    /// At most so many.
    package var limit: Int

    /// A window.
    package init(from: Timestamp? = nil, to: Timestamp? = nil, limit: Int = usualLimit) {
        self.from = from
        self.to = to
        self.limit = limit
    }
}

/// What was replayed.
package struct ReplayOutcome: Sendable, Equatable {
    /// How many traces there were.
    package var traces = 0
    /// Whether there were more than the window's limit.
    package var isCut = false
    /// Why parts of them were left out.
    package var faults: [String] = []

    /// Nothing.
    package init() {}
}

/// The events of a database file in the order in which they were received, read beside whoever writes it.
package final class StoredEvents: Sendable {
    /// So many are held at once.
    private static let entriesAtOnce = 64

    let reader: StoreReader

    /// Opens a database file for reading.
    /// - Throws: ``EngineError`` that names the file.
    package init(path: String) throws(EngineError) {
        guard FileManager.default.fileExists(atPath: path) else {
            throw EngineError(code: .unavailable, detail: "\(path) cannot be read; is it there?")
        }
        do throws(StoreError) {
            reader = try StoreReader(path: path)
        } catch {
            throw EngineError(
                code: .unavailable,
                detail: "the database \(path) cannot be read: \(error.detail)"
            )
        }
    }

    /// What rules of a run may ask for by id: what is stored, without what the plugins of these names said before.
    package func lookups(without plugins: Set<String>) -> any StoredTraces {
        TracesWithoutPlugins(base: reader, plugins: plugins)
    }

    /// Takes the events of a window into runs that share a clock, each event into every run; the runs are not finished.
    /// `isStopped` is asked, and `progress` told how far it is, now and then.
    /// - Throws: ``EngineError`` where the database cannot be read.
    package func replay(
        _ window: StoredWindow,
        into runs: [RecordedRun],
        clock: StoredClock,
        without plugins: Set<String>,
        isStopped: () -> Bool = { false },
        progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
    ) throws(EngineError) -> ReplayOutcome {
        var outcome = ReplayOutcome()
        do throws(StoreError) {
            let (traces, isCut) = try reader.outlines(from: window.from, to: window.to, limit: window.limit)
            (outcome.traces, outcome.isCut) = (traces.count, isCut)
            var entries = try reader.entries(of: traces.map(\.id))
            // Where older traces are left out, so is what is as old as they.
            let oldest = isCut ? traces.first?.lastReceived : window.from
            entries += try reader.entriesWithoutTrace(from: oldest, to: window.to, limit: window.limit)
            entries.sort(by: StoredEntry.isBefore)
            var done = 0
            while done < entries.count, !isStopped() {
                let some = entries[done..<min(done + Self.entriesAtOnce, entries.count)]
                let contents = try reader.contents(of: some)
                for case (let entry, let content?) in zip(some, contents) {
                    clock.turn(to: entry.time)
                    outcome.faults += take(content, into: runs, without: plugins)
                }
                done += some.count
                progress(done, entries.count)
            }
        } catch {
            throw EngineError(code: .unavailable, detail: "the database cannot be read: \(error.detail)")
        }
        return outcome
    }

    private func take(
        _ content: StoredContent,
        into runs: [RecordedRun],
        without plugins: Set<String>
    ) -> [String] {
        var faults: [String] = []
        for run in runs {
            run.advance()
            do throws(RecordedRun.InputFault) {
                switch content {
                case .chunk(let chunk): try run.add(chunk)
                case .event(let event): try run.add([event], without: plugins)
                }
            } catch {
                faults.append(error.description)
            }
        }
        // Every run says the same.
        return Array(faults.prefix(1))
    }
}
