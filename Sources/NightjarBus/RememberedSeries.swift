package import CNightjarSignals
package import NightjarSignals

/// The series that a metric and a set of labels led to last, kept by whoever knows that both are the same again. Empty at first.
/// Of one aggregator only.
package struct RememberedSeries {
    private var cell: MetricAggregator.Cell?
    private var epoch = -1

    /// Nothing remembered.
    package init() {}

    /// The cell, where it is still good.
    fileprivate func cell(in epoch: Int) -> MetricAggregator.Cell? { self.epoch == epoch ? cell : nil }

    fileprivate mutating func remember(_ cell: MetricAggregator.Cell, in epoch: Int) {
        (self.cell, self.epoch) = (cell, epoch)
    }
}

extension MetricAggregator {
    /// Adds one observation as ``record(_:value:labels:at:)`` does, without looking for its series where that is remembered.
    package func record(
        _ instrument: InstrumentID,
        value: Double,
        labels: UnsafeBufferPointer<nj_label>,
        at time: Timestamp,
        remembered: inout RememberedSeries
    ) {
        refresh()
        if let cell = remembered.cell(in: epoch) {
            add(cell, value: value, at: time)
        } else if let cell = cell(instrument, labels) {
            // Asking for a cell may begin a new epoch.
            remembered.remember(cell, in: epoch)
            add(cell, value: value, at: time)
        }
    }
}
