import CNightjarLua
import NightjarBus

/// The series that the metrics of one plugin led to, by the numbers that its state gives to a metric with labels. Plain memory
/// that its owner gives back; belongs to one session.
struct EmittedSeries {
    struct Entry {
        /// The metric; nil before it was asked for.
        var instrument: InstrumentID?
        var remembered = RememberedSeries()
    }

    private var entries: UnsafeMutablePointer<Entry>?
    private var count = 0
    /// Which numbering of the state, and which receiver of the session, they are of.
    private var numbers: UInt32 = 0
    private var receiver = -1

    func deallocate() { entries?.deallocate() }

    /// Forgets everything where it is not of this numbering and this receiver.
    mutating func turn(toNumbers numbers: UInt32, receiver: Int) {
        guard self.numbers != numbers || self.receiver != receiver else { return }
        (self.numbers, self.receiver) = (numbers, receiver)
        entries?.update(repeating: Entry(), count: count)
    }

    /// The entry of a number from 0 to below ``NJ_LABEL_SETS``; valid until the next is asked for.
    mutating func entry(_ number: Int) -> UnsafeMutablePointer<Entry> {
        if number < count, let entries { return entries + number }
        return grow(toHold: number) + number
    }

    private mutating func grow(toHold number: Int) -> UnsafeMutablePointer<Entry> {
        let room = max(16, (number + 1) * 2)
        let grown = UnsafeMutablePointer<Entry>.allocate(capacity: room)
        if let entries { grown.moveInitialize(from: entries, count: count) }
        (grown + count).initialize(repeating: Entry(), count: room - count)
        entries?.deallocate()
        (entries, count) = (grown, room)
        return grown
    }
}
