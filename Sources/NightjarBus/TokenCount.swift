package import NightjarSignals

extension Value {
    /// A token count as it was stated: a finite number that is not negative, or text that is one; NaN for anything else, which
    /// is no observation (signals contract, section 7).
    package var tokenCount: Double {
        guard let number, number.isFinite, number >= 0 else { return .nan }
        return number
    }
}
