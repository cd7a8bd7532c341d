/// Why a request was refused as a whole: nothing of it was taken.
package struct OTLPError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of fault it is; few values, fit for a label.
    package enum Code: String, Sendable {
        /// The bytes are not the message they should be.
        case malformed
        /// A limit on size, inflation or nesting is exceeded.
        case tooLarge = "too_large"
        /// There is no room for it now.
        case overloaded
    }

    /// What kind of fault it is.
    package let code: Code
    /// The byte at which reading stopped, from 0; in the body as it is after inflating.
    package let offset: Int
    /// Where in the message that is: `resource_spans[0].scope_spans[1].spans[2]`; empty at the top.
    package let path: String
    /// What is wrong there; not fit for a label.
    package let detail: String

    /// One line that a sender's developer can act on.
    package var description: String {
        "\(detail) at byte \(offset)" + (path.isEmpty ? "" : " in \(path)")
    }
}

/// A fault in protobuf's wire format, before anyone knows where in the message it lies.
struct WireError: Error {
    /// The byte at which reading stopped.
    let offset: Int
    /// What is wrong there.
    let detail: StaticString
}
