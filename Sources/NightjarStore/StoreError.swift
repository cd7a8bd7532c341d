/// Why the store refused or failed to do something.
package struct StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of failure; each is a value of the label `reason`.
    package enum Code: String, Sendable, CaseIterable {
        /// A queue is at its bound.
        case overloaded
        /// The store was closed.
        case closed
        /// Another process holds the database.
        case busy
        /// The disk or the database is full.
        case full
        /// Reading or writing failed.
        case inputOutput = "io"
        /// The database may not be written.
        case readOnly = "read_only"
        /// The file is no database, or a broken one.
        case corrupt
        /// A newer version of the product wrote the database.
        case newerSchema = "newer_schema"
        /// Something took longer than its bound.
        case timeout
        /// Nobody waits for it any more.
        case abandoned
        /// Anything else that the database refused.
        case failed
    }

    /// What kind of failure; bounded.
    package let code: Code
    /// What happened, for a person; unbounded, never a label.
    package let detail: String

    /// A failure.
    package init(code: Code, detail: String) {
        self.code = code
        self.detail = detail
    }

    /// Whether the same call may succeed later without anyone changing the file or the program.
    package var isRetryable: Bool {
        switch code {
        case .corrupt, .newerSchema: false
        default: true
        }
    }

    /// One line a person can act on.
    package var description: String { "store (\(code.rawValue)): \(detail)" }
}
